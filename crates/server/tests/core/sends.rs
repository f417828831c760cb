//! Messages to clients.

use crate::common::counter;
use crate::php::*;
use fws_hub::command::{Close, SendTo, Tag};
use fws_hub::{Command, CommandError, Outcome, Reply, Target};
use tokio_tungstenite::tungstenite::Message;

#[test]
fn sends_reach_one_a_tag_or_all_and_tell_when_a_client_is_gone() {
    let core = started();
    let (mut a, mut b) = (connect(&core, "echo"), connect(&core, "echo"));
    let ids = core.ids();
    assert_eq!(ids.len(), 2);
    core.ask(&Command::Tag(Tag { id: &ids[0], tag: "t", since: None, member: None })).expect("known");
    assert_eq!(send(&core, Target::All, b"all"), Reply::Queued(2));
    assert_eq!(a.read().expect("sent"), Message::binary(&b"all"[..]));
    assert_eq!(b.read().expect("sent"), Message::binary(&b"all"[..]));
    assert_eq!(send(&core, Target::Tag("t"), b"tag"), Reply::Queued(1));
    assert_eq!(a.read().expect("sent"), Message::binary(&b"tag"[..]));
    core.ask(&Command::Close(Close { id: &ids[0], code: 1000, reason: "bye" })).expect("known");
    assert!(matches!(a.read(), Ok(Message::Close(Some(frame))) if frame.reason == "bye"));
    let _ = a.read();
    wait_until("it is gone", || core.connections() == 1);
    assert_eq!(send(&core, Target::Client(&ids[0]), b"x"), Reply::Sent(Outcome::Gone));
}

#[test]
fn sends_come_in_order_whoever_has_the_turn_of_the_shard() {
    let core = started();
    // Sends that find the shard asleep are carried out by who sends, others by the shard; two clients share each shard.
    let mut known = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut client = connect(&core, "echo");
            let id = core.ids().into_iter().find(|id| !known.contains(id)).expect("the new one");
            known.push(id.clone());
            let core = &core;
            scope.spawn(move || {
                let (mut sent, mut came) = (0u32, 0);
                for burst in (1..40).cycle().take(400) {
                    for _ in 0..burst {
                        assert_eq!(send(core, Target::Client(&id), &sent.to_be_bytes()), Reply::Sent(Outcome::Queued));
                        sent += 1;
                    }
                    // What the client sends has the shard awake at that time.
                    client.send(Message::text("echo")).expect("sent");
                    let mut echoed = false;
                    while came < sent || !echoed {
                        match client.read().expect("a message") {
                            Message::Binary(data) => {
                                assert_eq!(data[..], came.to_be_bytes());
                                came += 1;
                            }
                            other => echoed = other == Message::text("echo"),
                        }
                    }
                }
            });
        }
    });
    assert_eq!(counter(&core, "messages_dropped"), 0);
}

#[test]
fn a_client_that_does_not_read_is_bounded_and_the_sender_is_told() {
    let core = started();
    let mut client = connect(&core, "php");
    let id = core.ids()[0].clone();
    let mut queued = 0;
    wait_until("the outbox is full", || match send(&core, Target::Client(&id), &[0; 10_000]) {
        Reply::Sent(Outcome::Queued) => {
            queued += 1;
            false
        }
        reply => {
            assert_eq!(reply, Reply::Sent(Outcome::Dropped));
            true
        }
    });
    assert!(counter(&core, "messages_dropped") >= 1);
    // The outbox, what the kernel keeps unsent, and the client's receive buffer.
    #[cfg(target_os = "linux")]
    assert!(queued * 10_000 <= 100_000 + 128 * 1024 + 300_000, "{queued} messages are on their way to a client that does not read");
    let too_large =
        Command::Send(SendTo { to: Target::Client(&id), route: None, except: None, binary: true, data: (&[0; 100_001]).into() });
    assert_eq!(core.ask(&too_large), Err(CommandError::TooLarge));
    for _ in 0..queued {
        assert_eq!(client.read().expect("what was queued arrives").len(), 10_000);
    }
    wait_until("there is room again", || send(&core, Target::Client(&id), b"x") == Reply::Sent(Outcome::Queued));
}
