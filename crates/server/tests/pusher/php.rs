//! What the worker of a route is told.

use std::sync::Arc;
use std::time::Instant;

use fws_server::{Bell, Config, Core};
use fws_session::Event;
use serde_json::json;

use super::PATIENCE;
use super::peer::{Peer, routes};

fn core() -> Arc<Core> {
    let core = Core::start(&Config { shards: 1, ..Config::default() }).expect("threads and epolls");
    let routes = routes(&json!({})).replace(r#""name":"pusher""#, r#""name":"pusher","worker":"chat""#);
    core.stage(1, routes.as_bytes()).expect("legal");
    core.commit(1).expect("staged");
    core
}

/// The next events, as text.
fn told(core: &Core, bell: &mut Option<Arc<Bell>>, count: usize) -> Vec<String> {
    let (mut told, until) = (Vec::new(), Instant::now() + PATIENCE);
    while told.len() < count {
        assert!(Instant::now() < until, "only {told:?}");
        let Some(claimed) = bell else {
            *bell = core.take_ring().and_then(|ring| {
                assert_eq!(&*ring.worker, "chat");
                core.claim_bell(format!("fws_bell={}", ring.nonce).as_bytes())
            });
            std::thread::yield_now();
            continue;
        };
        let Some(current) = core.next_event(claimed) else {
            core.release_bell(claimed, false, "");
            *bell = None;
            continue;
        };
        told.push(match current.event() {
            Event::Subscribe(told) => format!("subscribe {} {} {}", told.tag, told.user, String::from_utf8_lossy(&told.data)),
            Event::Unsubscribe(told) => format!("unsubscribe {} {}", told.tag, told.user),
            Event::ClientEvent(told) => format!("{} {} {} {}", told.event, told.tag, told.user, String::from_utf8_lossy(&told.data)),
            Event::Join(member) => format!("join {} {}", member.tag, member.user),
            Event::Leave(member) => format!("leave {} {}", member.tag, member.user),
            other => panic!("{other:?}"),
        });
    }
    told
}

#[test]
fn a_worker_is_told_what_each_client_does_in_order_and_what_happens_in_each_channel() {
    let core = core();
    let mut bell = None;
    let mut ann = Peer::new(&core);
    ann.subscribe("news");
    ann.subscribe("private-x");
    ann.say(&json!({ "event": "client-a", "channel": "private-x", "data": { "n": 1 } }));
    ann.say(&json!({ "event": "client-b", "channel": "private-x", "data": 2 }));
    ann.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": "news" } }));
    let wanted = [
        "subscribe 1:news  ",
        "subscribe 1:private-x  ",
        r#"client-a 1:private-x  {"n":1}"#,
        "client-b 1:private-x  2",
        "unsubscribe 1:news ",
    ];
    assert_eq!(told(&core, &mut bell, 5), wanted);
    ann.join("presence-x", "ann");
    let mut both = told(&core, &mut bell, 2);
    both.sort();
    assert_eq!(both, ["join 1:presence-x ann", r#"subscribe 1:presence-x ann {"name":"ann"}"#]);
    drop(ann);
    let mut rest = told(&core, &mut bell, 3);
    rest.sort();
    assert_eq!(rest, ["leave 1:presence-x ann", "unsubscribe 1:presence-x ann", "unsubscribe 1:private-x "]);
}

#[test]
fn clients_are_served_whether_php_listens_or_not() {
    let core = core();
    let (mut ann, mut bob) = (Peer::new(&core), Peer::new(&core));
    ann.subscribe("private-x");
    bob.subscribe("private-x");
    ann.say(&json!({ "event": "client-a", "channel": "private-x", "data": 1 }));
    bob.event("client-a");
}
