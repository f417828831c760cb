//! Whole connections: an echo whose client sends any bytes, cut in any way, while the server speaks and closes on its own.

use std::io::IoSlice;
use std::sync::Arc;

use fws_session::{Backlog, BacklogSettings, Closed, Compression, Frame, Offer, Posted, Session, Settings, Spares};
use fws_wire::deflate::Params;
use fws_wire::{Owner, Peer};

use crate::peer;
use crate::segments::{self, Numbers};

/// Four bytes choose limits, compression, and when the server sends or closes; the rest is what the client sends.
pub fn check(data: &[u8]) {
    let Some((&[limits, send, close, clock], stream)) = data.split_first_chunk() else { return };
    if stream.is_empty() {
        return;
    }
    let plan = Plan {
        max_message_size: [0, 1, 125, 1000, 1 << 20][usize::from(limits % 5)],
        takeover: [None, Some(false), Some(true)][usize::from(limits / 5 % 3)],
        send_at: usize::from(send).min(stream.len()),
        close_at: (close < 128).then_some(usize::from(close)),
    };
    let [whole, others @ ..] = segments::lengths(stream);
    let outcome = converse(stream, &whole, &plan);
    for lengths in &others {
        assert_eq!(converse(stream, lengths, &plan), outcome, "in segments of {lengths:?}");
    }
    live(stream, &plan, clock);
}

struct Plan {
    max_message_size: u64,
    /// With compression: whether both sides keep their contexts.
    takeover: Option<bool>,
    /// After so many bytes of the client the server sends a message …
    send_at: usize,
    /// … and closes.
    close_at: Option<usize>,
}

impl Plan {
    fn session(&self) -> Session {
        let settings = Settings { max_message_size: self.max_message_size, ..Settings::default() };
        let compression = self.takeover.map(|takeover| Compression {
            params: Params { server_takeover: takeover, client_takeover: takeover, server_bits: 15, client_bits: 15 },
            level: 6,
            threshold: 20,
        });
        Session::new(Arc::new(settings), 0, 0).with_compression(compression, Owner::default(), &Spares::default())
    }

    fn act(&self, session: &mut Session, arrived: usize, now: u64, backlog: &Backlog, spares: &mut Spares) {
        if arrived == self.send_at {
            let frame = Frame::message(true, &[7; 300]);
            if backlog.offer(frame.len(), || false) == Offer::Accepted {
                session.take(Posted::Frame(frame), backlog, spares);
            }
        }
        if Some(arrived) == self.close_at {
            session.close(4000, "enough", now, spares);
        }
    }
}

#[derive(Debug, PartialEq)]
struct Outcome {
    output: Vec<u8>,
    closed: Option<Box<Closed>>,
    ending: bool,
}

/// A client that reads all at once, at one moment: then nothing may depend on the segments.
fn converse(stream: &[u8], lengths: &[usize], plan: &Plan) -> Outcome {
    let (mut session, backlog, mut spares) = (plan.session(), backlog(usize::MAX), Spares::default());
    let (mut output, mut closed, mut half_closed, mut arrived) = (Vec::new(), None, false, 0);
    plan.act(&mut session, 0, 0, &backlog, &mut spares);
    for &length in lengths {
        let end = arrived + length;
        while arrived < end {
            // What the server does on its own it does between two segments.
            let next = [Some(plan.send_at), plan.close_at].into_iter().flatten().filter(|&at| at > arrived).fold(end, usize::min);
            receive(&mut session, &stream[arrived..next], 0, &backlog, &mut spares);
            arrived = next;
            plan.act(&mut session, arrived, 0, &backlog, &mut spares);
        }
        write(&mut session, usize::MAX, 0, &backlog, &mut spares, &mut output);
        assert!(!session.take_half_close() || !std::mem::replace(&mut half_closed, true), "half-closed twice");
        closed = session.take_closed().or(closed);
    }
    peer::frames(&output, plan.takeover);
    Outcome { output, closed, ending: session.is_ending() }
}

/// A client that reads as it likes, while time goes by: the server stays within its bounds, and ends by itself when the client does
/// nothing any more.
fn live(stream: &[u8], plan: &Plan, clock: u8) {
    const MAX_OUTBOX: usize = 1000;
    let (mut session, backlog) = (plan.session(), backlog(MAX_OUTBOX));
    let (mut spares, mut numbers) = (Spares::default(), Numbers::of(&[clock]));
    let (mut now, mut arrived, mut output, mut closed) = (0, 0, Vec::new(), 0);
    while arrived < stream.len() && !session.is_ended() {
        match numbers.below(4) {
            0 | 1 if session.wants_read(&backlog) => {
                let length = (1 + numbers.below(64)).min(stream.len() - arrived);
                receive(&mut session, &stream[arrived..arrived + length], now, &backlog, &mut spares);
                arrived += length;
                plan.act(&mut session, arrived, now, &backlog, &mut spares);
                // 64 bytes are at most 10 pings or 10 messages, of which one was begun before; a byte inflates to 1,100 at most.
                let begun = plan.max_message_size.min(if plan.takeover.is_some() { 1100 } else { 1 } * stream.len() as u64) as usize;
                let inflated = plan.takeover.map_or(0, |_| 10 * plan.max_message_size.min(64 * 1100) as usize);
                let most = MAX_OUTBOX + 10 * 135 + begun + inflated + 10 + 304 + 127;
                assert!(session.outbox_len() <= most, "{} bytes wait", session.outbox_len());
            }
            0..=2 => write(&mut session, 1 + numbers.below(2000), now, &backlog, &mut spares, &mut output),
            _ => {
                now += numbers.below(30_000) as u64;
                session.tick(now, &mut spares);
                assert!(session.deadline().is_none_or(|deadline| deadline > now), "what was due is not done");
            }
        }
        session.take_half_close();
        closed += usize::from(session.take_closed().is_some());
    }
    for _ in 0..3 {
        let Some(deadline) = session.deadline() else { break };
        now = now.max(deadline);
        session.tick(now, &mut spares);
        closed += usize::from(session.take_closed().is_some());
    }
    assert!(session.is_ended(), "a dead client is kept: {session:?}");
    assert_eq!(closed, 1, "the end is told once");
    peer::frames(&output, plan.takeover);
}

/// How much may wait for the client.
fn backlog(max_outbox: usize) -> Backlog {
    Backlog::new(&BacklogSettings { max_outbox, ..BacklogSettings::default() })
}

fn receive(session: &mut Session, segment: &[u8], now: u64, backlog: &Backlog, spares: &mut Spares) {
    let mut bytes = segment.to_vec();
    let mut input = bytes.as_mut_slice();
    while let Some(message) = session.receive(&mut input, now, Peer::default(), backlog, spares) {
        let payload = message.payload.as_slice();
        assert!(message.binary || std::str::from_utf8(payload).is_ok(), "text that is no text");
        session.send_message(message.binary, payload, spares);
    }
}

fn write(session: &mut Session, most: usize, now: u64, backlog: &Backlog, spares: &mut Spares, output: &mut Vec<u8>) {
    let mut left = most;
    while left > 0 && session.outbox_len() > 0 {
        let mut slices = [IoSlice::new(&[]); 4];
        let filled = session.slices(&mut slices);
        let bytes: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).take(left).collect();
        session.wrote(bytes.len(), now, backlog, spares);
        session.report_written(backlog);
        left -= bytes.len();
        output.extend_from_slice(&bytes);
    }
}
