//! Against a server made of tungstenite, which is no relation of ours.

use std::net::{TcpListener, TcpStream};
use std::thread;

use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};
use tungstenite::{Message, WebSocket};

use super::*;
use crate::args::Subject;

/// Serves every connection with `answer`, a thread each, and says where.
fn serve(answer: fn(&mut WebSocket<TcpStream>, Message)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it listens");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut socket = tungstenite::accept(stream).expect("the handshake is valid");
                while let Ok(message) = socket.read() {
                    if message.is_text() || message.is_binary() {
                        answer(&mut socket, message);
                    }
                }
            });
        }
    });
    format!("ws://{address}/echo")
}

fn options(url: &str, size: usize) -> Echo {
    Echo {
        subject: Subject {
            target: url.parse().expect("valid"),
            pids: vec![std::process::id() as i32],
            label: "test".into(),
            round: 1,
            timeout: Duration::from_secs(20),
        },
        connections: 5,
        in_flight: 4,
        size,
        binary: true,
        measured: Duration::from_millis(200),
        warmup: Duration::from_millis(20),
    }
}

fn measured(url: &str, size: usize) -> EchoOutcome {
    match run(&options(url, size)).expect("the echo is right") {
        Outcome::Echo(outcome) => outcome,
        Outcome::Idle(_) => unreachable!("bug: echo has measured idle connections"),
    }
}

#[test]
fn every_reply_is_counted_with_its_bytes_and_its_latency() {
    let url = serve(|socket, message| socket.send(message).expect("the client reads"));
    for (size, header) in [(0, 2), (20, 2), (1000, 4), (70_000, 10)] {
        let outcome = measured(&url, size);
        let frame = (size + header) as u64;
        // A reply may be cut by either end of the interval.
        let slack = frame * outcome.connections as u64;
        assert!(outcome.messages > 0);
        assert!(outcome.bytes.abs_diff(outcome.messages * frame) <= slack, "{size} bytes");
        assert!(outcome.p50_us > 0.0 && outcome.p50_us <= outcome.p99_us && outcome.p99_us <= outcome.max_us);
    }
}

#[test]
fn fragments_with_pings_between_them_are_one_reply() {
    let url = serve(|socket, message| {
        let data = message.into_data();
        let (head, tail) = data.split_at(data.len() / 2);
        let part = |opcode, is_final, payload: &[u8]| {
            let header = FrameHeader { is_final, opcode: OpCode::Data(opcode), ..FrameHeader::default() };
            Message::Frame(Frame::from_payload(header, payload.to_vec().into()))
        };
        for message in [part(Data::Binary, false, head), Message::Ping(b"are you there".to_vec().into()), part(Data::Continue, true, tail)]
        {
            socket.send(message).expect("the client reads");
        }
    });
    assert!(measured(&url, 300).messages > 0);
}

#[test]
fn a_wrong_echo_ends_the_measurement() {
    let flipped = serve(|socket, message| {
        let mut data = message.into_data().to_vec();
        data[19] ^= 1;
        let _ = socket.send(Message::binary(data));
    });
    let shortened = serve(|socket, message| {
        let _ = socket.send(Message::binary(message.into_data().slice(1..)));
    });
    let doubled = serve(|socket, message| {
        let _ = socket.send(message.clone());
        let _ = socket.send(message);
    });
    for url in [flipped, shortened, doubled] {
        assert!(run(&options(&url, 20)).is_err());
    }
}

#[test]
fn a_server_that_loses_messages_is_found_out() {
    use std::sync::atomic::{AtomicU32, Ordering};
    static SEEN: AtomicU32 = AtomicU32::new(0);
    let url = serve(|socket, message| {
        if SEEN.fetch_add(1, Ordering::Relaxed) != 7 {
            socket.send(message).expect("the client reads");
        }
    });
    let mut options = options(&url, 20);
    options.subject.timeout = Duration::from_secs(1);
    let error = run(&options).err().expect("a reply is missing").to_string();
    assert!(error.starts_with("1 messages were never answered"), "{error}");
}
