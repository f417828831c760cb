//! The control socket with real clients, and with clients that mean no good.

use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use fws_hub::command::{Get, Increment, Set};
use fws_hub::{Command, Reply};
use fws_server::{Batch, Config, Control, ControlConfig, Core, Project, Remote, RemoteError, RemoteFailure};

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

/// A client that has greeted, whatever it does then.
fn stranger(path: &Path) -> UnixStream {
    let mut stream = UnixStream::connect(path).expect("a server");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let mut greeting = [0; 32];
    stream.read_exact(&mut greeting).expect("a greeting");
    stream.write_all(&greeting).expect("sent");
    stream
}

fn rest(mut stream: UnixStream) -> String {
    let mut rest = Vec::new();
    // A reset is an end, too: the server does not read what it does not want.
    let _ = stream.read_to_end(&mut rest);
    String::from_utf8_lossy(&rest).into_owned()
}

#[test]
fn the_socket_is_private_and_gone_with_its_server() {
    let site = Site::new();
    let control = site.serve();
    let found = std::fs::symlink_metadata(site.socket()).expect("there");
    assert!(found.file_type().is_socket() && found.mode() & 0o777 == 0o600);
    assert_eq!(files(&site.folder), ["ctl.sock", "ctl.sock.lock", "frankenphp-ws"]);
    assert_eq!(files(&site.folder.join("frankenphp-ws")).len(), 2, "a lock and a description");
    drop(control);
    assert_eq!(files(&site.folder), ["frankenphp-ws"]);
    assert_eq!(files(&site.folder.join("frankenphp-ws")), [""; 0], "nothing stays behind");

    let config = ControlConfig { mode: Some(0o666), group: Some(group()), ..ControlConfig::default() };
    let control = Control::serve(site.core.clone(), &config).expect("a socket");
    let found = std::fs::symlink_metadata(site.socket()).expect("there");
    assert_eq!((found.mode() & 0o777, found.gid(), control.path()), (0o666, group(), Some(site.socket())));
}

/// The names in a folder.
fn files(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).expect("the folder").map(|file| file.expect("a file").file_name());
    let mut files: Vec<_> = files.map(|name| name.into_string().expect("UTF-8")).collect();
    files.sort();
    files
}

/// A group that this process may give away: its own.
fn group() -> u32 {
    std::fs::metadata("/proc/self").expect("/proc").gid()
}

#[test]
fn a_second_server_of_a_path_has_it_when_the_first_one_ends() {
    let site = Site::new();
    let first = site.serve();
    let second = core();
    let waits = Control::serve(second.clone(), &ControlConfig::default()).expect("it waits");
    assert_eq!(waits.path(), None);
    assert!(log(&second).contains("another server that runs has"), "it says why");
    assert_eq!(site.counter("control_commands"), 0);
    assert!(site.is_well());
    assert_eq!(site.counter("control_commands"), 1, "the first one has the path");
    drop(first);
    wait_until("the second one is asked", || site.is_well());
    assert_eq!((site.counter("control_commands"), waits.path()), (1, Some(site.socket())));
    assert!(log(&second).contains("the other server has ended"), "it says so");
}

fn log(core: &Core) -> String {
    let mut buffer = vec![0; 100_000];
    let n = core.take_log(&mut buffer);
    String::from_utf8_lossy(&buffer[..n]).into_owned()
}

#[test]
fn a_dead_ones_socket_is_replaced_and_nothing_else() {
    let site = Site::new();
    // As a server leaves it that was killed: a socket and a lock file that nobody has locked.
    drop(UnixListener::bind(site.socket()).expect("a socket"));
    std::fs::write(site.folder.join("ctl.sock.lock"), "").expect("a lock file");
    assert_eq!(ask(&mut Remote::default()), Err(RemoteFailure::NoServer));
    drop(site.serve());

    let other = UnixListener::bind(site.socket()).expect("a socket");
    let why = Control::serve(site.core.clone(), &ControlConfig::default()).expect_err("another program's");
    assert!(why.contains("another program listens there"), "{why}");
    assert!(UnixStream::connect(site.socket()).is_ok(), "it can still be reached");
    drop(other);
    std::fs::remove_file(site.socket()).expect("removed");

    std::fs::write(site.socket(), "not a socket").expect("a file");
    let why = Control::serve(site.core.clone(), &ControlConfig::default()).expect_err("no socket");
    assert!(why.contains("not a socket"), "{why}");
    assert_eq!(std::fs::read(site.socket()).expect("still there"), b"not a socket");
}

#[test]
fn a_path_that_cannot_be_is_refused_with_the_reason() {
    let site = Site::new();
    for (path, reason) in [(site.folder.join("no/ctl.sock"), "folder"), (site.folder.join("x".repeat(120)), "103 bytes")] {
        let config = ControlConfig { path: Some(path.to_str().expect("UTF-8").into()), ..ControlConfig::default() };
        let why = Control::serve(site.core.clone(), &config).expect_err("impossible");
        assert!(why.contains(reason), "{why}");
    }
}

#[test]
fn a_client_connects_anew_when_the_server_was_restarted() {
    let site = Site::new();
    let mut remote = Remote::default();
    assert_eq!(ask(&mut remote), Err(RemoteFailure::NoServer));
    let control = site.serve();
    assert_eq!(ask(&mut remote), Ok(()));
    drop(control);
    assert_eq!(ask(&mut remote), Err(RemoteFailure::NoServer));
    let _control = site.serve();
    assert_eq!(ask(&mut remote), Ok(()));
}

#[test]
fn commands_are_pipelined_and_answered_in_order_whatever_their_size() {
    let site = Site::new();
    let _control = site.serve();
    let mut remote = Remote::default();
    let mut batch = Batch::default();
    for n in 0..20_000u32 {
        assert!(batch.push(&Command::Increment(Increment { key: b"n".into(), by: n.into() })));
    }
    let (mut sum, mut seen) = (0, 0);
    remote
        .run(&batch, |answer| {
            sum += i64::from(seen);
            seen += 1;
            assert_eq!(answer, Ok(Reply::Integer(sum)));
        })
        .expect("answered");
    assert_eq!(seen, 20_000);

    // Both sides have more to say than a socket holds.
    let megabytes = vec![b'x'; 20 << 20];
    batch.clear();
    batch.push(&Command::Set(Set { key: b"k".into(), value: (&megabytes[..]).into(), expire: None }));
    for _ in 0..4 {
        batch.push(&Command::Get(Get { key: b"k".into() }));
        batch.push(&Command::Set(Set { key: b"l".into(), value: (&megabytes[..8 << 20]).into(), expire: None }));
    }
    let mut seen = 0;
    remote
        .run(&batch, |answer| {
            assert!(seen % 2 == 0 && answer == Ok(Reply::Done) || answer == Ok(Reply::Value(Some(megabytes.clone().into()))));
            seen += 1;
        })
        .expect("answered");
    assert_eq!((seen, site.counter("control_commands")), (9, 20_009));
}

#[test]
fn who_says_nonsense_is_cut_and_nobody_else() {
    let site = Site::new();
    let _control = site.serve();
    let path = &site.socket();
    let mut good = Remote::default();
    ask(&mut good).expect("a server");

    let mut http = UnixStream::connect(path).expect("a server");
    http.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    assert!(rest(http).starts_with("fwsctrl\n"));

    let mut other = UnixStream::connect(path).expect("a server");
    let mut greeting = [0; 32];
    other.read_exact(&mut greeting).expect("a greeting");
    greeting[8] = 99;
    other.write_all(&greeting).expect("sent");
    assert_eq!(rest(other), "", "it knows from the server's greeting");

    // Lengths that nobody means, bytes that are no command, and garbage.
    let mut garbage = vec![0; 100_000];
    for wrong in [
        &b"\xff\xff\xff\xff"[..],
        b"\x01\x00\x00\x04",
        b"\x00\x00\x00\x00",
        b"\x01\x00\x00\x00\xff",
        b"\x06\x00\x00\x00\x00\x00\xff\xff\xff\xff",
    ] {
        let mut stream = stranger(path);
        stream.write_all(wrong).expect("sent");
        let said = rest(stream);
        assert!(said.contains("a command has at most") || said.contains("cannot be decoded"), "{wrong:?}: {said:?}");
    }
    for _ in 0..50 {
        getrandom::fill(&mut garbage).expect("random bytes");
        garbage[3] = 0;
        let mut stream = stranger(path);
        // It may be cut before all is written.
        let _ = stream.write_all(&garbage);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        rest(stream);
    }
    // Half a frame, and gone.
    stranger(path).write_all(b"\x00\x00\x00\x01half").expect("sent");

    ask(&mut good).expect("still served, on the same connection");
    assert!(site.counter("control_clients_cut") >= 7);
}

#[test]
fn an_announced_length_costs_nothing_before_its_bytes_come() {
    let site = Site::new();
    let _control = site.serve();
    let memory = || {
        let status = std::fs::read_to_string("/proc/self/statm").expect("/proc");
        status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number") * 4096
    };
    let before = memory();
    let streams: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = stranger(&site.socket());
            stream.write_all(&(64u32 << 20).to_le_bytes()).expect("sent");
            stream.write_all(&[0; 1000]).expect("sent");
            stream
        })
        .collect();
    assert!(site.is_well());
    let grown = memory().saturating_sub(before);
    assert!(grown < 100 << 20, "{grown} bytes for 100 announced lengths of 64 MiB");
    drop(streams);
}

#[test]
fn who_does_not_read_holds_up_nobody_and_the_answers_are_bounded() {
    let site = Site::new();
    let _control = site.serve();
    let value = vec![b'x'; 1 << 20];
    let mut batch = Batch::default();
    batch.push(&Command::Set(Set { key: b"k".into(), value: (&value[..]).into(), expire: None }));
    let mut good = Remote::default();
    good.call(&batch).expect("a server").expect("set");

    let mut batch = Batch::default();
    for _ in 0..10_000 {
        batch.push(&Command::Get(Get { key: b"k".into() }));
    }
    let mut greedy = stranger(&site.socket());
    greedy.write_all(batch.bytes()).expect("small enough for a socket's buffer, or read by the server");
    wait_until("the server cannot write any more", || {
        let carried_out = site.counter("control_commands");
        std::thread::sleep(Duration::from_millis(20));
        carried_out > 1 && site.counter("control_commands") == carried_out
    });
    assert!(site.counter("control_commands") < 100, "its answers would be {} MiB", site.counter("control_commands"));
    for _ in 0..100 {
        ask(&mut good).expect("nobody is held up");
    }
}

#[test]
fn more_clients_than_it_may_serve_are_told() {
    let site = Site::new();
    let _control = site.serve();
    let streams: Vec<_> = (0..128).map(|_| stranger(&site.socket())).collect();
    let mut remote = Remote::default();
    let why = remote.call(&Batch::from(&Command::Routes)).expect_err("busy");
    assert!(why.text.contains("as many control clients as it may (128)"), "{why}");
    drop(streams);
    wait_until("there is a place again", || ask(&mut remote).is_ok());
}

/// A program that listens in place of a server.
fn impostor(site: &Site, mut with: impl FnMut(UnixStream) + Send + 'static) -> std::thread::JoinHandle<()> {
    let listener = UnixListener::bind(site.socket()).expect("a socket");
    std::thread::spawn(move || with(listener.accept().expect("a client").0))
}

#[test]
fn a_client_gives_up_within_a_second_on_whoever_does_not_answer() {
    let site = Site::new();
    let listener = UnixListener::bind(site.socket()).expect("a socket");
    let since = Instant::now();
    assert_eq!(ask(&mut Remote::default()), Err(RemoteFailure::NoServer));
    let took = since.elapsed();
    assert!(took >= Duration::from_millis(900), "{took:?}");
    drop(listener);
    std::fs::remove_file(site.socket()).expect("removed");

    let impostor = impostor(&site, |mut stream| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n........").expect("sent"));
    assert_eq!(ask(&mut Remote::default()), Err(RemoteFailure::NoServer));
    impostor.join().expect("no panic");
}

#[test]
fn a_server_of_another_version_is_told_from_none() {
    let site = Site::new();
    let impostor = impostor(&site, |mut stream| {
        let mut greeting = [0; 32];
        greeting[..8].copy_from_slice(b"fwsctrl\n");
        greeting[8] = 7;
        greeting[12..17].copy_from_slice(b"9.8.7");
        stream.write_all(&greeting).expect("sent");
    });
    let why = Remote::default().call(&Batch::from(&Command::Routes)).expect_err("another version");
    assert_eq!(why.failure, RemoteFailure::OtherVersion);
    assert!(why.text.contains("9.8.7") && why.text.contains("version 7"), "{why}");
    impostor.join().expect("no panic");
}

#[test]
fn a_connection_that_is_lost_under_a_command_is_told_and_the_command_not_repeated() {
    let site = Site::new();
    let impostor = impostor(&site, |mut stream| {
        let mut greeting = [0; 32];
        stream.read_exact(&mut greeting).expect("a greeting");
        stream.write_all(&greeting).expect("sent");
        stream.read_exact(&mut [0; 5]).expect("a command");
    });
    let mut remote = Remote::default();
    assert_eq!(ask(&mut remote), Err(RemoteFailure::Lost));
    impostor.join().expect("nobody has come again");
    std::fs::remove_file(site.socket()).expect("removed");
    let _control = site.serve();
    assert_eq!(ask(&mut remote), Ok(()), "the next call connects anew");
}

#[test]
fn permission_denied_says_whose_the_socket_is() {
    let site = Site::new();
    let _control = site.serve();
    if std::fs::metadata("/proc/self").expect("/proc").uid() == 0 {
        return; // root is denied nothing; the end-to-end tests run a script as another user
    }
    std::fs::set_permissions(site.socket(), std::fs::Permissions::from_mode(0o000)).expect("chmod");
    assert_eq!(ask(&mut Remote::default()), Err(RemoteFailure::Denied));
}

/// Servers that share a folder of sockets, each with its own.
struct Neighbours {
    site: Site,
    sockets: PathBuf,
}

impl Neighbours {
    fn new() -> Neighbours {
        let site = Site::new();
        let sockets = site.folder.join("sockets");
        std::fs::create_dir(&sockets).expect("a folder");
        set_variable("FRANKENPHP_WS_SOCKET", &sockets);
        Neighbours { site, sockets }
    }

    fn project(&self, name: &str) -> ControlConfig {
        let folder = self.site.folder.join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let config = folder.join("Caddyfile");
        std::fs::write(&config, "").expect("a file");
        std::fs::write(folder.join("script.php"), "").expect("a file");
        ControlConfig {
            project: Project { directory: Some(folder), config: Some(config), scripts: Vec::new() },
            ..ControlConfig::default()
        }
    }

    /// A server of a project, that knows its name.
    fn start(&self, name: &str, change: impl FnOnce(&mut ControlConfig)) -> Control {
        let core = core();
        core.ask(&Command::Set(Set { key: b"who".into(), value: name.as_bytes().into(), expire: None })).expect("set");
        let mut config = self.project(name);
        change(&mut config);
        Control::serve(core, &config).expect("a socket")
    }

    /// A script in a project, or in none.
    fn script(&self, name: &str) -> Remote {
        Remote::new(Some(&self.site.folder.join(name).join("script.php")))
    }
}

fn who(remote: &mut Remote) -> Result<String, RemoteError> {
    match remote.call(&Batch::from(&Command::Get(Get { key: b"who".into() })))? {
        Ok(Reply::Value(Some(name))) => Ok(String::from_utf8_lossy(&name).into_owned()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_server_has_a_socket_of_its_own_and_a_script_finds_that_of_its_project() {
    let all = Neighbours::new();
    let (a, b) = (all.start("a", |_| {}), all.start("b", |_| {}));
    assert_eq!(files(&all.sockets).len(), 6, "a lock, a description, a socket each");
    let (mut in_a, mut in_b) = (all.script("a"), all.script("b"));
    assert_eq!((who(&mut in_a), who(&mut in_b)), (Ok("a".into()), Ok("b".into())));
    let why = who(&mut all.script("elsewhere")).expect_err("which?");
    assert_eq!(why.failure, RemoteFailure::Ambiguous);
    assert!(why.text.contains("2 servers run") && why.text.contains("/a/Caddyfile") && why.text.contains("/b/Caddyfile"), "{why}");

    drop(b);
    assert_eq!(who(&mut in_b).expect_err("it has ended").failure, RemoteFailure::NoServer, "a is not what it has talked to");
    assert_eq!(who(&mut all.script("b")).expect_err("it has ended").failure, RemoteFailure::NoServer, "a is of another project");
    assert_eq!(who(&mut all.script("elsewhere")), Ok("a".into()), "the only one");
    let _b = all.start("b", |_| {});
    assert_eq!(who(&mut in_b), Ok("b".into()), "started again");
    drop(a);
    assert_eq!(files(&all.sockets).len(), 3, "nothing of a");
}

#[test]
fn a_server_that_cannot_be_asked_is_known_and_no_other_is_asked_instead() {
    let all = Neighbours::new();
    let _a = all.start("a", |_| {});
    let off = all.start("b", |config| config.off = true);
    assert_eq!(off.path(), None);
    let why = who(&mut all.script("b")).expect_err("it is off");
    assert_eq!(why.failure, RemoteFailure::NoServer);
    assert!(why.text.contains("control off") && why.text.contains("/b/Caddyfile"), "{why}");

    let path = all.site.folder.join("c.sock").to_str().expect("UTF-8").to_owned();
    let _c = all.start("c", |config| config.path = Some(path.clone()));
    let _d = all.start("d", |config| config.path = Some(path.clone()));
    assert_eq!(who(&mut all.script("c")), Ok("c".into()), "a path of its own choice is found, too");
    let why = who(&mut all.script("d")).expect_err("c has its path");
    assert!(why.text.contains("another server that runs has") && why.text.contains("c.sock"), "{why}");
}

#[test]
fn what_a_killed_server_left_is_not_asked_and_goes_with_the_next_start() {
    let all = Neighbours::new();
    let a = all.start("a", |_| {});
    let name = files(&all.sockets)[0].split_once('.').expect("an extension").0.to_owned();
    let (dead, gone) = ("1-00000000", "99-deadbeef");
    for file in [dead, gone] {
        let description = std::fs::read_to_string(all.sockets.join(format!("{name}.json"))).expect("a description");
        let description = description.replace(&name, file).replace("/a", "/b");
        std::fs::write(all.sockets.join(format!("{file}.json")), description).expect("written");
        drop(UnixListener::bind(all.sockets.join(format!("{file}.sock"))).expect("a socket"));
    }
    std::fs::write(all.sockets.join(format!("{dead}.lock")), "").expect("a lock that nobody has locked");
    std::fs::write(all.sockets.join("notes.txt"), "mine").expect("a file that is none of ours");
    assert_eq!(who(&mut all.script("elsewhere")), Ok("a".into()));

    // The lock of a living one was removed by a cleaner of /tmp: its socket stays, and it makes itself a new entry.
    std::fs::remove_file(all.sockets.join(format!("{name}.lock"))).expect("removed");
    let b = all.start("b", |_| {});
    assert_eq!(who(&mut all.script("a")), Ok("a".into()));
    wait_until("only a, b and the notes are there", || files(&all.sockets).len() == 7);
    wait_until("a has another name", || !files(&all.sockets).iter().any(|file| file.starts_with(&name)));
    wait_until("a can be asked", || who(&mut all.script("a")) == Ok("a".into()));
    drop((a, b));
    assert_eq!(files(&all.sockets), ["notes.txt"]);
}

#[test]
fn a_socket_that_was_removed_is_there_again() {
    let site = Site::new();
    let control = site.serve();
    let mut before = Remote::default();
    ask(&mut before).expect("a server");
    for file in ["ctl.sock", "ctl.sock.lock"] {
        std::fs::remove_file(site.folder.join(file)).expect("removed");
        ask(&mut before).expect("who is connected stays so");
        wait_until("it is there again", || site.is_well());
    }
    std::fs::remove_dir_all(site.folder.join("frankenphp-ws")).expect("removed");
    wait_until("it is described again", || site.folder.join("frankenphp-ws").is_dir());
    assert!(log(&site.core).contains("the control socket was removed: there is a new one"));
    drop(control);
    assert_eq!(files(&site.folder), ["frankenphp-ws"]);
}

#[test]
fn another_project_is_told_without_another_socket() {
    let all = Neighbours::new();
    let _a = all.start("a", |_| {});
    let b = all.start("b", |_| {});
    let before = b.path();
    let mut connected = all.script("b");
    assert_eq!(who(&mut connected), Ok("b".into()));
    b.describe(&all.project("moved").project);
    assert_eq!(b.path(), before);
    assert_eq!(who(&mut all.script("moved")), Ok("b".into()));
    assert_eq!(who(&mut connected), Ok("b".into()), "who is connected stays so");
}

#[test]
fn nobody_can_connect_before_mode_and_group_are_right() {
    let site = Site::new();
    std::fs::set_permissions(&site.folder, std::fs::Permissions::from_mode(0o777)).expect("chmod");
    // A socket is only ever seen with the mode that it shall have.
    let folder = site.folder.clone();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let watcher = std::thread::spawn(move || {
        let mut seen = 0;
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            for file in std::fs::read_dir(&folder).expect("the folder").flatten() {
                let Ok(found) = std::fs::symlink_metadata(file.path()) else { continue };
                if found.file_type().is_socket() {
                    assert_eq!(found.mode() & 0o777, 0o600, "{:?}", file.path());
                    seen += 1;
                } else if found.is_dir() {
                    assert_eq!(found.mode() & 0o077, 0, "{:?}", file.path());
                }
            }
        }
        seen
    });
    for _ in 0..200 {
        drop(site.serve());
    }
    let control = site.serve();
    std::thread::sleep(Duration::from_millis(20));
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(watcher.join().expect("no mode was wrong") > 0);
    drop(control);
}
