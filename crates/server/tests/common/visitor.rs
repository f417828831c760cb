//! A client that may come back after a break.

use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use fws_server::{Core, Handshake};
use serde_json::Value;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

use super::adopt;

const PATIENCE: Duration = Duration::from_secs(60);

pub fn handshake(core: &Core, route: &str, query: &str, headers: &str) -> Handshake {
    let head = format!(
        "GET /{query} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
    );
    core.handshake(route, head.as_bytes(), "192.0.2.1")
}

/// A client that keeps count.
pub struct Visitor {
    pub socket: WebSocket<TcpStream>,
    pub greeting: Value,
    pub received: u64,
}

impl Visitor {
    pub fn of(core: &Core, handshake: Handshake) -> Visitor {
        let mut socket = WebSocket::from_raw_socket(adopt(core, handshake, &[], PATIENCE), Role::Client, None);
        let greeting: Value = serde_json::from_str(socket.read().expect("a greeting").to_text().expect("text")).expect("JSON");
        Visitor { socket, greeting: greeting["resume"].clone(), received: 0 }
    }

    pub fn new(core: &Core, route: &str) -> Visitor {
        let parameter = if route == "echo" { "session" } else { "resume" };
        Visitor::of(core, handshake(core, route, &format!("?{parameter}="), ""))
    }

    pub fn token(&self) -> &str {
        self.greeting["token"].as_str().expect("a token")
    }

    pub fn query(&self) -> String {
        format!("?resume={}&received={}", self.token(), self.received)
    }

    pub fn back(&self, core: &Core) -> Visitor {
        Visitor::of(core, handshake(core, "chat", &self.query(), ""))
    }

    pub fn next(&mut self) -> String {
        loop {
            match self.socket.read().expect("a message") {
                Message::Text(text) => {
                    self.received += 1;
                    return text.to_string();
                }
                Message::Ping(_) | Message::Pong(_) => self.socket.flush().expect("a pong"),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Cuts the connection as a network does.
    pub fn cut(&self) {
        self.socket.get_ref().shutdown(Shutdown::Both).expect("a socket");
    }
}
