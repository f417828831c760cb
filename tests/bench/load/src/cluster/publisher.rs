//! A publisher: one HTTP connection that is kept open, one request at a time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream as BlockingStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;

use super::dialect::Dialect;

/// A connection over which messages are published.
pub struct Publisher {
    socket: TcpStream,
    received: Vec<u8>,
    /// When the request was sent whose answer has not come.
    pub asked: Option<u64>,
}

impl Publisher {
    /// Connects.
    pub fn new(address: SocketAddr) -> Result<Self> {
        let socket = BlockingStream::connect_timeout(&address, Duration::from_secs(10)).context("a publisher cannot connect")?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket: TcpStream::from_std(socket), received: Vec::new(), asked: None })
    }

    /// The socket, for its registration.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Sends a request. It is short, and nothing else is under way, so that the socket takes all of it.
    pub fn ask(&mut self, request: &[u8], now: u64) -> Result<()> {
        let taken = self.socket.write(request).context("publishing")?;
        ensure!(taken == request.len(), "the socket took {taken} of {} bytes of a request", request.len());
        self.asked = Some(now);
        Ok(())
    }

    /// Reads what has come. Some: the answer is whole and good, and its request was sent then.
    pub fn read(&mut self, scratch: &mut [u8], dialect: Dialect) -> Result<Option<u64>> {
        loop {
            match self.socket.read(scratch) {
                Ok(0) => bail!("the server has ended a publisher's connection; it had said {:?}", String::from_utf8_lossy(&self.received)),
                Ok(count) => self.received.extend_from_slice(&scratch[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("publishing"),
            }
        }
        let Some(body) = answer(&self.received)? else {
            return Ok(None);
        };
        ensure!(dialect.is_published(&body), "a message was not published: {:?}", String::from_utf8_lossy(&body));
        self.received.clear();
        let asked = self.asked.take().context("an answer came that nobody has asked for")?;
        Ok(Some(asked))
    }
}

/// Sends one request over a connection of its own and returns the body of the answer.
pub fn once(address: SocketAddr, request: &[u8]) -> Result<Vec<u8>> {
    let bound = Duration::from_secs(10);
    let mut socket = BlockingStream::connect_timeout(&address, bound)?;
    socket.set_read_timeout(Some(bound))?;
    socket.write_all(request)?;
    let mut received = Vec::new();
    socket.read_to_end(&mut received)?;
    answer(&received)?.context("the answer to a request is not whole")
}

/// The body of an HTTP response, once it is whole; anything but a 200 is an error.
fn answer(received: &[u8]) -> Result<Option<Vec<u8>>> {
    let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&received[..end]).to_ascii_lowercase();
    let mut body = &received[end + 4..];
    ensure!(head.starts_with("http/1.1 200"), "a request was answered with {head:?} {:?}", String::from_utf8_lossy(body));
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    if let Some(length) = header("content-length") {
        let length: usize = length.trim().parse().with_context(|| format!("Content-Length is {length:?}"))?;
        ensure!(body.len() <= length, "an answer is longer than its Content-Length");
        return Ok((body.len() == length).then(|| body.to_vec()));
    }
    ensure!(header("transfer-encoding") == Some("chunked"), "an answer has no length: {head:?}");
    let mut whole = Vec::new();
    loop {
        let Some(line) = body.windows(2).position(|two| two == b"\r\n") else {
            return Ok(None);
        };
        let length = usize::from_str_radix(std::str::from_utf8(&body[..line])?, 16).context("a chunk has no length")?;
        let Some(chunk) = body.get(line + 2..line + 2 + length).filter(|_| body.len() >= line + 4 + length) else {
            return Ok(None);
        };
        if length == 0 {
            return Ok(Some(whole));
        }
        whole.extend_from_slice(chunk);
        body = &body[line + 4 + length..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_at_its_last_byte_and_not_before() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        ] {
            for end in 0..text.len() {
                assert_eq!(answer(&text.as_bytes()[..end]).expect("valid so far"), None);
            }
            assert_eq!(answer(text.as_bytes()).expect("valid"), Some(b"ok".to_vec()));
        }
    }

    #[test]
    fn an_error_and_an_answer_without_a_length_are_errors() {
        assert!(answer(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n").is_err());
        assert!(answer(b"HTTP/1.1 200 OK\r\n\r\nok").is_err());
    }
}
