//! Case folding of bytes: what the operators that ignore case compare.
//!
//! In valid UTF-8 each character is replaced by its simple case folding (Unicode's CaseFolding.txt, statuses C and S), so one character
//! stays one character: `Ü` and `ü` are the same, `ß` and `ss` are not. A byte that belongs to no character of valid UTF-8 is equal to the
//! same byte only.

use std::num::NonZeroU32;

/// Appends the folded form of `bytes` to `out`, which grows to at most twice their length.
///
/// The folded form is compared and searched as bytes. That finds whole characters only: it looks like UTF-8, and a byte that is not UTF-8
/// becomes the two bytes of an overlong form (C0 or C1, then 80 to BF), which no character has.
pub fn fold(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while !rest.is_empty() {
            let ascii = rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
            let start = out.len();
            out.extend_from_slice(&rest.as_bytes()[..ascii]);
            out[start..].make_ascii_lowercase();
            rest = &rest[ascii..];
            if let Some(c) = rest.chars().next() {
                out.extend_from_slice(folded(c).encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[c.len_utf8()..];
            }
        }
        for byte in chunk.invalid() {
            out.extend([0xC0 | ((byte >> 6) & 1), 0x80 | (byte & 0x3F)]);
        }
    }
}

/// The simple case folding of a character.
fn folded(c: char) -> char {
    unicode_case_mapping::case_folded(c).map(NonZeroU32::get).and_then(char::from_u32).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use super::*;

    fn of(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        fold(bytes, &mut out);
        out
    }

    #[test]
    fn characters_are_folded_one_by_one_and_other_bytes_are_themselves() {
        for (one, other) in
            [("LYON-3", "lyon-3"), ("GRÜN", "grün"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("K", "\u{212A}"), ("ẞ", "ß"), ("Ⱥ", "ⱥ"), ("ſ", "S")]
        {
            assert_eq!(of(one.as_bytes()), of(other.as_bytes()), "{one}");
        }
        for (one, other) in [("ß", "ss"), ("İ", "i"), ("ı", "i"), ("é", "e")] {
            assert_ne!(of(one.as_bytes()), of(other.as_bytes()), "{one}");
        }
        assert_eq!(of(b"A\xffB"), of(b"a\xffb"));
        assert_ne!(of(b"\xc3"), of(b"\xe3"), "a letter of Latin-1 and its other case are only bytes here");
        assert_eq!(of("\u{10FFFF}日本".as_bytes()), "\u{10FFFF}日本".as_bytes());
    }

    #[test]
    fn no_byte_is_folded_to_what_a_character_or_another_byte_is_folded_to() {
        let strays: std::collections::BTreeSet<Vec<u8>> = (0x80..=0xFF).map(|byte| of(&[byte])).collect();
        assert_eq!(strays.len(), 128);
        for stray in &strays {
            assert!(stray.len() == 2 && std::str::from_utf8(stray).is_err());
        }
    }

    #[test]
    fn folding_twice_is_folding_once_and_at_most_doubles() {
        for c in (0..0x2_0000).filter_map(char::from_u32) {
            let text = c.to_string();
            let once = of(text.as_bytes());
            assert_eq!(of(&once), once, "{c:?}");
            assert!(once.len() <= 2 * text.len(), "{c:?}");
        }
    }

    /// The fake server of the Composer package folds by this table. FWS_WRITE_FOLDING=1 writes it anew.
    #[test]
    fn the_table_of_the_php_package_is_the_cores() {
        let pairs = (0x80..=u32::from(char::MAX)).filter_map(char::from_u32).filter_map(|c| Some((c, folded(c))).filter(|(c, to)| c != to));
        // Runs: first, last, step between characters, distance to what each is folded to.
        let mut runs: Vec<[i64; 4]> = Vec::new();
        for (c, to) in pairs {
            let (c, distance) = (i64::from(u32::from(c)), i64::from(u32::from(to)) - i64::from(u32::from(c)));
            match runs.last_mut() {
                Some([first, last, step, same]) if *same == distance && c - *last <= 2 && (first == last || c - *last == *step) => {
                    *step = c - *last;
                    *last = c;
                }
                _ => runs.push([c, c, 1, distance]),
            }
        }
        let mut rows = String::new();
        for [first, last, step, distance] in runs {
            let _ = writeln!(rows, "        [0x{first:X}, 0x{last:X}, {step}, {distance}],");
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../php/src/Testing/Folding.php");
        let (begin, end) = ("    private const RUNS = [\n", "    ];\n");
        let now = std::fs::read_to_string(&path).expect("the package is there");
        let (head, rest) = now.split_once(begin).expect("the table has a beginning");
        let (_, tail) = rest.split_once(end).expect("and an end");
        let wanted = format!("{head}{begin}{rows}{end}{tail}");
        if std::env::var_os("FWS_WRITE_FOLDING").is_some() {
            std::fs::write(&path, &wanted).expect("writable");
        } else {
            assert!(now == wanted, "php/src/Testing/Folding.php is stale: FWS_WRITE_FOLDING=1 cargo test -p fws-hub writes it");
        }
    }
}
