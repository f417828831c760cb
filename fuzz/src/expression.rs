//! Tag expressions against a parser and an evaluator that do nothing clever: one client at a time, one character at a time. And any text,
//! quoted, as a part of an expression.

use std::collections::BTreeMap;

use fws_hub::{Expected, Expression, MAX_NAME, TagIndex};
use roaring::RoaringBitmap;

use crate::segments::Numbers;

/// How many clients there are to choose from.
const CLIENTS: u32 = 12;

/// An expression; or, behind a byte that is not of UTF-8, a text to be quoted.
pub fn check(data: &[u8]) {
    match data.split_first() {
        Some((0xff, text)) => check_quoted(&String::from_utf8_lossy(text)),
        _ => check_expression(data),
    }
}

/// Quoted, a text selects those who have it as a tag and nobody else, alone and as a part of a name.
fn check_quoted(text: &str) {
    let quoted = Expression::quote(text);
    let possible = (1..=MAX_NAME).contains(&text.len());
    let Ok(expression) = Expression::parse(&quoted) else {
        assert!(!possible, "{quoted:?} was refused");
        return;
    };
    assert!(possible, "{quoted:?} was accepted");
    let others = tags(&Naive::Name { pieces: vec![Part::Text(text.to_owned())] });
    let starred = tags(&Naive::Name { pieces: text.chars().map(|c| if c == '*' { Part::Star } else { Part::Text(c.into()) }).collect() });
    let mut index = Index::default();
    for (client, tag) in others.iter().chain(&starred).enumerate() {
        index.0.entry(tag.clone()).or_default().insert(client as u32);
    }
    let live: RoaringBitmap = (0..(others.len() + starred.len()) as u32).collect();
    let wanted = index.0.get(text).cloned().unwrap_or_default();
    assert_eq!(expression.evaluate(&live, &index), wanted, "{quoted:?}");
    let negated = Expression::parse(&format!("!({quoted})")).expect("a negation");
    assert_eq!(negated.evaluate(&live, &index), &live - &wanted, "!({quoted:?})");

    let around = format!("a{text}b");
    if around.len() <= MAX_NAME {
        let mut index = Index::default();
        index.0.insert(around, [0].into_iter().collect());
        index.0.entry("ab".to_owned()).or_default().insert(1);
        for name in [format!("a{quoted}b"), format!("a*{quoted}*b")] {
            let found = Expression::parse(&name).expect("a name in pieces").evaluate(&[0, 1].into_iter().collect(), &index);
            assert_eq!(found, [0].into_iter().collect::<RoaringBitmap>(), "{name:?}");
        }
    }
}

fn check_expression(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let naive = Reader { rest: &text, text: &text }.read();
    let expression = match (Expression::parse(&text), naive) {
        (Ok(expression), Some(naive)) => (expression, naive),
        (Ok(_), None) => panic!("{text:?} was accepted"),
        (Err(error), naive) => {
            assert!(
                error.position <= text.len() && text.is_char_boundary(error.position.min(text.len()))
                    || text.len() > Expression::MAX_LENGTH
            );
            let bounded = matches!(
                error.expected,
                Expected::PossibleName | Expected::LessNesting | Expected::FewerWildcards | Expected::ShorterExpression
            );
            assert!(bounded || naive.is_none(), "{text:?} was refused: {error}");
            return;
        }
    };
    let (expression, naive) = expression;
    let tags = tags(&naive);
    let mut numbers = Numbers::of(data);
    let (mut index, mut live) = (Index::default(), RoaringBitmap::new());
    let mut wanted = RoaringBitmap::new();
    for client in 0..CLIENTS {
        let own: Vec<&str> = tags.iter().map(String::as_str).filter(|_| numbers.below(2) == 0).collect();
        for tag in &own {
            index.0.entry((*tag).to_owned()).or_default().insert(client);
        }
        // Tags of those who are gone are not to be seen.
        if numbers.below(8) != 0 {
            live.insert(client);
            if naive.selects(&own) {
                wanted.insert(client);
            }
        }
    }
    assert_eq!(expression.evaluate(&live, &index), wanted, "{text:?} with {index:?}");
}

#[derive(Debug, Default)]
struct Index(BTreeMap<String, RoaringBitmap>);

impl TagIndex for Index {
    fn get(&self, tag: &str) -> Option<&RoaringBitmap> {
        self.0.get(tag)
    }

    fn each(&self, f: &mut dyn FnMut(&str, &RoaringBitmap)) {
        self.0.iter().for_each(|(tag, clients)| f(tag, clients));
    }
}

/// Tags that the expression is likely to tell apart: its names, with other things for their stars.
fn tags(naive: &Naive) -> Vec<String> {
    let mut names = Vec::new();
    naive.names(&mut names);
    let mut tags = vec!["other".to_owned()];
    for pieces in names.into_iter().take(16) {
        tags.extend(["", "x", "*", "é1"].map(|filling| filled(&pieces, filling)));
        tags.push(filled(&pieces, "") + "x");
    }
    tags.retain(|tag| (1..=MAX_NAME).contains(&tag.len()));
    tags.sort();
    tags.dedup();
    tags
}

/// A part of a name.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Star,
}

/// A name with something in the place of its stars.
fn filled(pieces: &[Part], filling: &str) -> String {
    pieces
        .iter()
        .map(|part| match part {
            Part::Text(text) => text,
            Part::Star => filling,
        })
        .collect()
}

#[derive(Debug)]
enum Naive {
    Name { pieces: Vec<Part> },
    Not(Box<Naive>),
    And(Box<Naive>, Box<Naive>),
    Or(Box<Naive>, Box<Naive>),
}

impl Naive {
    fn selects(&self, tags: &[&str]) -> bool {
        match self {
            Naive::Name { pieces } => tags.iter().any(|tag| fits(pieces, tag.as_bytes())),
            Naive::Not(node) => !node.selects(tags),
            Naive::And(one, other) => one.selects(tags) && other.selects(tags),
            Naive::Or(one, other) => one.selects(tags) || other.selects(tags),
        }
    }

    fn names(&self, names: &mut Vec<Vec<Part>>) {
        match self {
            Naive::Name { pieces } => names.push(pieces.clone()),
            Naive::Not(node) => node.names(names),
            Naive::And(one, other) | Naive::Or(one, other) => {
                one.names(names);
                other.names(names);
            }
        }
    }
}

/// Whether a name fits a tag: row by row, each saying for all beginnings of the tag whether this much of the name fits it.
fn fits(name: &[Part], tag: &[u8]) -> bool {
    let mut row = vec![false; tag.len() + 1];
    row[0] = true;
    let mut step = |wanted: Option<u8>| {
        let before = row.clone();
        for length in 0..=tag.len() {
            row[length] = match wanted {
                None => before[..=length].contains(&true),
                Some(byte) => length > 0 && before[length - 1] && tag[length - 1] == byte,
            };
        }
    };
    for part in name {
        match part {
            Part::Star => step(None),
            Part::Text(text) => text.bytes().for_each(|byte| step(Some(byte))),
        }
    }
    row[tag.len()]
}

/// Reads the grammar by one function for each of its lines.
struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Reader<'_> {
    fn read(mut self) -> Option<Naive> {
        if self.text.len() > Expression::MAX_LENGTH {
            return None;
        }
        let node = self.any(0)?;
        self.rest.is_empty().then_some(node)
    }

    fn any(&mut self, depth: usize) -> Option<Naive> {
        let mut node = self.all(depth)?;
        while self.take("||") || self.take("|") {
            node = Naive::Or(Box::new(node), Box::new(self.all(depth)?));
        }
        Some(node)
    }

    fn all(&mut self, depth: usize) -> Option<Naive> {
        let mut node = self.operand(depth)?;
        while self.take("&&") || self.take("&") {
            node = Naive::And(Box::new(node), Box::new(self.operand(depth)?));
        }
        Some(node)
    }

    fn operand(&mut self, depth: usize) -> Option<Naive> {
        let mut negative = false;
        while self.take("!") {
            negative = !negative;
        }
        let node = if self.take("(") {
            if depth == Expression::MAX_DEPTH {
                return None;
            }
            let node = self.any(depth + 1)?;
            self.take(")").then_some(node)?
        } else {
            self.name()?
        };
        Some(if negative { Naive::Not(Box::new(node)) } else { node })
    }

    fn name(&mut self) -> Option<Naive> {
        let mut pieces = Vec::new();
        loop {
            if self.take_exactly("\"") {
                pieces.push(Part::Text(self.quoted()?));
            } else if self.take_exactly("*") {
                pieces.push(Part::Star);
            } else if let Some(c) = self.rest.chars().next().filter(|&c| !c.is_whitespace() && !"()&|!".contains(c)) {
                pieces.push(Part::Text(c.into()));
                self.rest = &self.rest[c.len_utf8()..];
            } else {
                break;
            }
        }
        let length = filled(&pieces, "").len();
        (length <= MAX_NAME && (length > 0 || pieces.contains(&Part::Star))).then_some(Naive::Name { pieces })
    }

    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut characters = self.rest.chars();
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => text.push(characters.next().filter(|c| matches!(c, '"' | '\\'))?),
                other => text.push(other),
            }
        }
        self.rest = characters.as_str();
        Some(text)
    }

    fn take(&mut self, what: &str) -> bool {
        self.rest = self.rest.trim_start();
        let taken = self.take_exactly(what);
        self.rest = self.rest.trim_start();
        taken
    }

    fn take_exactly(&mut self, what: &str) -> bool {
        let rest = self.rest.strip_prefix(what);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}
