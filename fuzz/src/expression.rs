//! Tag expressions against a parser and an evaluator that do nothing clever: one client at a time, one character at a time.

use std::collections::BTreeMap;

use fws_hub::{Expected, Expression, MAX_NAME, TagIndex};
use roaring::RoaringBitmap;

use crate::segments::Numbers;

/// How many clients there are to choose from.
const CLIENTS: u32 = 12;

/// An expression.
pub fn check(data: &[u8]) {
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
    for (name, starred) in names.into_iter().take(16) {
        if starred {
            tags.extend(["", "x", "*", "é1"].map(|filling| name.replace('*', filling)));
        } else {
            tags.extend([name.clone(), format!("{name}x")]);
        }
    }
    tags.retain(|tag| (1..=MAX_NAME).contains(&tag.len()));
    tags.sort();
    tags.dedup();
    tags
}

#[derive(Debug)]
enum Naive {
    Name { name: String, starred: bool },
    Not(Box<Naive>),
    And(Box<Naive>, Box<Naive>),
    Or(Box<Naive>, Box<Naive>),
}

impl Naive {
    fn selects(&self, tags: &[&str]) -> bool {
        match self {
            Naive::Name { name, starred: false } => tags.contains(&name.as_str()),
            Naive::Name { name, starred: true } => tags.iter().any(|tag| fits(name.as_bytes(), tag.as_bytes())),
            Naive::Not(node) => !node.selects(tags),
            Naive::And(one, other) => one.selects(tags) && other.selects(tags),
            Naive::Or(one, other) => one.selects(tags) || other.selects(tags),
        }
    }

    fn names(&self, names: &mut Vec<(String, bool)>) {
        match self {
            Naive::Name { name, starred } => names.push((name.clone(), *starred)),
            Naive::Not(node) => node.names(names),
            Naive::And(one, other) | Naive::Or(one, other) => {
                one.names(names);
                other.names(names);
            }
        }
    }
}

/// Whether a name with stars fits a tag: row by row, each saying for all beginnings of the tag whether this much of the name fits it.
fn fits(pattern: &[u8], tag: &[u8]) -> bool {
    let mut row = vec![false; tag.len() + 1];
    row[0] = true;
    for &part in pattern {
        let before = row.clone();
        for length in 0..=tag.len() {
            row[length] = match part {
                b'*' => before[..=length].contains(&true),
                part => length > 0 && before[length - 1] && tag[length - 1] == part,
            };
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
        } else if self.take_exactly("\"") {
            self.quoted()?
        } else {
            self.name()?
        };
        Some(if negative { Naive::Not(Box::new(node)) } else { node })
    }

    fn quoted(&mut self) -> Option<Naive> {
        let mut name = String::new();
        let mut characters = self.rest.chars();
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => name.push(characters.next().filter(|c| matches!(c, '"' | '\\'))?),
                other => name.push(other),
            }
        }
        self.rest = characters.as_str();
        (!name.is_empty() && name.len() <= MAX_NAME).then_some(Naive::Name { name, starred: false })
    }

    fn name(&mut self) -> Option<Naive> {
        let end = self.rest.find(|c: char| c.is_whitespace() || "()&|!\"".contains(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        let starred = name.contains('*');
        (!name.is_empty() && name.replace('*', "").len() <= MAX_NAME).then(|| Naive::Name { name: name.to_owned(), starred })
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
