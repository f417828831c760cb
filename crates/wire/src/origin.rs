//! Which pages may connect: the header Origin (RFC 6454) and what a route says about it.

use std::net::{Ipv4Addr, Ipv6Addr};

/// What a route says of the pages that may connect: one of its `origins`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    rule: Rule,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    /// Any origin, whatever it is.
    Any,
    /// A page of the host that the request names.
    Same,
    /// `null`, which browsers send for pages without an origin.
    Opaque,
    Page {
        scheme: Option<String>,
        host: HostRule,
        port: PortRule,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostRule {
    Any,
    Below(String),
    Is(Host),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PortRule {
    Any,
    /// The one that the scheme has by itself.
    Default,
    Is(u16),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// In lower case; empty for schemes whose pages have no host, such as `file`.
    Name(String),
    V6(Ipv6Addr),
}

/// A pattern that no origin can match, or not the one that was meant: what is wrong with it and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

/// What patterns look like, for errors.
const FORMS: &str = r#"write "same", "example.com", "*.example.com", "https://example.com:8443", "null", "file://", or "*" for all"#;

impl Default for Pattern {
    /// `same`.
    fn default() -> Pattern {
        Pattern { text: "same".into(), rule: Rule::Same }
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// `*` is any origin, `same` the host of the request, `null` a page without an origin. All else is `[scheme://]host[:port]`: without a
    /// scheme each one fits, and each port where none is given; with a scheme it is the scheme's own port. The host may be `*`, or `*.` and
    /// a name, for all its sub-domains; the port may be `*`.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        let lower = text.to_ascii_lowercase();
        let rule = match lower.as_str() {
            "*" => Rule::Any,
            "same" => Rule::Same,
            "null" => Rule::Opaque,
            page => parse_page(page).map_err(|why| PatternError(format!("no page has an origin that {text:?} would match: {why}")))?,
        };
        Ok(Pattern { text: text.to_owned(), rule })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn fits(&self, origin: Option<&Origin<'_>>, own_host: Option<&Host>) -> bool {
        match (&self.rule, origin) {
            (Rule::Any, _) => true,
            (Rule::Opaque, Some(Origin::Opaque)) => true,
            (Rule::Same, Some(Origin::Page(page))) => default_port(page.scheme).is_some() && own_host == Some(&page.host),
            (Rule::Page { scheme, host, port }, Some(Origin::Page(page))) => {
                scheme.as_deref().is_none_or(|wanted| wanted == page.scheme)
                    && match host {
                        HostRule::Any => true,
                        HostRule::Is(wanted) => *wanted == page.host,
                        HostRule::Below(domain) => {
                            let name = if let Host::Name(name) = &page.host { name.as_str() } else { "" };
                            name.strip_suffix(domain.as_str()).is_some_and(|sub| sub.len() > 1 && sub.ends_with('.'))
                        }
                    }
                    && match port {
                        PortRule::Any => true,
                        PortRule::Default => page.port.is_none() || page.port == default_port(page.scheme),
                        PortRule::Is(wanted) => page.port.or(default_port(page.scheme)) == Some(*wanted),
                    }
            }
            (Rule::Opaque | Rule::Same | Rule::Page { .. }, _) => false,
        }
    }
}

/// Whether a page of this origin (RFC 6454) may connect to a route with these patterns. `host` is the request's. Without patterns it is
/// as with `same`.
///
/// The same host is one with the same name, whatever the scheme and the port. Proxies leave the port out of Host, or put another one
/// in; a page without TLS may open a socket with it; some libraries write `http://` into Origin in any case. Cookies, which are what a
/// foreign page would make use of, do not tell ports apart either.
pub fn origin_allowed(origin: &str, host: &str, patterns: &[Pattern]) -> bool {
    let origin = origin.to_ascii_lowercase();
    let origin = Origin::read(&origin);
    let host = host.to_ascii_lowercase();
    let own_host = split_port(&host).filter(|(name, _)| !name.is_empty()).map(|(name, _)| Host::read(name));
    if patterns.is_empty() {
        return Pattern::default().fits(origin.as_ref(), own_host.as_ref());
    }
    patterns.iter().any(|pattern| pattern.fits(origin.as_ref(), own_host.as_ref()))
}

/// What a browser says of a page, in lower case.
enum Origin<'a> {
    Opaque,
    Page(Page<'a>),
}

struct Page<'a> {
    scheme: &'a str,
    host: Host,
    port: Option<u16>,
}

impl<'a> Origin<'a> {
    /// `None`: nothing that a browser would send.
    fn read(text: &'a str) -> Option<Origin<'a>> {
        if text == "null" {
            return Some(Origin::Opaque);
        }
        let (scheme, authority) = text.split_once("://")?;
        let (host, port) = split_port(authority)?;
        let port = match port {
            None => None,
            Some(digits) => Some(digits.parse().ok()?),
        };
        let host = Host::read(host);
        let sound = if let Host::Name(name) = &host { is_name(name) } else { true };
        (is_scheme(scheme) && sound).then_some(Origin::Page(Page { scheme, host, port }))
    }
}

impl Host {
    fn read(text: &str) -> Host {
        if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).and_then(|text| text.parse().ok()) {
            return Host::V6(address);
        }
        // A name that ends with its root is the same host.
        Host::Name(text.strip_suffix('.').filter(|name| !name.is_empty()).unwrap_or(text).to_owned())
    }
}

/// RFC 3986, 3.1, in lower case.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// What is in the name of a host: that of the web, or of another scheme. It can be empty.
fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_~".contains(&byte))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "https" | "wss" => Some(443),
        "http" | "ws" => Some(80),
        _ => None,
    }
}

/// `host:port` or `[v6]:port` in its two parts. `None`: it is neither.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let end = if authority.starts_with('[') { authority.find(']')? + 1 } else { authority.find(':').unwrap_or(authority.len()) };
    let (host, rest) = authority.split_at(end);
    match rest.strip_prefix(':') {
        None => rest.is_empty().then_some((host, None)),
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()).then_some((host, Some(port).filter(|port| !port.is_empty()))),
    }
}

/// Reads a pattern that names pages, in lower case. The error says what would be right.
fn parse_page(text: &str) -> Result<Rule, String> {
    if matches!(text.trim_matches(['\'', '"']), "self" | "same" | "same-origin" | "same-host") {
        return Err(r#"write "same" for the host of the request itself (or "http://self", if there is a host of that name)"#.into());
    }
    if text.contains([',', ';']) {
        return Err("several patterns are separated by spaces".into());
    }
    if !text.is_ascii() {
        return Err(r#"browsers send names in ASCII, as "xn--…""#.into());
    }
    let (scheme, authority) = match text.split_once("://") {
        None => (None, text),
        Some((scheme, authority)) => (Some(scheme), authority),
    };
    if let Some(scheme) = scheme {
        check_scheme(scheme, authority)?;
    }
    if authority.contains(['/', '?', '#']) {
        return Err("an origin has no path, not even a / behind its host".into());
    }
    if authority.contains('@') {
        return Err("an origin has no user name".into());
    }
    let (host, port) = match pattern_port(authority)? {
        // Without a scheme a host stands for all that is served there.
        (host, None) => (host, if scheme.is_some() { PortRule::Default } else { PortRule::Any }),
        (host, Some(port)) => (host, port),
    };
    let host = pattern_host(host, scheme, port)?;
    Ok(Rule::Page { scheme: scheme.map(str::to_owned), host, port })
}

fn check_scheme(scheme: &str, authority: &str) -> Result<(), String> {
    match scheme {
        "ws" | "wss" => {
            let of_page = if scheme == "ws" { "http" } else { "https" };
            Err(format!("an origin has the scheme of the page, so write \"{of_page}://{authority}\""))
        }
        "file" if !authority.is_empty() => Err(r#"pages of files all have the origin "file://", or "null""#.into()),
        _ if is_scheme(scheme) => Ok(()),
        _ => Err(FORMS.into()),
    }
}

/// The host of a pattern, and its port if it has one.
fn pattern_port(authority: &str) -> Result<(&str, Option<PortRule>), String> {
    if authority.parse::<Ipv6Addr>().is_ok() {
        return Err(format!("an IPv6 address stands in brackets, so write \"[{authority}]\""));
    }
    let end = match (authority.strip_prefix('['), authority.find(']')) {
        (None, _) => authority.find(':').unwrap_or(authority.len()),
        (Some(_), Some(bracket)) => bracket + 1,
        (Some(_), None) => return Err("the bracket of the IPv6 address is not closed".into()),
    };
    let (host, rest) = authority.split_at(end);
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => return Ok((host, None)),
        None => return Err(FORMS.into()),
        Some("*") => PortRule::Any,
        Some(digits) => match digits.parse().ok().filter(|port| *port > 0 && digits.bytes().all(|byte| byte.is_ascii_digit())) {
            Some(port) => PortRule::Is(port),
            None => return Err(format!("a port is a number from 1 to 65535, or \"*\" for any, not {digits:?}")),
        },
    };
    Ok((host, Some(port)))
}

fn pattern_host(host: &str, scheme: Option<&str>, port: PortRule) -> Result<HostRule, String> {
    if host == "*" {
        return Ok(HostRule::Any);
    }
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').unwrap_or(address).parse();
        return address.map(|address| HostRule::Is(Host::V6(address))).map_err(|_| format!("{host} is no IPv6 address"));
    }
    let (below, name) = match host.strip_prefix("*.") {
        Some(name) => (true, name),
        None => (false, host),
    };
    if name.contains('*') {
        return Err(r#"a "*" stands for the whole host, for the port, or in front of a name, as in "*.example.com""#.into());
    }
    // The URL standard makes little of the hosts of other schemes, and some have none: `file://`, `app://.`, `capacitor://localhost`.
    let of_web = scheme.is_none_or(|scheme| default_port(scheme).is_some());
    if !of_web && !below && (port == PortRule::Default || !name.is_empty()) {
        return if is_name(name) { Ok(HostRule::Is(Host::read(name))) } else { Err(FORMS.into()) };
    }
    if name.starts_with('.') && !below {
        return Err(format!("write \"*{name}\" for the sub-domains, and \"{}\" for the host itself", &name[1..]));
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !name.split('.').all(label) {
        return Err(FORMS.into());
    }
    // URL standard, "ends in a number": browsers take such a host for an IPv4 address, and write it in its usual form.
    let last = name.rsplit('.').next().unwrap_or_default();
    let number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if number && (below || name.parse::<Ipv4Addr>().is_err()) {
        return Err(format!("{name} is no IPv4 address"));
    }
    Ok(if below { HostRule::Below(name.to_owned()) } else { HostRule::Is(Host::Name(name.to_owned())) })
}

#[cfg(test)]
mod tests;
