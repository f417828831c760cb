//! Why a command has no answer.

use std::fmt;

use fws_hub::CommandError;
use fws_server::{MAX_COMMAND, RemoteError, RemoteFailure};

use crate::error::{fws_error, refuse};
use crate::result::fws_result::{self, *};

/// Why there is no reply.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// An argument cannot be what it has to be; the text says which.
    Argument(fws_result, &'static str),
    /// The core is not started.
    NotRunning,
    /// It was asked, and refused.
    Refused(CommandError),
    /// The server of this machine could not be asked.
    Remote(RemoteError),
    /// The command is longer than one for the server of this machine may be.
    TooLong,
}

const _: () = assert!(MAX_COMMAND == 64 << 20, "the text of TooLong says 64 MiB");

impl Failure {
    pub(crate) fn code(&self) -> fws_result {
        match self {
            Failure::Argument(code, _) => *code,
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

    /// Tells the caller: the text where it wants it, and the code.
    ///
    /// # Safety
    /// `error` is NULL or valid for a write.
    pub(crate) unsafe fn tell(&self, error: *mut *mut fws_error) -> fws_result {
        // SAFETY: promised by the caller.
        unsafe { refuse(error, self.code(), self.to_string()) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Argument(code, what) => write!(f, "{what}: {code}"),
            Failure::NotRunning => f.write_str("the WebSocket core is not running in this process"),
            Failure::Refused(why) => why.fmt(f),
            Failure::Remote(why) => why.fmt(f),
            Failure::TooLong => f.write_str("a command for another process has at most 64 MiB"),
        }
    }
}
