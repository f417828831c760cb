//! Commands for the server of this machine, from a process without a core.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;

use fws_hub::{Command, CommandError, Reply};
use fws_server::{Batch, Remote};
use parking_lot::Mutex;

use crate::bytes::input;
use crate::core::core;
use crate::failure::Failure;
use crate::result::guard;

/// The server that commands are for, once this process has said that it has none of its own. Locked while it is waited for: a process
/// on the command line has nothing better to do, and answers must not be mixed up.
static REMOTE: OnceLock<Mutex<Remote>> = OnceLock::new();

/// Whether commands are for another process.
pub(crate) fn is_remote() -> bool {
    core().is_none() && REMOTE.get().is_some()
}

/// Has the server of this machine carry out commands. See [`Remote::run`].
pub(crate) fn send(batch: &Batch, each: impl FnMut(Result<Reply, CommandError>)) -> Result<(), Failure> {
    let remote = REMOTE.get().ok_or(Failure::NotRunning)?;
    remote.lock().run(batch, each).map_err(Failure::Remote)
}

/// Puts a command behind others that are to be sent.
pub(crate) fn push(batch: &mut Batch, command: &Command<'_>) -> Result<(), Failure> {
    if batch.push(command) { Ok(()) } else { Err(Failure::TooLong) }
}

/// From now on commands are for the server of this machine, reached by its control socket, unless the core runs in this process. For
/// programs on the command line; a server must not call it, or it would talk to another one while it has no routes. Only the first call
/// counts.
///
/// The socket is the one that FRANKENPHP_WS_SOCKET names. Else servers are looked for in the folder that it names; or in
/// /run/frankenphp-ws, in frankenphp-ws in $XDG_RUNTIME_DIR or /run/user/UID, and in /tmp/frankenphp-ws-UID. Of several the one is taken in
/// whose project `script` is (the path of the script that this process runs, optional), or the working directory; if that is not certain,
/// commands fail with FWS_ERR_CONTROL_AMBIGUOUS. It is connected to when a command needs it, within a second. Commands then block until they
/// are answered, and can also fail with FWS_ERR_NO_SERVER, FWS_ERR_CONTROL_DENIED, FWS_ERR_CONTROL_VERSION and FWS_ERR_CONTROL_LOST. The
/// error has the path of the socket, and what would be right.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_remote_enable(script: *const u8, script_len: usize) {
    guard((), || {
        // SAFETY: the caller passes valid bytes.
        let script = unsafe { input(script, script_len) }.unwrap_or_default();
        let script = (!script.is_empty()).then(|| Path::new(OsStr::from_bytes(script)));
        REMOTE.get_or_init(|| Mutex::new(Remote::new(script)));
    })
}

/// Whether commands are for another process: fws_remote_enable was called, and the core does not run here.
#[unsafe(no_mangle)]
pub extern "C" fn fws_remote_enabled() -> bool {
    guard(false, is_remote)
}
