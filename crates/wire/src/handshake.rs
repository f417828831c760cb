//! The opening handshake, server side (RFC 6455, 4.2; over HTTP/2 and HTTP/3 RFC 8441, 5 and RFC 9220).

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::{BASE64_STANDARD, Engine};
use sha1::{Digest, Sha1};

use crate::deflate;
use crate::origin::{Pattern, origin_allowed};

/// The longest request head, bytes. It is far above what web servers allow by default, so that theirs is the limit that counts.
pub const MAX_HEAD: usize = 1024 * 1024;
/// The most cookies, and the most header lines, that an upgrade request may have: as many as PHP takes of each kind of input
/// (`max_input_vars`). PHP puts them into hash tables by their names. Names that are made to collide cost the square of their number: 7,000
/// cookies fit into 62 KB, and cost a thread of PHP 100 ms.
pub const MAX_FIELDS: usize = 1000;

/// What a route accepts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Origins a browser's page may have; empty: the same host as the request's.
    pub origins: Vec<Pattern>,
    /// The sub-protocols spoken, any order.
    pub subprotocols: Vec<String>,
    /// Clients that offer none of them are refused.
    pub subprotocol_required: bool,
    /// What compression may be agreed on; `None`: none.
    pub compression: Option<deflate::Config>,
}

/// Names and values of headers.
pub type Headers = Vec<(String, Vec<u8>)>;

/// An upgrade request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whether the version is HTTP/1.1.
    pub http_1_1: bool,
    /// The method: `GET`, or `CONNECT` for the extended one of HTTP/2 and HTTP/3.
    pub method: String,
    /// Whether it is an extended CONNECT, which HTTP/1.1 does not have. The caller says so, as it has seen the `:protocol`.
    pub extended: bool,
    /// The path of the request target, byte for byte as sent: still percent-encoded, and not always UTF-8.
    pub path: Vec<u8>,
    /// The query of the request target without its `?`, as sent; empty where there is none.
    pub query: Vec<u8>,
    /// Header names in lower case with their values (not always UTF-8), in their order.
    pub headers: Headers,
}

/// A request that may be upgraded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The value of `Sec-WebSocket-Accept`; an extended CONNECT is answered without it, with 200 instead of 101.
    pub accept: Option<String>,
    /// The sub-protocol agreed on.
    pub subprotocol: Option<String>,
    /// All that the client offered, its preference first.
    pub offered: Vec<String>,
    /// The compression agreed on, and the value of `Sec-WebSocket-Extensions` that says so.
    pub compression: Option<(deflate::Params, String)>,
}

/// What is wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is no upgrade request as RFC 6455 has them.
    Malformed,
    /// It is for another version of the protocol.
    Version,
    /// A page of this origin may not connect.
    Origin,
    /// It does not offer a sub-protocol, or none that is spoken.
    Subprotocol,
}

/// A request that may not, with the HTTP response it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why, in short.
    pub reason: Reason,
    /// The status: 400, 403, 405, 426, 431 or 505.
    pub status: u16,
    /// Headers the response needs.
    pub headers: Vec<(&'static str, &'static str)>,
    /// What was wrong and what would be right.
    pub text: String,
}

impl Refused {
    fn new(status: u16, text: impl Into<String>) -> Self {
        Refused { reason: Reason::Malformed, status, headers: Vec::new(), text: text.into() }
    }

    fn because(self, reason: Reason) -> Self {
        Refused { reason, ..self }
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl Request {
    /// Reads a request head, `GET /path?query HTTP/1.1` and header lines up to the empty one.
    pub fn parse(head: &[u8]) -> Result<Request, Refused> {
        if head.len() > MAX_HEAD {
            return Err(Refused::new(431, format!("the request head has more than {MAX_HEAD} bytes")));
        }
        let (line, rest) = RequestLine::read(head)?;
        let mut headers = match headers(rest, &mut [httparse::EMPTY_HEADER; 64]) {
            Err(httparse::Error::TooManyHeaders) => headers(rest, &mut vec![httparse::EMPTY_HEADER; count_lines(rest).min(MAX_FIELDS)]),
            headers => headers,
        }
        .map_err(|error| match error {
            httparse::Error::TooManyHeaders => Refused::new(431, format!("the request has more than {MAX_FIELDS} header lines")),
            error => Refused::new(400, format!("the request head is malformed: {error}")),
        })?
        .ok_or_else(|| Refused::new(400, "the request head ends before its empty line"))?;
        let lines = headers.iter().filter(|(name, _)| name == "cookie");
        if lines.map(|(_, value)| cookies(value)).sum::<usize>() > MAX_FIELDS {
            return Err(Refused::new(431, format!("the request has more than {MAX_FIELDS} cookies")));
        }
        let (authority, target) = split_authority(line.target);
        if let Some(authority) = authority {
            // RFC 9112, 3.2.2: with the absolute form "the origin server MUST ignore the received Host header field (if any) and instead
            // use the host information of the request-target".
            headers.retain(|(name, _)| name != "host");
            headers.insert(0, ("host".to_owned(), authority.to_vec()));
        }
        let mut parts = target.splitn(2, |&byte| byte == b'?');
        let path = parts.next().filter(|path| !path.is_empty()).unwrap_or(b"/").to_vec();
        let query = parts.next().unwrap_or_default().to_vec();
        Ok(Request { http_1_1: line.version == b"HTTP/1.1", method: line.method.to_owned(), extended: false, path, query, headers })
    }

    /// The first value of a header, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).and_then(|(_, v)| std::str::from_utf8(v).ok())
    }

    /// How many lines a header has.
    fn lines(&self, name: &str) -> usize {
        self.headers.iter().filter(|(n, _)| n == name).count()
    }

    /// The members of a header that is a comma-separated list, over all its lines.
    fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n == name)
            .filter_map(|(_, v)| std::str::from_utf8(v).ok())
            .flat_map(|v| v.split(','))
            .map(str::trim)
            .filter(|member| !member.is_empty())
    }
}

/// The first line of a request.
struct RequestLine<'a> {
    method: &'a str,
    target: &'a [u8],
    version: &'a [u8],
}

impl<'a> RequestLine<'a> {
    /// Reads it; what follows it comes with it. Of the target only spaces and control characters are refused, as Caddy does: RFC 3986
    /// knows no bytes above 127 in it, but clients send them, and the site's pages are served to them.
    fn read(head: &'a [u8]) -> Result<(RequestLine<'a>, &'a [u8]), Refused> {
        let Some(end) = head.iter().position(|&byte| byte == b'\n') else {
            return Err(Refused::new(400, "the request head ends before its empty line"));
        };
        let (line, rest) = (&head[..end], &head[end + 1..]);
        let mut parts = line.strip_suffix(b"\r").unwrap_or(line).split(|&byte| byte == b' ');
        let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(Refused::new(
                400,
                "the request line is malformed: it has a method, a target and a version, with one space between them",
            ));
        };
        let method = std::str::from_utf8(method).ok().filter(|method| !method.is_empty() && method.bytes().all(deflate::is_token));
        let sound = !target.is_empty() && !target.iter().any(u8::is_ascii_control);
        match method.filter(|_| sound && version.starts_with(b"HTTP/")) {
            Some(method) => Ok((RequestLine { method, target, version }, rest)),
            None => Err(Refused::new(
                400,
                "the request line is malformed: a method, a target without control characters and a version are expected",
            )),
        }
    }
}

/// The authority and what follows it, of a target in absolute form (RFC 9112, 3.2.2); of another one, no authority and all of it.
fn split_authority(target: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let Some(colon) = target.windows(3).position(|bytes| bytes == b"://") else { return (None, target) };
    if !target[..colon].iter().all(|&byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
        return (None, target);
    }
    let rest = &target[colon + 3..];
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    (Some(&rest[..end]), &rest[end..])
}

/// How many lines there are up to the empty one.
fn count_lines(head: &[u8]) -> usize {
    head.split(|byte| *byte == b'\n').take_while(|line| !line.trim_ascii().is_empty()).count()
}

/// Reads header lines, for which there is `room`; `None`: the empty line is missing.
fn headers<'a>(lines: &'a [u8], room: &mut [httparse::Header<'a>]) -> Result<Option<Headers>, httparse::Error> {
    match httparse::parse_headers(lines, room)? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete((_, parsed)) => {
            Ok(Some(parsed.iter().map(|header| (header.name.to_ascii_lowercase(), header.value.to_vec())).collect()))
        }
    }
}

/// How many cookies a Cookie header has, as PHP counts them.
fn cookies(value: &[u8]) -> usize {
    value.split(|byte| *byte == b';').filter(|cookie| !cookie.trim_ascii().is_empty()).count()
}

/// Checks a request against RFC 6455, 4.2.1 and the route's policy. `windows`: see [`deflate::negotiate`].
///
/// An extended CONNECT is one whose `:protocol` the caller has found to be `websocket`. RFC 8441, 5: "Implementations using this
/// extended CONNECT to bootstrap WebSockets do not do the processing of the Sec-WebSocket-Key and Sec-WebSocket-Accept header fields",
/// nor of Upgrade and Connection; all else is as in HTTP/1.1.
pub fn examine(request: &Request, policy: &Policy, windows: bool) -> Result<Accepted, Refused> {
    let extended = request.extended;
    let method = if extended { "CONNECT" } else { "GET" };
    if request.method != method {
        let text = format!("the method of a WebSocket handshake is {method}, not {}", request.method);
        return Err(Refused::new(405, text).with("Allow", method));
    }
    // RFC 6455, 4.2.1: "An HTTP/1.1 or higher GET request".
    if !request.http_1_1 {
        return Err(Refused::new(505, "a WebSocket handshake needs HTTP/1.1"));
    }
    let Some(host) = request.header("host").filter(|host| !host.is_empty()) else {
        return Err(Refused::new(400, "the request has no Host header"));
    };
    if !extended && !request.list("upgrade").any(|protocol| protocol.eq_ignore_ascii_case("websocket")) {
        return Err(Refused::new(426, "this resource speaks WebSocket: the Upgrade header must contain websocket")
            .with("Upgrade", "websocket")
            .with("Connection", "Upgrade"));
    }
    if !extended && !request.list("connection").any(|option| option.eq_ignore_ascii_case("upgrade")) {
        return Err(Refused::new(400, "the Connection header does not contain Upgrade"));
    }
    // RFC 6455, 11.3.5: the version "MUST NOT appear more than once in an HTTP request"; RFC 6454, 7.3 says the same of the origin. Of two,
    // those in front of us may have looked at the other.
    if let Some(name) = ["Sec-WebSocket-Version", "Origin"].into_iter().find(|name| request.lines(&name.to_ascii_lowercase()) > 1) {
        return Err(Refused::new(400, format!("{name} must be given once")));
    }
    // RFC 6455, 4.2.2: with another version, "abort … and instead send an appropriate HTTP error code (such as 426 Upgrade Required) and
    // a |Sec-WebSocket-Version| header field indicating the version(s) the server is capable of understanding".
    match request.header("sec-websocket-version") {
        Some("13") => {}
        other => {
            let sent = other.unwrap_or("none");
            let refused = Refused::new(426, format!("this server speaks WebSocket version 13; the request's version is {sent:?}"))
                .because(Reason::Version)
                .with("Sec-WebSocket-Version", "13");
            // RFC 9113, 8.2.2 forbids connection-specific headers.
            return Err(if extended { refused } else { refused.with("Upgrade", "websocket").with("Connection", "Upgrade") });
        }
    }
    let accept = if extended { None } else { Some(accept_key(key(request)?)) };
    if let Some((_, origin)) = request.headers.iter().find(|(name, _)| name == "origin") {
        let origin = std::str::from_utf8(origin).unwrap_or("not text");
        if !origin_allowed(origin, host, &policy.origins) {
            let text = format!("a page of the origin {origin:?} may not connect to this route of {host}");
            return Err(Refused::new(403, text).because(Reason::Origin));
        }
    }
    // The client lists its preference first (RFC 6455, 4.1); the first that is spoken here is taken.
    let offered: Vec<String> = request.list("sec-websocket-protocol").map(str::to_owned).collect();
    // RFC 6455, 4.3: it is a list of tokens. Of empty members RFC 9110, 5.6.1.2 wants nothing to be made.
    let text = request.headers.iter().filter(|(name, _)| name == "sec-websocket-protocol").all(|(_, value)| value.is_ascii());
    if !text || offered.iter().any(|name| !name.bytes().all(deflate::is_token)) {
        return Err(Refused::new(400, "Sec-WebSocket-Protocol is not a list of names as RFC 6455, 4.3 has it"));
    }
    let subprotocol = offered.iter().find(|offered| policy.subprotocols.contains(offered)).cloned();
    if subprotocol.is_none() && policy.subprotocol_required {
        let spoken = policy.subprotocols.join(", ");
        return Err(Refused::new(400, format!("Sec-WebSocket-Protocol must offer a sub-protocol that this route speaks: {spoken}"))
            .because(Reason::Subprotocol));
    }
    let offers = request.headers.iter().filter(|(name, _)| name == "sec-websocket-extensions").map(|(_, value)| value.as_slice());
    let compression = deflate::negotiate(offers, policy.compression.as_ref(), windows)
        .map_err(|deflate::Malformed| Refused::new(400, "Sec-WebSocket-Extensions is not a list as RFC 6455, 9.1 has it"))?;
    Ok(Accepted { accept, subprotocol, offered, compression })
}

/// Base64 as RFC 4648 has it, but for the bits that are left over in the last character: those need not be 0. RFC 4648, 3.5 leaves it to
/// decoders to refuse others; the example of RFC 6455, 4.1 has some.
const KEY: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// The key of an upgrade request. RFC 6455, 4.2.1: "a base64-encoded … value that, when decoded, is 16 bytes in length".
fn key(request: &Request) -> Result<&str, Refused> {
    let key = request.header("sec-websocket-key").unwrap_or_default();
    if request.lines("sec-websocket-key") != 1 || !KEY.decode(key).is_ok_and(|key| key.len() == 16) {
        return Err(Refused::new(400, "Sec-WebSocket-Key must be given once, 16 bytes in base64"));
    }
    Ok(key)
}

/// `Sec-WebSocket-Accept` for a key (RFC 6455, 4.2.2).
pub fn accept_key(key: &str) -> String {
    let mut sha1 = Sha1::new();
    sha1.update(key.as_bytes());
    sha1.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64_STANDARD.encode(sha1.finalize())
}

#[cfg(test)]
mod tests;
