//! The client's end of a connection, over a socket or over a pipe.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use fws_server::{Core, PipeId, Transport};

use crate::{HEAD, PATIENCE, common, wait_until};

pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

/// The client's end of a connection.
#[derive(Clone)]
pub enum Peer {
    Socket(Arc<TcpStream>),
    Pipe(Arc<Core>, PipeId),
}

impl Peer {
    pub fn connect(core: &Arc<Core>, piped: bool) -> Peer {
        let handshake = core.handshake("r", HEAD, "192.0.2.1");
        if piped {
            return Peer::Pipe(core.clone(), core.open_pipe(handshake, Transport::Tls).expect("accepted"));
        }
        Peer::Socket(Arc::new(common::adopt(core, handshake, &[], PATIENCE)))
    }

    /// Sends some of the bytes; how many. `None`: the connection is over.
    pub fn send(&self, bytes: &[u8]) -> Option<usize> {
        match self {
            Peer::Socket(socket) => (&**socket).write(bytes).ok(),
            Peer::Pipe(core, id) => core.feed_pipe(*id, bytes).map(|(count, _)| count),
        }
    }

    pub fn send_all(&self, mut bytes: &[u8]) {
        wait_until("all is sent", || {
            bytes = &bytes[self.send(bytes).unwrap_or(bytes.len())..];
            bytes.is_empty()
        });
    }

    /// Reads until the end: the code and the reason of the close frame, if one came.
    pub fn read_to_end(&self) -> Option<(u16, String)> {
        let mut got = Vec::new();
        match self {
            Peer::Socket(socket) => drop((&**socket).read_to_end(&mut got)),
            Peer::Pipe(core, id) => {
                let mut buffer = [0; 4096];
                wait_until("the pipe is over", || {
                    let Some((count, news)) = core.take_pipe(*id, &mut buffer) else { return true };
                    got.extend_from_slice(&buffer[..count]);
                    !news.output && (news.over || news.finished)
                });
            }
        }
        let mut rest = &got[..];
        while let [first, second, more @ ..] = rest {
            let (len, more) = match second {
                126 => (usize::from(u16::from_be_bytes([more[0], more[1]])), &more[2..]),
                127 => (u64::from_be_bytes(more[..8].try_into().expect("8 bytes")) as usize, &more[8..]),
                len => (usize::from(*len), more),
            };
            if *first == 0x88 {
                let code = more.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]));
                return Some((code, String::from_utf8_lossy(more.get(2..len).unwrap_or_default()).into_owned()));
            }
            rest = more.get(len..).unwrap_or_default();
        }
        None
    }

    /// Is gone.
    pub fn vanish(&self) {
        match self {
            Peer::Socket(socket) => drop(socket.shutdown(Shutdown::Both)),
            Peer::Pipe(core, id) => drop(core.close_pipe(*id)),
        }
    }
}
