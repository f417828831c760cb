//! The Pusher protocol, spoken to the running core.

mod calls;
mod channels;
mod churn;
#[path = "../common/mod.rs"]
mod common;
mod hooks;
mod hostile;
mod lists;
mod peer;
mod php;
mod servers;
mod watchlist;
mod webhooks;

use common::{counter, wait_until};
use serde_json::{Value, json};

use peer::{PATIENCE, Peer, core, inner, routes};

#[test]
fn a_client_is_known_by_its_socket_id() {
    let core = core(&json!({}));
    let mut peer = Peer::new(&core);
    assert_eq!(core.ids().iter().map(|id| &**id).collect::<Vec<_>>(), [peer.id.as_str()]);
    assert!(fws_pusher::SocketId::parse(&peer.id).is_some());
    peer.say(&json!({ "event": "pusher:ping", "data": {} }));
    peer.event("pusher:pong");
    assert_eq!(counter(&core, "pusher_connections"), 1);
    drop(peer);
    wait_until(PATIENCE, "it is forgotten", || counter(&core, "pusher_connections") == 0 && core.ids().is_empty());
}

#[test]
fn a_client_that_is_refused_is_told_so_and_closed() {
    let limited = core(&json!({ "max_connections": 1, "allowed_origins": ["site.example"] }));
    let _first = Peer::new(&limited);
    let plain = core(&json!({ "tls_only": true }));
    let disabled = core(&json!({ "disabled": true }));
    for (core, target, headers, code) in [
        (&limited, "/app/nobody?protocol=7", "", 4001),
        (&limited, "/app/key?protocol=4", "", 4007),
        (&limited, "/app/key?protocol=x", "", 4006),
        (&limited, "/app/key", "", 4008),
        (&limited, "/elsewhere", "", 4005),
        (&limited, "/ws/app/key?protocol=7", "", 4005),
        (&limited, "/app/x/app/key?protocol=7", "", 4005),
        (&limited, "//app/key?protocol=7", "", 4005),
        (&limited, "/app//key?protocol=7", "", 4005),
        (&limited, "/app/key/?protocol=7", "", 4005),
        (&limited, "/APP/key?protocol=7", "", 4005),
        (&limited, "/%61pp/key?protocol=7", "", 4005),
        (&limited, "/app/KEY?protocol=7", "", 4001),
        (&limited, "/app/key?protocol=7", "", 4004),
        (&limited, "/app/key?protocol=7", "Origin: https://evil.example\r\n", 4009),
        (&plain, "/app/key?protocol=7", "", 4000),
        (&disabled, "/app/key?protocol=7", "", 4003),
    ] {
        let mut peer = Peer::connect(core, target, headers);
        let error = peer.event("pusher:error");
        assert_eq!(error["data"]["code"], code, "{target} {headers}");
        assert_eq!(peer.next(), json!({ "closed": code }), "{target} {headers}");
    }
    let behind = Peer::connect(&plain, "/app/k%65y?protocol=7", "X-Forwarded-Proto: https\r\n").event("pusher:connection_established");
    assert_eq!(inner(&behind)["activity_timeout"], 120);
}

#[test]
fn a_silent_client_is_pinged() {
    let core = core(&json!({ "activity_timeout": 1_000_000_000 }));
    let mut peer = Peer::new(&core);
    peer.event("pusher:ping");
    peer.say(&json!({ "event": "pusher:pong", "data": {} }));
    peer.event("pusher:ping");
}

#[test]
fn clients_survive_a_reload_and_those_of_an_application_that_is_gone_are_told() {
    let core = core(&json!({}));
    let mut peer = Peer::new(&core);
    peer.subscribe("news");
    core.stage(2, routes(&json!({ "client_events": false })).as_bytes()).expect("legal");
    core.commit(2).expect("staged");
    peer::publish(&core, "news", "after the reload", None);
    assert_eq!(peer.event("news")["data"], "after the reload");
    let without = routes(&json!({ "id": "9", "key": "new" }));
    core.stage(3, without.as_bytes()).expect("legal");
    core.commit(3).expect("staged");
    assert_eq!(peer.event("pusher:error")["data"]["code"], 4001);
    assert_eq!(peer.next(), json!({ "closed": 4001 }));
}

#[test]
fn clients_of_an_application_that_a_reload_switches_off_are_told_at_once() {
    let core = core(&json!({}));
    let mut peers = [Peer::new(&core), Peer::new(&core)];
    core.stage(2, routes(&json!({ "disabled": true })).as_bytes()).expect("legal");
    core.commit(2).expect("staged");
    for peer in &mut peers {
        assert_eq!(peer.event("pusher:error")["data"]["code"], 4003);
        assert_eq!(peer.next(), json!({ "closed": 4003 }));
    }
}

#[test]
fn the_end_of_the_server_waits_for_what_clients_have_sent() {
    let core = core(&json!({}));
    let mut peers: Vec<Peer> = (0..20).map(|_| Peer::new(&core)).collect();
    for peer in &mut peers {
        peer.subscribe("news");
        peer.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": "news" } }));
    }
    let readers = peers.into_iter().map(|mut peer| std::thread::spawn(move || while peer.socket.read().is_ok() {}));
    let readers: Vec<_> = readers.collect();
    let left = core.drain(PATIENCE);
    assert_eq!((left.connections, left.unhandled), (0, 0));
    readers.into_iter().for_each(|reader| reader.join().expect("it ends"));
}

#[test]
fn secrets_are_in_no_statistic_and_no_error() {
    let core = core(&json!({}));
    let mut texts = vec![core.stats().to_string(), format!("{:?}", fws_server::RoutesConfig::parse(routes(&json!({})).as_bytes()))];
    for wrong in [
        json!({ "id": "a b" }),
        json!({ "key": "" }),
        json!({ "id": "2" }),
        json!({ "key": "other" }),
        json!({ "presence_grace": 4e12 as u64 }),
    ] {
        texts.push(core.stage(9, routes(&wrong).as_bytes()).expect_err("it cannot work").to_string());
    }
    texts.extend(common::log(&core).iter().map(ToString::to_string));
    for text in texts {
        assert!(!text.contains("secret") && !text.contains("hidden"), "{text}");
    }
    for wrong in [r#"{"apps":[]}"#, r#"{"apps":[{"id":"1","key":"k","secret":""}]}"#] {
        assert!(core.stage(9, format!(r#"{{"routes":[{{"name":"a","pusher":{wrong}}}]}}"#).as_bytes()).is_err(), "{wrong}");
    }
    let both = core.stage(9, routes(&json!({})).replace(r#""name""#, r#""echo":true,"name""#).as_bytes());
    assert!(both.expect_err("two things").to_string().contains("exclude each other"));
}

#[test]
fn an_application_is_on_one_route() {
    let core = core(&json!({}));
    let app = |id: &str, key: &str| json!({ "id": id, "key": key, "secret": "hidden" });
    let two = |second: &Value| {
        let first = json!({ "name": "one", "pusher": { "apps": [app("1", "key")] } });
        let config = json!({ "routes": [first, { "name": "two", "pusher": { "apps": [app("7", "seven"), second] } }] });
        core.stage(2, config.to_string().as_bytes()).map_err(|error| error.to_string())
    };
    assert_eq!(two(&app("2", "other")), Ok(()));
    for (second, what) in [(app("1", "other"), "its id is that"), (app("2", "key"), "its key is that")] {
        let refused = two(&second).expect_err("it is on both");
        assert!(refused.contains(what) && refused.contains(r#"route "two""#) && refused.contains(r#"of route "one""#), "{refused}");
        assert!(refused.contains("one route") && !refused.contains("hidden"), "{refused}");
    }
}

#[test]
fn what_an_application_may_send_fits_the_route() {
    let core = core(&json!({}));
    let staged = |route: &Value, app: &Value| {
        let mut config: Value = serde_json::from_str(&routes(app)).expect("JSON");
        config["routes"][0].as_object_mut().expect("an object").extend(route.as_object().expect("an object").clone());
        core.stage(2, config.to_string().as_bytes()).map_err(|error| error.to_string())
    };
    // Six bytes for each character of two names of 200, and 4,096 for what stands around them.
    let around = 6 * 400 + 4096;
    for (name, needed) in [("max_message_size", 10_240 + around), ("max_frame_size", 10_240 + around), ("max_outbox", 6 * 10_240 + around)]
    {
        assert_eq!(staged(&json!({ name: needed }), &json!({})), Ok(()), "{name}");
        let refused = staged(&json!({ name: needed - 1 }), &json!({})).expect_err("too small");
        assert!(refused.contains(name) && refused.contains(&format!("at least {needed}")), "{refused}");
    }
    let most = ((4 << 20) - around) / 6;
    assert_eq!(staged(&json!({}), &json!({ "max_payload": most })), Ok(()));
    assert!(staged(&json!({}), &json!({ "max_payload": most + 1 })).expect_err("too large").contains("max_outbox"));
}
