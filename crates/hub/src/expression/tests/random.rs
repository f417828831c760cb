//! Expressions, quoted texts and plain nonsense, by chance.

use std::collections::{BTreeMap, BTreeSet};

use super::chance::{ANY, PLAIN, Random};
use super::tree::Tree;
use super::*;

#[test]
fn random_expressions_select_whom_a_brute_force_evaluator_selects() {
    let mut random = Random(88172645463325252);
    let (mut some, mut none, mut everyone) = (0, 0, 0);
    for _ in 0..100 {
        let pool: Vec<String> = (0..20).map(|n| random.name(if n % 2 == 0 { PLAIN } else { ANY })).collect();
        let mut live = RoaringBitmap::new();
        let mut index = Index::default();
        let mut tagged: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
        for _ in 0..40 {
            // Places far apart, so that a bitmap has several parts.
            let client = (random.below(4) * 65_536 + random.below(200)) as u32;
            let tags: BTreeSet<String> = (0..random.below(6)).map(|_| pool[random.below(pool.len() as u64) as usize].clone()).collect();
            for tag in &tags {
                index.0.entry(tag.clone()).or_default().insert(client);
            }
            // Not live, yet in the index: nothing may bring it back.
            if random.below(10) > 0 {
                live.insert(client);
            }
            tagged.entry(client).or_default().extend(tags);
        }
        for _ in 0..100 {
            let depth = random.below(5) as u32;
            let tree = Tree::random(&mut random, &pool, depth);
            let text = tree.print(&mut random);
            if text.len() > Expression::MAX_LENGTH || text.matches('*').count() > Expression::MAX_WILDCARDS {
                continue;
            }
            let expression = Expression::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let selected = expression.evaluate(&live, &index);
            let expected: RoaringBitmap =
                tagged.iter().filter(|(client, tags)| live.contains(**client) && tree.matches(tags)).map(|(client, _)| client).collect();
            assert_eq!(selected, expected, "{text}");
            match selected.len() {
                0 => none += 1,
                all if all == live.len() => everyone += 1,
                _ => some += 1,
            }
        }
    }
    assert!(some > 2_000 && some + none + everyone > 8_000, "{some} {none} {everyone}");
}

/// Texts of one to so many characters of any kind: with a meaning in expressions, of every length in UTF-8, white space, control characters.
fn any_text(random: &mut Random, most: u64) -> String {
    let kinds = [ANY, &['\0', '\n', '\t', '\u{a0}', '\u{3000}', '\u{2028}', '?', '\'', '$', '{', '%', 'ı', '\u{10ffff}'], PLAIN];
    (0..1 + random.below(most))
        .map(|_| match random.below(8) {
            0 => char::from_u32(random.below(0x11_0000) as u32).unwrap_or('x'),
            kind => random.one_of(kinds[kind as usize % kinds.len()]),
        })
        .collect()
}

#[test]
fn a_quoted_text_selects_those_who_have_exactly_this_tag_and_is_exactly_itself_within_a_name() {
    let mut random = Random(362436069);
    for _ in 0..3_000 {
        let mut text = any_text(&mut random, 12);
        while text.len() > MAX_NAME - 2 {
            text.pop();
        }
        let others = [
            text.clone() + "x",
            text[text.chars().next().map_or(0, char::len_utf8)..].to_owned(),
            text.replace('*', "xy"),
            any_text(&mut random, 3),
            "a".into(),
        ];
        let others: BTreeSet<&str> = others.iter().map(String::as_str).filter(|other| !other.is_empty() && *other != text).collect();
        let crowd: Vec<Vec<&str>> = [vec![text.as_str()], others.iter().copied().chain([text.as_str()]).collect()]
            .into_iter()
            .chain(others.iter().map(|other| vec![*other]))
            .chain([others.iter().copied().collect(), vec![]])
            .collect();
        let crowd_of = clients(crowd.iter().map(Vec::as_slice));
        let quoted = Expression::quote(&text);
        assert_eq!(select(&quoted, &crowd_of), [0, 1], "{quoted}");
        let rest: Vec<u32> = (2..crowd.len() as u32).collect();
        assert_eq!(select(&format!("!{quoted}"), &crowd_of), rest, "{quoted}");
        for expression in [format!("({quoted}&{quoted})|{quoted}&!!{quoted}"), format!(" {quoted}\n")] {
            assert_eq!(select(&expression, &crowd_of), [0, 1], "{expression}");
        }
        let inner = format!("<{text}>");
        assert!(selects(&format!("<{quoted}>"), &[&inner]) && !selects(&format!("<{quoted}>"), &[&text, "<>"]), "{quoted}");
        assert!(selects(&format!("*{quoted}*"), &[&inner]) && selects(&format!("<*{quoted}*>"), &[&inner]), "{quoted}");
    }
    assert_eq!(Expression::quote(""), r#""""#);
    assert!(selects(&format!("room_{}", Expression::quote("")), &["room_"]));
    let longest = "\"".repeat(MAX_NAME);
    assert!(selects(&Expression::quote(&longest), &[&longest]));
    assert_eq!(stuck(&Expression::quote(&(longest + "x"))), (0, Expected::PossibleName));
}

#[test]
fn a_random_text_is_an_expression_or_an_error_within_it() {
    let mut random = Random(2463534242);
    let mut parsed = 0;
    for _ in 0..50_000 {
        let text: String = (0..random.below(16)).map(|_| random.one_of(ANY)).collect();
        match Expression::parse(&text) {
            Ok(_) => parsed += 1,
            Err(error) => assert!(text.is_char_boundary(error.position), "{text}: {error}"),
        }
    }
    assert!(parsed > 1_000, "{parsed}");
}
