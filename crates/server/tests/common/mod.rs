//! What the tests of the running core have in common.
#![allow(dead_code, reason = "each of them takes what it needs")]

pub mod line;
pub mod redis;
pub mod visitor;

use std::net::{TcpListener, TcpStream};
use std::os::fd::IntoRawFd;
use std::time::{Duration, Instant};

use fws_server::{Core, Handshake, own_socket};

/// Gives the core a connection whose handshake was accepted, with what came right behind it; the client's end, whose reads fail after
/// `patience`.
pub fn adopt(core: &Core, handshake: Handshake, buffered: &[u8], patience: Duration) -> TcpStream {
    assert_eq!(handshake.status(), 101, "{}", handshake.text());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("an address")).expect("loopback");
    let (server, _) = listener.accept().expect("a connection");
    client.set_read_timeout(Some(patience)).expect("a timeout");
    // SAFETY: the descriptor is open and given away.
    let socket = unsafe { own_socket(server.into_raw_fd()) }.expect("a socket");
    assert!(core.adopt(handshake, socket, buffered).is_ok());
    client
}

/// What the core has counted under this name.
pub fn counter(core: &Core, name: &str) -> u64 {
    core.stats()[name].as_u64().unwrap_or_else(|| panic!("no counter {name}"))
}

/// Waits for a condition, which must come true within `patience`.
pub fn wait_until(patience: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + patience;
    while !condition() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The log records there are now, as JSON.
pub fn log(core: &Core) -> Vec<serde_json::Value> {
    let mut records = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let written = core.take_log(&mut buffer);
        if written == 0 {
            return records;
        }
        records.extend(
            buffer[..written].split_inclusive(|byte| *byte == b'\n').map(|line| serde_json::from_slice(line).expect("a JSON line")),
        );
    }
}
