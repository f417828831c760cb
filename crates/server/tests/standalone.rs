//! The example `standalone`, spoken to by an independent client.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

#[allow(dead_code, reason = "its main is the example's own")]
#[path = "../examples/standalone.rs"]
mod standalone;

/// The example, listening until the process ends.
fn serve() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        tokio::runtime::Runtime::new().expect("threads").block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            standalone::serve(listener, standalone::start().expect("threads and epolls")).await
        })
    });
    address
}

fn stream(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    stream
}

fn connect(address: SocketAddr, path: &str) -> WebSocket<TcpStream> {
    tungstenite::client(format!("ws://{address}{path}"), stream(address)).expect("101").0
}

/// What the server answers to these bytes, as text, until it closes or `enough` is in it.
fn answer(address: SocketAddr, request: &[u8], enough: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = stream(address);
    stream.write_all(request).expect("sent");
    let (mut got, mut buffer) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&got).contains(enough) {
        match stream.read(&mut buffer).expect("an answer") {
            0 => break,
            n => got.extend_from_slice(&buffer[..n]),
        }
    }
    String::from_utf8_lossy(&got).into_owned()
}

#[test]
fn it_echoes_and_closes() {
    let mut client = connect(serve(), "/echo");
    for message in [Message::text("héllo"), Message::binary(vec![7; 3_000_000]), Message::text("")] {
        client.send(message.clone()).expect("sent");
        assert_eq!(client.read().expect("an answer"), message);
    }
    client.close(Some(CloseFrame { code: 4000.into(), reason: "done".into() })).expect("sent");
    assert!(matches!(client.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 4000));
}

fn say(client: &mut WebSocket<TcpStream>, text: &str) {
    client.send(Message::text(text)).expect("sent");
    heard_until(client, text);
}

/// What a client hears up to a text, with it.
fn heard_until(client: &mut WebSocket<TcpStream>, text: &str) -> Vec<String> {
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last| last != text) {
        heard.push(client.read().expect("sent to all").to_string());
    }
    heard
}

#[test]
fn what_one_client_sends_to_broadcast_reaches_all_there_and_nobody_else() {
    let address = serve();
    let (mut sender, mut other, mut elsewhere) =
        (connect(address, "/broadcast"), connect(address, "/broadcast"), connect(address, "/echo"));
    // A client has its 101 a moment before the core has the client: each is there once it has heard itself.
    say(&mut sender, "I am here");
    say(&mut other, "me too");
    assert_eq!(heard_until(&mut sender, "me too"), ["me too"]);
    for n in 0..100 {
        sender.send(Message::text(n.to_string())).expect("sent");
    }
    for client in [&mut sender, &mut other] {
        for n in 0..100 {
            assert_eq!(client.read().expect("sent to all"), Message::text(n.to_string()));
        }
    }
    elsewhere.send(Message::text("mine")).expect("sent");
    assert_eq!(elsewhere.read().expect("an answer"), Message::text("mine"));
}

#[test]
fn frames_in_the_same_segment_as_the_request_are_served() {
    let mut request = b"GET /echo HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        .to_vec();
    request.extend_from_slice(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
    assert!(answer(serve(), &request, "\r\n\r\n\u{fffd}\u{2}hi").ends_with("\u{2}hi"));
}

#[test]
fn what_is_no_handshake_is_refused_with_the_reason() {
    let address = serve();
    let old = b"GET /echo HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n";
    let refused = answer(address, old, "version is");
    assert!(refused.starts_with("HTTP/1.1 426 ") && refused.contains("sec-websocket-version: 13\r\n"), "{refused}");
    let unknown = answer(address, b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", "not in force");
    assert!(unknown.starts_with("HTTP/1.1 503 "), "{unknown}");
}
