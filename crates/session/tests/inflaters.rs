//! Shared and private messages in any order decode to what was sent, whoever decodes: Rust's miniz, and – where they are installed –
//! the zlib of Python and that of Node, the engine of a browser.

mod peer;

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use flate2::{Decompress, FlushDecompress};
use fws_session::{Compression, Frame, Session, Settings, Spares};
use fws_wire::Owner;
use fws_wire::deflate::{Params, Pool};
use peer::{frames, written};

/// A repeatable source of decisions.
struct Random(u32);

impl Random {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % below
    }

    /// Text that repeats itself, with something new in it, or noise.
    fn payload(&mut self) -> Vec<u8> {
        const WORDS: [&str; 8] = ["alpha ", "beta ", "{\"id\":", "gamma", "€uro ", "delta-delta ", "0123456789", "x"];
        let len = [0, 1, 20, 300, 3000, 40_000][self.below(6)];
        let mut bytes = Vec::new();
        let noise = self.below(8) == 0;
        while bytes.len() < len {
            if noise {
                bytes.push(self.below(256) as u8);
            } else {
                bytes.extend_from_slice(WORDS[self.below(WORDS.len())].as_bytes());
                bytes.extend_from_slice(self.below(50).to_string().as_bytes());
            }
        }
        bytes
    }
}

/// What a client got: the window it was told, whether its inflater keeps its context, and compressed payloads with what they stand for.
struct Received {
    window_bits: u8,
    takeover: bool,
    messages: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Many clients of all kinds, to which messages are sent alone and together.
fn conversation(seed: u32, rounds: usize) -> Vec<Received> {
    let mut random = Random(seed);
    let mut spares = Spares::default();
    let mut pool = Pool::default();
    let mut clients = Vec::new();
    for server_bits in 9..=15 {
        for server_takeover in [true, true, false] {
            let params = Params { server_takeover, client_takeover: false, server_bits, client_bits: 15 };
            let compression = Compression { params, level: 1 + random.below(9) as u8, threshold: [0, 0, 100][random.below(3)] };
            let session =
                Session::new(Arc::new(Settings::default()), 0, 0).with_compression(Some(compression), Owner::default(), &Spares::default());
            let received = Received { window_bits: server_bits, takeover: server_takeover, messages: Vec::new() };
            clients.push((session, compression, received, Vec::new()));
        }
    }
    for _ in 0..rounds {
        let payload = random.payload();
        if random.below(3) == 0 {
            // To all: compressed once for each window.
            for bits in 9..=15 {
                let mut deflater = pool.deflater(1 + random.below(9) as u8, bits);
                let frame = Frame::compressed(true, &payload, &mut deflater).unwrap_or_else(|| Frame::message(true, &payload));
                pool.give_deflater(deflater);
                for (session, compression, _, expected) in &mut clients {
                    if compression.params.server_bits == bits {
                        peer::send(session, frame.clone(), &mut spares);
                        expected.push(payload.clone());
                    }
                }
            }
        } else {
            let at = random.below(clients.len());
            let (session, _, _, expected) = &mut clients[at];
            assert!(session.send_message(true, &payload, &mut spares));
            expected.push(payload);
        }
    }
    let mut all = Vec::new();
    for (mut session, _, mut received, expected) in clients {
        let sent = frames(&written(&mut session, &mut spares));
        assert_eq!(sent.len(), expected.len());
        for ((first, payload), expected) in sent.into_iter().zip(expected) {
            match first {
                0xc2 => received.messages.push((payload, expected)),
                _ => assert_eq!((first, payload), (0x82, expected)),
            }
        }
        all.push(received);
    }
    all
}

#[test]
fn whatever_is_sent_to_one_and_to_all_miniz_reads_it() {
    for seed in 0..3 {
        for client in conversation(seed, 80) {
            let mut inflate = Decompress::new(false);
            for (payload, expected) in client.messages {
                if !client.takeover {
                    inflate = Decompress::new(false);
                }
                let input = [&payload[..], &[0, 0, 0xff, 0xff]].concat();
                let mut out = vec![0; expected.len() + 1];
                let before = inflate.total_out();
                inflate.decompress(&input, &mut out, FlushDecompress::Sync).expect("valid");
                out.truncate((inflate.total_out() - before) as usize);
                assert!(out == expected, "seed {seed}, window {}", client.window_bits);
            }
        }
    }
}

/// Lets a program with a window of exactly the negotiated size read a conversation; it answers in hexadecimal, a line a message.
fn read_by(program: &str, arguments: &[&str], script: &str) {
    let conversation = conversation(4711, 100);
    let started =
        Command::new(program).args(arguments).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return eprintln!("skipped: {program} does not run: {error}"),
    };
    let mut stdin = child.stdin.take().expect("piped");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut question = String::new();
    let mut expected = Vec::new();
    for client in &conversation {
        question += &format!("client {} {}\n", client.window_bits, u8::from(client.takeover));
        for (payload, text) in &client.messages {
            question += &format!("{}\n", hex(payload));
            expected.push(hex(text));
        }
    }
    let writer = std::thread::spawn(move || stdin.write_all(question.as_bytes()));
    let output = child.wait_with_output().expect("it ran");
    assert!(output.status.success(), "{program} failed");
    writer.join().expect("no panic").expect("it read all");
    let answer = String::from_utf8(output.stdout).expect("hexadecimal");
    assert!(expected.len() > 100);
    assert!(answer.lines().eq(expected.iter().map(String::as_str)), "{program} reads other bytes than were sent");
}

#[test]
fn pythons_zlib_reads_it_with_the_window_that_was_agreed_on() {
    read_by(
        "python3",
        &["-c"],
        r#"
import sys, zlib
for line in sys.stdin:
    if line.startswith("client"):
        bits, takeover = map(int, line.split()[1:])
        inflate = zlib.decompressobj(-bits)
    else:
        if not takeover:
            inflate = zlib.decompressobj(-bits)
        print(inflate.decompress(bytes.fromhex(line) + b"\x00\x00\xff\xff").hex())
"#,
    );
}

#[test]
fn nodes_zlib_reads_it_with_the_window_that_was_agreed_on() {
    // Node's zlib works on whole streams: all messages of a client with takeover are one, cut by the lengths that come out.
    read_by(
        "node",
        &["-e"],
        r#"
const zlib = require("zlib"), lines = require("fs").readFileSync(0, "latin1").trim().split("\n");
const tail = Buffer.from([0, 0, 0xff, 0xff]);
const inflate = (bits, parts) => zlib.inflateRawSync(Buffer.concat(parts), { windowBits: bits, finishFlush: zlib.constants.Z_SYNC_FLUSH });
let bits, takeover, parts, seen, out = [];
for (const line of lines) {
    if (line.startsWith("client")) {
        [bits, takeover] = line.split(" ").slice(1).map(Number);
        [parts, seen] = [[], 0];
    } else {
        if (!takeover) [parts, seen] = [[], 0];
        parts.push(Buffer.from(line, "hex"), tail);
        const all = inflate(bits, parts);
        out.push(all.subarray(seen).toString("hex"));
        seen = all.length;
    }
}
process.stdout.write(out.join("\n") + "\n");
"#,
    );
}
