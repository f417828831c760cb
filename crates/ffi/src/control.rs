//! The control socket: this process serves one, or uses that of another.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;

use fws_hub::{Command, CommandError, Reply};
use fws_server::{Batch, Control, ControlConfig, MAX_COMMAND, Remote};
use parking_lot::Mutex;

use crate::bytes::{fws_bytes, input};
use crate::command::Failure;
use crate::core::core;
use crate::result::fws_result::{self, *};
use crate::result::{fws_error, guard, refuse};

/// The socket that this process serves, and how it was asked to. Guards that one call begins or ends it at a time.
static SERVED: Mutex<Option<(ControlConfig, Control)>> = Mutex::new(None);

/// The server that commands are for, once this process has said that it has none of its own. Locked while it is waited for: a process
/// on the command line has nothing better to do, and answers must not be mixed up.
static REMOTE: OnceLock<Mutex<Remote>> = OnceLock::new();

thread_local! {
    /// Why the last command of this thread did not reach its server.
    static WHY: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Whether commands are for another process.
pub(crate) fn is_remote() -> bool {
    core().is_none() && REMOTE.get().is_some()
}

/// Has the server of this machine carry out commands. See [`Remote::run`].
pub(crate) fn send(batch: &Batch, each: impl FnMut(Result<Reply, CommandError>)) -> Result<(), Failure> {
    let remote = REMOTE.get().ok_or(Failure::NotRunning)?;
    remote.lock().run(batch, each).map_err(|why| {
        WHY.with_borrow_mut(|text| text.clone_from(&why.text));
        Failure::Remote(why)
    })
}

/// Puts a command behind others that are to be sent.
pub(crate) fn push(batch: &mut Batch, command: &Command<'_>) -> Result<(), Failure> {
    if batch.push(command) { Ok(()) } else { Err(Failure::TooLong) }
}

/// What a command of more than [`MAX_COMMAND`] bytes is refused with.
pub(crate) const TOO_LONG: &str = "a command for another process has at most 64 MiB";
const _: () = assert!(MAX_COMMAND == 64 << 20);

/// Serves the control socket, by which other processes of this machine give commands: with another configuration than before anew, with
/// the same one only if it is not served.
///
/// `config` is JSON, optional: `{"path":"/run/app/ctl.sock","mode":432,"group":33,"project":{"directory":"/srv/app",
/// "config":"/srv/app/Caddyfile","scripts":["/srv/app"]}}`. Without a path the server has one of its own, where fws_remote_enable looks; the
/// mode is 0600, or 0660 where a group is given. `project` is what other processes know the server by among several: where it was started,
/// its configuration file, and the folders of its scripts, all absolute; a change of it leaves the socket as it is. `"off":true`: there is no
/// socket, and who looks for this server is told so. Where another server has the path, the socket is served when that one has ended, and
/// the log says so. `error` (optional) receives the reason of FWS_ERR_CONFIG and FWS_ERR_IO.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_control_serve(config: *const u8, config_len: usize, error: *mut *mut fws_error) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        let Some(core) = core() else { return FWS_ERR_NOT_RUNNING };
        // SAFETY: the caller passes valid bytes.
        let json = match unsafe { input(config, config_len) } {
            Ok(json) => json,
            Err(code) => return code,
        };
        let config = if json.is_empty() { Ok(ControlConfig::default()) } else { serde_json::from_slice(json) };
        let config = match config {
            Ok(config) => config,
            // SAFETY: the caller passes NULL or a valid place.
            Err(why) => return unsafe { refuse(error, FWS_ERR_CONFIG, format!("control: {why}")) },
        };
        let mut served = SERVED.lock();
        if let Some((before, control)) = served.as_mut() {
            let project = std::mem::replace(&mut before.project, config.project.clone());
            if *before == config {
                if project != config.project {
                    control.describe(&config.project);
                }
                return FWS_OK;
            }
        }
        // The old one first: the new one may be at the same path.
        *served = None;
        match Control::serve(core.clone(), &config) {
            Ok(control) => {
                *served = Some((config, control));
                FWS_OK
            }
            // SAFETY: the caller passes NULL or a valid place.
            Err(why) => unsafe { refuse(error, FWS_ERR_IO, why) },
        }
    })
}

/// Ends serving the control socket and removes it; does nothing where it is not served. To be called before the process ends.
#[unsafe(no_mangle)]
pub extern "C" fn fws_control_stop() {
    guard((), || drop(SERVED.lock().take()))
}

/// To be called in a forked child that goes on without exec: closes what the control socket must not leave to it. Calls close and nothing
/// else. Every other function of this library is for the parent only.
#[unsafe(no_mangle)]
pub extern "C" fn fws_control_forked() {
    guard((), fws_server::forked)
}

/// From now on commands are for the server of this machine, reached by its control socket, unless the core runs in this process. For
/// programs on the command line; a server must not call it, or it would talk to another one while it has no routes. Only the first call
/// counts.
///
/// The socket is the one that FRANKENPHP_WS_SOCKET names. Else servers are looked for in the folder that it names; or in
/// /run/frankenphp-ws, in frankenphp-ws in $XDG_RUNTIME_DIR or /run/user/UID, and in /tmp/frankenphp-ws-UID. Of several the one is taken in
/// whose project `script` is (the path of the script that this process runs, optional), or the working directory; if that is not certain,
/// commands fail with FWS_ERR_CONTROL_AMBIGUOUS. It is connected to when a command needs it, within a second. Commands then block until they
/// are answered, and can also fail with FWS_ERR_NO_SERVER, FWS_ERR_CONTROL_DENIED, FWS_ERR_CONTROL_VERSION and FWS_ERR_CONTROL_LOST: see
/// fws_remote_error.
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

/// Why the last command of this thread did not reach the server, or its answer was lost: a sentence with the path of the socket, and with
/// what would be right. Valid until the next command of this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_remote_error(out: *mut fws_bytes) {
    guard((), || {
        // SAFETY: the caller passes NULL or a valid place.
        if let Some(out) = unsafe { out.as_mut() } {
            *out = WHY.with_borrow(|text| fws_bytes::of(text.as_bytes()));
        }
    })
}
