//! Batches: commands whose answers are not waited for one by one.

use std::cell::RefCell;

use fws_hub::{Command, Outcome, Renamed, Reply};
use fws_server::Batch as Queue;

use crate::core::core;
use crate::error::{fws_error, refuse};
use crate::failure::Failure;
use crate::owned::Owned;
use crate::remote::{is_remote, push, send};
use crate::result::fws_result::{self, *};
use crate::result::guard;

/// From so many bytes on, what is queued is sent.
const QUEUED: usize = 1 << 20;

/// Kind of a result of a batch: of a command that answers nothing.
pub const FWS_RESULT_NOTHING: u32 = 0;
/// Kind of a result of a batch: yes or no, 1 or 0.
pub const FWS_RESULT_FLAG: u32 = 1;
/// Kind of a result of a batch: a number.
pub const FWS_RESULT_NUMBER: u32 = 2;

/// One result of a batch.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct fws_result_item {
    /// FWS_RESULT_….
    pub kind: u32,
    /// The flag or the number.
    pub value: i64,
}

/// The results of a batch. Freed by its receiver with fws_batch_free.
#[derive(Debug, Default)]
pub struct fws_batch {
    results: Vec<fws_result_item>,
    /// The first command that failed, counted from 1, and how many did.
    failed: Option<(usize, Failure, usize)>,
    /// Not sent yet; stays empty where the core is in this process.
    queue: Queue,
}

thread_local! {
    /// The batch that this thread has begun.
    static BATCH: RefCell<Option<fws_batch>> = const { RefCell::new(None) };
}

impl Owned for fws_batch {}

impl fws_batch {
    fn record(&mut self, answer: Result<&Reply, Failure>) {
        let nothing = fws_result_item { kind: FWS_RESULT_NOTHING, value: 0 };
        let result = match answer {
            Ok(reply) => match *reply {
                Reply::Sent(Outcome::TooLarge) => unreachable!("bug: told as an error"),
                Reply::Sent(outcome) => fws_result_item { kind: FWS_RESULT_FLAG, value: i64::from(outcome == Outcome::Queued) },
                Reply::Flag(flag) => fws_result_item { kind: FWS_RESULT_FLAG, value: flag.into() },
                Reply::Renamed(renamed) => fws_result_item { kind: FWS_RESULT_FLAG, value: i64::from(renamed == Renamed::Done) },
                Reply::Queued(number) | Reply::Count(number) => {
                    fws_result_item { kind: FWS_RESULT_NUMBER, value: i64::try_from(number).unwrap_or(i64::MAX) }
                }
                Reply::Integer(value) => fws_result_item { kind: FWS_RESULT_NUMBER, value },
                Reply::Done
                | Reply::Names(_)
                | Reply::Value(_)
                | Reply::Client(_)
                | Reply::Pairs(_)
                | Reply::Expiry(_)
                | Reply::Stats(_)
                | Reply::History(_)
                | Reply::Members(_)
                | Reply::Gone => nothing,
            },
            Err(failure) => {
                match &mut self.failed {
                    Some((_, _, count)) => *count += 1,
                    None => self.failed = Some((self.results.len() + 1, failure, 1)),
                }
                nothing
            }
        };
        self.results.push(result);
    }

    /// Sends what is queued and takes its answers; `last`, if the answer to the last command is none of the batch's results.
    fn flush(&mut self, last: bool) -> Option<Result<Reply, Failure>> {
        let mut queue = std::mem::take(&mut self.queue);
        let (mut left, mut extra) = (queue.len() - usize::from(last), None);
        let sent = if queue.is_empty() {
            Ok(())
        } else {
            send(&queue, |answer| {
                let answer = answer.map_err(Failure::Refused);
                match left.checked_sub(1) {
                    Some(fewer) => {
                        left = fewer;
                        match answer {
                            Ok(reply) => self.record(Ok(&reply)),
                            Err(failure) => self.record(Err(failure)),
                        }
                    }
                    None => extra = Some(answer),
                }
            })
        };
        queue.clear();
        self.queue = queue;
        let Err(failure) = sent else { return extra };
        // Whether these were carried out is unknown.
        for _ in 0..left {
            self.record(Err(failure.clone()));
        }
        Some(Err(failure))
    }
}

/// Carries out a command here, by way of the batch of this thread if there is one.
pub(crate) fn direct(command: &Command<'_>, execute: impl FnOnce() -> Result<Reply, Failure>) -> Result<Reply, Failure> {
    BATCH.with_borrow_mut(|batch| {
        let Some((batch, placeholder)) = batch.as_mut().and_then(|batch| Some((batch, command.placeholder()?))) else { return execute() };
        match execute() {
            Ok(reply) => {
                batch.record(Ok(&reply));
                Ok(reply)
            }
            Err(failure) => {
                batch.record(Err(failure));
                Ok(placeholder)
            }
        }
    })
}

/// Has the server of this machine carry out a command: at once, or with the batch of this thread.
pub(crate) fn remote(command: &Command<'_>) -> Result<Reply, Failure> {
    BATCH.with_borrow_mut(|batch| {
        let mut alone = fws_batch::default();
        let queued = batch.as_ref().and_then(|_| command.placeholder());
        let batch = batch.as_mut().unwrap_or(&mut alone);
        push(&mut batch.queue, command)?;
        match queued {
            Some(placeholder) if batch.queue.bytes().len() < QUEUED => Ok(placeholder),
            Some(placeholder) => batch.flush(false).unwrap_or(Ok(placeholder)),
            None => batch.flush(true).expect("bug: a command without an answer"),
        }
    })
}

/// Begins a batch on this thread. Until its end, commands that change or send do not fail, and for a process without a core they are
/// queued and answered with a placeholder: FWS_SENT_QUEUED, FWS_RENAMED_DONE, 0 clients, 1, or 0. Commands that ask are answered as ever, behind all
/// that is queued. FWS_ERR_STALE: this thread has begun one already.
#[unsafe(no_mangle)]
pub extern "C" fn fws_batch_begin() -> fws_result {
    guard(FWS_ERR_PANIC, || {
        if core().is_none() && !is_remote() {
            return FWS_ERR_NOT_RUNNING;
        }
        BATCH.with_borrow_mut(|batch| {
            if batch.is_some() {
                return FWS_ERR_STALE;
            }
            *batch = Some(fws_batch::default());
            FWS_OK
        })
    })
}

/// Ends the batch of this thread: all that is queued is carried out. `out` (optional) receives the results, in order, of its commands that
/// change or send, unless one of them has failed: then the code is that of the first, and `error` (optional) receives its position and
/// its text. FWS_ERR_STALE: this thread has not begun one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_batch_end(out: *mut *mut fws_batch, error: *mut *mut fws_error) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        let Some(mut batch) = BATCH.take() else { return FWS_ERR_STALE };
        // What fails here is recorded like all that failed.
        batch.flush(false);
        if let Some((position, failure, count)) = &batch.failed {
            let others = match count {
                1 => "all others were carried out".to_owned(),
                count => format!("{} more failed, and all others were carried out", count - 1),
            };
            let text = format!("call {position} of {} in the batch: {failure} ({others})", batch.results.len());
            // SAFETY: the caller passes NULL or a valid place.
            return unsafe { refuse(error, failure.code(), text) };
        }
        // SAFETY: the caller passes NULL or a valid place.
        if let Some(out) = unsafe { out.as_mut() } {
            *out = batch.give();
        }
        FWS_OK
    })
}

/// The results of a batch and, in `count`, how many; valid until fws_batch_free. NULL for none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_batch_results(batch: *const fws_batch, count: *mut usize) -> *const fws_result_item {
    guard(std::ptr::null(), || {
        // SAFETY: the caller passes pointers that are NULL or valid.
        let (Some(batch), Some(count)) = (unsafe { (batch.as_ref(), count.as_mut()) }) else { return std::ptr::null() };
        *count = batch.results.len();
        batch.results.as_ptr()
    })
}

/// Frees the results of a batch; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_batch_free(batch: *mut fws_batch) {
    // SAFETY: the caller passes NULL, or results that it frees once.
    guard((), || drop(unsafe { fws_batch::take(batch) }))
}
