//! Result codes, and the guard around every function.

use std::ffi::{CStr, c_char};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fws_hub::{CommandError, InformationError, KeyValueError, Stopped, TimerError};
use fws_server::AdmissionError;

/// How a call went. Codes are only ever added.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum fws_result {
    /// It is done.
    FWS_OK = 0,
    /// There is nothing (more) to take, or the client that was asked about is gone. Not an error.
    FWS_END = 1,
    /// A required pointer is NULL.
    FWS_ERR_NULL = 2,
    /// A bug in the core; it was caught.
    FWS_ERR_PANIC = 3,
    /// The core is not started.
    FWS_ERR_NOT_RUNNING = 4,
    /// A configuration was refused; the error says where and why.
    FWS_ERR_CONFIG = 5,
    /// No client has this id. Not returned any more: a client that is gone is no error.
    FWS_ERR_UNKNOWN_CLIENT = 6,
    /// No route has this name; the error says which there are.
    FWS_ERR_UNKNOWN_ROUTE = 7,
    /// A text message, id, tag, reason or name that is not UTF-8.
    FWS_ERR_INVALID_UTF8 = 8,
    /// A tag that is empty or longer than 255 bytes.
    FWS_ERR_INVALID_TAG = 9,
    /// A close code that must not be sent.
    FWS_ERR_INVALID_CLOSE_CODE = 10,
    /// A close reason longer than 123 bytes.
    FWS_ERR_REASON_TOO_LONG = 11,
    /// A message longer than the max_outbox of the client's route.
    FWS_ERR_TOO_LARGE = 12,
    /// The query string carries no live nonce.
    FWS_ERR_NO_BELL = 13,
    /// A system call failed.
    FWS_ERR_IO = 14,
    /// The client has as many tags as it may.
    FWS_ERR_TOO_MANY_TAGS = 15,
    /// A generation or handle that is no longer valid.
    FWS_ERR_STALE = 16,
    /// A tag expression or regular expression that cannot be read; the error says where and what was expected.
    FWS_ERR_SYNTAX = 17,
    /// A key that is empty or too long: 1024 bytes for global values, 255 for stored information.
    FWS_ERR_INVALID_KEY = 18,
    /// The key-value store, or the stored information of a client, has no room, or no timer can be set.
    FWS_ERR_FULL = 19,
    /// A value that is not an integer of 64 bits, or would not be one after an increment.
    FWS_ERR_NOT_AN_INTEGER = 20,
    /// A number that is out of its range.
    FWS_ERR_OUT_OF_RANGE = 21,
    /// An id that is empty or longer than 255 bytes.
    FWS_ERR_INVALID_ID = 22,
    /// No worker that handles WebSocket events has this name.
    FWS_ERR_UNKNOWN_WORKER = 23,
    /// Another client, or another handshake, has this id.
    FWS_ERR_ID_TAKEN = 24,
    /// A sub-protocol that the client did not offer, or that no worker of the route handles.
    FWS_ERR_SUBPROTOCOL = 25,
    /// A command in JSON that cannot be read; the error says where and why.
    FWS_ERR_COMMAND = 26,
    /// No server answers at the control socket; the error says where.
    FWS_ERR_NO_SERVER = 27,
    /// The control socket is not for this user, or its place is not to be trusted; the error says where.
    FWS_ERR_CONTROL_DENIED = 28,
    /// The server at the control socket is of another version; the error says where.
    FWS_ERR_CONTROL_VERSION = 29,
    /// The connection to the server was lost: it is unknown whether the command was carried out; the error says where.
    FWS_ERR_CONTROL_LOST = 30,
    /// A command that is too long for the control socket.
    FWS_ERR_COMMAND_TOO_LONG = 31,
    /// There are several servers, and it is not certain which one is meant; the error says where.
    FWS_ERR_CONTROL_AMBIGUOUS = 32,
    /// A timer's payload of more than 1 MiB.
    FWS_ERR_PAYLOAD_TOO_LONG = 33,
    /// A client that is gone has this id until its close event has been handled.
    FWS_ERR_ID_LEAVING = 34,
    /// A search took longer than search_timeout. Nothing was changed or sent.
    FWS_ERR_SEARCH_TIMEOUT = 35,
    /// A command ended since its flag `interrupt` was set. Nothing was changed or sent.
    FWS_ERR_INTERRUPTED = 36,
    /// A text that is no position of a history.
    FWS_ERR_POSITION = 37,
    /// No route keeps a history of the tag, or several do and none was named.
    FWS_ERR_NO_HISTORY = 38,
    /// No route has presence for the tag, or several have and none was named.
    FWS_ERR_NO_PRESENCE = 39,
    /// A user that is empty or longer than 255 bytes.
    FWS_ERR_INVALID_USER = 40,
    /// More than 4096 bytes of information about a user.
    FWS_ERR_USER_INFO_TOO_LONG = 41,
    /// Other servers of the cluster are needed, and cannot be asked, or did not answer in time.
    FWS_ERR_CLUSTER = 42,
    /// No route has the application of the Pusher protocol, or there are several and none was named.
    FWS_ERR_NO_APP = 43,
    /// An event that the Pusher protocol does not have; the error says why.
    FWS_ERR_INVALID_EVENT = 44,
}

use fws_result::*;

impl fws_result {
    fn text(self) -> &'static CStr {
        match self {
            FWS_OK => c"it is done",
            FWS_END => c"there is nothing more to take",
            FWS_ERR_NULL => c"a required pointer is NULL",
            FWS_ERR_PANIC => c"a bug in the WebSocket core was caught",
            FWS_ERR_NOT_RUNNING => c"the WebSocket core is not running in this process",
            FWS_ERR_CONFIG => c"the configuration was refused",
            FWS_ERR_UNKNOWN_CLIENT => c"no client has this id",
            FWS_ERR_UNKNOWN_ROUTE => c"no route has this name",
            FWS_ERR_INVALID_UTF8 => c"text must be UTF-8; other bytes can be sent as a binary message",
            FWS_ERR_INVALID_TAG => c"a tag has 1 to 255 bytes",
            FWS_ERR_INVALID_CLOSE_CODE => c"a close code is 1000 to 1003, 1007 to 1014, or 3000 to 4999",
            FWS_ERR_REASON_TOO_LONG => c"a close reason has at most 123 bytes",
            FWS_ERR_TOO_LARGE => c"the message is longer than the max_outbox of the client's route",
            FWS_ERR_NO_BELL => c"this request is not a bell of the WebSocket core: it carries no live nonce",
            FWS_ERR_IO => c"a system call failed",
            FWS_ERR_TOO_MANY_TAGS => c"a client has at most 4096 tags",
            FWS_ERR_STALE => c"the generation or handle is no longer valid",
            FWS_ERR_SYNTAX => c"the expression cannot be read",
            FWS_ERR_INVALID_KEY => c"a key has 1 to 1024 bytes, 255 in stored information",
            FWS_ERR_FULL => c"the key-value store, or the stored information of the client, is full",
            FWS_ERR_NOT_AN_INTEGER => c"the value is not an integer of 64 bits, or would not be one after the increment",
            FWS_ERR_OUT_OF_RANGE => c"a number is out of its range",
            FWS_ERR_INVALID_ID => c"an id has 1 to 255 bytes",
            FWS_ERR_UNKNOWN_WORKER => c"no worker that handles WebSocket events has this name",
            FWS_ERR_ID_TAKEN => c"another client has this id",
            FWS_ERR_SUBPROTOCOL => c"the client did not offer this sub-protocol, or no worker of the route handles it",
            FWS_ERR_COMMAND => c"the command cannot be read",
            FWS_ERR_NO_SERVER => c"no server answers at the control socket",
            FWS_ERR_CONTROL_DENIED => c"this user may not use the control socket",
            FWS_ERR_CONTROL_VERSION => c"the server at the control socket is of another version",
            FWS_ERR_CONTROL_LOST => c"the connection to the server was lost; whether the command was carried out is unknown",
            FWS_ERR_COMMAND_TOO_LONG => c"a command for another process has at most 64 MiB",
            FWS_ERR_CONTROL_AMBIGUOUS => c"there are several servers, and it is not certain which one is meant",
            FWS_ERR_ID_LEAVING => c"a client that is gone has this id until its close event has been handled",
            FWS_ERR_SEARCH_TIMEOUT => c"the search took longer than search_timeout",
            FWS_ERR_INTERRUPTED => c"the search was interrupted by its caller",
            FWS_ERR_POSITION => c"this is no position of a history",
            FWS_ERR_NO_HISTORY => c"no history is kept of this tag",
            FWS_ERR_NO_PRESENCE => c"it is not known who has this tag",
            FWS_ERR_INVALID_USER => c"a user has 1 to 255 bytes",
            FWS_ERR_USER_INFO_TOO_LONG => c"the information about a user has at most 4096 bytes",
            FWS_ERR_CLUSTER => c"the other servers of the cluster could not be asked",
            FWS_ERR_NO_APP => c"no route has this application, or there are several",
            FWS_ERR_INVALID_EVENT => c"the event is not as it must be",
            FWS_ERR_PAYLOAD_TOO_LONG => c"the payload of a timer has at most 1 MiB",
        }
    }

    /// All codes, in order.
    const ALL: [fws_result; 45] = [
        FWS_OK,
        FWS_END,
        FWS_ERR_NULL,
        FWS_ERR_PANIC,
        FWS_ERR_NOT_RUNNING,
        FWS_ERR_CONFIG,
        FWS_ERR_UNKNOWN_CLIENT,
        FWS_ERR_UNKNOWN_ROUTE,
        FWS_ERR_INVALID_UTF8,
        FWS_ERR_INVALID_TAG,
        FWS_ERR_INVALID_CLOSE_CODE,
        FWS_ERR_REASON_TOO_LONG,
        FWS_ERR_TOO_LARGE,
        FWS_ERR_NO_BELL,
        FWS_ERR_IO,
        FWS_ERR_TOO_MANY_TAGS,
        FWS_ERR_STALE,
        FWS_ERR_SYNTAX,
        FWS_ERR_INVALID_KEY,
        FWS_ERR_FULL,
        FWS_ERR_NOT_AN_INTEGER,
        FWS_ERR_OUT_OF_RANGE,
        FWS_ERR_INVALID_ID,
        FWS_ERR_UNKNOWN_WORKER,
        FWS_ERR_ID_TAKEN,
        FWS_ERR_SUBPROTOCOL,
        FWS_ERR_COMMAND,
        FWS_ERR_NO_SERVER,
        FWS_ERR_CONTROL_DENIED,
        FWS_ERR_CONTROL_VERSION,
        FWS_ERR_CONTROL_LOST,
        FWS_ERR_COMMAND_TOO_LONG,
        FWS_ERR_CONTROL_AMBIGUOUS,
        FWS_ERR_PAYLOAD_TOO_LONG,
        FWS_ERR_ID_LEAVING,
        FWS_ERR_SEARCH_TIMEOUT,
        FWS_ERR_INTERRUPTED,
        FWS_ERR_POSITION,
        FWS_ERR_NO_HISTORY,
        FWS_ERR_NO_PRESENCE,
        FWS_ERR_INVALID_USER,
        FWS_ERR_USER_INFO_TOO_LONG,
        FWS_ERR_CLUSTER,
        FWS_ERR_NO_APP,
        FWS_ERR_INVALID_EVENT,
    ];
}

impl fmt::Display for fws_result {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text().to_string_lossy())
    }
}

impl From<&CommandError> for fws_result {
    fn from(error: &CommandError) -> Self {
        match error {
            CommandError::UnknownRoute(_) => FWS_ERR_UNKNOWN_ROUTE,
            CommandError::InvalidUtf8 => FWS_ERR_INVALID_UTF8,
            CommandError::InvalidId => FWS_ERR_INVALID_ID,
            CommandError::InvalidTag => FWS_ERR_INVALID_TAG,
            CommandError::TooManyTags => FWS_ERR_TOO_MANY_TAGS,
            CommandError::InvalidCloseCode => FWS_ERR_INVALID_CLOSE_CODE,
            CommandError::ReasonTooLong => FWS_ERR_REASON_TOO_LONG,
            CommandError::TooLarge => FWS_ERR_TOO_LARGE,
            CommandError::Syntax(_) => FWS_ERR_SYNTAX,
            CommandError::Information(InformationError::InvalidKey) => FWS_ERR_INVALID_KEY,
            CommandError::Information(InformationError::Full) => FWS_ERR_FULL,
            CommandError::Information(InformationError::Pattern(_)) => FWS_ERR_SYNTAX,
            CommandError::Stopped(Stopped::TimeLimit) => FWS_ERR_SEARCH_TIMEOUT,
            CommandError::Stopped(Stopped::Interrupted) => FWS_ERR_INTERRUPTED,
            CommandError::KeyValue(KeyValueError::InvalidKey) => FWS_ERR_INVALID_KEY,
            CommandError::KeyValue(KeyValueError::Full) => FWS_ERR_FULL,
            CommandError::KeyValue(KeyValueError::NotAnInteger | KeyValueError::Overflow) => FWS_ERR_NOT_AN_INTEGER,
            CommandError::Timer(TimerError::Delay | TimerError::Name) | CommandError::PingInterval => FWS_ERR_OUT_OF_RANGE,
            CommandError::Timer(TimerError::Full | TimerError::Overloaded) => FWS_ERR_FULL,
            CommandError::Timer(TimerError::Payload) => FWS_ERR_PAYLOAD_TOO_LONG,
            CommandError::UnknownWorker => FWS_ERR_UNKNOWN_WORKER,
            CommandError::InvalidPosition(_) => FWS_ERR_POSITION,
            CommandError::NoHistory | CommandError::SeveralHistories => FWS_ERR_NO_HISTORY,
            CommandError::NoPresence | CommandError::SeveralPresences => FWS_ERR_NO_PRESENCE,
            CommandError::InvalidUser => FWS_ERR_INVALID_USER,
            CommandError::UserInfoTooLong => FWS_ERR_USER_INFO_TOO_LONG,
            CommandError::Cluster(_) => FWS_ERR_CLUSTER,
            CommandError::NoApp | CommandError::SeveralApps => FWS_ERR_NO_APP,
            CommandError::InvalidEvent(_) => FWS_ERR_INVALID_EVENT,
        }
    }
}

impl From<Result<(), AdmissionError>> for fws_result {
    fn from(result: Result<(), AdmissionError>) -> Self {
        match result {
            Ok(()) => FWS_OK,
            Err(AdmissionError::Refused) => FWS_ERR_STALE,
            Err(AdmissionError::IdTaken) => FWS_ERR_ID_TAKEN,
            Err(AdmissionError::IdLeaving) => FWS_ERR_ID_LEAVING,
            Err(AdmissionError::NotOffered | AdmissionError::Unserved) => FWS_ERR_SUBPROTOCOL,
            Err(AdmissionError::Invalid(ref error)) => error.into(),
        }
    }
}

/// What a code means: a static English sentence, NUL-terminated, never NULL, also for unknown codes.
#[unsafe(no_mangle)]
pub extern "C" fn fws_result_text(code: i32) -> *const c_char {
    guard(c"unknown code".as_ptr(), || {
        fws_result::ALL.iter().find(|known| **known as i32 == code).map_or(c"unknown code", |known| known.text()).as_ptr()
    })
}

/// Runs the body of a function of the ABI; a panic becomes `fallback` instead of crossing into C.
pub(crate) fn guard<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(fallback)
}
