//! The header `Sec-WebSocket-Extensions`, as far as permessage-deflate is concerned (RFC 6455, 9.1; RFC 7692, 5 and 7.1).

/// What a route is willing to agree to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Our context may be kept from message to message, if the client wants that too.
    pub context_takeover: bool,
    /// The largest window of our compression: 9 to 15.
    pub window_bits: u8,
    /// The largest window of the client's compression, where it lets us say so: 9 to 15.
    pub client_window_bits: u8,
}

/// What was agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params {
    /// Our compression may refer to earlier messages.
    pub server_takeover: bool,
    /// The client's compression may.
    pub client_takeover: bool,
    /// How far back ours may refer, as a power of 2: 9 to 15.
    pub server_bits: u8,
    /// How far the client's may: 8 to 15.
    pub client_bits: u8,
}

/// A header that does not fit its grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Reads the lines of the header in their order; the first acceptable offer, and what is answered to it. `None`: none was acceptable.
///
/// RFC 6455, 9.1: a recipient of a value "that does not conform to the ABNF … MUST immediately _Fail the WebSocket Connection_".
///
/// `windows`: there is memory for what a client has sent, to which its next message may refer. Without it only offers are acceptable in which
/// the client says that it can do without.
pub fn negotiate<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    config: Option<&Config>,
    windows: bool,
) -> Result<Option<(Params, String)>, Malformed> {
    let mut agreed = None;
    for line in lines {
        let mut rest = Reader(line);
        loop {
            rest.skip_spaces();
            // RFC 7230, 7: empty elements of a list are to be ignored.
            if rest.take(b',') {
                continue;
            }
            if rest.0.is_empty() {
                break;
            }
            let offer = Offer::read(&mut rest)?;
            if agreed.is_none()
                && let (Some(config), Some(offer)) = (config, offer)
            {
                agreed = offer.accept(config, windows);
            }
            rest.skip_spaces();
            if !rest.0.is_empty() && !rest.take(b',') {
                return Err(Malformed);
            }
        }
    }
    Ok(agreed)
}

/// A readable offer of permessage-deflate.
#[derive(Default)]
struct Offer {
    server_no_takeover: bool,
    client_no_takeover: bool,
    server_bits: Option<u8>,
    /// `Some(None)`: the client is willing to limit its window, without a hint how far.
    client_bits: Option<Option<u8>>,
    /// Its parameters are written without a space between them.
    dense: bool,
}

impl Offer {
    /// `None`: another extension, or an offer that is to be declined.
    ///
    /// RFC 7692, 7: "A server MUST decline an extension negotiation offer" with a parameter that is not defined, has an invalid
    /// value, or is there twice.
    fn read(rest: &mut Reader<'_>) -> Result<Option<Offer>, Malformed> {
        let ours = rest.token()?.eq_ignore_ascii_case(b"permessage-deflate");
        let mut offer = Offer::default();
        let mut valid = true;
        loop {
            rest.skip_spaces();
            if !rest.take(b';') {
                return Ok((ours && valid).then_some(offer));
            }
            offer.dense |= !rest.0.starts_with(b" ");
            rest.skip_spaces();
            let name = rest.token()?;
            rest.skip_spaces();
            let value = if rest.take(b'=') {
                rest.skip_spaces();
                Some(rest.value()?)
            } else {
                None
            };
            valid &= offer.parameter(name, value.as_deref());
        }
    }

    /// Takes a parameter; `false`: the offer is to be declined.
    fn parameter(&mut self, name: &[u8], value: Option<&[u8]>) -> bool {
        match (name, value) {
            (b"server_no_context_takeover", None) => !std::mem::replace(&mut self.server_no_takeover, true),
            (b"client_no_context_takeover", None) => !std::mem::replace(&mut self.client_no_takeover, true),
            (b"server_max_window_bits", Some(value)) => match window_bits(value) {
                Some(bits) => self.server_bits.replace(bits).is_none(),
                None => false,
            },
            (b"client_max_window_bits", None) => self.client_bits.replace(None).is_none(),
            (b"client_max_window_bits", Some(value)) => match window_bits(value) {
                Some(bits) => self.client_bits.replace(Some(bits)).is_none(),
                None => false,
            },
            _ => false,
        }
    }

    fn accept(&self, config: &Config, windows: bool) -> Option<(Params, String)> {
        // RFC 7692, 7.1.2.1: a server that "doesn't support" the size declines. DEFLATE without a header cannot be told 8 bits.
        if self.server_bits == Some(8) {
            return None;
        }
        // The client decides whether its messages refer to earlier ones. 7.1.1.2 lets a server forbid it unasked, but Safari up to 17,
        // Tornado and Jetty refer to them nevertheless, and Netty's client fails the handshake for it.
        let client_takeover = !self.client_no_takeover;
        if client_takeover && !windows {
            return None;
        }
        let mut answer = String::from("permessage-deflate");
        let server_takeover = config.context_takeover && !self.server_no_takeover;
        if self.server_no_takeover {
            // 7.1.1.1: a server accepts an offer with this "by including" it. It may include it without having been asked, but Netty's client
            // fails the handshake for that, too. Ours may do without its context whatever was said.
            answer += "; server_no_context_takeover";
        }
        if !client_takeover {
            answer += "; client_no_context_takeover";
        }
        let server_bits = config.window_bits.clamp(9, 15).min(self.server_bits.unwrap_or(15));
        if self.server_bits.is_some() || server_bits < 15 {
            // 7.1.2.1: accepted with "the same or smaller value as the offer".
            answer += &format!("; server_max_window_bits={server_bits}");
        }
        // 7.1.2.2: without an answer the client keeps to the value of its offer, if there is one.
        let mut client_bits = self.client_bits.flatten().unwrap_or(15);
        // The server may limit the client's window only where the client has said that it can. Where no window is kept, a small one would save
        // nothing. Netty's client, which writes no space, says that it can, and then sends nothing at all where jzlib is not installed.
        if self.client_bits.is_some() && client_takeover && !self.dense {
            client_bits = client_bits.min(config.client_window_bits.clamp(9, 15));
            if client_bits < 15 {
                answer += &format!("; client_max_window_bits={client_bits}");
            }
        }
        Some((Params { server_takeover, client_takeover, server_bits, client_bits }, answer))
    }
}

/// RFC 7692, 7.1.2: "a decimal integer value without leading zeroes between 8 to 15, inclusive".
fn window_bits(value: &[u8]) -> Option<u8> {
    match value {
        [digit @ (b'8' | b'9')] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

/// What is still to be read of a line.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn skip_spaces(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    fn take(&mut self, byte: u8) -> bool {
        let rest = self.0.strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn token(&mut self) -> Result<&'a [u8], Malformed> {
        let end = self.0.iter().position(|&byte| !is_token(byte)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        if token.is_empty() { Err(Malformed) } else { Ok(token) }
    }

    /// RFC 6455, 9.1: "When using the quoted-string syntax variant, the value after quoted-string unescaping MUST conform to the 'token'
    /// ABNF."
    fn value(&mut self) -> Result<std::borrow::Cow<'a, [u8]>, Malformed> {
        if !self.take(b'"') {
            return self.token().map(Into::into);
        }
        let mut value = Vec::new();
        loop {
            let (&byte, rest) = self.0.split_first().ok_or(Malformed)?;
            self.0 = rest;
            let byte = match byte {
                b'"' if value.is_empty() => return Err(Malformed),
                b'"' => return Ok(value.into()),
                b'\\' => {
                    let (&escaped, rest) = self.0.split_first().ok_or(Malformed)?;
                    self.0 = rest;
                    escaped
                }
                byte => byte,
            };
            if !is_token(byte) {
                return Err(Malformed);
            }
            value.push(byte);
        }
    }
}

/// RFC 7230, 3.2.6.
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Config = Config { context_takeover: false, window_bits: 15, client_window_bits: 12 };
    const TAKEOVER: Config = Config { context_takeover: true, window_bits: 15, client_window_bits: 15 };

    fn answer(offer: &str, config: &Config) -> Result<Option<String>, Malformed> {
        negotiate([offer.as_bytes()].into_iter(), Some(config), true).map(|agreed| agreed.map(|(_, answer)| answer))
    }

    /// What clients offer, with the names of some that do, what a route with the defaults answers, and how far back the client may refer.
    const CLIENTS: &[(&str, &str, &str, Option<u8>)] = &[
        ("Firefox, Safari, okhttp, Jetty", "permessage-deflate", "permessage-deflate", Some(15)),
        (
            "Chromium, Node's ws and undici, .NET, Python's websockets, aiohttp and Tornado",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=12",
            Some(12),
        ),
        ("Netty", "permessage-deflate;client_max_window_bits,deflate-frame,x-webkit-deflate-frame", "permessage-deflate", Some(15)),
        ("Netty with a limit", "permessage-deflate;client_max_window_bits=11", "permessage-deflate", Some(11)),
        (
            "gorilla, coder/websocket, gobwas",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            None,
        ),
        (
            "libwebsockets",
            "permessage-deflate; client_no_context_takeover; client_max_window_bits",
            "permessage-deflate; client_no_context_takeover",
            None,
        ),
        (
            "Python's websockets of old",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
            Some(12),
        ),
    ];

    #[test]
    fn no_client_is_told_what_it_did_not_offer_to_do() {
        for (who, offer, expected, window) in CLIENTS {
            let agreed = negotiate([offer.as_bytes()].into_iter(), Some(&PLAIN), true).expect(who);
            let (params, answer) = agreed.expect(who);
            assert_eq!(answer, *expected, "{who}");
            assert_eq!(params.client_takeover.then_some(params.client_bits), *window, "{who}");
            let told = answer.split("; ").skip(1).map(|parameter| parameter.split('=').next().unwrap_or_default());
            for told in told {
                assert!(offer.contains(told), "{who} is told {told}");
            }
        }
    }

    #[test]
    fn without_memory_for_windows_only_those_who_need_none_compress() {
        for (who, offer, expected, window) in CLIENTS {
            let agreed = negotiate([offer.as_bytes()].into_iter(), Some(&PLAIN), false).expect(who);
            assert_eq!(agreed.map(|(_, answer)| answer), window.is_none().then(|| (*expected).to_owned()), "{who}");
        }
        let second = "permessage-deflate, permessage-deflate; client_no_context_takeover";
        let agreed = negotiate([second.as_bytes()].into_iter(), Some(&PLAIN), false).expect("well-formed");
        assert!(agreed.is_some_and(|(params, _)| !params.client_takeover));
    }

    #[test]
    fn the_answer_is_what_the_offer_and_the_route_allow() {
        let small = Config { context_takeover: true, window_bits: 10, client_window_bits: 10 };
        let none = "permessage-deflate; client_max_window_bits=12";
        let cases: &[(&str, &Config, &str)] = &[
            ("permessage-deflate; client_max_window_bits=15", &PLAIN, none),
            ("Permessage-Deflate; client_max_window_bits", &PLAIN, none),
            ("permessage-deflate; client_max_window_bits=9", &PLAIN, "permessage-deflate; client_max_window_bits=9"),
            ("permessage-deflate; client_max_window_bits", &TAKEOVER, "permessage-deflate"),
            ("permessage-deflate", &TAKEOVER, "permessage-deflate"),
            ("permessage-deflate; server_no_context_takeover", &TAKEOVER, "permessage-deflate; server_no_context_takeover"),
            ("permessage-deflate; client_no_context_takeover", &TAKEOVER, "permessage-deflate; client_no_context_takeover"),
            ("permessage-deflate; server_max_window_bits=15", &TAKEOVER, "permessage-deflate; server_max_window_bits=15"),
            ("permessage-deflate; server_max_window_bits=9", &TAKEOVER, "permessage-deflate; server_max_window_bits=9"),
            ("permessage-deflate; client_max_window_bits=8", &TAKEOVER, "permessage-deflate; client_max_window_bits=8"),
            ("permessage-deflate; server_max_window_bits=12", &small, "permessage-deflate; server_max_window_bits=10"),
            ("permessage-deflate", &small, "permessage-deflate; server_max_window_bits=10"),
            (
                "permessage-deflate; client_max_window_bits",
                &small,
                "permessage-deflate; server_max_window_bits=10; client_max_window_bits=10",
            ),
            ("permessage-deflate ; server_max_window_bits = \"1\\1\" ", &TAKEOVER, "permessage-deflate; server_max_window_bits=11"),
        ];
        for (offer, config, expected) in cases {
            assert_eq!(answer(offer, config), Ok(Some((*expected).to_owned())), "{offer}");
        }
    }

    #[test]
    fn offers_that_cannot_be_met_are_declined_and_the_first_that_can_is_taken() {
        for declined in [
            "permessage-deflate; unknown",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover=\"true\"",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=010",
            "permessage-deflate; server_max_window_bits=+9",
            "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=x",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=12",
            "permessage-deflate; client_max_window_bits=100000000000000000000",
            "x-webkit-deflate-frame, permessage-bzip2; a=1",
            "",
            " , ,",
        ] {
            assert_eq!(answer(declined, &TAKEOVER), Ok(None), "{declined:?}");
            let then = format!("{declined}, permessage-deflate; server_max_window_bits=11, permessage-deflate");
            assert_eq!(answer(&then, &TAKEOVER), Ok(Some("permessage-deflate; server_max_window_bits=11".into())), "{then:?}");
        }
        let lines = [b"permessage-deflate; server_max_window_bits=8".as_slice(), b"permessage-deflate"];
        let agreed = negotiate(lines.into_iter(), Some(&TAKEOVER), true).expect("well-formed").expect("the second line");
        assert_eq!(agreed.0, Params { server_takeover: true, client_takeover: true, server_bits: 15, client_bits: 15 });
        assert_eq!(negotiate(lines.into_iter(), None, true), Ok(None), "a route without compression");
    }

    #[test]
    fn a_header_that_does_not_fit_its_grammar_is_an_error_even_where_nothing_is_compressed() {
        for malformed in [
            ";",
            "permessage-deflate;",
            "permessage-deflate; =1",
            "permessage-deflate; a=",
            "permessage-deflate; a=\"\"",
            "permessage-deflate; a=\"1 5\"",
            "permessage-deflate; a=\"15",
            "permessage-deflate; a=\"15\\",
            "permessage-deflate; a=1 5",
            "permessage-deflate permessage-deflate",
            "permessage-deflate, caf\u{e9}",
            "a/b",
        ] {
            assert_eq!(answer(malformed, &PLAIN), Err(Malformed), "{malformed:?}");
            assert_eq!(negotiate([malformed.as_bytes()].into_iter(), None, true), Err(Malformed), "{malformed:?}");
        }
    }
}
