use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use fws_pusher::Webhook;

use super::*;
use crate::notifier::Notifier;

const LONG: Duration = Duration::from_secs(60);

/// A server that answers with these statuses, and with 200 from then on; 0: it never answers. The signatures and the bodies that it has got.
fn server(statuses: &'static [u16]) -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://user:hush@{}/hook?token=hush", listener.local_addr().expect("an address"));
    let (got, requests) = channel();
    std::thread::spawn(move || {
        let (mut answers, mut kept) = (statuses.iter(), Vec::new());
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let (mut line, mut length, mut signature) = (String::new(), 0, String::new());
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                let (name, value) = line.trim().split_once(": ").unwrap_or_default();
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.parse().expect("a number"),
                    "x-pusher-signature" => signature = value.to_owned(),
                    _ => {}
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            let _ = got.send((signature, String::from_utf8(body).expect("text")));
            match answers.next().unwrap_or(&200) {
                0 => kept.push(reader),
                status => {
                    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                    reader.get_mut().write_all(answer.as_bytes()).expect("a connection");
                }
            }
        }
    });
    (url, requests)
}

fn app(secret: &str, url: &str) -> AppConfig {
    let mut app = AppConfig::new("1", "key", secret);
    app.webhooks = vec![Webhook { target: WebhookTarget::Url(url.to_owned()), events: Vec::new(), channel_prefix: String::new() }];
    app
}

fn webhooks() -> Webhooks {
    Webhooks::new(Arc::new(Log::new(Arc::new(Notifier::new().expect("an eventfd")))))
}

fn tell(webhooks: &Webhooks, app: &AppConfig, url: &str, channel: &str) {
    webhooks.tell(app, url, &Event::ChannelOccupied { channel }).expect("a thread");
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn logged(webhooks: &Webhooks) -> String {
    let mut buffer = vec![0; 1 << 16];
    let length = webhooks.0.log.take(&mut buffer);
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn a_queue_that_no_configuration_names_tells_what_waits_and_ends() {
    let (url, requests) = server(&[500]);
    let (webhooks, app) = (webhooks(), app("secret", &url));
    tell(&webhooks, &app, &url, "a");
    requests.recv_timeout(LONG).expect("it is told");
    tell(&webhooks, &app, &url, "b");
    webhooks.keep(std::iter::empty());
    for channel in ["a", "b"] {
        assert!(requests.recv_timeout(LONG).expect("it is told").1.contains(&format!(r#""channel":"{channel}""#)));
    }
    until("its thread has ended", || webhooks.0.queues.lock().all.is_empty());
    assert_eq!((webhooks.counts().all(), webhooks.waiting()), ([2, 1, 0], 0));
    tell(&webhooks, &app, &url, "c");
    assert!(requests.recv_timeout(LONG).expect("it is told").1.contains(r#""channel":"c""#), "it is named again");
}

#[test]
fn a_reload_changes_the_secret_and_ends_no_queue_that_is_named() {
    let (url, requests) = server(&[500]);
    let webhooks = webhooks();
    tell(&webhooks, &app("old", &url), &url, "a");
    let (signature, body) = requests.recv_timeout(LONG).expect("it is told");
    assert_eq!(signature, fws_pusher::auth::sign(&AppConfig::new("1", "key", "old").secret, body.as_bytes()));
    webhooks.keep([app("new", &url)].iter());
    let (signature, again) = requests.recv_timeout(LONG).expect("it is told again");
    assert_eq!((signature, again), (fws_pusher::auth::sign(&AppConfig::new("1", "key", "new").secret, body.as_bytes()), body));
    assert_eq!(webhooks.0.queues.lock().all.len(), 1);
}

#[test]
fn the_end_of_the_server_tells_at_once_what_waits_for_another_attempt() {
    let (url, requests) = server(&[503, 503, 503, 503, 503]);
    let (webhooks, app) = (webhooks(), app("secret", &url));
    tell(&webhooks, &app, &url, "a");
    (0..4).for_each(|_| drop(requests.recv_timeout(LONG).expect("it is told")));
    tell(&webhooks, &app, &url, "b");
    // Else the next attempt would be in 8 seconds.
    assert_eq!(webhooks.drain(Instant::now() + Duration::from_secs(7)), 0);
    assert_eq!(webhooks.counts().all(), [2, 5, 0]);
}

#[test]
fn at_the_end_of_the_server_it_is_sent_as_long_as_there_is_time() {
    let (url, requests) = server(&[503; 15]);
    let (webhooks, app) = (webhooks(), app("secret", &url));
    tell(&webhooks, &app, &url, "a");
    requests.recv_timeout(LONG).expect("it is told");
    // More often than it would be else.
    assert_eq!(webhooks.drain(Instant::now() + LONG), 0);
    assert_eq!(webhooks.counts().all(), [1, 15, 0]);
}

#[test]
fn once_the_end_is_near_what_has_failed_is_sent_again_soon_and_more_is_taken() {
    let (url, requests) = server(&[503; 8]);
    let (webhooks, app) = (webhooks(), app("secret", &url));
    webhooks.keep([app.clone()].iter());
    tell(&webhooks, &app, &url, "a");
    webhooks.hurry(Instant::now() + LONG);
    // A reload does not put it off.
    webhooks.keep([app.clone()].iter());
    // Else the last attempts would be after two minutes.
    (0..9).for_each(|_| drop(requests.recv_timeout(LONG).expect("it is told")));
    until("it has arrived", || webhooks.waiting() == 0);
    assert_eq!(webhooks.0.queues.lock().all.len(), 1, "more may come");
    tell(&webhooks, &app, &url, "b");
    assert!(requests.recv_timeout(LONG).expect("it is told").1.contains(r#""channel":"b""#));
    assert_eq!(webhooks.drain(Instant::now() + LONG), 0);
}

#[test]
fn a_queue_that_begins_when_the_server_ends_or_its_address_has_gone_ends_when_all_is_told() {
    for ends in [true, false] {
        let (url, requests) = server(&[]);
        let (webhooks, app) = (webhooks(), app("secret", &url));
        webhooks.keep([app.clone()].iter());
        if ends {
            assert_eq!(webhooks.drain(Instant::now() + LONG), 0, "there is no queue yet");
        } else {
            webhooks.keep(std::iter::empty());
        }
        tell(&webhooks, &app, &url, "late");
        assert!(requests.recv_timeout(LONG).expect("it is told").1.contains("late"));
        until("its thread has ended", || webhooks.0.queues.lock().all.is_empty());
    }
}

#[test]
fn an_address_that_hangs_holds_up_no_other_one_and_no_other_application() {
    let ((deaf, hangs), (url, requests)) = (server(&[0, 0, 0]), server(&[]));
    let (webhooks, one) = (webhooks(), app("secret", &deaf));
    let other = AppConfig { id: "2".to_owned(), ..app("secret", &deaf) };
    for app in [&one, &other] {
        tell(&webhooks, app, &deaf, "a");
        hangs.recv_timeout(LONG).expect("it is told, whether the other one hangs or not");
    }
    tell(&webhooks, &one, &url, "a");
    requests.recv_timeout(LONG).expect("it is told");
    until("it has arrived", || webhooks.counts().all() == [1, 0, 0]);
    assert_eq!(webhooks.waiting(), 2, "the others hang");
}

#[test]
fn what_is_not_told_before_the_server_ends_is_counted() {
    let (url, requests) = server(&[0]);
    let (webhooks, app) = (webhooks(), app("secret", &url));
    tell(&webhooks, &app, &url, "a");
    requests.recv_timeout(LONG).expect("it is told");
    tell(&webhooks, &app, &url, "b");
    assert_eq!(webhooks.drain(Instant::now() + Duration::from_millis(50)), 2);
}

#[test]
fn failures_are_logged_with_the_reason_and_without_what_is_secret() {
    let (url, requests) = server(&[500, 418]);
    let (webhooks, app) = (webhooks(), app("hush", &url));
    tell(&webhooks, &app, &url, "a");
    (0..3).for_each(|_| drop(requests.recv_timeout(LONG).expect("it is told")));
    let lines = logged(&webhooks);
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert!(lines.contains("it answered with 500") && lines.contains(r#""app":"1""#) && lines.contains("http://127.0.0.1:"), "{lines}");
    let wrong = "http://127.0.0.1:1/hook?token=hush";
    tell(&webhooks, &app, wrong, &"x".repeat(5 << 20));
    let lines = logged(&webhooks);
    assert!(lines.contains("too many wait") && !lines.contains("hush"), "{lines}");
    assert_eq!(webhooks.counts().all()[2], 1);
}

#[test]
fn the_password_of_an_address_is_sent_as_http_has_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://an%40n:hu%73h@{}/hook", listener.local_addr().expect("an address"));
    let (webhooks, app) = (webhooks(), app("secret", &url));
    tell(&webhooks, &app, &url, "a");
    let (stream, _) = listener.accept().expect("a connection");
    let lines: Vec<String> = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let credentials: Vec<_> = lines.iter().filter(|line| line.to_ascii_lowercase().starts_with("authorization:")).collect();
    assert_eq!(credentials.len(), 1, "{lines:?}");
    // an@n:hush
    assert!(credentials[0].ends_with("Basic YW5AbjpodXNo"), "{lines:?}");
    assert!(lines[0].starts_with("POST /hook ") && !lines[0].contains("hush"), "{lines:?}");
}

/// What a receiver does with a connection whose request it has read.
type Conduct = fn(&mut std::net::TcpStream, &str) -> io::Result<()>;

/// Writes without an end, until the other side has had enough.
fn flood(stream: &mut std::net::TcpStream, text: &str) -> io::Result<()> {
    let many = text.repeat((1 << 20) / text.len());
    while stream.write_all(many.as_bytes()).is_ok() {}
    Ok(())
}

#[test]
fn a_receiver_that_answers_badly_gets_the_same_request_again_and_nobody_else_gets_it() {
    let conducts: [Conduct; 7] = [
        |stream, elsewhere| write!(stream, "HTTP/1.1 307 X\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n"),
        |stream, _| write!(stream, "HTTP/1.1 200 OK\r\nContent-Le"),
        |_, _| Ok(()),
        |stream, _| write!(stream, "220 smtp.example ESMTP\r\n"),
        |stream, _| write!(stream, "HTTP/1.1 200 OK\r\n").and_then(|()| flood(stream, "X: y\r\n")),
        |stream, _| flood(stream, "HTTP/1.1 100 Continue\r\n\r\n"),
        |stream, _| write!(stream, "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"),
    ];
    let elsewhere = TcpListener::bind("127.0.0.1:0").expect("a free port");
    elsewhere.set_nonblocking(true).expect("a socket");
    let other = format!("http://{}/", elsewhere.local_addr().expect("an address"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let (got, requests) = channel();
    std::thread::spawn(move || {
        for (at, stream) in listener.incoming().flatten().enumerate() {
            let mut reader = BufReader::new(stream);
            let _ = got.send(body_of(&mut reader));
            let stream = reader.get_mut();
            let _ = match conducts.get(at) {
                Some(conduct) => conduct(stream, &other),
                // It has arrived, whatever else comes.
                None => write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n").and_then(|()| flood(stream, "x")),
            };
        }
    });
    let (webhooks, app) = (webhooks(), app("secret", &url));
    webhooks.hurry(Instant::now() + 3 * LONG);
    tell(&webhooks, &app, &url, "a");
    let first = requests.recv_timeout(LONG).expect("it is told");
    (0..conducts.len()).for_each(|_| assert_eq!(requests.recv_timeout(LONG).expect("it is told again"), first));
    until("it has arrived", || webhooks.waiting() == 0);
    assert_eq!(webhooks.counts().all(), [1, conducts.len() as u64, 0]);
    assert!(elsewhere.accept().is_err(), "no redirect is followed");
    tell(&webhooks, &app, &url, "b");
    assert!(requests.recv_timeout(LONG).expect("it is told").contains(r#""channel":"b""#));
}

fn body_of(reader: &mut impl io::BufRead) -> String {
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().expect("a number");
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    String::from_utf8(body).expect("text")
}

#[test]
fn a_server_that_goes_on_after_its_end_tells_as_before() {
    let (url, requests) = server(&[503, 503]);
    let (webhooks, app) = (webhooks(), app("secret", &url));
    webhooks.keep([app.clone()].iter());
    assert_eq!(webhooks.drain(Instant::now()), 0);
    webhooks.go_on();
    webhooks.keep([app.clone()].iter());
    tell(&webhooks, &app, &url, "a");
    (0..3).for_each(|_| drop(requests.recv_timeout(LONG).expect("it is told")));
    until("it has arrived", || webhooks.counts().all() == [1, 2, 0]);
    assert_eq!(webhooks.0.queues.lock().all.len(), 1, "its thread waits for more");
}
