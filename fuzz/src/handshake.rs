//! Upgrade requests: what is accepted here tungstenite accepts too, with the same answer; and no origin of another host is allowed.

use std::io::{self, Read, Write};

use base64_key::is_key;
use fws_wire::handshake::{Policy, Request, accept_key, examine};
use fws_wire::origin::{Pattern, origin_allowed};
use url::{Origin, Url};

/// A request's head, examined for several routes.
pub fn check(data: &[u8]) {
    origins(data);
    let Ok(mut request) = Request::parse(data) else { return };
    if request.method == "CONNECT" {
        assert_eq!(examine(&request, &Policy::default(), true).expect_err("a CONNECT of HTTP/1.1").status, 405);
        request.extended = true;
    }
    let any = Policy { origins: patterns(["*"].into_iter()), subprotocols: vec!["chat.v1".into(), "b".into()], ..Policy::default() };
    let own = Policy::default();
    let mut accepted_by_own = false;
    for policy in [&any, &own] {
        match examine(&request, policy, true) {
            Ok(accepted) => {
                // An extended CONNECT (RFC 8441) has no key, and tungstenite does not know it.
                let extended = request.extended;
                assert_eq!(accepted.accept.is_none(), extended);
                if let Some(accept) = accepted.accept {
                    let key = request.header("sec-websocket-key").expect("accepted without a key");
                    assert!(is_key(key), "{key:?} was accepted");
                    assert_eq!(accept, tungstenite::handshake::derive_accept_key(key.as_bytes()));
                    assert_eq!(accept, accept_key(key));
                }
                if let Some(agreed) = &accepted.subprotocol {
                    assert!(policy.subprotocols.contains(agreed), "{agreed:?} is not spoken");
                    let offers = request.headers.iter().filter(|(name, _)| name == "sec-websocket-protocol");
                    assert!(
                        offers
                            .flat_map(|(_, value)| value.split(|byte| *byte == b','))
                            .any(|offer| offer.trim_ascii() == agreed.as_bytes()),
                        "{agreed:?} was not offered"
                    );
                }
                accepted_by_own |= policy == &own && !extended;
                assert!(policy != &own || examine(&request, &any, true).is_ok(), "refused by the route that takes any origin");
            }
            Err(refused) => {
                assert!(matches!(refused.status, 400 | 403 | 405 | 426 | 431 | 505), "{refused:?}");
                assert!(!refused.text.is_empty());
            }
        }
    }
    // tungstenite refuses bytes behind the head.
    let whole = data.ends_with(b"\r\n\r\n") && data.windows(4).filter(|end| end == b"\r\n\r\n").count() == 1;
    if accepted_by_own && whole && is_plain_target(data) && !data.windows(2).any(|end| end == b"\n\n" || end == b"\n\r") {
        let mut wire = Wire { input: data, output: Vec::new() };
        let agreed = tungstenite::accept(&mut wire).map(drop).map_err(|error| error.to_string());
        // It knows no more than 124 header lines.
        assert!(agreed.is_ok() || request.headers.len() > 124, "tungstenite refuses: {agreed:?}");
    }
}

/// Whether the target is one that RFC 3986 knows, and in origin form. tungstenite refuses others, which Caddy passes on.
fn is_plain_target(head: &[u8]) -> bool {
    let target = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    target.first() == Some(&b'/') && target.iter().all(|byte| byte.is_ascii_alphanumeric() || b"/?&=%.-_~:@!$'()*+,;".contains(byte))
}

/// Read as `origin LF host LF patterns`: what is allowed as the same host is the same host to the URL standard too, and each pattern that
/// is none of an error's fits a page that can be.
fn origins(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let (Some(origin), Some(host)) = (lines.next(), lines.next()) else { return };
    assert!(origin_allowed(origin, host, &patterns(["*"].into_iter())));
    for pattern in patterns(lines) {
        witnessed(&pattern);
        let _ = origin_allowed(origin, host, &[pattern]);
    }
    let same = origin_allowed(origin, host, &[]);
    assert_eq!(same, origin_allowed(origin, host, &[Pattern::default()]));
    if same && let (Some((origin_host, _)), Some((own_host, _))) = (canonical(origin), canonical(&format!("http://{host}"))) {
        assert_eq!(origin_host, own_host, "{origin:?} is allowed on {host:?}");
    }
}

fn patterns<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Pattern> {
    lines.filter_map(|line| Pattern::parse(line).ok()).collect()
}

/// A page that a pattern is for, put together without regard to how patterns are read.
fn witnessed(pattern: &Pattern) {
    let text = pattern.as_str().to_ascii_lowercase();
    if matches!(text.as_str(), "*" | "same" | "null") {
        return;
    }
    let (scheme, host) = text.split_once("://").unwrap_or(("https", &text));
    let host = host.strip_suffix(":*").unwrap_or(host);
    let host = match (host, host.strip_prefix("*.")) {
        (_, Some(name)) => format!("sub.{name}"),
        _ if host == "*" => "any".into(),
        _ if host.starts_with("*:") => host.replacen('*', "any", 1),
        _ => host.to_owned(),
    };
    let origin = format!("{scheme}://{host}");
    assert!(origin_allowed(&origin, "other", std::slice::from_ref(pattern)), "{origin:?} is refused by {text:?}");
    // The URL standard has no hosts for other schemes, and leaves out of names what IDNA does not have.
    if matches!(scheme, "http" | "https") && !host.contains("xn--") {
        let url = Url::parse(&origin).unwrap_or_else(|error| panic!("{text:?} is for {origin:?}, which is no URL: {error}"));
        let page = url.origin().ascii_serialization();
        assert!(origin_allowed(&page, "other", std::slice::from_ref(pattern)), "{page:?} is refused by {text:?}");
    }
}

/// Host and port of an origin in the form that browsers send. A name with the dot of the root at its end is the same host in DNS.
fn canonical(text: &str) -> Option<(String, u16)> {
    let origin = Url::parse(text).ok()?.origin();
    match &origin {
        Origin::Tuple(_, host, port) if origin.ascii_serialization() == text => {
            let host = host.to_string();
            Some((host.strip_suffix('.').unwrap_or(&host).to_owned(), *port))
        }
        _ => None,
    }
}

mod base64_key {
    /// 16 bytes in base64: 22 characters and the padding.
    pub fn is_key(key: &str) -> bool {
        let legal = |c: u8| c.is_ascii_alphanumeric() || c == b'+' || c == b'/';
        key.len() == 24 && key.ends_with("==") && key.bytes().take(22).all(legal)
    }
}

/// A client's bytes, and where the answer goes.
struct Wire<'a> {
    input: &'a [u8],
    output: Vec<u8>,
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.read(buffer)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
