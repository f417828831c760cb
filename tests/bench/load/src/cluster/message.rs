//! A message that says who has published it and which of his it is, so that a subscriber can tell that nothing is lost or doubled.

use anyhow::{Context, Result, ensure};

/// `"` + three digits + `:` + eight digits + `:`, and a `"` at the end.
const LEAST: usize = 15;

/// The text of a message: a JSON string, since Centrifugo passes on JSON.
pub fn write(publisher: usize, number: usize, size: usize) -> Vec<u8> {
    let mut text = format!("\"{publisher:03}:{number:08}:").into_bytes();
    text.resize(size.max(LEAST) - 1, b'x');
    text.push(b'"');
    text
}

/// Its publisher and its number. Any other byte than those of [`write()`] is an error.
pub fn read(text: &[u8], size: usize) -> Result<(usize, usize)> {
    let parsed = || {
        let (publisher, number) = (digits(text.get(1..4)?)?, digits(text.get(5..13)?)?);
        let padding = text.get(14..text.len() - 1)?;
        let right = text.len() == size && text[0] == b'"' && text[4] == b':' && text[13] == b':' && text.ends_with(b"\"");
        (right && padding.iter().all(|byte| *byte == b'x')).then_some((publisher, number))
    };
    parsed().with_context(|| format!("{:?} is none of our messages of {size} bytes", String::from_utf8_lossy(text)))
}

/// Whether messages of this size have room for their numbers.
pub fn check_size(size: usize) -> Result<()> {
    ensure!(size >= LEAST, "--size: a message has at least {LEAST} bytes");
    Ok(())
}

fn digits(text: &[u8]) -> Option<usize> {
    text.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + usize::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        for size in [LEAST, 16, 128, 4096] {
            let text = write(12, 345, size);
            assert_eq!(text.len(), size);
            assert_eq!(read(&text, size).expect("it is ours"), (12, 345));
        }
    }

    #[test]
    fn a_message_with_another_byte_or_another_length_is_an_error() {
        let text = write(1, 2, 32);
        for at in [0, 2, 4, 8, 13, 20, 31] {
            let mut other = text.clone();
            other[at] = b'#';
            assert!(read(&other, 32).is_err(), "byte {at}");
        }
        assert!(read(&text, 33).is_err() && read(&text[..31], 32).is_err() && read(b"", 32).is_err());
    }
}
