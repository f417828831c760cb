//! The control socket with real clients, and with clients that mean no good.

mod clients;
mod neighbours;
mod socket;
mod strangers;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use fws_hub::{Command, Reply};
use fws_server::{Batch, Config, Control, ControlConfig, Core, Remote, RemoteFailure};

/// The variables that say where sockets are are those of the whole process, so one test at a time.
static VARIABLES: Mutex<()> = Mutex::new(());

fn set_variable(name: &str, value: &Path) {
    // SAFETY: the tests of this process that look at the environment run one after the other.
    unsafe { std::env::set_var(name, value) };
}

fn core() -> Arc<Core> {
    let core = Core::start(&Config { shards: 1, ..Config::default() }).expect("threads and epolls");
    core.stage(1, br#"{"routes":[{"name":"r","echo":true}]}"#).expect("legal");
    core.commit(1).expect("staged");
    core
}

struct Site {
    folder: PathBuf,
    core: Arc<Core>,
    _alone: MutexGuard<'static, ()>,
}

impl Site {
    fn new() -> Site {
        let alone = VARIABLES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut name = [0; 8];
        getrandom::fill(&mut name).expect("random bytes");
        let folder = std::env::temp_dir().join(format!("fws-control-{}", u64::from_ne_bytes(name)));
        std::fs::create_dir(&folder).expect("a folder");
        set_variable("FRANKENPHP_WS_SOCKET", &folder.join("ctl.sock"));
        set_variable("XDG_RUNTIME_DIR", &folder);
        Site { folder, core: core(), _alone: alone }
    }

    fn serve(&self) -> Control {
        Control::serve(self.core.clone(), &ControlConfig::default()).expect("a socket")
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("ctl.sock")
    }

    fn counter(&self, name: &str) -> u64 {
        self.core.stats()[name].as_u64().unwrap_or_else(|| panic!("no counter {name}"))
    }

    /// Whether the server still serves, which is asked by a client of its own.
    fn is_well(&self) -> bool {
        ask(&mut Remote::default()).is_ok()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn ask(remote: &mut Remote) -> Result<(), RemoteFailure> {
    match remote.call(&Batch::from(&Command::Routes)) {
        Ok(Ok(Reply::Names(names))) if *names[0] == *"r" => Ok(()),
        Ok(other) => panic!("{other:?}"),
        Err(why) => {
            assert!(why.text.contains("ctl.sock"), "{why}: which socket?");
            Err(why.failure)
        }
    }
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The names in a folder.
fn files(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).expect("the folder").map(|file| file.expect("a file").file_name());
    let mut files: Vec<_> = files.map(|name| name.into_string().expect("UTF-8")).collect();
    files.sort();
    files
}

fn log(core: &Core) -> String {
    let mut buffer = vec![0; 100_000];
    let n = core.take_log(&mut buffer);
    String::from_utf8_lossy(&buffer[..n]).into_owned()
}
