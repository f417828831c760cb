//! Commands: what anyone can ask of the hub. Each builds one `Command` and converts its `Reply`.

use std::cell::{Cell, RefCell};
use std::sync::atomic::AtomicBool;
use std::{fmt, ptr};

use fws_hub::command::{ClearTags, Close, Count, Kill, List, Rename, SendTo, Tag, Tags, Untag};
use fws_hub::{Command, CommandError, Expression, MAX_NAME, Outcome, Renamed, Reply, Target};
use fws_server::{RemoteError, RemoteFailure};

use crate::batch;
use crate::bytes::{fws_bytes, fws_reply, input, optional, text};
use crate::client::fws_client;
use crate::control::{TOO_LONG, is_remote};
use crate::core::core;
use crate::result::fws_result::{self, *};
use crate::result::{fws_error, guard, refuse};

/// Flag of the send functions: a binary message rather than a text.
pub const FWS_BINARY: u32 = 1;

/// Outcome of fws_client_send: it waits in the client's outbox, or is on its way.
pub const FWS_SENT_QUEUED: i32 = 0;
/// Outcome of fws_client_send: the client's outbox is full; the message was dropped and counted.
pub const FWS_SENT_DROPPED: i32 = 1;
/// Outcome of fws_client_send: there is no such client, or not on that route.
pub const FWS_SENT_GONE: i32 = 2;

/// Why there is no reply.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The core is not started.
    NotRunning,
    /// It was asked, and refused.
    Refused(CommandError),
    /// The server of this machine could not be asked.
    Remote(RemoteError),
    /// The command is longer than one for the server of this machine may be.
    TooLong,
}

impl Failure {
    pub(crate) fn code(&self) -> fws_result {
        match self {
            Failure::NotRunning => FWS_ERR_NOT_RUNNING,
            Failure::Refused(why) => why.into(),
            Failure::Remote(why) => match why.failure {
                RemoteFailure::NoServer => FWS_ERR_NO_SERVER,
                RemoteFailure::Denied => FWS_ERR_CONTROL_DENIED,
                RemoteFailure::OtherVersion => FWS_ERR_CONTROL_VERSION,
                RemoteFailure::Lost => FWS_ERR_CONTROL_LOST,
                RemoteFailure::Ambiguous => FWS_ERR_CONTROL_AMBIGUOUS,
            },
            Failure::TooLong => FWS_ERR_COMMAND_TOO_LONG,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NotRunning => f.write_str("the WebSocket core is not running in this process"),
            Failure::Refused(why) => why.fmt(f),
            Failure::Remote(why) => why.fmt(f),
            Failure::TooLong => f.write_str(TOO_LONG),
        }
    }
}

thread_local! {
    /// The text of the last command of this thread that failed.
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The text of the last command of this thread that failed, for functions that have no place for it. It says more than fws_result_text:
/// with FWS_ERR_UNKNOWN_ROUTE, which routes there are. Valid until the next command of this thread that fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_command_error(out: *mut fws_bytes) {
    guard((), || {
        // SAFETY: the caller passes NULL or a valid place.
        if let Some(out) = unsafe { out.as_mut() } {
            *out = LAST.with_borrow(|text| fws_bytes::of(text.as_bytes()));
        }
    })
}

thread_local! {
    /// Ends what takes long on this thread, when it is set; NULL: nothing does.
    static INTERRUPT: Cell<*const AtomicBool> = const { Cell::new(ptr::null()) };
}

/// Names a flag that ends searches of this thread: commands that look at many clients, tags or stored values return FWS_ERR_INTERRUPTED
/// soon after somebody has made it true. A signal handler or another thread may do that. It is one byte, and stays valid until this
/// function is called again on this thread, or the thread ends. NULL: nothing ends them, which is so at first. Commands that are carried
/// out in another process are not interrupted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_thread_interrupt(flag: *const bool) {
    guard((), || INTERRUPT.set(flag.cast()));
}

/// Carries out a command: the one way from every door to the core.
pub(crate) fn execute(command: &Command<'_>) -> Result<Reply, Failure> {
    match core() {
        Some(core) => {
            // SAFETY: NULL, or as fws_thread_interrupt demands: one byte that is valid until another is named. An AtomicBool is as large.
            let interrupt = unsafe { INTERRUPT.get().as_ref() };
            batch::direct(command, || core.ask_unless(command, interrupt).map_err(Failure::Refused))
        }
        None if is_remote() => batch::remote(command),
        None => Err(Failure::NotRunning),
    }
}

/// Where a reply goes.
pub(crate) enum Out {
    Nothing,
    Outcome(*mut i32),
    Number(*mut u64),
    Names(*mut *mut fws_reply),
    Value(*mut *mut fws_reply),
    Pairs(*mut *mut fws_reply),
    Flag(*mut bool),
    Integer(*mut i64),
    Client(*mut fws_client, *mut *mut fws_reply),
}

/// Runs a command whose arguments were read, or says what was wrong with them.
///
/// # Safety
/// The place in `out` is NULL or valid for a write.
pub(crate) unsafe fn run(command: Result<Command<'_>, fws_result>, out: Out) -> fws_result {
    // SAFETY: promised by the caller; NULL is nowhere.
    unsafe { run_explained(command, out, ptr::null_mut()) }
}

/// As [`run`], with the place for the text of an error.
///
/// # Safety
/// As for [`run`]; `error` is NULL or valid for a write.
pub(crate) unsafe fn run_explained(command: Result<Command<'_>, fws_result>, out: Out, error: *mut *mut fws_error) -> fws_result {
    let null = match out {
        Out::Nothing => false,
        Out::Outcome(out) => out.is_null(),
        Out::Number(out) => out.is_null(),
        Out::Names(out) | Out::Value(out) | Out::Pairs(out) => out.is_null(),
        Out::Flag(out) => out.is_null(),
        Out::Integer(out) => out.is_null(),
        Out::Client(facts, strings) => facts.is_null() || strings.is_null(),
    };
    if null {
        return FWS_ERR_NULL;
    }
    let reply = match command {
        Ok(command) => execute(&command),
        Err(code) => return code,
    };
    match (reply, out) {
        (Err(failure), _) => {
            let text = failure.to_string();
            LAST.with_borrow_mut(|last| last.clone_from(&text));
            // SAFETY: promised by the caller.
            return unsafe { refuse(error, failure.code(), text) };
        }
        (Ok(Reply::Gone), _) => return FWS_END,
        (Ok(Reply::Done), Out::Nothing) => {}
        // SAFETY: not NULL, see above, and then promised by the caller.
        (Ok(Reply::Sent(outcome)), Out::Outcome(out)) => unsafe {
            out.write(match outcome {
                Outcome::Queued => FWS_SENT_QUEUED,
                Outcome::Dropped => FWS_SENT_DROPPED,
                Outcome::Gone => FWS_SENT_GONE,
                Outcome::TooLarge => return FWS_ERR_TOO_LARGE,
            });
        },
        // SAFETY: as above.
        (Ok(Reply::Queued(number) | Reply::Count(number)), Out::Number(out)) => unsafe { out.write(number) },
        // SAFETY: as above.
        (Ok(Reply::Names(names)), Out::Names(out)) => unsafe { out.write(fws_reply::names(names)) },
        // SAFETY: as above.
        (Ok(Reply::Pairs(pairs)), Out::Pairs(out)) => unsafe { out.write(fws_reply::pairs(pairs)) },
        (Ok(Reply::Value(value)), Out::Value(out)) => match value {
            // SAFETY: as above.
            Some(value) => unsafe { out.write(fws_reply::one(value)) },
            None => return FWS_END,
        },
        // SAFETY: as above.
        (Ok(Reply::Flag(flag)), Out::Flag(out)) => unsafe { out.write(flag) },
        // SAFETY: as above.
        (Ok(Reply::Renamed(renamed)), Out::Flag(out)) => unsafe { out.write(renamed == Renamed::Done) },
        // SAFETY: as above.
        (Ok(Reply::Integer(integer)), Out::Integer(out)) => unsafe { out.write(integer) },
        // SAFETY: as above.
        (Ok(Reply::Client(client)), Out::Client(facts, strings)) => unsafe {
            facts.write(fws_client::of(&client));
            strings.write(fws_client::strings(*client));
        },
        (Ok(Reply::Expiry(expiry)), Out::Integer(out)) => match expiry {
            // SAFETY: as above.
            Some(left) => unsafe { out.write(left.map_or(-1, |left| i64::try_from(left).unwrap_or(i64::MAX))) },
            None => return FWS_END,
        },
        (Ok(reply), _) => unreachable!("bug: {reply:?} is not what this command answers"),
    }
    FWS_OK
}

/// Queues a message to one client, on a route (optional). Text must be UTF-8. `outcome` receives FWS_SENT_….
///
/// FWS_ERR_TOO_LARGE: the message is longer than the max_outbox of the client's route. A group send leaves such clients out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_client_send(
    id: *const u8,
    id_len: usize,
    data: *const u8,
    len: usize,
    flags: u32,
    route: *const u8,
    route_len: usize,
    outcome: *mut i32,
) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || {
            let to = Target::Client(text(id, id_len)?);
            Ok(Command::Send(SendTo {
                to,
                route: optional(route, route_len)?,
                except: None,
                binary: flags & FWS_BINARY != 0,
                data: input(data, len)?.into(),
            }))
        };
        run(command(), Out::Outcome(outcome))
    })
}

/// Queues a message to all clients, of a route (optional), but one (optional). `queued` receives to how many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_clients_send(
    data: *const u8,
    len: usize,
    flags: u32,
    route: *const u8,
    route_len: usize,
    except_id: *const u8,
    except_len: usize,
    queued: *mut u64,
) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || {
            let (route, except) = (optional(route, route_len)?, optional(except_id, except_len)?);
            Ok(Command::Send(SendTo { to: Target::All, route, except, binary: flags & FWS_BINARY != 0, data: input(data, len)?.into() }))
        };
        run(command(), Out::Number(queued))
    })
}

/// Queues a message to all clients with a tag, of a route (optional), but one (optional). `queued` receives to how many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_tag_send(
    tag: *const u8,
    tag_len: usize,
    data: *const u8,
    len: usize,
    flags: u32,
    route: *const u8,
    route_len: usize,
    except_id: *const u8,
    except_len: usize,
    queued: *mut u64,
) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || {
            let to = Target::Tag(text(tag, tag_len)?);
            let (route, except) = (optional(route, route_len)?, optional(except_id, except_len)?);
            Ok(Command::Send(SendTo { to, route, except, binary: flags & FWS_BINARY != 0, data: input(data, len)?.into() }))
        };
        run(command(), Out::Number(queued))
    })
}

/// Starts the closing handshake with a client: a code that may be sent (RFC 6455, 7.4) and a reason of at most 123 bytes. What was
/// sent before is written first. `done` receives false where the client is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_client_close(
    id: *const u8,
    id_len: usize,
    code: u16,
    reason: *const u8,
    reason_len: usize,
    done: *mut bool,
) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::Close(Close { id: text(id, id_len)?, code, reason: text(reason, reason_len)? }));
        run(command(), Out::Flag(done))
    })
}

/// Cuts a connection, without a closing handshake. Its close event has the code 1006. `cut` receives false where the client is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_client_kill(id: *const u8, id_len: usize, cut: *mut bool) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::Kill(Kill { id: text(id, id_len)? }));
        run(command(), Out::Flag(cut))
    })
}

/// Gives a client another id of 1 to 255 bytes; its tags, stored information, and what waits for it or of it stay. `renamed` receives
/// false where the client is gone or the new id is taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_client_rename(id: *const u8, id_len: usize, new: *const u8, new_len: usize, renamed: *mut bool) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::Rename(Rename { id: text(id, id_len)?, new: text(new, new_len)? }));
        run(command(), Out::Flag(renamed))
    })
}

/// The names of the routes in force, sorted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_routes_list(out: *mut *mut fws_reply) -> fws_result {
    // SAFETY: the caller passes NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe { run(Ok(Command::Routes), Out::Names(out)) })
}

/// Puts a tag of 1 to 255 bytes on a client; one it has already is fine. At most 256 a client. `done` receives false where the client is
/// gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_client_tag(id: *const u8, id_len: usize, tag: *const u8, tag_len: usize, done: *mut bool) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::Tag(Tag { id: text(id, id_len)?, tag: text(tag, tag_len)? }));
        run(command(), Out::Flag(done))
    })
}

/// Takes a tag off a client; one it does not have is fine. `done` receives false where the client is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_client_untag(id: *const u8, id_len: usize, tag: *const u8, tag_len: usize, done: *mut bool) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::Untag(Untag { id: text(id, id_len)?, tag: text(tag, tag_len)? }));
        run(command(), Out::Flag(done))
    })
}

/// The tags of a client, sorted. Known until its close event has been handled. FWS_END: the client is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_client_tags(id: *const u8, id_len: usize, out: *mut *mut fws_reply) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::Tags(Tags { id: Some(text(id, id_len)?) }));
        run(command(), Out::Names(out))
    })
}

/// Every tag that a client has, sorted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_tags_list(out: *mut *mut fws_reply) -> fws_result {
    // SAFETY: the caller passes NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe { run(Ok(Command::Tags(Tags { id: None })), Out::Names(out)) })
}

/// The ids of the clients with a tag.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_tag_clients(tag: *const u8, tag_len: usize, out: *mut *mut fws_reply) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::List(List { of: Target::Tag(text(tag, tag_len)?), route: None }));
        run(command(), Out::Names(out))
    })
}

/// The ids of all clients, of a route (optional).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_clients_list(route: *const u8, route_len: usize, out: *mut *mut fws_reply) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::List(List { of: Target::All, route: optional(route, route_len)? }));
        run(command(), Out::Names(out))
    })
}

/// How many clients there are, on a route (optional).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_clients_count(route: *const u8, route_len: usize, count: *mut u64) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::Count(Count { of: Target::All, route: optional(route, route_len)? }));
        run(command(), Out::Number(count))
    })
}

/// How many clients have a tag.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_tag_count(tag: *const u8, tag_len: usize, count: *mut u64) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::Count(Count { of: Target::Tag(text(tag, tag_len)?), route: None }));
        run(command(), Out::Number(count))
    })
}

/// Takes all tags off a client. `done` receives false where the client is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_client_clear_tags(id: *const u8, id_len: usize, done: *mut bool) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or a valid place.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::ClearTags(ClearTags { id: text(id, id_len)? }));
        run(command(), Out::Flag(done))
    })
}

/// A text as a piece of a tag expression that stands for exactly this text, whatever it has in it: alone it selects the clients with this
/// tag, and beside other pieces it is a part of a name (`room_` and what is quoted). The result is item 0 of the reply. It needs no core.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_tag_quote(tag: *const u8, tag_len: usize, out: *mut *mut fws_reply) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes valid bytes, and NULL or a valid place.
        let (tag, out) = match unsafe { (text(tag, tag_len), out.as_mut()) } {
            (_, None) => return FWS_ERR_NULL,
            (Err(code), _) => return code,
            (Ok(tag), _) if tag.len() > MAX_NAME => return FWS_ERR_INVALID_TAG,
            (Ok(tag), Some(out)) => (tag, out),
        };
        *out = fws_reply::text(Expression::quote(tag));
        FWS_OK
    })
}

/// The ids of the clients whose tags fit an expression: `!` over `&` over `|`, parentheses, `*` for any characters in a name, quotes
/// around any characters that stand for themselves: see fws_tag_quote. `error` (optional) receives the text of FWS_ERR_SYNTAX, with the
/// position.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_expression_clients(
    expression: *const u8,
    expression_len: usize,
    out: *mut *mut fws_reply,
    error: *mut *mut fws_error,
) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or valid places.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || Ok(Command::List(List { of: Target::Expression(text(expression, expression_len)?), route: None }));
        run_explained(command(), Out::Names(out), error)
    })
}

/// Queues a message to all clients whose tags fit an expression, of a route (optional), but one (optional). `queued` receives to how
/// many. See fws_expression_clients.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_expression_send(
    expression: *const u8,
    expression_len: usize,
    data: *const u8,
    len: usize,
    flags: u32,
    route: *const u8,
    route_len: usize,
    except_id: *const u8,
    except_len: usize,
    queued: *mut u64,
    error: *mut *mut fws_error,
) -> fws_result {
    // SAFETY: the caller passes valid bytes, and NULL or valid places.
    guard(FWS_ERR_PANIC, || unsafe {
        let command = || {
            let to = Target::Expression(text(expression, expression_len)?);
            let (route, except) = (optional(route, route_len)?, optional(except_id, except_len)?);
            Ok(Command::Send(SendTo { to, route, except, binary: flags & FWS_BINARY != 0, data: input(data, len)?.into() }))
        };
        run_explained(command(), Out::Number(queued), error)
    })
}
