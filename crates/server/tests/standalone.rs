//! The example `standalone`, spoken to by an independent client.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

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

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn connect(address: SocketAddr, path: &str) -> Client {
        Client(connect_async(format!("ws://{address}{path}")).await.expect("101").0)
    }

    async fn send(&mut self, message: Message) {
        self.0.send(message).await.expect("sent");
    }

    /// The next message. A server that does not answer fails the test rather than hang it.
    async fn read(&mut self) -> Message {
        let next = tokio::time::timeout(Duration::from_secs(60), self.0.next()).await;
        next.expect("nothing came in a minute").expect("the connection ended").expect("an answer")
    }

    /// What comes up to a text, with it.
    async fn heard_until(&mut self, text: &str) -> Vec<String> {
        let mut heard = Vec::new();
        while heard.last().is_none_or(|last| last != text) {
            heard.push(self.read().await.to_string());
        }
        heard
    }

    async fn say(&mut self, text: &str) {
        self.send(Message::text(text)).await;
        self.heard_until(text).await;
    }
}

/// What the server answers to these bytes, as text, until it closes or `enough` is in it.
fn answer(address: SocketAddr, request: &[u8], enough: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
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

#[tokio::test]
async fn it_echoes_and_closes() {
    let mut client = Client::connect(serve(), "/echo").await;
    for message in [Message::text("héllo"), Message::binary(vec![7; 3_000_000]), Message::text("")] {
        client.send(message.clone()).await;
        assert_eq!(client.read().await, message);
    }
    client.0.close(Some(CloseFrame { code: 4000.into(), reason: "done".into() })).await.expect("sent");
    assert!(matches!(client.read().await, Message::Close(Some(frame)) if u16::from(frame.code) == 4000));
}

#[tokio::test]
async fn what_one_client_sends_to_broadcast_reaches_all_there_and_nobody_else() {
    let address = serve();
    let mut sender = Client::connect(address, "/broadcast").await;
    let mut other = Client::connect(address, "/broadcast").await;
    let mut elsewhere = Client::connect(address, "/echo").await;
    // A client has its 101 a moment before the core has the client: each is there once it has heard itself.
    sender.say("I am here").await;
    other.say("me too").await;
    assert_eq!(sender.heard_until("me too").await, ["me too"]);
    for n in 0..100 {
        sender.send(Message::text(n.to_string())).await;
    }
    for client in [&mut sender, &mut other] {
        for n in 0..100 {
            assert_eq!(client.read().await, Message::text(n.to_string()));
        }
    }
    elsewhere.send(Message::text("mine")).await;
    assert_eq!(elsewhere.read().await, Message::text("mine"));
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
