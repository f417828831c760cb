//! The socket's file: who may open it, whose it is, and when it comes and goes.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

use fws_server::{Control, ControlConfig, Remote, RemoteFailure};

use crate::{Site, ask, core, files, log, wait_until};

/// A group that this process may give away: its own.
fn group() -> u32 {
    std::fs::metadata("/proc/self").expect("/proc").gid()
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
fn permission_denied_says_whose_the_socket_is() {
    let site = Site::new();
    let _control = site.serve();
    if std::fs::metadata("/proc/self").expect("/proc").uid() == 0 {
        return; // root is denied nothing; the end-to-end tests run a script as another user
    }
    std::fs::set_permissions(site.socket(), std::fs::Permissions::from_mode(0o000)).expect("chmod");
    assert_eq!(ask(&mut Remote::default()), Err(RemoteFailure::Denied));
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
