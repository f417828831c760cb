//! The control socket that this process serves.

use fws_server::{Control, ControlConfig};
use parking_lot::Mutex;

use crate::bytes::input;
use crate::core::core;
use crate::error::{fws_error, refuse};
use crate::result::fws_result::{self, *};
use crate::result::guard;

/// The socket that this process serves, and how it was asked to. Guards that one call begins or ends it at a time.
static SERVED: Mutex<Option<(ControlConfig, Control)>> = Mutex::new(None);

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
