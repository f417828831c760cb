//! Tag expressions: what a text like `(premium|vip)&!banned&group_*` means, and which clients it selects.
//!
//! Owns the grammar, its limits and the evaluation on bitmaps. Where the bitmaps come from is behind [`TagIndex`]; who is on which
//! route, and what is done with the clients found, is the registry's. `parser` turns the text into a tree of `node`s, of which the
//! names with `*` are in `wildcard`; `bitmaps` has the operations on sets of clients.
//!
//! ```text
//! any     = all ( ("|" | "||") all )*
//! all     = operand ( ("&" | "&&") operand )*
//! operand = "!"* ( "(" any ")" | name )                       white space is free between all of these
//! name    = ( bare | '"' quoted '"' )+                        no white space between the pieces: room_"a b"* is one name
//! bare    = any characters but white space ( ) & | ! "        "*" in it stands for any run of characters, also an empty one
//! quoted  = any characters, "*" being one like the others     \" and \\ for the two that need it
//! ```
//!
//! So what [`Expression::quote`] makes of any text stands for that text wherever a name, or a piece of one, may stand.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use hashbrown::HashMap;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

mod bitmaps;
mod node;
mod parser;
mod wildcard;

pub(crate) use bitmaps::add;
pub(crate) use wildcard::Wildcard;

use bitmaps::intersection;
use node::Node;

use crate::MAX_NAME;

/// A tag expression that was understood. It refers to tags by name, so it stays valid whatever happens to clients and tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression(Node);

impl Expression {
    /// The longest expression, bytes.
    pub const MAX_LENGTH: usize = 4096;
    /// How deep parentheses may be nested. Parsing, evaluating and dropping recurse that deep, on stacks that others chose.
    pub const MAX_DEPTH: usize = 64;
    /// How many names with `*` an expression may have. Each looks at every tag in use; everything else is a look-up.
    pub const MAX_WILDCARDS: usize = 64;

    /// Reads an expression. What cannot be understood is an error that says where and why, never an expression that selects nobody
    /// or everybody.
    pub fn parse(text: &str) -> Result<Expression, SyntaxError> {
        if text.len() > Self::MAX_LENGTH {
            return Err(SyntaxError { position: Self::MAX_LENGTH, expected: Expected::ShorterExpression });
        }
        Ok(Expression(parser::parse(text)?))
    }

    /// A text as a piece of an expression that stands for it, whatever it has in it: quoted, it is a name or a part of one.
    pub fn quote(text: &str) -> String {
        let mut quoted = String::with_capacity(text.len() + 2);
        quoted.push('"');
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                quoted.push('\\');
            }
            quoted.push(c);
        }
        quoted.push('"');
        quoted
    }

    /// Which of the live clients it selects: one bitmap operation per operator, and one per tag that a `*` matches.
    pub fn evaluate(&self, live: &RoaringBitmap, tags: &impl TagIndex) -> RoaringBitmap {
        self.evaluate_in(live, &Scanned(tags))
    }

    /// [`Expression::evaluate`], where the names with `*` are looked up in another way.
    pub(crate) fn evaluate_in(&self, live: &RoaringBitmap, sets: &impl Sets) -> RoaringBitmap {
        intersection(self.0.evaluate(live, sets), Cow::Borrowed(live)).into_owned()
    }

    /// Whether it selects a client with these tags.
    pub(crate) fn selects(&self, tags: &[Arc<str>]) -> bool {
        self.0.selects(tags)
    }

    /// The names in it.
    pub(crate) fn leaves(&self) -> Vec<Leaf<'_>> {
        let mut leaves = Vec::new();
        self.0.each_leaf(&mut |leaf| leaves.push(leaf));
        leaves
    }

    /// How many names without and with `*` it has.
    pub(crate) fn size(&self) -> (usize, usize) {
        let mut size = (0, 0);
        self.0.each_leaf(&mut |leaf| match leaf {
            Leaf::Tag(_) => size.0 += 1,
            Leaf::Wildcard(_) => size.1 += 1,
        });
        size
    }
}

/// A name in an expression.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Leaf<'a> {
    Tag(&'a str),
    Wildcard(&'a Wildcard),
}

/// Who has the tags that the names of an expression stand for.
pub(crate) trait Sets {
    /// The clients with a tag; `None` if nobody has it.
    fn tag(&self, name: &str) -> Option<&RoaringBitmap>;
    /// The clients with any tag that a name with `*` matches. It must be right about those in `within` only.
    fn wildcard(&self, wildcard: &Wildcard, within: &RoaringBitmap) -> Cow<'_, RoaringBitmap>;
}

/// Every tag is looked at for every name with `*`.
struct Scanned<'a, T>(&'a T);

impl<T: TagIndex> Sets for Scanned<'_, T> {
    fn tag(&self, name: &str) -> Option<&RoaringBitmap> {
        self.0.get(name)
    }

    fn wildcard(&self, wildcard: &Wildcard, within: &RoaringBitmap) -> Cow<'_, RoaringBitmap> {
        let mut found = Vec::new();
        self.0.each(&mut |tag, tagged| {
            if wildcard.matches(tag) {
                found.push(tagged.clone());
            }
        });
        Cow::Owned(wildcard.union(found.iter(), within))
    }
}

/// The sets of an expression's names, taken out of the registry.
#[derive(Debug)]
pub(crate) struct Resolved<'a> {
    pub live: RoaringBitmap,
    pub tags: HashMap<&'a str, RoaringBitmap>,
    pub wildcards: HashMap<&'a Wildcard, RoaringBitmap>,
}

impl Resolved<'_> {
    pub fn new(live: RoaringBitmap) -> Self {
        Resolved { live, tags: HashMap::new(), wildcards: HashMap::new() }
    }
}

impl Sets for Resolved<'_> {
    fn tag(&self, name: &str) -> Option<&RoaringBitmap> {
        self.tags.get(name)
    }

    fn wildcard(&self, wildcard: &Wildcard, _: &RoaringBitmap) -> Cow<'_, RoaringBitmap> {
        self.wildcards.get(wildcard).map_or_else(|| Cow::Owned(RoaringBitmap::new()), Cow::Borrowed)
    }
}

/// Why a text is not a tag expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("tag expression, byte {position}: expected {expected}")]
pub struct SyntaxError {
    /// Where, in bytes from the start; the length of the text if something is missing at its end.
    pub position: usize,
    /// What should have been there.
    pub expected: Expected,
}

/// What should have been where a [`SyntaxError`] points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expected {
    /// Something to select by: a name, a negation or a group.
    Operand,
    /// The expression is complete here, but the text goes on.
    OperatorOrEnd,
    /// A group was opened and not closed.
    OperatorOrParenthesis,
    /// A quoted name was opened and not closed.
    Quote,
    /// A backslash in a quoted name stands before anything else.
    Escape,
    /// A name that no tag can have, being empty or too long.
    PossibleName,
    /// Not so many groups within groups.
    LessNesting,
    /// Not so many names with `*`.
    FewerWildcards,
    /// Not so long a text.
    ShorterExpression,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Operand => f.write_str("a tag, '!' or '('"),
            Expected::OperatorOrEnd => f.write_str("'&', '|' or the end"),
            Expected::OperatorOrParenthesis => f.write_str("'&', '|' or ')'"),
            Expected::Quote => f.write_str("a closing '\"'"),
            Expected::Escape => f.write_str("'\"' or '\\' after '\\'"),
            Expected::PossibleName => write!(f, "a tag of 1 to {MAX_NAME} bytes"),
            Expected::LessNesting => write!(f, "at most {} nested parentheses", Expression::MAX_DEPTH),
            Expected::FewerWildcards => write!(f, "at most {} names with '*'", Expression::MAX_WILDCARDS),
            Expected::ShorterExpression => write!(f, "at most {} bytes", Expression::MAX_LENGTH),
        }
    }
}

/// Who has which tag.
pub trait TagIndex {
    /// The clients with a tag; `None` if nobody has it.
    fn get(&self, tag: &str) -> Option<&RoaringBitmap>;
    /// Calls `f` with every tag, once each, in any order.
    fn each(&self, f: &mut dyn FnMut(&str, &RoaringBitmap));
}

#[cfg(test)]
mod tests;
