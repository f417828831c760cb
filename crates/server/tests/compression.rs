//! Compressed and plain clients of one core, over real sockets; the clients inflate with another implementation.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use common::counter;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use fws_hub::command::{Describe, SendTo};
use fws_hub::{Command, CommandError, Outcome, Reply, Target};
use fws_server::{Config, Core, Ended};
use fws_session::Event;

const PATIENCE: Duration = Duration::from_secs(20);

const ROUTES: &str = r#"{"routes":[
  {"name":"plain","echo":true},
  {"name":"compressed","echo":true,"compression":{},"max_outbox":100000},
  {"name":"kept","echo":true,"compression":{"context_takeover":true,"threshold":1,"level":9}},
  {"name":"narrow","echo":true,"compression":{"threshold":100000000},"max_outbox":100000},
  {"name":"limited","echo":true,"compression":{},"rate_limit":{"messages":5,"burst":1}},
  {"name":"php","worker":"w","compression":{},"max_pending_events":8}]}"#;

fn started() -> Arc<Core> {
    let core = Core::start(&Config { shards: 2, ..Config::default() }).expect("threads and epolls");
    core.stage(1, ROUTES.as_bytes()).expect("legal");
    core.commit(1).expect("staged");
    core
}

struct Client {
    socket: TcpStream,
    /// What was answered to the offer.
    agreed: Option<String>,
    inflate: Decompress,
    /// Compressed messages received.
    compressed: usize,
}

impl Client {
    fn connect(core: &Core, route: &str, offer: &str) -> Client {
        let head = format!(
            "GET /p HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\n{offer}\r\n"
        );
        let handshake = core.handshake(route, head.as_bytes(), "192.0.2.1");
        let agreed = handshake.headers().iter().find(|(name, _)| *name == "Sec-WebSocket-Extensions").map(|(_, value)| value.clone());
        let socket = common::adopt(core, handshake, &[], PATIENCE);
        Client { socket, agreed, inflate: Decompress::new(false), compressed: 0 }
    }

    fn offering(core: &Core, route: &str, parameters: &str) -> Client {
        Client::connect(core, route, &format!("Sec-WebSocket-Extensions: permessage-deflate{parameters}\r\n"))
    }

    fn send(&mut self, first: u8, payload: &[u8]) {
        self.socket.write_all(&frame(first, payload)).expect("sent");
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut head = [0; 2];
        self.socket.read_exact(&mut head).expect("a frame");
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.socket.read_exact(&mut length).expect("a length");
                usize::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.socket.read_exact(&mut length).expect("a length");
                u64::from_be_bytes(length) as usize
            }
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.socket.read_exact(&mut payload).expect("a payload");
        if head[0] & 0x40 == 0 {
            return payload;
        }
        self.compressed += 1;
        payload.extend_from_slice(&[0, 0, 0xff, 0xff]);
        if self.agreed.as_ref().is_some_and(|agreed| agreed.contains("server_no_context_takeover")) {
            self.inflate.reset(false);
        }
        let (used, made) = (self.inflate.total_in(), self.inflate.total_out());
        let mut out = vec![0; 2 << 20];
        self.inflate.decompress(&payload, &mut out, FlushDecompress::Sync).expect("valid");
        assert_eq!(self.inflate.total_in() - used, payload.len() as u64);
        out.truncate((self.inflate.total_out() - made) as usize);
        out
    }

    /// The code of the close frame that comes next.
    fn close_code(&mut self) -> u16 {
        let payload = self.receive();
        u16::from_be_bytes(payload[..2].try_into().expect("a code"))
    }
}

/// A masked frame of at most 65,535 bytes; the mask is of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match u16::try_from(payload.len()).expect("short enough") {
        short @ 0..=125 => bytes.push(0x80 | short as u8),
        length => {
            bytes.push(0xfe);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 1024);
    Compress::new(Compression::best(), false).compress_vec(payload, &mut out, FlushCompress::Sync).expect("room");
    out.truncate(out.len() - 4);
    out
}

/// The same by a context that has seen what it compressed before.
fn deflated_by(context: &mut Compress, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 1024);
    context.compress_vec(payload, &mut out, FlushCompress::Sync).expect("room");
    out.truncate(out.len() - 4);
    out
}

/// So many compressed messages of 1 MiB, each of its number.
fn mebibytes(count: u8) -> Vec<u8> {
    (0..count).flat_map(|n| frame(0xc2, &deflated(&vec![n; 1 << 20]))).collect()
}

fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    common::wait_until(PATIENCE, what, condition);
}

fn send(core: &Core, to: Target<'_>, data: &[u8]) -> Result<Reply, CommandError> {
    core.ask(&Command::Send(SendTo { to, route: None, except: None, binary: true, data: data.into() }))
}

#[test]
fn compression_is_agreed_on_where_the_route_has_it_and_the_client_offers_it() {
    let core = started();
    let agreed = |route: &str, offer: &str| Client::connect(&core, route, offer).agreed;
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    assert_eq!(agreed("plain", offer), None);
    assert_eq!(agreed("compressed", ""), None);
    assert_eq!(agreed("compressed", "Sec-WebSocket-Extensions: permessage-deflate; invented\r\n"), None);
    let small = "permessage-deflate; client_max_window_bits=12";
    assert_eq!(agreed("compressed", offer).as_deref(), Some(small));
    assert_eq!(agreed("kept", offer).as_deref(), Some("permessage-deflate; client_max_window_bits=12"));
    let unable = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    assert_eq!(agreed("compressed", unable).as_deref(), Some("permessage-deflate"));
}

#[test]
fn a_client_may_refer_to_what_it_has_sent_on_every_route_that_compresses() {
    let core = started();
    for route in ["compressed", "kept"] {
        let mut client = Client::offering(&core, route, "");
        let mut context = Compress::new(Compression::default(), false);
        let mut lens = Vec::new();
        for n in 0..50 {
            let message = format!("the same words again and again and again, and number {n}").repeat(30).into_bytes();
            let deflated = deflated_by(&mut context, &message);
            lens.push(deflated.len());
            client.send(0xc2, &deflated);
            assert_eq!(client.receive(), message);
        }
        assert!(lens[49] < lens[0] / 2, "the client refers to what it sent: {lens:?}");
        let kept = counter(&core, "compression_bytes_kept");
        assert!(kept >= 32 << 10, "{kept}");
        drop(client);
        wait_until("nothing is kept", || counter(&core, "compression_bytes_kept") == 0);
    }
}

#[test]
fn what_compression_keeps_is_bounded_and_who_comes_when_it_is_full_is_served_without() {
    let config = Config { shards: 1, max_compression_memory: 300_000, ..Config::default() };
    let core = Core::start(&config).expect("threads and epolls");
    core.stage(1, ROUTES.as_bytes()).expect("legal");
    core.commit(1).expect("staged");
    let noise: Vec<u8> = (0..20_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    let mut clients = Vec::new();
    // Each sends as much as its next message may refer to.
    loop {
        let mut client = Client::offering(&core, "compressed", "");
        if client.agreed.is_none() {
            break;
        }
        let mut context = Compress::new(Compression::default(), false);
        client.send(0xc2, &deflated_by(&mut context, &noise[..40_000]));
        assert_eq!(client.receive(), &noise[..40_000]);
        let kept = counter(&core, "compression_bytes_kept");
        assert!(kept <= 300_000, "{kept}");
        clients.push((client, context));
        assert!(clients.len() < 20, "it is never full");
    }
    assert_eq!(clients.len(), 9, "of 32 KiB each, beyond 7 of 8 parts");
    // Clients that can do without are still served, and so are those that are connected.
    let mut without = Client::offering(&core, "compressed", "; client_no_context_takeover");
    assert!(without.agreed.is_some());
    without.send(0xc1, &deflated(b"hello"));
    assert_eq!(without.receive(), b"hello");
    for (client, context) in &mut clients {
        client.send(0xc2, &deflated_by(context, &noise[..30_000]));
        assert_eq!(client.receive(), &noise[..30_000]);
    }
    drop(clients);
    wait_until("nothing is kept", || counter(&core, "compression_bytes_kept") == 0);
    assert!(Client::offering(&core, "compressed", "").agreed.is_some());
}

#[test]
fn a_client_whose_window_had_to_be_given_up_is_closed_only_if_it_refers_to_it() {
    // Room for three windows; handshakes see that it is full only once they are taken.
    let config = Config { shards: 1, max_compression_memory: 100_000, ..Config::default() };
    let core = Core::start(&config).expect("threads and epolls");
    core.stage(1, ROUTES.as_bytes()).expect("legal");
    core.commit(1).expect("staged");
    let noise: Vec<u8> = (0..20_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    let mut clients: Vec<_> =
        (0..5).map(|_| (Client::offering(&core, "compressed", ""), Compress::new(Compression::default(), false))).collect();
    for (client, context) in &mut clients {
        client.send(0xc2, &deflated_by(context, &noise[..40_000]));
        assert_eq!(client.receive(), &noise[..40_000]);
    }
    assert_eq!(counter(&core, "compression_windows_given_up"), 2);
    let (first, context) = &mut clients[0];
    first.send(0xc1, &deflated(b"refers to nothing"));
    assert_eq!(first.receive(), b"refers to nothing");
    first.send(0xc2, &deflated_by(context, &noise[20_000..40_000]));
    assert_eq!(first.close_code(), 1013);
    assert_eq!((counter(&core, "compression_windows_missed"), counter(&core, "violations")), (1, 0));
    assert!(common::log(&core).iter().any(|record| record["msg"].as_str().is_some_and(|text| text.contains("max_compression_memory"))));
    let (last, context) = &mut clients[4];
    last.send(0xc2, &deflated_by(context, &noise[20_000..40_000]));
    assert_eq!(last.receive(), &noise[20_000..40_000]);
}

#[test]
fn the_echo_inflates_and_compresses_from_the_threshold_on() {
    let core = started();
    let mut client = Client::offering(&core, "compressed", "");
    let long = b"long enough ".repeat(100);
    for payload in [&b"short"[..], &long, b""] {
        client.send(0xc1, &deflated(payload));
        assert_eq!(client.receive(), payload);
        client.send(0x82, payload);
        assert_eq!(client.receive(), payload);
    }
    assert_eq!(client.compressed, 2);
    wait_until("it is counted", || counter(&core, "messages_compressed") == 2);
    assert!(counter(&core, "compression_bytes_saved") > 2000);
}

#[test]
fn messages_to_all_and_to_one_are_the_same_bytes_for_every_kind_of_client() {
    let core = started();
    let mut clients = vec![Client::offering(&core, "plain", ""), Client::connect(&core, "compressed", "")];
    let mut ids = Vec::new();
    for (route, parameters) in [
        ("compressed", ""),
        ("compressed", "; server_max_window_bits=9"),
        ("kept", ""),
        ("kept", "; server_max_window_bits=10"),
        ("kept", "; server_no_context_takeover"),
    ] {
        let before = core.ids();
        clients.push(Client::offering(&core, route, parameters));
        ids.extend(core.ids().into_iter().filter(|id| !before.contains(id)));
    }
    let mut expected: Vec<Vec<Vec<u8>>> = vec![Vec::new(); clients.len()];
    for round in 0..200usize {
        let payload = format!("round {}, ", round % 7).repeat(1 + (round * 37) % 400).into_bytes();
        if round % 3 == 0 {
            assert_eq!(send(&core, Target::All, &payload), Ok(Reply::Queued(clients.len() as u64)));
            expected.iter_mut().for_each(|of| of.push(payload.clone()));
        } else {
            let at = round % ids.len();
            assert_eq!(send(&core, Target::Client(&ids[at]), &payload), Ok(Reply::Sent(Outcome::Queued)));
            expected[2 + at].push(payload);
        }
        // Nobody's outbox fills up.
        if round % 20 == 19 {
            for (client, expected) in clients.iter_mut().zip(&mut expected) {
                for payload in expected.drain(..) {
                    assert!(client.receive() == payload, "{:?}", client.agreed);
                }
            }
        }
    }
    assert_eq!(clients[..2].iter().map(|client| client.compressed).sum::<usize>(), 0);
    assert!(clients[2..].iter().all(|client| client.compressed > 50));
    wait_until("it is counted", || counter(&core, "messages_compressed") == clients.iter().map(|c| c.compressed as u64).sum::<u64>());
}

#[test]
fn an_outbox_holds_what_is_on_the_wire() {
    let core = started();
    let _plain = Client::connect(&core, "compressed", "");
    let plain = core.ids().remove(0);
    let mut client = Client::offering(&core, "compressed", "");
    let id = core.ids().into_iter().find(|id| *id != plain).expect("the other");
    let zeros = vec![0; 1 << 20];
    assert_eq!(send(&core, Target::Client(&plain), &zeros), Err(CommandError::TooLarge));
    assert_eq!(send(&core, Target::Client(&id), &zeros), Ok(Reply::Sent(Outcome::Queued)));
    assert_eq!(send(&core, Target::All, &zeros), Ok(Reply::Queued(1)), "compressed for one, too long for the other");
    for _ in 0..2 {
        assert!(client.receive() == zeros);
    }
    assert_eq!(counter(&core, "messages_dropped"), 2);
    let mut seed = 1u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    })
    .take(100_001)
    .collect();
    assert_eq!(send(&core, Target::Client(&id), &noise), Err(CommandError::TooLarge), "what does not shrink is as long as it is");
    assert_eq!(send(&core, Target::Client(&id), &noise[..100_000]), Ok(Reply::Sent(Outcome::Queued)));
    assert!(client.receive() == noise[..100_000]);
}

#[test]
fn small_frames_that_become_large_messages_wait_in_their_small_form() {
    let core = started();
    let mut client = Client::offering(&core, "php", "");
    // 60 MiB in one read.
    let bytes = mebibytes(60);
    assert!(bytes.len() < 64 * 1024, "{}", bytes.len());
    client.socket.write_all(&bytes).expect("sent");
    wait_until("the first have come", || counter(&core, "events_queued") >= 2);
    std::thread::sleep(Duration::from_millis(100)); // for what must not come there is no condition
    assert!(counter(&core, "events_pending") <= 4, "{}", counter(&core, "events_pending"));
    let mut got = Vec::new();
    while got.len() < 60 {
        let mut ring = None;
        wait_until("a bell is wanted", || {
            ring = ring.take().or_else(|| core.take_ring());
            ring.is_some()
        });
        let nonce = ring.expect("just seen").nonce;
        let bell = core.claim_bell(format!("fws_bell={nonce}").as_bytes()).expect("a live nonce");
        while let Some(current) = core.next_event(&bell) {
            if let Event::Message { data, .. } = current.event() {
                assert!(data.len() == 1 << 20 && data.iter().all(|byte| *byte == data[0]));
                got.push(data[0]);
            }
        }
        core.release_bell(&bell, false, "");
        core.end_bell(&nonce, Ended::Served, b"", "");
    }
    assert_eq!(got, (0..60).collect::<Vec<u8>>());
    assert_eq!(counter(&core, "bytes_received"), bytes.len() as u64);
}

#[test]
fn what_a_rate_limit_holds_back_may_inflate_to_long_messages_too() {
    let core = started();
    let mut client = Client::offering(&core, "limited", "");
    let bytes = mebibytes(4);
    client.socket.write_all(&bytes).expect("sent");
    for n in 0..4u8 {
        assert!(client.receive() == vec![n; 1 << 20], "{n}");
    }
    wait_until("each byte is counted once", || counter(&core, "bytes_received") == bytes.len() as u64);
    let id = core.ids().remove(0);
    let Ok(Reply::Client(known)) = core.ask(&Command::Client(Describe { id: &id })) else { panic!("it is connected") };
    assert_eq!((known.bytes_received, known.messages_received), (bytes.len() as u64, 4));
}

#[test]
fn what_was_put_by_is_looked_at_when_another_configuration_makes_room() {
    let core = started();
    let mut client = Client::offering(&core, "narrow", "");
    let bytes = mebibytes(60);
    client.socket.write_all(&bytes).expect("sent");
    let waiting = || match core.ask(&Command::Client(Describe { id: &core.ids()[0] })) {
        Ok(Reply::Client(known)) => known.queued_bytes,
        other => panic!("{other:?}"),
    };
    wait_until("the outbox is full", || waiting() > 100_000);
    core.stage(2, ROUTES.replace(r#""max_outbox":100000}"#, r#""max_outbox":100000000}"#).as_bytes()).expect("legal");
    core.commit(2).expect("staged");
    for n in 0..60u8 {
        assert!(client.receive() == vec![n; 1 << 20], "{n}");
    }
}
