use super::*;

fn head(edit: impl Fn(&mut Vec<String>)) -> Vec<u8> {
    let mut lines: Vec<String> = [
        "GET /chat?room=1 HTTP/1.1",
        "Host: server.example.com",
        "Upgrade: websocket",
        "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    .map(String::from)
    .to_vec();
    edit(&mut lines);
    (lines.join("\r\n") + "\r\n\r\n").into_bytes()
}

fn try_with(policy: &Policy, edit: impl Fn(&mut Vec<String>)) -> Result<Accepted, Refused> {
    examine(&Request::parse(&head(edit))?, policy, true)
}

fn replaced(from: &'static str, to: &'static str) -> impl Fn(&mut Vec<String>) {
    move |lines| {
        for line in lines {
            *line = line.replace(from, to);
        }
    }
}

#[test]
fn the_example_of_rfc_6455_1_3_gets_its_accept_key() {
    let accepted = try_with(&Policy::default(), |_| {}).expect("a right request");
    assert_eq!(
        accepted,
        Accepted { accept: Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".into()), subprotocol: None, offered: Vec::new(), compression: None }
    );
}

#[test]
fn path_query_and_headers_are_as_sent() {
    let request = Request::parse(&head(|lines| lines.push("X-Odd: caf\u{e9}".into()))).expect("whole");
    assert_eq!((&*request.path, &*request.query), (&b"/chat"[..], &b"room=1"[..]));
    assert_eq!(request.header("x-odd"), Some("café"));
}

#[test]
fn bytes_that_are_no_text_stay_as_they_are_in_path_and_query() {
    for (target, path, query) in [
        (&b"/caf\xe9/\"<>{|}^`\\#a?q=\xff\xfe?b"[..], &b"/caf\xe9/\"<>{|}^`\\#a"[..], &b"q=\xff\xfe?b"[..]),
        ("/größe".as_bytes(), "/größe".as_bytes(), b""),
        (b"/%E9?", b"/%E9", b""),
        (b"/a//b/../c", b"/a//b/../c", b""),
        (b"//host/a?http://b", b"//host/a", b"http://b"),
        (b"?a=b://c/d", b"/", b"a=b://c/d"),
        (b"*", b"*", b""),
    ] {
        let head = [b"GET ", target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        let request = Request::parse(&head).expect("legal");
        assert_eq!((&*request.path, &*request.query, request.header("host")), (path, query, Some("a")), "{}", target.escape_ascii());
    }
}

#[test]
fn the_absolute_form_of_the_target_has_a_path_and_its_host_counts() {
    for (target, path, query, host) in [
        ("http://a.example/chat?room=1", "/chat", "room=1", "a.example"),
        ("https://a.example:8443/chat", "/chat", "", "a.example:8443"),
        ("ws://[::1]:80/", "/", "", "[::1]:80"),
        ("http://a.example", "/", "", "a.example"),
        ("http://a.example?b=/c://d", "/", "b=/c://d", "a.example"),
        ("HTTP://a.example//x", "//x", "", "a.example"),
    ] {
        let request = Request::parse(format!("GET {target} HTTP/1.1\r\nX: y\r\nHost: other.example\r\n\r\n").as_bytes()).expect(target);
        assert_eq!((&*request.path, &*request.query), (path.as_bytes(), query.as_bytes()), "{target}");
        assert_eq!((request.header("host"), request.lines("host"), request.header("x")), (Some(host), 1, Some("y")), "{target}");
    }
    let examined = |target: &str, origin: &str| {
        let edit = |lines: &mut Vec<String>| {
            lines[0] = format!("GET {target} HTTP/1.1");
            lines.push(format!("Origin: {origin}"));
        };
        try_with(&Policy::default(), edit).map_err(|refused| refused.status)
    };
    assert!(examined("http://a.example/", "http://a.example").is_ok());
    assert_eq!(examined("http://a.example/", "http://server.example.com").expect_err("not its host"), 403);
    assert_eq!(examined("http:///", "http://server.example.com").expect_err("no host"), 400);
}

#[test]
fn a_key_is_sixteen_bytes_whatever_its_left_over_bits_are_and_nothing_else() {
    let with = |key: &str| {
        let line = format!("Sec-WebSocket-Key: {key}");
        try_with(&Policy::default(), move |lines| lines[4] = line.clone()).map(|accepted| accepted.accept)
    };
    // The first is the example of RFC 6455, 4.1; its decoded bytes are those of the second, but it is the text that is hashed.
    for key in ["AQIDBAUGBwgJCgsMDQ4PEC==", "AQIDBAUGBwgJCgsMDQ4PEA==", "dGhlIHNhbXBsZSBub25jZR==", "////////////////////////"] {
        let expected = if key.ends_with('=') { Some(Some(accept_key(key))) } else { None };
        assert_eq!(with(key).ok(), expected, "{key}");
    }
    for wrong in [
        "AQIDBAUGBwgJCgsMDQ4PEC",
        "AQIDBAUGBwgJCgsMDQ4PEC=",
        "AQIDBAUGBwgJCgsMDQ4PEC===",
        "AQIDBAUGBwgJCgsMDQ4PEBE=",
        "AQIDBAUGBwgJCgsMDQ4PE===",
        "AQIDBAUGBwgJCgsMDQ4PE-==",
        "AQIDBAUGBwgJ CgsMDQ4PEC==",
        "AQIDBAUGBwgJCgsMDQ4PEC==, AQIDBAUGBwgJCgsMDQ4PEC==",
        "\u{a0}AQIDBAUGBwgJCgsMDQ4PEC==",
        "=AQIDBAUGBwgJCgsMDQ4PEC=",
        "",
    ] {
        assert_eq!(with(wrong).expect_err(wrong).status, 400, "{wrong:?}");
    }
}

#[test]
fn a_request_line_that_caddy_would_not_pass_on_is_refused() {
    for line in [
        "GET",
        "GET /",
        "GET  / HTTP/1.1",
        "GET / a HTTP/1.1",
        "GET /\u{1} HTTP/1.1",
        "GET /\u{7f} HTTP/1.1",
        "G T / HTTP/1.1",
        " / HTTP/1.1",
        "GET / HTTPS",
    ] {
        let head = format!("{line}\r\nHost: a\r\n\r\n");
        assert_eq!(Request::parse(head.as_bytes()).expect_err(line).status, 400, "{line:?}");
    }
    let newer = try_with(&Policy::default(), |lines| lines[0] = "GET /chat HTTP/2.0".into());
    assert_eq!(newer.expect_err("another version").status, 505);
}

#[test]
fn what_is_missing_or_wrong_is_refused_with_the_right_status() {
    let cases: &[(&str, &str, u16)] = &[
        ("GET ", "POST ", 405),
        ("HTTP/1.1", "HTTP/1.0", 505),
        ("Host: server.example.com", "X: y", 400),
        ("Upgrade: websocket", "Upgrade: h2c", 426),
        ("keep-alive, Upgrade", "keep-alive", 400),
        ("Version: 13", "Version: 8", 426),
        ("Version: 13", "Version: 14", 426),
        ("Sec-WebSocket-Version: 13", "X: y", 426),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "not base64 at all!!", 400),
        ("Sec-WebSocket-Key", "X-Key", 400),
    ];
    for (from, to, status) in cases {
        let refused = try_with(&Policy::default(), replaced(from, to)).expect_err(to);
        assert_eq!(refused.status, *status, "{from} → {to}: {}", refused.text);
        if refused.text.contains("version 13") {
            assert!(refused.headers.contains(&("Sec-WebSocket-Version", "13")));
        }
    }
    for twice in ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Origin: http://server.example.com"] {
        let lines = |lines: &mut Vec<String>| {
            lines.retain(|line| line != twice);
            lines.extend([twice.to_owned(), twice.to_owned()]);
        };
        assert_eq!(try_with(&Policy::default(), lines).expect_err(twice).status, 400, "twice: {twice}");
    }
    for wrong in ["a b", "a;b", "a\"", "ä", "a, b/c", "(a)"] {
        let refused = try_with(&Policy::default(), |lines| lines.push(format!("Sec-WebSocket-Protocol: {wrong}"))).expect_err(wrong);
        assert_eq!(refused.status, 400, "{wrong}");
    }
    for empty in ["", ",", "a,, b"] {
        assert!(try_with(&Policy::default(), |lines| lines.push(format!("Sec-WebSocket-Protocol: {empty}"))).is_ok(), "{empty:?}");
    }
}

#[test]
fn where_a_subprotocol_is_required_a_client_without_one_is_told_which() {
    let policy = Policy { subprotocols: vec!["chat.v1".into(), "chat.v2".into()], subprotocol_required: true, ..Policy::default() };
    let offer = |line: &'static str| try_with(&policy, move |lines| lines.push(line.into()));
    for line in ["X: y", "Sec-WebSocket-Protocol: soap", "Sec-WebSocket-Protocol: CHAT.V1"] {
        let refused = offer(line).expect_err(line);
        assert!(refused.status == 400 && refused.text.ends_with("chat.v1, chat.v2"), "{refused:?}");
    }
    let accepted = offer("Sec-WebSocket-Protocol: soap , chat.v2,chat.v1").expect("spoken");
    assert_eq!(accepted.subprotocol.as_deref(), Some("chat.v2"));
    assert_eq!(accepted.offered, ["soap", "chat.v2", "chat.v1"]);
}

#[test]
fn protocols_before_version_13_are_told_the_version_that_is_spoken() {
    let older: &[(&str, &[u8])] = &[
        (
            "hixie-75",
            b"GET /demo HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nHost: example.com\r\nOrigin: http://example.com\r\n\
              WebSocket-Protocol: sample\r\n\r\n",
        ),
        (
            "hixie-76",
            b"GET /demo HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n\
              Sec-WebSocket-Protocol: sample\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\n\
              Origin: http://example.com\r\n\r\n",
        ),
        (
            "HyBi 7",
            b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Origin: http://evil.example\r\nSec-WebSocket-Version: 7\r\n\r\n",
        ),
        (
            "HyBi 8",
            b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Origin: http://evil.example\r\nSec-WebSocket-Version: 8\r\n\r\n",
        ),
    ];
    for (name, head) in older {
        let request = Request::parse(head).expect(name);
        let refused = examine(&request, &Policy::default(), true).expect_err(name);
        assert_eq!(refused.status, 426, "{name}: {}", refused.text);
        assert!(refused.headers.contains(&("Sec-WebSocket-Version", "13")), "{name}");
    }
}

#[test]
fn compression_is_agreed_on_or_declined_and_a_malformed_offer_is_refused() {
    let policy = Policy {
        compression: Some(crate::deflate::Config { context_takeover: false, window_bits: 15, client_window_bits: 12 }),
        ..Policy::default()
    };
    let offer = |policy: &Policy, lines: &'static [&'static str]| {
        try_with(policy, |head| head.extend(lines.iter().map(|line| format!("Sec-WebSocket-Extensions: {line}")))).map(|a| a.compression)
    };
    let agreed = offer(&policy, &["x-other", "permessage-deflate; bad, permessage-deflate; client_max_window_bits"]).expect("well-formed");
    assert!(agreed.is_some_and(|(_, answer)| answer == "permessage-deflate; client_max_window_bits=12"));
    assert_eq!(offer(&policy, &["permessage-deflate; bad"]), Ok(None));
    assert_eq!(offer(&Policy::default(), &["permessage-deflate"]), Ok(None));
    for policy in [&policy, &Policy::default()] {
        assert_eq!(offer(policy, &["permessage-deflate", "; ="]).map_err(|refused| refused.status), Err(400));
    }
}

#[test]
fn the_first_subprotocol_the_client_prefers_and_the_route_speaks_is_taken() {
    let policy = Policy { subprotocols: vec!["chat.v1".into(), "chat.v2".into()], ..Policy::default() };
    let offer = |line: &'static str| try_with(&policy, move |lines| lines.push(line.into())).map(|a| a.subprotocol);
    assert_eq!(offer("Sec-WebSocket-Protocol: x, chat.v2, chat.v1"), Ok(Some("chat.v2".into())));
    assert_eq!(offer("Sec-WebSocket-Protocol: x"), Ok(None));
    assert_eq!(offer("X-Nothing: x"), Ok(None));
}

#[test]
fn a_page_of_another_host_is_refused_and_a_request_without_an_origin_is_not() {
    let list = Policy { origins: vec![Pattern::parse("a.example").expect("legal")], ..Policy::default() };
    let with = |policy: &Policy, line: &'static str| try_with(policy, move |lines| lines.push(line.into())).map(drop);
    for (policy, right) in [(&Policy::default(), "Origin: https://server.example.com:8443"), (&list, "Origin: http://a.example")] {
        assert_eq!((with(policy, right), with(policy, "X: y")), (Ok(()), Ok(())));
        for wrong in ["Origin: http://evil.example", "Origin: null", "Origin:", "Origin: http://server.example.co"] {
            let refused = with(policy, wrong).expect_err(wrong);
            assert_eq!((refused.status, refused.reason), (403, Reason::Origin), "{wrong}");
        }
    }
    assert_eq!(with(&list, "Origin: http://server.example.com").map_err(|refused| refused.reason), Err(Reason::Origin));
    let unreadable = Request::parse(
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://a\xff\r\n\r\n",
    );
    let refused = examine(&unreadable.expect("whole"), &Policy::default(), true).expect_err("not text");
    assert!(refused.status == 403 && refused.text.contains("not text"), "{refused:?}");
}

#[test]
fn a_head_that_is_cut_malformed_or_too_big_is_refused() {
    assert_eq!(Request::parse(b"GET / HTTP/1.1\r\nHost: a").expect_err("cut").status, 400);
    assert_eq!(Request::parse(b"GET / HTTP/1.1\r\nHo st: a\r\n\r\n").expect_err("malformed").status, 400);
    assert_eq!(Request::parse(&vec![b'\n'; MAX_HEAD]).expect_err("nothing but empty lines").status, 400);
    assert_eq!(Request::parse(&vec![b'a'; MAX_HEAD + 1]).expect_err("long").status, 431);
}

#[test]
fn a_head_may_have_a_thousand_lines_of_any_length() {
    let lines = |count| Request::parse(&head(|l| l.extend((5..count).map(|n| format!("X-{n}: y")))));
    for count in [5, 63, 64, 65, 128, 200, MAX_FIELDS] {
        assert_eq!(lines(count).expect("many lines").headers.len(), count);
    }
    for count in [MAX_FIELDS + 1, 50_000] {
        assert_eq!(lines(count).expect_err("too many lines").status, 431);
    }
    let cookie = "c=".to_owned() + &"x".repeat(MAX_HEAD - 1024);
    let request = Request::parse(&head(|l| l.push(format!("Cookie: {cookie}")))).expect("a long line");
    assert_eq!(request.header("cookie"), Some(cookie.as_str()));
}

#[test]
fn more_cookies_than_php_takes_are_refused_however_many_lines_they_come_in() {
    let parse = |cookies: &str, lines: usize| Request::parse(&head(|l| l.extend((0..lines).map(|_| format!("Cookie: {cookies}")))));
    let most = "a=1; ".repeat(MAX_FIELDS);
    // A separator at the end, or several, is no cookie.
    assert!(parse(&most, 1).is_ok());
    assert!(parse(&most.replace("; ", ";; ;"), 1).is_ok());
    assert!(parse(&"a;".repeat(MAX_FIELDS / 4), 4).is_ok());
    assert_eq!(parse(&format!("{most}b=2"), 1).expect_err("one more").status, 431);
    assert_eq!(parse(&"a;".repeat(MAX_FIELDS / 4 + 1), 4).expect_err("four more").status, 431);
    // Names alone, without values and spaces: what fits most into a head.
    assert_eq!(parse(&"Ez;".repeat(20_000), 1).expect_err("many").status, 431);
}

/// The head of the example of RFC 8441, 5.1, as the host writes it.
fn connect(edit: impl Fn(&mut Vec<String>)) -> Vec<u8> {
    let mut lines: Vec<String> = [
        "CONNECT /chat HTTP/1.1",
        "Host: server.example.com",
        "Sec-WebSocket-Protocol: chat, superchat",
        "Sec-WebSocket-Extensions: permessage-deflate",
        "Sec-WebSocket-Version: 13",
        "Origin: http://www.example.com",
    ]
    .map(String::from)
    .to_vec();
    edit(&mut lines);
    (lines.join("\r\n") + "\r\n\r\n").into_bytes()
}

#[test]
fn an_extended_connect_needs_neither_key_nor_upgrade_but_all_else() {
    let policy = Policy {
        origins: vec![Pattern::parse("www.example.com").expect("legal")],
        subprotocols: vec!["superchat".into()],
        ..Policy::default()
    };
    let try_with = |edit: &dyn Fn(&mut Vec<String>)| examine(&Request { extended: true, ..Request::parse(&connect(edit))? }, &policy, true);
    let accepted = try_with(&|_| {}).expect("the example");
    assert_eq!((accepted.accept, accepted.subprotocol.as_deref()), (None, Some("superchat")));
    for (from, to, status) in [("Version: 13", "Version: 8", 426), ("www.example", "evil.example", 403), ("Host", "X-Host", 400)] {
        let refused = try_with(&replaced(from, to)).expect_err(to);
        assert_eq!(refused.status, status, "{from} → {to}: {}", refused.text);
        // RFC 9113, 8.2.2: "An endpoint MUST NOT generate an HTTP/2 message containing connection-specific header fields."
        assert!(!refused.headers.iter().any(|(name, _)| matches!(*name, "Upgrade" | "Connection")));
    }
    let refused = try_with(&replaced("CONNECT", "GET")).expect_err("a GET is no extended CONNECT");
    assert_eq!((refused.status, refused.headers), (405, vec![("Allow", "CONNECT")]));
}

#[test]
fn http_1_1_has_no_extended_connect() {
    // RFC 8441 and RFC 9220 define it for HTTP/2 and HTTP/3. Taken over HTTP/1.1, it would be a handshake without a key.
    for headers in [&["X: y"][..], &["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]] {
        let head = connect(|lines| {
            lines.pop(); // the origin
            lines.extend(headers.iter().map(|line| line.to_string()));
        });
        let refused = examine(&Request::parse(&head).expect("whole"), &Policy::default(), true).expect_err("a CONNECT");
        assert_eq!((refused.status, refused.headers), (405, vec![("Allow", "GET")]));
    }
}
