//! The one way of every command from C to the core.

use std::ptr;

use fws_hub::{Command, Outcome, Renamed, Reply};
use fws_server::Caller;

use crate::batch;
use crate::command::{FWS_RENAMED_DONE, FWS_RENAMED_GONE, FWS_RENAMED_TAKEN, fws_command};
use crate::command::{FWS_SENT_DROPPED, FWS_SENT_GONE, FWS_SENT_QUEUED};
use crate::core::core;
use crate::error::fws_error;
use crate::failure::Failure;
use crate::owned::Owned;
use crate::remote::is_remote;
use crate::reply::fws_reply;
use crate::result::fws_result::{self, *};
use crate::result::guard;

/// What a command has answered: fws_command_kind says which of the two, or neither.
#[repr(C)]
pub struct fws_answer {
    /// A number; 1 and 0 for yes and no.
    pub number: i64,
    /// Strings, NULL where the answer has none. The caller frees it with fws_reply_free.
    pub reply: *mut fws_reply,
}

impl fws_answer {
    const NOTHING: fws_answer = fws_answer { number: 0, reply: ptr::null_mut() };

    fn number(number: impl TryInto<i64>) -> fws_answer {
        fws_answer { number: number.try_into().unwrap_or(i64::MAX), ..fws_answer::NOTHING }
    }

    fn reply(reply: fws_reply) -> fws_answer {
        fws_answer { reply: reply.give(), ..fws_answer::NOTHING }
    }

    /// `Err` where there is nothing to answer.
    fn of(reply: Reply) -> Result<fws_answer, fws_result> {
        Ok(match reply {
            Reply::Done => fws_answer::NOTHING,
            Reply::Sent(outcome) => fws_answer::number(match outcome {
                Outcome::Queued => FWS_SENT_QUEUED,
                Outcome::Dropped => FWS_SENT_DROPPED,
                Outcome::Gone => FWS_SENT_GONE,
                Outcome::TooLarge => return Err(FWS_ERR_TOO_LARGE),
            }),
            Reply::Renamed(renamed) => fws_answer::number(match renamed {
                Renamed::Done => FWS_RENAMED_DONE,
                Renamed::Gone => FWS_RENAMED_GONE,
                Renamed::Taken => FWS_RENAMED_TAKEN,
            }),
            Reply::Queued(number) | Reply::Count(number) => fws_answer::number(number),
            Reply::Integer(number) => fws_answer::number(number),
            Reply::Flag(flag) => fws_answer::number(flag),
            Reply::Expiry(Some(left)) => left.map_or(fws_answer::number(-1), fws_answer::number),
            Reply::Names(names) => fws_answer::reply(fws_reply::names(names)),
            Reply::Pairs(pairs) => fws_answer::reply(fws_reply::pairs(pairs)),
            Reply::Value(Some(value)) => fws_answer::reply(fws_reply::one(value)),
            Reply::Client(client) => fws_answer::reply(fws_reply::client(*client)),
            Reply::History(history) => fws_answer::reply(fws_reply::history(*history)),
            Reply::Members(members) => fws_answer::reply(fws_reply::members(members)),
            Reply::Stats(json) => fws_answer::reply(fws_reply::text(&json)),
            Reply::Value(None) | Reply::Expiry(None) | Reply::Gone => return Err(FWS_END),
        })
    }
}

/// Carries out a command: the one way from every door to the core.
pub(crate) fn execute(command: &Command<'_>, caller: Caller<'_>) -> Result<Reply, Failure> {
    match core() {
        Some(core) => batch::direct(command, || core.ask_as(command, caller).map_err(Failure::Refused)),
        None if is_remote() => batch::remote(command),
        None => Err(Failure::NotRunning),
    }
}

/// Carries out a command. `answer` receives what fws_command_kind says. FWS_END: there is nothing to answer, as fws_command_kind says, or the
/// client that was asked about is gone.
///
/// `error` (optional) receives the text of any other result but FWS_ERR_NULL: what was wrong, where, and what would be right. FWS_ERR_NULL:
/// `command` or `answer` is NULL, or a field of bytes is NULL and has a length, or a timer has neither a worker nor a bell.
/// FWS_ERR_COMMAND: `kind` is none of fws_command_kind.
///
/// Commands that look at many clients, tags or stored values may take as long as search_timeout (FWS_ERR_SEARCH_TIMEOUT), unless
/// `interrupt` ends them (FWS_ERR_INTERRUPTED). They change and send nothing then. All others return at once in the process of the core. In another process
/// (fws_remote_enable) each waits for its answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_command_run(command: *const fws_command, answer: *mut fws_answer, error: *mut *mut fws_error) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes NULL, or a command whose bytes are valid, and NULL or valid places.
        let (Some(command), Some(answer)) = (unsafe { (command.as_ref(), answer.as_mut()) }) else { return FWS_ERR_NULL };
        // SAFETY: as above.
        let reply = match unsafe { command.read() } {
            // SAFETY: as above.
            Ok(read) => execute(&read, unsafe { command.caller() }),
            Err(failure) => Err(failure),
        };
        match reply {
            Ok(reply) => match fws_answer::of(reply) {
                Ok(answered) => {
                    *answer = answered;
                    FWS_OK
                }
                Err(result) => result,
            },
            // SAFETY: as above.
            Err(failure) => unsafe { failure.tell(error) },
        }
    })
}
