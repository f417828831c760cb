//! Against a server of our dialect that is made of tungstenite, and that can be told to be wrong.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use tungstenite::{Message, WebSocket};

use super::*;

/// What becomes of the message of that number on its way to the last subscriber.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Lost,
    Doubled,
    /// The subscriber gets the one before it afterwards.
    Swapped,
    /// Another byte is in it.
    Changed,
}

/// A session: what was sent to it, and where its connection is.
struct Session {
    sent: Vec<String>,
    socket: Option<TcpStream>,
}

struct Server {
    fault: Fault,
    sessions: Mutex<HashMap<String, Session>>,
    published: Mutex<usize>,
}

/// A frame of a short text as a server sends it.
fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 126];
    frame.extend_from_slice(&(text.len() as u16).to_be_bytes());
    frame.extend_from_slice(text.as_bytes());
    frame
}

impl Server {
    fn start(fault: Fault) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let server = Arc::new(Server { fault, sessions: Mutex::default(), published: Mutex::new(0) });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                thread::spawn(move || server.serve(stream));
            }
        });
        address
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut head = [0; 4096];
        let count = stream.peek(&mut head).expect("it has something to say");
        let head = String::from_utf8_lossy(&head[..count]).into_owned();
        if head.starts_with("GET /ws") {
            return self.subscriber(&head, tungstenite::accept(stream).expect("the handshake is valid"));
        }
        let mut received = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut received) {
            let text = String::from_utf8_lossy(&received[..count]);
            let answer = match text.split_once("\r\n\r\n") {
                Some((_, message)) if text.starts_with("POST") => {
                    self.publish(message);
                    "ok".to_owned()
                }
                _ => self.sessions.lock().expect("nobody panics").values().filter(|one| one.socket.is_some()).count().to_string(),
            };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len());
            stream.write_all((head + &answer).as_bytes()).expect("the client reads");
            if text.starts_with("GET") {
                return;
            }
        }
    }

    fn subscriber(&self, head: &str, mut socket: WebSocket<TcpStream>) {
        let value = |name: &str| head.split_once(&format!("{name}=")).map(|(_, rest)| rest.split(['&', ' ']).next().unwrap_or(""));
        let (user, token) = (value("user").expect("all have one").to_owned(), value("resume").unwrap_or(""));
        let resumed = !token.is_empty();
        let raw = socket.get_ref().try_clone().expect("it is open");
        {
            let mut sessions = self.sessions.lock().expect("nobody panics");
            let session = sessions.entry(user.clone()).or_insert(Session { sent: Vec::new(), socket: None });
            session.socket = Some(raw);
            if value("resume").is_some() {
                let text = format!(r#"{{"resume":{{"token":"t{user}","resumed":{resumed},"window":60}}}}"#);
                socket.send(Message::text(text)).expect("the client reads");
            }
            let received: usize = value("received").map_or(0, |text| text.parse().expect("a number"));
            if resumed {
                // The first one that it counts was "in".
                session.sent[received - 1..].iter().for_each(|text| socket.send(Message::text(text)).expect("the client reads"));
            } else {
                socket.send(Message::text("in")).expect("the client reads");
            }
        }
        while socket.read().is_ok() {}
        if let Some(session) = self.sessions.lock().expect("nobody panics").get_mut(&user) {
            session.socket = None;
        }
    }

    fn publish(&self, message: &str) {
        let mut number = self.published.lock().expect("nobody panics");
        *number += 1;
        let mut sessions = self.sessions.lock().expect("nobody panics");
        let last = sessions.keys().max().cloned();
        for (user, session) in sessions.iter_mut() {
            session.sent.push(message.to_owned());
            let fault = if Some(user) == last.as_ref() && *number == 3 { self.fault } else { Fault::None };
            let texts = match fault {
                Fault::None => vec![message.to_owned()],
                Fault::Lost => vec![],
                Fault::Doubled => vec![message.to_owned(); 2],
                Fault::Swapped => vec![message.replace(":00000002:", ":00000003:")],
                Fault::Changed => vec![message.replacen('x', "y", 1)],
            };
            let bytes: Vec<u8> = texts.iter().flat_map(|text| frame(text)).collect();
            if let Some(socket) = &mut session.socket {
                // It may just have been cut.
                let _ = socket.write_all(&bytes);
            }
        }
    }
}

fn plan(kind: Kind, fault: Fault) -> Plan {
    let mut plan = Plan::new(kind);
    // Two names of one server: what the clients and publishers take turns at.
    plan.nodes = vec![Server::start(fault); 2];
    plan.pids = vec![std::process::id() as i32];
    (plan.subscribers, plan.publishers, plan.joins, plan.window, plan.size) = (4, 1, 11, 3, 200);
    (plan.interval, plan.measured, plan.warmup) = (Duration::from_millis(10), Duration::from_millis(150), Duration::from_millis(20));
    plan.timeout = Duration::from_secs(2);
    plan
}

#[test]
fn every_delivery_is_counted() {
    for kind in [Kind::Fanout, Kind::Publish] {
        let outcome = run(&plan(kind, Fault::None)).expect("nothing is wrong");
        let figure = |name: &str| outcome.figures[name];
        let count = if kind == Kind::Fanout { figure("published") * 8.0 } else { figure("published") };
        assert!(figure("published") >= 3.0, "{:?}", outcome.figures);
        assert_eq!((figure("count"), figure("clients")), (count, 8.0));
        assert!(figure("delivery_p50_ms") > 0.0 && figure("answer_p50_ms") <= figure("answer_p99_ms"));
    }
}

#[test]
fn a_message_that_is_lost_doubled_out_of_order_or_changed_ends_the_measurement() {
    for (fault, says) in [
        (Fault::Lost, "came where 2 was due"),
        (Fault::Doubled, "came where 3 was due"),
        (Fault::Swapped, "message 3 of publisher 0 came where 2 was due"),
        (Fault::Changed, "is none of our messages"),
    ] {
        let error = run(&plan(Kind::Fanout, fault)).err().expect("a message is wrong");
        assert!(format!("{error:#}").contains(says), "{error:#}");
    }
}

#[test]
fn the_last_message_is_missed_as_well() {
    let mut plan = plan(Kind::Resume, Fault::Lost);
    // Of those before the cut the third one is lost, and nothing comes behind it.
    plan.missed = 1;
    let error = run(&plan).err().expect("a message is missing");
    assert!(format!("{error:#}").contains("of 3 messages 1 deliveries are missing"), "{error:#}");
}

#[test]
fn all_come_back_with_what_they_have_missed() {
    let outcome = run(&plan(Kind::Resume, Fault::None)).expect("nothing is wrong");
    assert_eq!(outcome.figures["count"], 8.0);
    assert!(outcome.figures["back_p50_ms"] <= outcome.figures["back_max_ms"]);
}

#[test]
fn all_that_join_leave() {
    let outcome = run(&plan(Kind::Churn, Fault::None)).expect("nothing is wrong");
    assert_eq!(outcome.figures["count"], 11.0);
}
