//! Where the server is: a `ws://` or `wss://` address with its opening handshake, and the `http://` one of a debug endpoint.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// The RFC's example key (section 1.3). One key for all: the server cannot tell, and nothing is computed per connection.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The answer that RFC 6455 section 1.3 gives for [`KEY`].
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A server's address and the request that opens a connection.
#[derive(Clone)]
pub struct Target {
    /// Resolved once.
    pub address: SocketAddr,
    /// `wss://`.
    pub tls: bool,
    /// The whole upgrade request.
    pub request: Vec<u8>,
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(url: &str) -> Result<Self> {
        let tls = url.starts_with("wss://");
        let (address, host, path) = split(url, if tls { "wss://" } else { "ws://" })?;
        Ok(Self { address, tls, request: upgrade(host, path) })
    }
}

/// The request that opens a connection.
pub fn upgrade(host: &str, path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .into_bytes()
}

/// An `http://` address to be fetched.
#[derive(Clone)]
pub struct HttpUrl {
    address: SocketAddr,
    request: Vec<u8>,
}

impl FromStr for HttpUrl {
    type Err = anyhow::Error;

    fn from_str(url: &str) -> Result<Self> {
        let (address, host, path) = split(url, "http://")?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        Ok(Self { address, request: request.into_bytes() })
    }
}

impl HttpUrl {
    /// Fetches it and throws the body away; anything but a 200 is an error.
    pub fn fetch(&self) -> Result<()> {
        let bound = Duration::from_secs(10);
        let mut stream = TcpStream::connect_timeout(&self.address, bound)?;
        stream.set_read_timeout(Some(bound))?;
        stream.write_all(&self.request)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        ensure!(answer.starts_with(b"HTTP/1.1 200"), "the answer begins with {:?}", first_line(&answer));
        Ok(())
    }
}

fn split<'a>(url: &'a str, scheme: &str) -> Result<(SocketAddr, &'a str, &'a str)> {
    let Some(rest) = url.strip_prefix(scheme) else {
        bail!("{url:?} does not begin with {scheme}");
    };
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let address = host
        .to_socket_addrs()
        .with_context(|| format!("{url:?} has no usable HOST:PORT"))?
        .next()
        .with_context(|| format!("{host} has no address"))?;
    Ok((address, host, path))
}

/// Looks at what has come of the response. `None`: the head is not whole yet; else the length of the head.
pub fn response_head(received: &[u8]) -> Result<Option<usize>> {
    let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
        ensure!(received.len() <= 16 * 1024, "the head of the response is longer than 16 KiB");
        return Ok(None);
    };
    ensure!(
        received.starts_with(b"HTTP/1.1 101"),
        "the handshake was answered with {:?} {:?}",
        first_line(received),
        String::from_utf8_lossy(&received[end + 4..])
    );
    let head = String::from_utf8_lossy(&received[..end]);
    let accept = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .find_map(|(name, value)| name.eq_ignore_ascii_case("sec-websocket-accept").then(|| value.trim()));
    ensure!(accept == Some(ACCEPT), "Sec-WebSocket-Accept is {accept:?} and should be {ACCEPT:?}");
    Ok(Some(end + 4))
}

fn first_line(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_path_asks_for_the_root() {
        let target: Target = "ws://127.0.0.1:81".parse().expect("valid");
        assert_eq!(target.address.port(), 81);
        assert!(target.request.starts_with(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:81\r\n"));
    }

    #[test]
    fn the_response_head_ends_where_the_first_frame_begins() {
        let head = format!("HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: {ACCEPT}\r\n\r\n");
        let received = format!("{head}frame");
        assert_eq!(response_head(received.as_bytes()).expect("valid"), Some(head.len()));
        assert_eq!(response_head(&received.as_bytes()[..head.len() - 1]).expect("valid"), None);
    }

    #[test]
    fn a_refusal_and_a_wrong_accept_key_are_errors() {
        assert!(response_head(b"HTTP/1.1 426 Upgrade Required\r\n\r\n").is_err());
        assert!(response_head(b"HTTP/1.1 101 Fine\r\nSec-WebSocket-Accept: x\r\n\r\n").is_err());
    }
}
