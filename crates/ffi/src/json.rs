//! The door for hosts that speak JSON: one function for all commands, and a stream for the answer.

use fws_hub::{Blob, Command, Reply};
use fws_server::Caller;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bytes::input;
use crate::error::{fws_error, refuse};
use crate::owned::Owned;
use crate::result::fws_result::{self, *};
use crate::result::guard;
use crate::run::execute;

/// The answer to a command, in JSON, as it is read. Freed by its receiver with fws_stream_free.
///
/// It is written item by item: a list of many thousand ids is never one text.
pub struct fws_stream {
    reply: Reply,
    /// The next item of a list; `None`: there is nothing more to write.
    next: Option<usize>,
    /// What is written and not read yet.
    written: Vec<u8>,
    /// How much of it is read.
    read: usize,
}

impl Owned for fws_stream {}

impl fws_stream {
    fn new(reply: Reply) -> fws_stream {
        fws_stream { reply, next: Some(0), written: Vec::new(), read: 0 }
    }

    /// Moves what comes next into `buffer`; 0: there is nothing more.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, serde_json::Error> {
        let mut filled = 0;
        loop {
            let rest = &self.written[self.read..];
            let n = rest.len().min(buffer.len() - filled);
            buffer[filled..filled + n].copy_from_slice(&rest[..n]);
            filled += n;
            self.read += n;
            let Some(next) = self.next.filter(|_| filled < buffer.len()) else { return Ok(filled) };
            self.written.clear();
            self.read = 0;
            self.next = self.write(next)?.then_some(next + 1);
        }
    }

    /// Writes one item; false: it was the last.
    fn write(&mut self, item: usize) -> Result<bool, serde_json::Error> {
        match &self.reply {
            Reply::Names(names) => {
                let name = names.get(item).map(|name| name.serialize(&mut serde_json::Serializer::new(&mut self.written)));
                around(&mut self.written, item, "{\"names\":[", "]}", name)
            }
            Reply::Pairs(pairs) => {
                let pair = pairs.get(item).map(|(key, value)| {
                    key.serialize(&mut serde_json::Serializer::new(&mut self.written))?;
                    self.written.push(b':');
                    Blob::from(&**value).serialize(&mut serde_json::Serializer::new(&mut self.written))
                });
                around(&mut self.written, item, "{\"pairs\":{", "}}", pair)
            }
            Reply::History(history) => {
                let message =
                    history.messages.get(item).map(|message| message.serialize(&mut serde_json::Serializer::new(&mut self.written)));
                let position = serde_json::to_string(&history.position)?;
                let start = format!("{{\"history\":{{\"position\":{position},\"complete\":{},\"messages\":[", history.complete);
                around(&mut self.written, item, &start, "]}}", message)
            }
            Reply::Members(members) => {
                let member = members.get(item).map(|member| member.serialize(&mut serde_json::Serializer::new(&mut self.written)));
                around(&mut self.written, item, "{\"members\":[", "]}", member)
            }
            short => serde_json::to_writer(&mut self.written, short).map(|()| false),
        }
    }
}

/// Puts what stands between items before the one just written, or the end behind the last. Whether there may be more.
fn around(
    written: &mut Vec<u8>,
    item: usize,
    start: &str,
    end: &str,
    outcome: Option<Result<(), serde_json::Error>>,
) -> Result<bool, serde_json::Error> {
    let before = if item == 0 { start } else { "," };
    match outcome {
        Some(outcome) => {
            written.splice(..0, before.bytes());
            outcome.map(|()| true)
        }
        None => {
            if item == 0 {
                written.extend_from_slice(start.as_bytes());
            }
            written.extend_from_slice(end.as_bytes());
            Ok(false)
        }
    }
}

/// Carries out a command given in JSON, as in `{"send":{"to":{"tag":"lyon"},"data":"hello"}}`; docs/commands.md lists all. `out` receives
/// the answer, to be read with fws_stream_read.
///
/// FWS_ERR_COMMAND: the JSON is not a command. `error` (optional) receives the text of any error, with the place in the JSON where it has
/// one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_command_json(
    json: *const u8,
    len: usize,
    out: *mut *mut fws_stream,
    error: *mut *mut fws_error,
) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes NULL or a valid place.
        let Some(out) = (unsafe { out.as_mut() }) else { return FWS_ERR_NULL };
        // SAFETY: the caller passes valid bytes.
        let json = match unsafe { input(json, len) } {
            Ok(json) => json,
            Err(code) => return code,
        };
        // Read in two steps: a value of JSON lends its strings to the command, escaped ones too.
        let answer = serde_json::from_slice::<Value>(json).map_err(|why| (FWS_ERR_COMMAND, format!("JSON: {why}"))).and_then(|value| {
            let command = Command::deserialize(&value).map_err(|why| (FWS_ERR_COMMAND, format!("command: {why}")))?;
            execute(&command, Caller::default()).map_err(|failure| (failure.code(), failure.to_string()))
        });
        match answer {
            Ok(reply) => {
                *out = fws_stream::new(reply).give();
                FWS_OK
            }
            // SAFETY: the caller passes NULL or a valid place.
            Err((code, text)) => unsafe { refuse(error, code, text) },
        }
    })
}

/// Moves what comes next of an answer into `buffer`, at most `capacity` bytes; returns how many. 0: there is nothing more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_stream_read(stream: *mut fws_stream, buffer: *mut u8, capacity: usize) -> usize {
    guard(0, || {
        // SAFETY: the caller passes NULL or a live stream.
        let Some(stream) = (unsafe { stream.as_mut() }) else { return 0 };
        if buffer.is_null() {
            return 0;
        }
        // SAFETY: the caller passes a buffer of this capacity; it is only written to.
        let buffer = unsafe { std::slice::from_raw_parts_mut(buffer, capacity) };
        stream.read(buffer).expect("bug: an answer can be written")
    })
}

/// Frees an answer, read to its end or not; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_stream_free(stream: *mut fws_stream) {
    // SAFETY: the caller passes NULL, or an answer that it frees once.
    guard((), || drop(unsafe { fws_stream::take(stream) }))
}

#[cfg(test)]
mod tests {
    use fws_hub::{History, Recorded};

    use super::*;

    fn read(reply: Reply, step: usize) -> String {
        let mut stream = fws_stream::new(reply);
        let (mut all, mut buffer) = (Vec::new(), vec![0; step]);
        loop {
            let n = stream.read(&mut buffer).expect("writable");
            if n == 0 {
                return String::from_utf8(all).expect("UTF-8");
            }
            assert!(n == step || stream.next.is_none());
            all.extend_from_slice(&buffer[..n]);
        }
    }

    #[test]
    fn what_is_streamed_is_what_serde_writes_whatever_the_buffer() {
        let names = |n: usize| Reply::Names((0..n).map(|n| format!("\"{n}\n").into()).collect());
        let pairs = |n: usize| Reply::Pairs((0..n).map(|n| (n.to_string().into(), [b'v', 0xff][..1 + n % 2].into())).collect());
        let history = |n: u64| {
            let message = |offset| Recorded { position: "p:1".into(), offset, time: 3, binary: true, data: (*b"\xff").into() };
            Reply::History(Box::new(History { position: "p:2".into(), complete: n == 1, messages: (0..n).map(message).collect() }))
        };
        let short = [
            history(0),
            history(1),
            history(100),
            Reply::Done,
            Reply::Value(Some((*b"\xff").into())),
            Reply::Stats("{\"a\":1}".into()),
            Reply::Expiry(None),
        ];
        for reply in [0, 1, 2, 100].into_iter().flat_map(|n| [names(n), pairs(n)]).chain(short) {
            let whole = serde_json::to_string(&reply).expect("writable");
            for step in [1, 7, 4096] {
                assert_eq!(read(reply.clone(), step), whole);
            }
        }
    }

    #[test]
    fn a_long_list_is_never_one_text() {
        let mut stream = fws_stream::new(Reply::Names((0..100_000).map(|n| n.to_string().into()).collect()));
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).expect("writable") > 0 {
            assert!(stream.written.capacity() < 4096);
        }
    }
}
