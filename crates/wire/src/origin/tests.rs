use super::*;

fn patterns(list: &[&str]) -> Vec<Pattern> {
    list.iter().map(|text| Pattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))).collect()
}

fn allowed(origin: &str, pattern: &str) -> bool {
    origin_allowed(origin, "own.example:8080", &patterns(&[pattern]))
}

#[test]
fn the_same_host_is_the_same_name_whatever_the_scheme_and_the_port() {
    for list in [&[][..], &["same"], &["other.example", "SAME"]] {
        let same = |origin, host| origin_allowed(origin, host, &patterns(list));
        for (origin, host) in [
            ("http://a.example", "a.example"),
            ("https://A.example", "a.EXAMPLE"),
            ("http://a.example:8080", "a.example:8080"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("http://[::1]", "[0:0:0:0:0:0:0:1]:8080"),
            ("http://a.example.", "a.example"),
            // A proxy that ends TLS and passes on the host without its port, or with its own one.
            ("https://a.example:8443", "a.example"),
            ("https://a.example", "a.example:8080"),
            // A page without TLS, or a library that does not know of it.
            ("http://a.example", "a.example:443"),
            // A page of a development server on another port.
            ("http://localhost:5173", "localhost:8080"),
        ] {
            assert!(same(origin, host), "{origin} on {host} with {list:?}");
        }
        for (origin, host) in [
            ("http://evil.example", "a.example"),
            ("http://a.example.evil.example", "a.example"),
            ("http://evil.example:8080", "a.example:8080"),
            ("http://evil.example/a.example", "a.example"),
            ("http://a.example@evil.example", "a.example"),
            ("http://evil.example#a.example", "a.example"),
            ("http://sub.a.example", "a.example"),
            ("http://a.example", "sub.a.example"),
            ("http://[::1]", "[::2]"),
            ("http://[::1]", "::1"),
            ("chrome-extension://a.example", "a.example"),
            ("file://", ""),
            ("http://", ""),
            ("null", "null"),
            ("null", "a.example"),
            ("a.example", "a.example"),
            ("http://a.example http://a.example", "a.example"),
            ("http://a.example:x", "a.example"),
            ("http://a.example:99999", "a.example"),
            ("", "a.example"),
        ] {
            assert!(!same(origin, host), "{origin} on {host} with {list:?}");
        }
    }
    assert!(!origin_allowed("http://own.example", "own.example", &patterns(&["b.example"])), "a list without it replaces the same host");
}

#[test]
fn patterns_name_hosts_origins_subdomains_and_ports() {
    for (pattern, fits, does_not) in [
        ("*", &["https://a.example", "null", "file://", "what is this?", ""][..], &[][..]),
        (
            "a.example",
            &["https://a.example", "http://a.example", "https://a.example:444", "capacitor://a.example"],
            &["https://b.a.example", "null", "a.example", "https://a.example.evil"],
        ),
        ("A.Example", &["https://a.example", "https://A.EXAMPLE"], &[]),
        ("a.example.", &["https://a.example", "https://a.example."], &[]),
        ("a.example:443", &["https://a.example", "http://a.example:443"], &["https://a.example:444", "http://a.example"]),
        ("a.example:*", &["https://a.example", "http://a.example:1"], &["https://b.example"]),
        ("https://a.example", &["https://a.example", "https://a.example:443"], &["http://a.example", "https://a.example:444"]),
        ("HTTPS://a.example:8443", &["https://a.example:8443"], &["https://a.example"]),
        ("https://a.example:443", &["https://a.example"], &["https://a.example:8443"]),
        ("http://localhost:*", &["http://localhost", "http://localhost:3000"], &["https://localhost:3000"]),
        (
            "*.a.example",
            &["https://b.a.example", "http://c.b.a.example:81"],
            &["https://a.example", "https://eva.example", "https://.a.example", "null"],
        ),
        ("https://*.a.example:8443", &["https://b.a.example:8443"], &["https://b.a.example", "http://b.a.example:8443"]),
        ("https://*", &["https://a.example", "https://[::1]"], &["http://a.example", "https://a.example:444", "null"]),
        ("*:8443", &["https://a.example:8443"], &["https://a.example"]),
        ("https://*:*", &["https://a.example:444"], &["http://a.example"]),
        ("127.0.0.1", &["http://127.0.0.1:8080"], &["http://127.0.0.2"]),
        ("[::1]", &["http://[::1]:8080", "https://[::1]", "http://[0:0::1]"], &["http://[::2]", "http://::1"]),
        ("http://[0:0:0:0:0:0:0:1]:8080", &["http://[::1]:8080"], &["http://[::1]"]),
        ("null", &["null"], &["file://", "https://null", ""]),
        ("NULL", &["null"], &[]),
        ("file://", &["file://"], &["null", "http://file", "file:///"]),
        ("app://.", &["app://."], &["app://a", "app://"]),
        ("app://", &["app://"], &["app://."]),
        ("capacitor://localhost", &["capacitor://localhost"], &["http://localhost", "capacitor://localhost:1", "ionic://localhost"]),
        ("capacitor://localhost:*", &["capacitor://localhost:1"], &[]),
        (
            "chrome-extension://Gighmmpiobklfepjocnamgkkbiglidom",
            &["chrome-extension://gighmmpiobklfepjocnamgkkbiglidom"],
            &["chrome-extension://other"],
        ),
        ("vscode-webview://*", &["vscode-webview://0e9c4f2a-11"], &["https://a.example"]),
        ("tauri://localhost", &["tauri://localhost"], &[]),
        ("my_host", &["http://my_host:1"], &[]),
        ("xn--bcher-kva.example", &["https://xn--bcher-kva.example"], &[]),
        ("http://self", &["http://self"], &[]),
        ("https://same", &["https://same"], &["https://own.example"]),
    ] {
        for origin in fits {
            assert!(allowed(origin, pattern), "{pattern} should match {origin}");
        }
        for origin in does_not {
            assert!(!allowed(origin, pattern), "{pattern} should not match {origin}");
        }
    }
    assert!(origin_allowed("https://b.example", "own.example", &patterns(&["a.example", "b.example"])));
}

#[test]
fn a_pattern_that_can_match_nothing_is_an_error_that_says_what_would() {
    for (pattern, hint) in [
        ("", "write \"same\""),
        ("'self'", "write \"same\""),
        ("self", "write \"same\""),
        ("'same'", "write \"same\""),
        ("a.example,b.example", "separated by spaces"),
        ("a.example;", "separated by spaces"),
        ("bücher.example", "xn--"),
        ("::1", "write \"[::1]\""),
        ("http://::1", "write \"[::1]\""),
        ("[::1", "not closed"),
        ("[::1]8080", "write \"same\""),
        ("[fe80::1%eth0]", "no IPv6 address"),
        ("[a.example]", "no IPv6 address"),
        ("[[::1]", "no IPv6 address"),
        ("a.example:http", "a port is a number"),
        ("a.example:", "a port is a number"),
        ("a.example:0", "a port is a number"),
        ("a.example:65536", "a port is a number"),
        ("a.example:+80", "a port is a number"),
        ("http:a.example", "a port is a number"),
        (".a.example", "write \"*.a.example\""),
        ("a.*.example", "in front of a name"),
        ("*a.example", "in front of a name"),
        ("a.*", "in front of a name"),
        ("**", "in front of a name"),
        ("*.*.example", "in front of a name"),
        ("*.", "write \"same\""),
        ("*.127.0.0.1", "no IPv4 address"),
        ("127.1", "no IPv4 address"),
        ("1.2.3.4.5", "no IPv4 address"),
        ("2130706433", "no IPv4 address"),
        ("0x7f.1", "no IPv4 address"),
        ("a.0x1f", "no IPv4 address"),
        ("127.0.0.01", "no IPv4 address"),
        ("https://a.example/", "no path"),
        ("a.example/chat", "no path"),
        ("//a.example", "no path"),
        ("https://a.example?b", "no path"),
        ("https://u@a.example", "no user name"),
        ("wss://a.example", "write \"https://a.example\""),
        ("ws://a.example:81", "write \"http://a.example:81\""),
        ("://a.example", "write \"same\""),
        ("1http://a.example", "write \"same\""),
        ("http://", "write \"same\""),
        ("https://:443", "write \"same\""),
        ("file:///", "file://"),
        ("file://a", "file://"),
        ("app://:1", "write \"same\""),
        ("a..example", "write \"same\""),
        ("a.example..", "write \"same\""),
        ("a b", "write \"same\""),
        ("{env.ORIGIN}", "write \"same\""),
        ("a%41.example", "write \"same\""),
        ("app://a b", "write \"same\""),
    ] {
        let error = Pattern::parse(pattern).expect_err(pattern).to_string();
        assert!(error.contains(&format!("{pattern:?}")) && error.contains(hint), "{pattern}: {error}");
    }
}

#[test]
fn without_an_entry_of_its_own_a_page_without_an_origin_is_refused() {
    for pattern in ["same", "own.example", "https://*", "*.example", "file://", "app://"] {
        assert!(!allowed("null", pattern), "{pattern}");
    }
}

#[test]
fn what_is_no_origin_matches_no_pattern_but_that_for_any() {
    let patterns =
        ["*.example.com", "https://*.example.com", "http://*", "example.com", "same"].map(|text| Pattern::parse(text).expect("legal"));
    for separator in ["#", "/", "?", "\\", "%2f", " ", "@", ",", "\t", "\u{e9}", "[", "]", "<", ":80#"] {
        for scheme in ["http", "https"] {
            let origin = format!("{scheme}://evil.com{separator}.example.com");
            let allowed = patterns.iter().filter(|pattern| origin_allowed(&origin, "www.example.com", std::slice::from_ref(*pattern)));
            assert_eq!(allowed.collect::<Vec<_>>(), Vec::<&Pattern>::new(), "{origin}");
        }
    }
    for origin in
        ["ht tp://www.example.com", "://www.example.com", "1http://www.example.com", "http:// www.example.com", "http://[x.example.com"]
    {
        assert!(!origin_allowed(origin, "www.example.com", &patterns), "{origin}");
        assert!(origin_allowed(origin, "www.example.com", &[Pattern::parse("*").expect("legal")]), "{origin}");
    }
    assert!(origin_allowed("http://www.example.com", "h", &patterns) && origin_allowed("http://evil.com", "h", &patterns[2..3]));
}
