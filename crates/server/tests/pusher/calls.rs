//! The HTTP API.

use fws_server::{HttpCall, Unread};
use serde_json::{Value, json};

use super::common::counter;
use super::peer::{Peer, call, core, publish, signed};

#[test]
fn an_event_goes_to_several_channels_and_tells_of_them() {
    let core = core(&json!({}));
    let mut ann = Peer::new(&core);
    ann.subscribe("a");
    ann.join("presence-b", "ann");
    let body = json!({ "name": "e", "channels": ["a", "presence-b", "a"], "data": "{}", "info": "subscription_count,user_count" });
    let told = json!({ "channels": { "a": { "subscription_count": 1 }, "presence-b": { "subscription_count": 1, "user_count": 1 } } });
    assert_eq!(call(&core, "POST", "/apps/1/events", "", &body.to_string()), (200, told));
    assert_eq!((ann.event("e")["channel"].as_str(), ann.event("e")["channel"].as_str()), (Some("a"), Some("presence-b")));
    let batch = json!({ "batch": [
        { "name": "one", "channel": "a", "data": "1" },
        { "name": "two", "channel": "presence-b", "data": "2", "socket_id": ann.id, "info": "user_count" },
    ] });
    let told = json!({ "batch": [{}, { "user_count": 1 }] });
    assert_eq!(call(&core, "POST", "/apps/1/batch_events", "", &batch.to_string()), (200, told));
    ann.event("one");
    ann.nothing_came();
}

#[test]
fn channels_and_users_are_told() {
    let core = core(&json!({}));
    let mut peers: Vec<Peer> = (0..3).map(|_| Peer::new(&core)).collect();
    peers[0].subscribe("cache-a");
    peers[0].event("pusher:cache_miss");
    peers[0].join("presence-b", "ann");
    peers[1].join("presence-b", "bob");
    peers[2].join("presence-b", "bob");
    peers[2].sign_in("9");
    peers[2].subscribe("#server-to-user-9");
    publish(&core, "cache-a", "kept", None);
    let get = |path: &str, parameters: &str| call(&core, "GET", path, parameters, "");
    let all = json!({ "channels": { "#server-to-user-9": {}, "cache-a": {}, "presence-b": {} } });
    assert_eq!(get("/apps/1/channels", ""), (200, all));
    let some = json!({ "channels": { "presence-b": { "user_count": 2 } } });
    assert_eq!(get("/apps/1/channels", "filter_by_prefix=presence-&info=user_count"), (200, some));
    let one = json!({ "occupied": true, "user_count": 2, "subscription_count": 3 });
    assert_eq!(get("/apps/1/channels/presence-b", "info=user_count,subscription_count"), (200, one));
    assert_eq!(get("/apps/1/channels/empty", ""), (200, json!({ "occupied": false })));
    let (status, cached) = get("/apps/1/channels/cache-a", "info=cache");
    assert_eq!((status, &cached["cache"]["data"]), (200, &json!("kept")));
    assert!(cached["cache"]["ttl"].as_u64().expect("seconds") > 1700, "{cached}");
    assert_eq!(get("/apps/1/channels/presence-b/users", ""), (200, json!({ "users": [{ "id": "ann" }, { "id": "bob" }] })));
    assert_eq!(get("/apps/1/connections", ""), (200, json!({ "connections": 3 })));
    assert_eq!(get("/up", ""), (200, json!({ "health": "OK" })));
}

#[test]
fn a_call_that_is_not_as_it_must_be_is_refused() {
    let core = core(&json!({ "max_payload": 100 }));
    let event = |data: &str| json!({ "name": "e", "channel": "a", "data": data }).to_string();
    let status = |method: &str, path: &str, parameters: &str, body: &str| call(&core, method, path, parameters, body).0;
    assert_eq!(status("POST", "/apps/1/events", "", &event(&"x".repeat(100))), 200);
    assert_eq!(status("POST", "/apps/1/events", "", &event(&"x".repeat(101))), 413);
    assert_eq!(status("POST", "/apps/1/events", "", "{}"), 400);
    assert_eq!(status("POST", "/apps/1/events", "", &"x".repeat(1 << 20)), 413);
    assert_eq!(status("GET", "/apps/1/events", "", ""), 405);
    assert_eq!(status("POST", "/apps/3/events", "", "{}"), 404);
    assert_eq!(status("POST", "/apps/2/events", "", "{}"), 401, "the key is another application's");
    assert_eq!(status("GET", "/apps/1/nothing", "", ""), 404);
    assert_eq!(status("GET", "/apps/1/channels", "info=user_count", ""), 400);
    let late = |late| signed(&core, "GET", "/apps/1/channels", "", "", late).status;
    assert_eq!((late(590), late(700)), (200, 401));
    let text = |answer: Value| answer.as_str().expect("text").to_owned();
    assert!(text(call(&core, "POST", "/apps/2/events", "", "{}").1).contains("auth_key"));
}

#[test]
fn a_batch_is_sent_whole_or_not_at_all() {
    let core = core(&json!({ "max_payload": 100 }));
    let mut ann = Peer::new(&core);
    ann.subscribe("a");
    let event = |data: &str| json!({ "name": "e", "channel": "a", "data": data });
    for (wrong, status) in [
        (event(&"x".repeat(101)), 413),
        (json!({ "name": "e", "channel": "a" }), 400),
        (json!({ "name": "e", "channel": "a b", "data": "" }), 400),
    ] {
        let batch = json!({ "batch": [event("right"), wrong] }).to_string();
        assert_eq!(call(&core, "POST", "/apps/1/batch_events", "", &batch).0, status, "{batch}");
    }
    assert_eq!(call(&core, "POST", "/apps/1/batch_events", "", &json!({ "batch": vec![event("right"); 11] }).to_string()).0, 400);
    ann.nothing_came();
    assert_eq!(
        call(&core, "POST", "/apps/1/batch_events", "", &json!({ "batch": vec![event("right"); 10] }).to_string()),
        (200, json!({}))
    );
    (0..10).for_each(|_| assert_eq!(ann.event("e")["data"], "right"));
}

#[test]
fn a_call_whose_body_is_not_read_is_counted_as_refused() {
    let core = core(&json!({}));
    let head = |path| HttpCall { route: "pusher", method: "POST", path, query: "", body: b"" };
    assert_eq!(core.pusher_examine(&head("/apps/1/events"), 10).expect_err("nobody has signed it").status, 401);
    assert_eq!(core.pusher_examine(&head("/apps/3/events"), 10).expect_err("there is no such application").status, 404);
    assert_eq!((core.pusher_unread(Unread::Late).status, core.pusher_unread(Unread::NoRoom).status), (408, 503));
    assert_eq!((counter(&core, "pusher_calls"), counter(&core, "pusher_calls_refused")), (4, 4));
}
