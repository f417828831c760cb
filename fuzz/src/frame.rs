//! Frame headers and masks, against the bit fields of RFC 6455, 5.2, read naively.

use fws_wire::Error;
use fws_wire::frame;

/// The header at the start of any bytes; then the rest masked in pieces.
pub fn check(data: &[u8]) {
    let outcomes: Vec<_> = (0..=data.len().min(20)).map(|length| frame::decode(&data[..length], false)).collect();
    let known = outcomes.iter().position(|outcome| *outcome != Ok(None)).unwrap_or(outcomes.len());
    for (length, outcome) in outcomes.iter().enumerate().skip(known) {
        assert_eq!(outcome, &outcomes[known], "what {known} bytes told is not what {length} bytes tell");
    }
    if data.len() >= frame::MAX_HEADER {
        assert!(known <= frame::MAX_HEADER, "{known} bytes are needed for a header");
    }
    match (outcomes.last().expect("bug: there is always the outcome of no bytes"), read(data)) {
        (Ok(Some((header, used))), Some(naive)) => {
            assert_eq!((header.fin, header.mask, header.length, *used), (naive.fin, naive.mask, naive.length, naive.used));
            assert_eq!(u8::from(header.opcode), naive.opcode);
            assert!(naive.is_legal(), "{naive:?} was accepted");
            unmask(&data[*used..], header.mask);
        }
        (Ok(None), Some(naive)) => panic!("{naive:?} is whole"),
        (Ok(Some(header)), None) => panic!("{header:?} is not whole"),
        (Err(error), Some(naive)) => assert!(!naive.is_legal(), "{naive:?} was refused: {error}"),
        (Err(Error::InvalidUtf8 | Error::MessageTooLong { .. } | Error::CorruptDeflate), None) => panic!("not of a header"),
        (Ok(None) | Err(_), None) => {}
    }
}

/// A header as it stands there, legal or not.
#[derive(Debug)]
struct Naive {
    fin: bool,
    reserved: u8,
    opcode: u8,
    masked: bool,
    short: u8,
    length: u64,
    mask: [u8; 4],
    used: usize,
}

impl Naive {
    fn is_legal(&self) -> bool {
        let control = self.opcode >= 8;
        self.reserved == 0
            && matches!(self.opcode, 0..=2 | 8..=10)
            && self.masked
            && !(control && (!self.fin || self.short > 125))
            && match self.short {
                126 => self.length > 125,
                127 => self.length > 65535 && self.length >> 63 == 0,
                _ => true,
            }
    }
}

fn read(data: &[u8]) -> Option<Naive> {
    let (&[first, second], mut rest) = data.split_first_chunk()?;
    let short = second & 127;
    let extended = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let length = match extended {
        0 => u64::from(short),
        _ => rest.get(..extended)?.iter().fold(0, |length, &byte| length << 8 | u64::from(byte)),
    };
    rest = &rest[extended..];
    let masked = second & 128 != 0;
    let mask = if masked { *rest.first_chunk()? } else { [0; 4] };
    let used = 2 + extended + if masked { 4 } else { 0 };
    Some(Naive { fin: first & 128 != 0, reserved: first & 0x70, opcode: first & 15, masked, short, length, mask, used })
}

/// A payload unmasked in two pieces is what each byte with its own byte of the mask is.
fn unmask(payload: &[u8], mask: [u8; 4]) {
    let naive: Vec<u8> = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    for cut in [0, payload.len() / 3, payload.len()] {
        let mut bytes = payload.to_vec();
        let (head, tail) = bytes.split_at_mut(cut);
        frame::unmask(head, mask, 0);
        frame::unmask(tail, mask, cut as u64);
        assert_eq!(bytes, naive, "cut at {cut}");
    }
}
