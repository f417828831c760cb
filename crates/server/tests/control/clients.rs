//! Clients that mean well, also of servers that do not.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use fws_hub::command::{Get, Increment, Set};
use fws_hub::{Command, Reply};
use fws_server::{Batch, Remote, RemoteFailure};

use crate::{Site, ask};

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
        greeting[8] = 99;
        greeting[12..17].copy_from_slice(b"9.8.7");
        stream.write_all(&greeting).expect("sent");
    });
    let why = Remote::default().call(&Batch::from(&Command::Routes)).expect_err("another version");
    assert_eq!(why.failure, RemoteFailure::OtherVersion);
    assert!(why.text.contains("9.8.7") && why.text.contains("version 99"), "{why}");
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
