//! Several servers of one user: which of them a script finds.

use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use fws_hub::command::{Get, Set};
use fws_hub::{Command, Reply};
use fws_server::{Batch, Control, ControlConfig, Project, Remote, RemoteError, RemoteFailure};

use crate::{Site, core, files, set_variable, wait_until};

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
