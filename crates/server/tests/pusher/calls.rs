//! The HTTP API.

use std::time::{SystemTime, UNIX_EPOCH};

use fws_pusher::auth;
use fws_server::HttpCall;
use serde_json::{Value, json};

use super::peer::{Peer, app, call, core, publish, signed};

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
fn a_site_may_have_the_api_behind_a_path_of_its_own_that_is_not_signed() {
    let core = core(&json!({}));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let query = format!("auth_key=key&auth_timestamp={now}&auth_version=1.0");
    let signature = auth::sign(&app().secret, format!("GET\n/apps/1/connections\n{query}").as_bytes());
    let query = format!("{query}&auth_signature={signature}");
    let status = |path| core.pusher_call(&HttpCall { route: "pusher", method: "GET", path, query: &query, body: b"" }).status;
    assert_eq!((status("/ws/apps/1/connections"), status("/ws/apps/2/connections"), status("/ws/up")), (200, 401, 200));
}
