//! What an address of a webhook is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::http::Uri;

/// Whether requests can be sent there: http or https, a host, a port that there is, and no character that would have to be written as %XX.
pub fn is_legal(url: &str) -> bool {
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return false;
    }
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host_and_port = authority.rsplit('@').next().unwrap_or_default();
    let port = match host_and_port.strip_prefix(uri.host().unwrap_or_default()) {
        Some("") => true,
        Some(port) => port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0)),
        None => false,
    };
    port && uri.host().is_some_and(|host| !host.is_empty()) && uri.scheme_str().is_some_and(|scheme| ["http", "https"].contains(&scheme))
}

/// The header by which a server knows who asks, if the address has a name or a password.
pub fn authorization(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let (credentials, _) = uri.authority()?.as_str().rsplit_once('@')?;
    let (name, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let plain = [decoded(name), b":".to_vec(), decoded(password)].concat();
    Some(format!("Basic {}", STANDARD.encode(plain)))
}

/// `%XX` is a byte; where it is none, it stands for itself.
fn decoded(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((&first, others)) = rest.split_first() {
        let hex = |at: usize| others.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &others[2..];
            }
            _ => {
                bytes.push(first);
                rest = others;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_a_host_and_a_port_that_there_is() {
        for legal in ["http://a", "https://a.example/b?c=d", "http://127.0.0.1:8080/", "http://[::1]:80/x", "https://u:p@a:65535/%20"] {
            assert!(is_legal(legal), "{legal}");
        }
        for wrong in [
            "",
            "a",
            "/a",
            "ftp://a/",
            "http:///a",
            "http://:80/",
            "http://a:99999/",
            "http://a:0/",
            "http://a:/",
            "http://a:x/",
            "http://a/b c",
            "http://a/ä",
            "http://ä/",
            "http://u@/",
            "http://a b/",
            "http://a/\n",
        ] {
            assert!(!is_legal(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_name_and_a_password_are_told_as_they_were_before_they_were_written_into_an_address() {
        for (url, wanted) in [
            ("http://a/b@c", None),
            ("http://a:b@h/", Some("Basic YTpi")),
            ("http://a@h/", Some("Basic YTo=")),
            ("http://a:b%3Ac%@h/", Some("Basic YTpiOmMl")),
        ] {
            assert_eq!(authorization(url).as_deref(), wanted, "{url}");
        }
    }
}
