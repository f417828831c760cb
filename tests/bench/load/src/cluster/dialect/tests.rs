use super::*;

fn wish(place: Option<&Place>) -> Wish<'_> {
    Wish { channel: "news:1", user: 7, resume: true, place }
}

/// What is heard, as text, and the place afterwards.
fn hear(dialect: Dialect, texts: &[&str], from: Option<&Place>) -> Result<(Vec<String>, Place)> {
    let (mut heard, mut place, mut entering) = (Vec::new(), from.cloned().unwrap_or_default(), true);
    for text in texts {
        let inside = !entering;
        dialect.hear(text.as_bytes(), !inside, &wish(from), &mut place, |one| {
            entering &= one != Heard::Inside;
            heard.push(match one {
                Heard::Inside => "inside".to_owned(),
                Heard::Message(text) => String::from_utf8_lossy(text).into_owned(),
                Heard::Missed(text) => format!("missed {text}"),
                Heard::Answer(text) => format!("answer {text}"),
            });
            Ok(())
        })?;
    }
    Ok((heard, place))
}

#[test]
fn a_newcomer_and_one_who_comes_back_ask_each_server_in_its_own_way() {
    let place = Place { token: "abc".into(), received: 17, epoch: "xyz".into(), offset: 4 };
    let line = |wish: Wish<'_>| String::from_utf8(Dialect::Fws.handshake("h", &wish)).expect("text");
    assert!(line(wish(None)).starts_with("GET /ws?channel=news:1&user=u7&resume= HTTP/1.1\r\n"));
    assert!(line(wish(Some(&place))).starts_with("GET /ws?channel=news:1&user=u7&resume=abc&received=17 HTTP/1.1\r\n"));
    assert_eq!(Dialect::Fws.greeting(&wish(None)), None);
    let greeting = Dialect::Centrifugo.greeting(&wish(Some(&place))).expect("it greets");
    assert!(greeting.ends_with(r#""channel":"news:1","recover":true,"epoch":"xyz","offset":4}}"#), "{greeting}");
}

#[test]
fn messages_of_ours_count_for_the_next_resume() {
    let session = r#"{"resume":{"token":"abc","resumed":false,"window":60}}"#;
    let (heard, place) = hear(Dialect::Fws, &[session, "in", "one", "two"], None).expect("it is right");
    assert_eq!(heard, ["inside", "one", "two"]);
    assert_eq!((place.token.as_str(), place.received), ("abc", 3));
    let back = r#"{"resume":{"token":"def","resumed":true,"window":60,"received":0}}"#;
    let (heard, next) = hear(Dialect::Fws, &[back, "three"], Some(&place)).expect("it is right");
    assert_eq!((heard, next.token.as_str(), next.received), (vec!["inside".to_owned(), "three".to_owned()], "def", 1));
    let lost = r#"{"resume":{"token":"def","resumed":false,"reason":"unknown","window":60}}"#;
    assert!(hear(Dialect::Fws, &[lost], Some(&place)).is_err());
    assert!(hear(Dialect::Fws, &["early"], None).is_err());
}

#[test]
fn pushes_of_centrifugo_must_follow_each_other() {
    let replies =
        "{\"id\":1,\"connect\":{\"client\":\"c\",\"ping\":25,\"pong\":true}}\n{\"id\":2,\"subscribe\":{\"epoch\":\"e\",\"offset\":2}}";
    let third = r#"{"push":{"channel":"news:1","pub":{"data":"x","offset":3,"epoch":"e"}}}"#;
    let fourth = r#"{"push":{"channel":"news:1","pub":{"data":"y","offset":4}}}"#;
    let both = format!("{third}\n{fourth}\n{{}}");
    let (heard, place) = hear(Dialect::Centrifugo, &[replies, &both], None).expect("it is right");
    assert_eq!(heard, ["inside", "\"x\"", "\"y\"", "answer {}"]);
    assert_eq!((place.epoch.as_str(), place.offset), ("e", 4));
    for wrong in [&[replies, fourth][..], &[replies, third, third], &[r#"{"id":1,"error":{"code":102}}"#]] {
        assert!(hear(Dialect::Centrifugo, wrong, None).is_err());
    }
}

#[test]
fn what_centrifugo_recovers_is_all_that_was_missed() {
    let place = Place { epoch: "e".into(), offset: 1, ..Place::default() };
    let whole = r#"{"id":2,"subscribe":{"epoch":"e","offset":1,"recovered":true,"publications":[{"data":"x","offset":2},{"data":"y","offset":3}]}}"#;
    let (heard, next) = hear(Dialect::Centrifugo, &[whole], Some(&place)).expect("it is right");
    assert_eq!((heard, next.offset), (vec!["inside".to_owned(), "missed \"x\"".to_owned(), "missed \"y\"".to_owned()], 3));
    for wrong in [
        whole.replace("true", "false"),
        whole.replace(r#","offset":1,"#, r#","offset":2,"#),
        whole.replace(r#"{"data":"x","offset":2},"#, ""),
    ] {
        assert!(hear(Dialect::Centrifugo, &[&wrong], Some(&place)).is_err(), "{wrong}");
    }
}

#[test]
fn answers_to_requests_are_read() {
    assert!(Dialect::Fws.is_published(b"ok") && !Dialect::Fws.is_published(b"ClusterException"));
    assert!(Dialect::Centrifugo.is_published(br#"{"result":{"offset":1}}"#) && !Dialect::Centrifugo.is_published(br#"{"error":{}}"#));
    assert_eq!(Dialect::Fws.count(b"12").expect("a number"), 12);
    assert_eq!(Dialect::Centrifugo.count(br#"{"result":{"num_clients":34,"num_users":1}}"#).expect("a number"), 34);
    assert!(Dialect::Fws.count(b"oops").is_err() && Dialect::Centrifugo.count(b"{}").is_err());
}
