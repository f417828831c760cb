use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use super::*;

/// What an independent implementation makes of a compressed message.
fn independent(inflate: &mut Decompress, deflated: &[u8]) -> Vec<u8> {
    let input = [deflated, &TAIL].concat();
    let mut out = vec![0; 1 << 20];
    let (used, made) = (inflate.total_in(), inflate.total_out());
    inflate.decompress(&input, &mut out, FlushDecompress::Sync).expect("valid");
    assert_eq!(inflate.total_in() - used, input.len() as u64);
    out.truncate((inflate.total_out() - made) as usize);
    out
}

/// A message as an independent client compresses it.
fn by_client(deflate: &mut Compress, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() * 2 + 1024);
    deflate.compress_vec(payload, &mut out, FlushCompress::Sync).expect("room");
    out.truncate(out.len() - TAIL.len());
    out
}

impl Sink for Vec<u8> {
    fn take(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.extend_from_slice(piece);
        Ok(())
    }

    fn taken(&self) -> &[u8] {
        self
    }
}

/// Inflates a message that may refer to the window, which has it afterwards.
fn inflated(window: &mut Option<Window>, pieces: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let (mut inflater, mut all) = (Inflater::default(), Vec::new());
    inflater.begin(window.take());
    for piece in pieces {
        inflater.inflate(piece, &mut [0; 50], &mut all)?;
    }
    *window = inflater.finish(&all)?;
    Ok(all)
}

#[test]
fn what_is_deflated_is_read_by_another_implementation_with_and_without_takeover() {
    let text = "the quick brown fox jumps over the lazy dog, ".repeat(100);
    for window_bits in 9..=15 {
        for lean in [false, true] {
            for level in [1, 6, 9] {
                let mut deflater = Deflater::new(level, window_bits, lean);
                let mut inflate = Decompress::new(false);
                let mut buffer = Vec::new();
                let mut lengths = Vec::new();
                for payload in [&text[..1000], &text[..], &text[7..1007]] {
                    let deflated = deflater.deflate(payload.as_bytes(), &mut buffer).expect("it shrinks");
                    lengths.push(deflated.len());
                    assert_eq!(independent(&mut inflate, deflated), payload.as_bytes());
                }
                assert!(lengths[2] < lengths[0], "the third refers to the second: {lengths:?}");
                deflater.reset();
                let deflated = deflater.deflate(text.as_bytes(), &mut buffer).expect("it shrinks");
                assert_eq!(independent(&mut Decompress::new(false), deflated), text.as_bytes(), "after a reset nothing is referred to");
            }
        }
    }
}

#[test]
fn a_window_is_kept_to() {
    // 4 KiB that do not repeat, twice: whoever refers further back than 512 bytes makes it short.
    let mut seed = 1u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    })
    .take(4096)
    .collect();
    let twice = [noise.as_slice(), &noise].concat();
    let mut buffer = Vec::new();
    let large = Deflater::new(9, 15, false).deflate(&twice, &mut buffer).map(<[u8]>::len);
    let small = Deflater::new(9, 9, false).deflate(&twice, &mut buffer).map(<[u8]>::len);
    assert!(large.is_some_and(|len| len < 5000) && small.is_none_or(|len| len > 7000), "{large:?} {small:?}");
}

#[test]
fn what_does_not_become_shorter_is_not_deflated() {
    let mut buffer = Vec::new();
    for payload in [&b""[..], b"a", b"ab", b"abcdefgh"] {
        assert_eq!(Deflater::new(6, 15, false).deflate(payload, &mut buffer), None, "{payload:?}");
    }
    assert!(Deflater::new(6, 15, false).deflate(&[b'a'; 20], &mut buffer).is_some_and(|deflated| deflated.len() < 20));
}

#[test]
fn noise_of_any_length_leaves_a_context_that_can_be_used_again() {
    let mut seed = 1u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Literals of 9 bits, at level 1.
        (seed >> 24) as u8 | 0x90
    })
    .take(40_000)
    .collect();
    let text = b"text ".repeat(100);
    let mut buffer = Vec::new();
    for level in 1..=9 {
        for (window_bits, lean) in [(15, false), (15, true), (9, true)] {
            let mut deflater = Deflater::new(level, window_bits, lean);
            for len in [1, 100, 5000, 40_000] {
                deflater.deflate(&noise[..len], &mut buffer);
                deflater.reset();
                let deflated = deflater.deflate(&text, &mut buffer).expect("it shrinks");
                assert_eq!(independent(&mut Decompress::new(false), deflated), text, "level {level}, behind {len}");
                deflater.reset();
            }
        }
    }
}

#[test]
fn the_examples_of_rfc_7692_7_2_3_are_read() {
    const HELLO: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let fresh = |payload: &[u8]| inflated(&mut None, &[payload]);
    // 7.2.3.1: one block; 7.2.3.3: a block without compression; 7.2.3.4: BFINAL set; 7.2.3.5: two blocks.
    assert_eq!(fresh(HELLO), Ok(b"Hello".to_vec()));
    assert_eq!(fresh(&[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00]), Ok(b"Hello".to_vec()));
    assert_eq!(fresh(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]), Ok(b"Hello".to_vec()));
    assert_eq!(fresh(&[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00]), Ok(b"Hello".to_vec()));
    // 7.2.3.6: an empty message.
    assert_eq!(fresh(&[0x00]), Ok(Vec::new()));
    // 7.2.3.2: the second message refers to the first.
    for first in [HELLO, &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]] {
        let mut window = Some(Window::new(15));
        assert_eq!(inflated(&mut window, &[&first[..3], &first[3..]]), Ok(b"Hello".to_vec()));
        for _ in 0..2 {
            assert_eq!(inflated(&mut window, &[&[0xf2, 0x00, 0x11, 0x00, 0x00]]), Ok(b"Hello".to_vec()), "also behind BFINAL");
        }
    }
}

#[test]
fn a_block_may_refer_to_what_came_before_a_last_one_in_the_same_message_too() {
    let message = [&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..], &[0xf2, 0x00, 0x11, 0x00, 0x00]].concat();
    for cut in 0..message.len() {
        assert_eq!(inflated(&mut None, &[&message[..cut], &message[cut..]]), Ok(b"HelloHello".to_vec()), "cut at {cut}");
    }
    // There is an end to it: what is referred to is copied each time.
    let after = |blocks: u32| [&message[..7], &LAST_BLOCK.repeat(blocks as usize), &message[7..]].concat();
    assert_eq!(inflated(&mut None, &[&after(RECALLS - 1)]), Ok(b"HelloHello".to_vec()));
    assert_eq!(inflated(&mut None, &[&after(RECALLS)]), Err(Error::CorruptDeflate));
}

#[test]
fn a_message_refers_to_earlier_ones_only_with_their_window() {
    let text = b"so long, so long, and thanks for all the fish".repeat(20);
    let mut client = Compress::new(Compression::default(), false);
    let (first, second) = (by_client(&mut client, &text), by_client(&mut client, &text));
    assert!(second.len() < first.len());
    let mut window = Some(Window::new(15));
    assert_eq!(inflated(&mut window, &[&first]).as_deref(), Ok(&text[..]));
    assert_eq!(inflated(&mut window, &[&second]).as_deref(), Ok(&text[..]));
    let (mut pool, mut all) = (Pool::default(), Vec::new());
    let mut borrowed = pool.inflater();
    borrowed.begin(None);
    assert_eq!(borrowed.inflate(&first, &mut [0; 50], &mut all), Ok(()));
    assert!(matches!(borrowed.finish(&all), Ok(None)));
    pool.give_inflater(borrowed);
    let mut borrowed = pool.inflater();
    borrowed.begin(None);
    assert_eq!(borrowed.inflate(&second, &mut [0; 50], &mut Vec::new()), Err(Error::CorruptDeflate), "what it refers to is gone");
}

#[test]
fn a_window_keeps_the_end_of_all_and_no_more_than_it_may() {
    for bits in 8..=15u8 {
        let size = 1 << bits.max(9);
        let (mut window, mut all) = (Window::new(bits), Vec::new());
        for (n, len) in [0, 1, 300, 511, 512, 513, 7, 40_000, 20_000, 30_000, 3].into_iter().enumerate() {
            let message: Vec<u8> = (0..len).map(|at: u32| (at as u8).wrapping_mul(31) ^ n as u8).collect();
            all.extend_from_slice(&message);
            window.push(&message);
            assert_eq!(window.bytes, all[all.len().saturating_sub(size)..]);
            assert!(window.bytes.capacity() <= size, "{} for {size}", window.bytes.capacity());
        }
    }
}

#[test]
fn what_is_not_deflate_or_ends_within_a_block_is_refused() {
    for corrupt in [
        &[0x06][..],                                                         // block type 3
        &[0xff; 20],                                                         // nonsense
        &[],                                                                 // not even the block that is cut short
        &[0xf2, 0x48, 0xcd],                                                 // the end is missing
        &[0x05, 0xe0, 0x81, 0x08],                                           // within the tables of a block
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff], // the octets that are to be removed
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],                         // BFINAL without the octet behind it
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65],                         // fewer bytes than the block says
        &[0x00, 0x05, 0x00, 0xfa, 0xfe, 0x48, 0x65, 0x6c, 0x6c, 0x6f],       // lengths that do not agree
        &[0xf2, 0x00, 0x11, 0x00, 0x00],                                     // a distance beyond the beginning
    ] {
        for window in [None, Some(Window::new(15))] {
            assert_eq!(inflated(&mut { window }, &[corrupt]), Err(Error::CorruptDeflate), "{corrupt:02x?}");
        }
    }
}

#[test]
fn inflating_ends_with_the_first_piece_that_is_refused() {
    struct Bounded(Vec<u8>, usize);
    impl Sink for Bounded {
        fn take(&mut self, piece: &[u8]) -> Result<(), Error> {
            self.1 += 1;
            self.0.extend_from_slice(piece);
            if self.0.len() > 5000 { Err(Error::MessageTooLong { limit: 5000 }) } else { Ok(()) }
        }

        fn taken(&self) -> &[u8] {
            &self.0
        }
    }
    let bomb = by_client(&mut Compress::new(Compression::best(), false), &vec![0; 1 << 24]);
    let mut sink = Bounded(Vec::new(), 0);
    assert_eq!(Inflater::default().inflate(&bomb, &mut [0; 1000], &mut sink), Err(Error::MessageTooLong { limit: 5000 }));
    assert_eq!((sink.1, sink.0.len()), (6, 6000));
}

#[test]
fn a_pool_is_bounded() {
    let mut pool = Pool::default();
    let lent: Vec<_> = (0..100).map(|_| (pool.inflater(), pool.deflater(6, 15), pool.deflater(1, 9))).collect();
    for (inflater, large, small) in lent {
        pool.give_inflater(inflater);
        pool.give_deflater(large);
        pool.give_deflater(small);
    }
    let text = format!("{pool:?}");
    assert_eq!((text.matches("Inflater {").count(), text.matches("Deflater {").count()), (16, 4));
}
