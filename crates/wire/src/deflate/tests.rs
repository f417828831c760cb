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

fn inflated(inflater: &mut Inflater, pieces: &[&[u8]], keep: bool) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    for piece in pieces {
        inflater.inflate(piece, &mut [0; 50], |bytes| {
            all.extend_from_slice(bytes);
            Ok(())
        })?;
    }
    inflater.finish(keep)?;
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
    let fresh = |payload: &[u8]| inflated(&mut Inflater::new(15), &[payload], false);
    // 7.2.3.1: one block; 7.2.3.3: a block without compression; 7.2.3.4: BFINAL set; 7.2.3.5: two blocks.
    assert_eq!(fresh(HELLO), Ok(b"Hello".to_vec()));
    assert_eq!(fresh(&[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00]), Ok(b"Hello".to_vec()));
    assert_eq!(fresh(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]), Ok(b"Hello".to_vec()));
    assert_eq!(fresh(&[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00]), Ok(b"Hello".to_vec()));
    // 7.2.3.6: an empty message.
    assert_eq!(fresh(&[0x00]), Ok(Vec::new()));
    // 7.2.3.2: the second message refers to the first.
    let mut inflater = Inflater::new(15);
    assert_eq!(inflated(&mut inflater, &[&HELLO[..3], &HELLO[3..]], true), Ok(b"Hello".to_vec()));
    assert_eq!(inflated(&mut inflater, &[&[0xf2, 0x00, 0x11, 0x00, 0x00]], true), Ok(b"Hello".to_vec()));
}

#[test]
fn a_borrowed_inflater_remembers_nothing_and_a_kept_one_all() {
    let text = b"so long, so long, and thanks for all the fish".repeat(20);
    let mut client = Compress::new(Compression::default(), false);
    let (first, second) = (by_client(&mut client, &text), by_client(&mut client, &text));
    assert!(second.len() < first.len());
    let mut kept = Inflater::new(15);
    assert_eq!(inflated(&mut kept, &[&first], true).as_deref(), Ok(&text[..]));
    assert_eq!(inflated(&mut kept, &[&second], true).as_deref(), Ok(&text[..]));
    let mut pool = Pool::default();
    let mut borrowed = pool.inflater();
    assert_eq!(inflated(&mut borrowed, &[&first], false).as_deref(), Ok(&text[..]));
    pool.give_inflater(borrowed);
    let mut borrowed = pool.inflater();
    assert_eq!(inflated(&mut borrowed, &[&second], false), Err(Error::CorruptDeflate), "what it refers to is gone");
}

#[test]
fn what_is_not_deflate_or_ends_within_a_block_is_refused() {
    for corrupt in [
        &[0x06][..],                                                   // block type 3
        &[0xff; 20],                                                   // nonsense
        &[],                                                           // not even the block that is cut short
        &[0xf2, 0x48, 0xcd],                                           // the end is missing
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65],                   // fewer bytes than the block says
        &[0x00, 0x05, 0x00, 0xfa, 0xfe, 0x48, 0x65, 0x6c, 0x6c, 0x6f], // lengths that do not agree
        &[0xf2, 0x00, 0x11, 0x00, 0x00],                               // a distance beyond the beginning
    ] {
        assert_eq!(inflated(&mut Inflater::new(15), &[corrupt], false), Err(Error::CorruptDeflate), "{corrupt:02x?}");
    }
}

#[test]
fn inflating_ends_with_the_first_piece_that_is_refused() {
    let bomb = by_client(&mut Compress::new(Compression::best(), false), &vec![0; 1 << 24]);
    let (mut calls, mut total) = (0, 0);
    let end = Inflater::new(15).inflate(&bomb, &mut [0; 1000], |bytes| {
        calls += 1;
        total += bytes.len();
        if total > 5000 { Err(Error::MessageTooLong { limit: 5000 }) } else { Ok(()) }
    });
    assert_eq!(end, Err(Error::MessageTooLong { limit: 5000 }));
    assert_eq!((calls, total), (6, 6000));
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
