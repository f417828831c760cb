//! Clients that mean no good.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use fws_hub::Command;
use fws_hub::command::{Get, Set};
use fws_server::{Batch, Remote};

use crate::{Site, ask, wait_until};

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
