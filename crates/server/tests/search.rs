//! Searches that take long, and what they do to everyone else.

mod common;

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fws_hub::command::{Count, SearchInformation, SendTo, Set, SetInformation, SetTimer, Tag, Tags};
use fws_hub::{Command, CommandError, Operator, Reply, Stopped, Target};
use fws_server::{Batch, Caller, Config, Control, ControlConfig, Core, Remote};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};
use tokio_tungstenite::tungstenite::{Bytes, Message};

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
/// Nothing here takes so long, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// With a value of 4 MiB some ten billion steps: minutes, if nobody ends it.
const HOSTILE: &[u8] = b"[ab]{8000}c";

fn started(search_timeout: Duration) -> Arc<Core> {
    let search_timeout = search_timeout.as_nanos() as u64;
    let core = Core::start(&Config { shards: 1, search_timeout, ..Config::default() }).expect("threads and epolls");
    core.stage(1, br#"{"routes":[{"name":"r","echo":true}]}"#).expect("legal");
    core.commit(1).expect("staged");
    core
}

/// A client with an id.
fn connect(core: &Core, id: &str) -> WebSocket<TcpStream> {
    let mut handshake = core.handshake("r", HEAD, "192.0.2.1");
    core.set_id(&mut handshake, id).expect("free");
    WebSocket::from_raw_socket(common::adopt(core, handshake, &[], PATIENCE), Role::Client, None)
}

/// A client whose stored information takes long to search.
fn burden(core: &Core) -> WebSocket<TcpStream> {
    let client = connect(core, "burdened");
    let value = vec![b'a'; (4 << 20) - 1];
    assert_eq!(
        core.ask(&Command::SetInformation(SetInformation { id: "burdened", key: "k", value: value[..].into() })),
        Ok(Reply::Flag(true))
    );
    client
}

fn hostile() -> Command<'static> {
    Command::SearchInformation(SearchInformation { key: "k", operator: Operator::Regex, value: HOSTILE.into(), route: None })
}

/// A search on a thread of its own, and the flag that ends it.
fn search(core: &Arc<Core>) -> (JoinHandle<Result<Reply, CommandError>>, Arc<AtomicBool>) {
    let (core, interrupt) = (core.clone(), Arc::new(AtomicBool::new(false)));
    let flag = interrupt.clone();
    (std::thread::spawn(move || core.ask_as(&hostile(), Caller { interrupted: Some(&flag), bell: None })), interrupt)
}

#[test]
fn while_a_search_goes_on_other_clients_come_go_and_are_served() {
    let core = started(Duration::from_secs(3600));
    let _burdened = burden(&core);
    let (searching, interrupt) = search(&core);
    for n in 0..20 {
        let id = format!("client {n}");
        let mut client = connect(&core, &id);
        client.send(Message::text("hello")).expect("sent");
        assert_eq!(client.read().expect("an echo"), Message::text("hello"));
        // What changes the registry, and what asks it.
        assert_eq!(core.ask(&Command::Tag(Tag { id: &id, tag: "t", since: None, member: None })), Ok(Reply::Flag(true)));
        assert_eq!(core.ask(&Command::SetInformation(SetInformation { id: &id, key: "l", value: b"v".into() })), Ok(Reply::Flag(true)));
        assert_eq!(core.ask(&Command::Count(Count { of: Target::Expression("t*"), route: None })), Ok(Reply::Count(1)));
        let sent = Command::Send(SendTo { to: Target::Tag("t"), route: None, except: None, binary: true, data: b"x".into() });
        assert_eq!(core.ask(&sent), Ok(Reply::Queued(1)));
        assert_eq!(client.read().expect("a message"), Message::Binary(Bytes::from_static(b"x")));
        client.close(None).expect("sent");
        while client.read().is_ok() {}
        drop(client);
        common::wait_until(PATIENCE, "it is forgotten", || core.stats()["connections_known"] == 1);
    }
    assert!(!searching.is_finished(), "all that while it went on");
    interrupt.store(true, Ordering::Relaxed);
    assert_eq!(searching.join().expect("no panic"), Err(CommandError::Stopped(Stopped::Interrupted)));
}

#[test]
fn a_search_ends_when_its_time_is_over_which_is_a_second_by_default() {
    for limit in [Duration::ZERO, Duration::from_millis(1)] {
        let core = started(limit);
        let _burdened = burden(&core);
        let begun = Instant::now();
        assert_eq!(core.ask(&hostile()), Err(CommandError::Stopped(Stopped::TimeLimit)));
        let expected = if limit.is_zero() { Duration::from_secs(1) } else { limit };
        assert!(begun.elapsed() >= expected, "{:?}", begun.elapsed());
    }
}

#[test]
fn a_search_by_the_control_socket_holds_up_no_other_client_of_it_and_ends_with_it() {
    let core = started(Duration::from_secs(3600));
    let _burdened = burden(&core);
    let folder = tempfile();
    let path = folder.join("ctl.sock");
    let config = ControlConfig { path: Some(path.display().to_string()), ..ControlConfig::default() };
    let control = Control::serve(core.clone(), &config).expect("a socket");
    // SAFETY: no other test of this process looks at the environment.
    unsafe { std::env::set_var("FRANKENPHP_WS_SOCKET", &path) };

    // Behind and before it others are asked on the same connection: answers keep their order.
    let mut batch = Batch::default();
    batch.push(&Command::Routes);
    batch.push(&hostile());
    let searching = std::thread::spawn(move || Remote::default().call(&batch));
    common::wait_until(PATIENCE, "it has come", || common::counter(&core, "control_commands") == 1);
    let mut other = Remote::default();
    for _ in 0..100 {
        let count = other.call(&Batch::from(&Command::Count(Count { of: Target::All, route: None }))).expect("a server");
        assert_eq!(count, Ok(Reply::Count(1)));
        let client = other.call(&Batch::from(&Command::Tags(Tags { id: Some("burdened") }))).expect("a server");
        assert_eq!(client, Ok(Reply::Names(vec![])));
    }
    assert!(!searching.is_finished(), "all that while it went on");
    // Waits for the thread that searches.
    drop(control);
    assert!(searching.join().expect("no panic").is_err(), "the connection has ended with the server");

    // The time limit comes through this door, too.
    let hasty = started(Duration::from_millis(1));
    let _burdened = burden(&hasty);
    let _control = Control::serve(hasty.clone(), &config).expect("a socket");
    let refused = Remote::default().call(&Batch::from(&hostile())).expect("a server");
    assert_eq!(refused, Err(CommandError::Stopped(Stopped::TimeLimit)));
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn thousands_of_timers_and_values_whose_time_comes_at_once_are_all_seen_to() {
    let core = Core::start(&Config { shards: 1, ..Config::default() }).expect("threads and epolls");
    core.stage(1, br#"{"routes":[],"workers":[{"name":"w","threads":1}]}"#).expect("legal");
    core.commit(1).expect("staged");
    for n in 0..5_000_u32 {
        let key = n.to_be_bytes();
        assert_eq!(core.ask(&Command::Set(Set { key: (&key).into(), value: b"v".into(), expire: Some(1) })), Ok(Reply::Done));
        let timer = SetTimer { delay: 1, payload: b"".into(), repeat: false, worker: "w", name: None };
        assert!(matches!(core.ask(&Command::SetTimer(timer)), Ok(Reply::Integer(_))));
    }
    common::wait_until(PATIENCE, "all timers were told", || common::counter(&core, "timers_fired") == 5_000);
    assert_eq!((common::counter(&core, "timers"), common::counter(&core, "events_pending")), (0, 5_000));
    common::wait_until(PATIENCE, "all values are gone", || common::counter(&core, "values") == 0);
}

fn tempfile() -> std::path::PathBuf {
    let mut name = [0; 8];
    getrandom::fill(&mut name).expect("random bytes");
    let folder = std::env::temp_dir().join(format!("fws-search-{}", u64::from_ne_bytes(name)));
    std::fs::create_dir(&folder).expect("a folder");
    folder
}
