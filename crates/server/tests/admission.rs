//! Whom a connection's events go to, and what a host's authorisation gives it, without a host: the tests ring the bells themselves.

mod common;

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use fws_hub::command::{GetInformation, List, Rename, Tags};
use fws_hub::{Command, CommandError, Renamed, Reply, Target};
use fws_server::{AdmissionError, Config, Core, Ended, Handshake};
use fws_session::Event;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

const PATIENCE: Duration = Duration::from_secs(10);

const ROUTES: &str = r#"{"routes":[
  {"name":"mixed","worker":"w","subprotocols":["plain"],"subprotocol_workers":[{"subprotocol":"chat","worker":"c"},{"subprotocol":"news","worker":"n"}]},
  {"name":"own","subprotocol_workers":[{"subprotocol":"chat","worker":"c"}]},
  {"name":"strict","worker":"w","subprotocols":["plain"],"subprotocol_required":true,"max_connections":1}]}"#;

fn started(routes: &str) -> Arc<Core> {
    let core = Core::start(&Config { shards: 1, ..Config::default() }).expect("threads and epolls");
    configure(&core, 1, routes);
    core
}

fn configure(core: &Core, generation: u64, routes: &str) {
    core.stage(generation, routes.as_bytes()).expect("legal");
    core.commit(generation).expect("staged");
}

fn examine(core: &Core, route: &str, offer: &str) -> Handshake {
    let line = if offer.is_empty() { String::new() } else { format!("Sec-WebSocket-Protocol: {offer}\r\n") };
    let head = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{line}\r\n"
    );
    core.handshake(route, head.as_bytes(), "192.0.2.1")
}

fn adopt(core: &Core, handshake: Handshake) -> WebSocket<TcpStream> {
    WebSocket::from_raw_socket(common::adopt(core, handshake, &[], PATIENCE), Role::Client, None)
}

fn connect(core: &Core, route: &str, offer: &str) -> WebSocket<TcpStream> {
    let handshake = examine(core, route, offer);
    assert_eq!(handshake.status(), 101, "{}", handshake.text());
    adopt(core, handshake)
}

fn agreed(handshake: &Handshake) -> Option<&str> {
    handshake.headers().iter().find(|(name, _)| *name == "Sec-WebSocket-Protocol").map(|(_, value)| value.as_str())
}

fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    common::wait_until(PATIENCE, what, condition);
}

/// The next `count` events, each with the worker whose bell brought it, in any order.
fn handle(core: &Core, count: usize) -> Vec<String> {
    let mut got = Vec::new();
    wait_until("all events have come", || {
        if let Some(ring) = core.take_ring() {
            let bell = core.claim_bell(format!("fws_bell={}", ring.nonce).as_bytes()).expect("a live nonce");
            while let Some(current) = core.next_event(&bell) {
                let event = match current.event() {
                    Event::Open(opened) => format!("open {}", opened.subprotocol),
                    Event::Message { data, .. } => String::from_utf8_lossy(data).into_owned(),
                    Event::Close(closed) => format!("close {}", closed.code),
                    Event::Suspend => "suspend".into(),
                    Event::Resume(_) => "resume".into(),
                    of_no_connection => of_no_connection.name().to_owned(),
                };
                got.push(format!("{}: {event}", ring.worker));
            }
            core.release_bell(&bell, false, "");
            core.end_bell(&ring.nonce, Ended::Served, b"", "");
        }
        got.len() >= count
    });
    got.sort();
    got
}

fn is_1001(client: &mut WebSocket<TcpStream>) -> bool {
    matches!(client.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1001)
}

#[test]
fn each_subprotocol_goes_to_its_worker_and_the_rest_to_the_default_one() {
    let core = started(ROUTES);
    let _clients: Vec<_> = ["", "soap", "plain", "chat", "news", "news, chat"].map(|offer| connect(&core, "mixed", offer)).into();
    assert_eq!(handle(&core, 6), ["c: open chat", "n: open news", "n: open news", "w: open ", "w: open ", "w: open plain"]);
}

#[test]
fn without_a_default_worker_or_where_required_a_client_must_offer_what_is_spoken() {
    let core = started(ROUTES);
    for (route, offer, status) in
        [("own", "", 400), ("own", "soap", 400), ("own", "chat", 101), ("strict", "", 400), ("strict", "soap, plain", 101)]
    {
        let handshake = examine(&core, route, offer);
        assert_eq!(handshake.status(), status, "{route} {offer}: {}", handshake.text());
    }
    assert!(examine(&core, "own", "soap").text().ends_with(": chat"));
    assert_eq!(core.stats()["handshakes_refused"], 4);
}

#[test]
fn refusals_are_counted_by_their_reason_and_foreign_pages_are_logged_once_a_burst() {
    const ROUTES: &str = r#"{"routes":[
      {"name":"any","echo":true},
      {"name":"one","echo":true,"max_connections":1,"subprotocols":["plain"],"subprotocol_required":true},
      {"name":"few","echo":true,"max_connections_per_ip":1}]}"#;
    const RIGHT: &str = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: plain\r\n";
    let core = started(ROUTES);
    let ask = |route: &str, lines: &str| {
        let head = format!(
            "GET / HTTP/1.1\r\nHost: h.example:81\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n"
        );
        core.handshake(route, head.as_bytes(), "192.0.2.1")
    };
    let held = [ask("one", RIGHT), ask("few", RIGHT)];
    assert!(held.iter().all(|handshake| handshake.status() == 101));
    let long = format!("{RIGHT}Origin: https://{}.example\r\n", "ü".repeat(300));
    for (reason, route, lines, status) in [
        ("malformed", "any", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n", 400),
        ("version", "any", "Sec-WebSocket-Version: 8\r\n", 426),
        ("origin", "any", &format!("{RIGHT}Origin: https://evil.example\r\n"), 403),
        ("origin", "any", &long, 403),
        ("origin", "few", &long, 403),
        ("subprotocol", "one", "Sec-WebSocket-Version: 13\r\n", 400),
        ("address", "few", RIGHT, 429),
        ("full", "one", RIGHT, 503),
        ("unavailable", "gone", RIGHT, 503),
    ] {
        let before = core.stats();
        let handshake = ask(route, lines);
        assert_eq!(handshake.status(), status, "{reason}: {}", handshake.text());
        let after = core.stats();
        let changed: Vec<_> =
            after.as_object().expect("an object").iter().filter(|(name, count)| before[name.as_str()] != **count).collect();
        let one_more = |name: &str| after[name].as_u64() == before[name].as_u64().map(|count| count + 1);
        let names = ["handshakes_refused", &format!("handshakes_refused_{reason}")];
        assert!(names.iter().all(|name| one_more(name)) && changed.len() == 2, "{reason}: {changed:?}");
    }
    let records = common::log(&core);
    let of = |route: &str| records.iter().filter(|record| record["fields"]["route"] == route).collect::<Vec<_>>();
    let ([any], [few]) = (&of("any")[..], &of("few")[..]) else { panic!("one record for each route: {records:?}") };
    assert!(any["msg"].as_str().is_some_and(|text| text.contains("403") && text.contains("origins")), "{any}");
    assert_eq!((&any["fields"]["origin"], &any["fields"]["host"]), (&"https://evil.example".into(), &"h.example:81".into()));
    assert!(few["fields"]["origin"].as_str().is_some_and(|origin| origin.len() <= 255 && origin.starts_with("https://ü")), "{few}");
}

#[test]
fn a_subprotocol_with_a_new_worker_keeps_its_connections_and_their_order() {
    let core = started(ROUTES);
    let mut client = connect(&core, "mixed", "chat");
    let mut plain = connect(&core, "mixed", "plain");
    assert_eq!(handle(&core, 2), ["c: open chat", "w: open plain"]);
    client.send(Message::text("waits")).expect("sent");
    wait_until("it waits", || core.stats()["events_pending"] == 1);
    // chat comes to another worker, plain to one of its own.
    configure(
        &core,
        2,
        r#"{"routes":[{"name":"mixed","worker":"w","subprotocol_workers":[{"subprotocol":"chat","worker":"n"},{"subprotocol":"plain","worker":"c"}]}]}"#,
    );
    plain.send(Message::text("later")).expect("sent");
    assert_eq!(handle(&core, 2), ["c: later", "n: waits"]);
    assert_eq!(core.connections(), 2);
}

#[test]
fn connections_of_a_removed_subprotocol_are_closed_and_their_last_events_handled_while_the_worker_is_there() {
    let core = started(ROUTES);
    let mut goes = connect(&core, "mixed", "chat");
    let mut lost = connect(&core, "mixed", "news");
    let mut stays = connect(&core, "mixed", "plain");
    assert_eq!(handle(&core, 3), ["c: open chat", "n: open news", "w: open plain"]);
    let handshake = examine(&core, "mixed", "chat");
    configure(
        &core,
        2,
        r#"{"routes":[{"name":"mixed","worker":"w","subprotocols":["plain"]}],"workers":[{"name":"c","threads":1},{"name":"w","threads":1}]}"#,
    );
    // An open handshake finds its sub-protocol gone as well.
    let mut late = adopt(&core, handshake);
    for client in [&mut goes, &mut lost, &mut late] {
        assert!(is_1001(client));
        let _ = client.read();
    }
    stays.send(Message::text("here")).expect("sent");
    assert_eq!(handle(&core, 4), ["c: close 1001", "c: close 1001", "c: open chat", "w: here"]);
    wait_until("the lost one is forgotten", || core.stats()["connections_known"] == 1);
    assert_eq!(core.stats()["events_dropped"], 1, "the close event of news, whose worker is gone");
}

#[test]
fn what_an_authorisation_gives_is_there_before_anyone_sees_the_client() {
    let core = started(ROUTES);
    let mut handshake = examine(&core, "mixed", "chat, news, soap");
    assert_eq!(agreed(&handshake), Some("chat"));
    core.set_id(&mut handshake, "ann").expect("free");
    handshake.set_subprotocol("news").expect("offered");
    handshake.add_tag("vip").expect("legal");
    handshake.set_information("name", b"A\0nn").expect("legal");
    assert_eq!(agreed(&handshake), Some("news"));
    assert_eq!(core.ask(&Command::Tags(Tags { id: Some("ann") })), Ok(Reply::Gone), "nobody is connected yet");
    let _client = adopt(&core, handshake);
    assert_eq!(
        core.ask(&Command::List(List { of: Target::Expression("vip"), route: Some("mixed") })),
        Ok(Reply::Names(vec!["ann".into()]))
    );
    assert_eq!(core.ask(&Command::GetInformation(GetInformation { id: "ann", key: "name" })), Ok(Reply::Value(Some(b"A\0nn"[..].into()))));
    assert_eq!(handle(&core, 1), ["n: open news"]);
}

#[test]
fn an_id_is_promised_to_one_handshake_until_that_is_over() {
    let core = started(ROUTES);
    let _client = connect(&core, "mixed", "");
    let other = core.ids()[0].clone();
    let (mut first, mut second) = (examine(&core, "mixed", ""), examine(&core, "mixed", ""));
    core.set_id(&mut first, "ann").expect("free");
    assert_eq!(core.set_id(&mut second, "ann"), Err(AdmissionError::IdTaken));
    assert_eq!(core.set_id(&mut second, &other), Err(AdmissionError::IdTaken));
    assert_eq!(core.ask(&Command::Rename(Rename { id: &other, new: "ann" })), Ok(Reply::Renamed(Renamed::Taken)));
    drop(first);
    core.set_id(&mut second, "ann").expect("given back");
    let _second = adopt(&core, second);
    assert_eq!(core.set_id(&mut examine(&core, "mixed", ""), "ann"), Err(AdmissionError::IdTaken));
    assert_eq!(core.ask(&Command::Rename(Rename { id: "ann", new: "bob" })), Ok(Reply::Renamed(Renamed::Done)));
    core.set_id(&mut examine(&core, "mixed", ""), "ann").expect("the promise ended with the adoption");
}

#[test]
fn what_cannot_be_given_is_refused_and_the_handshake_stays_as_it_was() {
    let core = started(ROUTES);
    let mut handshake = examine(&core, "mixed", "chat, soap");
    assert_eq!(core.set_id(&mut handshake, ""), Err(AdmissionError::Invalid(CommandError::InvalidId)));
    assert_eq!(core.set_id(&mut handshake, &"i".repeat(256)), Err(AdmissionError::Invalid(CommandError::InvalidId)));
    assert_eq!(handshake.add_tag(""), Err(AdmissionError::Invalid(CommandError::InvalidTag)));
    assert_eq!(handshake.set_subprotocol("news"), Err(AdmissionError::NotOffered));
    assert_eq!(agreed(&handshake), Some("chat"));
    assert_eq!(examine(&core, "own", "chat, soap").set_subprotocol("soap"), Err(AdmissionError::Unserved));
    // The default worker speaks what the authorisation says it does.
    handshake.set_subprotocol("soap").expect("offered");
    let _client = adopt(&core, handshake);
    assert_eq!(handle(&core, 1), ["w: open soap"]);
}

#[test]
fn a_handshake_that_waits_for_its_authorisation_holds_its_place_and_a_denied_one_gives_it_back() {
    let core = started(ROUTES);
    let mut waiting = examine(&core, "strict", "plain");
    core.set_id(&mut waiting, "ann").expect("free");
    assert_eq!(examine(&core, "strict", "plain").status(), 503);
    core.deny(&mut waiting);
    core.deny(&mut waiting);
    assert_eq!((waiting.status(), waiting.headers().len()), (403, 0));
    assert_eq!(waiting.add_tag("late"), Err(AdmissionError::Refused));
    assert_eq!(core.stats()["handshakes_refused"], 2, "one found no place, one was denied");
    let mut next = examine(&core, "strict", "plain");
    assert_eq!(next.status(), 101);
    core.set_id(&mut next, "ann").expect("given back");
}
