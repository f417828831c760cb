//! Tag expressions: what a text like `(premium|vip)&!banned&group_*` means, and which clients it selects.
//!
//! Owns the grammar, its limits and the evaluation on bitmaps. Where the bitmaps come from is behind [`TagIndex`]; who is on which
//! route, and what is done with the clients found, is the registry's.
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
use std::cell::Cell;
use std::fmt;

use hashbrown::HashMap;
use memchr::memmem;
use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_while, take_while1};
use nom::character::complete::char;
use nom::error::{ErrorKind, ParseError};
use nom::multi::{fold_many0, fold_many1, many0_count, separated_list1};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

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
        let wildcards = Cell::new(0);
        let parsed = preceded(space, |input| any(input, Context { depth: 0, wildcards: &wildcards })).parse(text);
        let stuck = match parsed {
            Ok(("", node)) => return Ok(Expression(node)),
            Ok((rest, _)) => Stuck { rest, expected: Expected::OperatorOrEnd },
            Err(nom::Err::Error(stuck) | nom::Err::Failure(stuck)) => stuck,
            Err(nom::Err::Incomplete(_)) => unreachable!("bug: a streaming parser among the complete ones"),
        };
        Err(SyntaxError { position: text.len() - stuck.rest.len(), expected: stuck.expected })
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

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Tag(Box<str>),
    Wildcard(Wildcard),
    Not(Box<Node>),
    /// Two or more, in the order in which to evaluate them.
    All(Vec<Node>),
    /// Two or more.
    Any(Vec<Node>),
}

impl Node {
    fn all(mut nodes: Vec<Node>) -> Node {
        // What may narrow the search for little comes first, and a negation behind what it can be taken away from.
        nodes.sort_by_key(|node| (node.has_wildcard(), matches!(node, Node::Not(_)), !matches!(node, Node::Tag(_))));
        if nodes.len() == 1 { nodes.remove(0) } else { Node::All(nodes) }
    }

    fn any(mut nodes: Vec<Node>) -> Node {
        if nodes.len() == 1 { nodes.remove(0) } else { Node::Any(nodes) }
    }

    fn not(self) -> Node {
        if let Node::Not(inner) = self { *inner } else { Node::Not(Box::new(self)) }
    }

    fn has_wildcard(&self) -> bool {
        match self {
            Node::Tag(_) => false,
            Node::Wildcard(_) => true,
            Node::Not(node) => node.has_wildcard(),
            Node::All(nodes) | Node::Any(nodes) => nodes.iter().any(Node::has_wildcard),
        }
    }

    fn each_leaf<'a>(&'a self, each: &mut impl FnMut(Leaf<'a>)) {
        match self {
            Node::Tag(tag) => each(Leaf::Tag(tag)),
            Node::Wildcard(wildcard) => each(Leaf::Wildcard(wildcard)),
            Node::Not(node) => node.each_leaf(each),
            Node::All(nodes) | Node::Any(nodes) => nodes.iter().for_each(|node| node.each_leaf(each)),
        }
    }

    /// A set that is right about the clients in `within`; about others it may say anything. So a tag's bitmap is lent as it is, and
    /// what need not be known is not worked out.
    fn evaluate<'a>(&self, within: &RoaringBitmap, tags: &'a impl Sets) -> Cow<'a, RoaringBitmap> {
        match self {
            Node::Tag(tag) => tags.tag(tag).map_or_else(|| Cow::Owned(RoaringBitmap::new()), Cow::Borrowed),
            Node::Wildcard(wildcard) => tags.wildcard(wildcard, within),
            Node::Not(node) => Cow::Owned(within - &*node.evaluate(within, tags)),
            Node::Any(nodes) => nodes.iter().map(|node| node.evaluate(within, tags)).reduce(union).expect("bug: any of nothing"),
            Node::All(nodes) => {
                let (first, others) = nodes.split_first().expect("bug: all of nothing");
                let mut found = first.evaluate(within, tags);
                for node in others {
                    if found.is_empty() {
                        break;
                    }
                    found = match node {
                        Node::Not(node) => {
                            let without = node.evaluate(&found, tags);
                            difference(found, &without)
                        }
                        node => {
                            let also = node.evaluate(&found, tags);
                            intersection(found, also)
                        }
                    };
                }
                found
            }
        }
    }
}

/// A name with `*`: what it begins with, what it ends with, and what comes between in this order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Wildcard {
    prefix: Box<str>,
    middle: Vec<Box<str>>,
    suffix: Box<str>,
}

impl Wildcard {
    /// A text in which only `*` is special. `None`: there is none in it.
    pub fn of(text: &str) -> Option<Wildcard> {
        let (prefix, rest) = text.split_once('*')?;
        let mut middle: Vec<Box<str>> = rest.split('*').map(Box::from).collect();
        let suffix = middle.pop().unwrap_or_default();
        middle.retain(|piece| !piece.is_empty());
        Some(Wildcard { prefix: prefix.into(), middle, suffix })
    }

    /// Linear in the name: taking each piece where it is first found leaves the most for the others, so nothing is tried twice.
    pub fn matches(&self, name: &str) -> bool {
        let Some(mut rest) = name.strip_prefix(&*self.prefix).and_then(|rest| rest.strip_suffix(&*self.suffix)) else { return false };
        self.middle.iter().all(|piece| match memmem::find(rest.as_bytes(), piece.as_bytes()) {
            Some(at) => {
                rest = &rest[at + piece.len()..];
                true
            }
            None => false,
        })
    }

    /// What each name begins with that it matches.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What comparing it with a name costs beside looking at the name, in the steps of [`Steps`](crate::Steps).
    pub fn cost(&self) -> usize {
        self.middle.len().div_ceil(4)
    }

    /// The union of the sets of the tags that it matches.
    pub fn union<'a>(&self, tags: impl Iterator<Item = &'a RoaringBitmap>, within: &RoaringBitmap) -> RoaringBitmap {
        let mut found = RoaringBitmap::new();
        for (n, tagged) in tags.enumerate() {
            add(&mut found, tagged);
            // Once all who matter are in, hundreds of large unions would change nothing; looking costs as much as one of them.
            if (n + 1).is_power_of_two() && within.is_subset(&found) {
                break;
            }
        }
        found
    }
}

/// Adds a set to another one. Most tags are those of a few clients: uniting sets container by container costs ten times as much for them.
pub(crate) fn add(found: &mut RoaringBitmap, tagged: &RoaringBitmap) {
    const FEW: u64 = 16;
    if tagged.len() <= FEW {
        tagged.iter().for_each(|client| {
            found.insert(client);
        });
    } else {
        *found |= tagged;
    }
}

fn union<'a>(one: Cow<'a, RoaringBitmap>, other: Cow<'a, RoaringBitmap>) -> Cow<'a, RoaringBitmap> {
    Cow::Owned(match (one, other) {
        (Cow::Owned(one), Cow::Owned(other)) => one | other,
        (Cow::Owned(owned), Cow::Borrowed(lent)) | (Cow::Borrowed(lent), Cow::Owned(owned)) => owned | lent,
        (Cow::Borrowed(one), Cow::Borrowed(other)) => one | other,
    })
}

fn intersection<'a>(one: Cow<'a, RoaringBitmap>, other: Cow<'a, RoaringBitmap>) -> Cow<'a, RoaringBitmap> {
    Cow::Owned(match (one, other) {
        (Cow::Owned(one), Cow::Owned(other)) => one & other,
        (Cow::Owned(owned), Cow::Borrowed(lent)) | (Cow::Borrowed(lent), Cow::Owned(owned)) => owned & lent,
        (Cow::Borrowed(one), Cow::Borrowed(other)) => one & other,
    })
}

fn difference<'a>(from: Cow<'a, RoaringBitmap>, without: &RoaringBitmap) -> Cow<'a, RoaringBitmap> {
    Cow::Owned(match from {
        Cow::Owned(from) => from - without,
        Cow::Borrowed(from) => from - without,
    })
}

/// Where parsing could not go on, and what it wanted. As nom's *error* it means "try something else"; as its *failure* it is final.
#[derive(Debug)]
struct Stuck<'a> {
    rest: &'a str,
    expected: Expected,
}

type Parsed<'a, O> = IResult<&'a str, O, Stuck<'a>>;

impl<'a> ParseError<&'a str> for Stuck<'a> {
    fn from_error_kind(rest: &'a str, _: ErrorKind) -> Self {
        Stuck { rest, expected: Expected::Operand }
    }
    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// What is handed down to inner groups.
#[derive(Clone, Copy)]
struct Context<'c> {
    depth: usize,
    /// How many there have been in the whole expression.
    wildcards: &'c Cell<usize>,
}

fn fail<'a, O>(rest: &'a str, expected: Expected) -> Parsed<'a, O> {
    Err(nom::Err::Failure(Stuck { rest, expected }))
}

/// There is no other way to read the text than with `parser` here. So no text is read twice, however deep the groups.
fn need<'a, O>(
    expected: Expected,
    mut parser: impl Parser<&'a str, Output = O, Error = Stuck<'a>>,
) -> impl Parser<&'a str, Output = O, Error = Stuck<'a>> {
    move |input| match parser.parse(input) {
        Err(nom::Err::Error(_)) => fail(input, expected),
        result => result,
    }
}

fn space(input: &str) -> Parsed<'_, &str> {
    take_while(char::is_whitespace).parse(input)
}

fn any<'a>(input: &'a str, context: Context<'_>) -> Parsed<'a, Node> {
    let operator = terminated(alt((tag("||"), tag("|"))), space);
    separated_list1(operator, |input| all(input, context)).map(Node::any).parse(input)
}

fn all<'a>(input: &'a str, context: Context<'_>) -> Parsed<'a, Node> {
    let operator = terminated(alt((tag("&&"), tag("&"))), space);
    separated_list1(operator, |input| operand(input, context)).map(Node::all).parse(input)
}

fn operand<'a>(input: &'a str, context: Context<'_>) -> Parsed<'a, Node> {
    // Counted rather than nested: 4,000 of them are as flat as one.
    let (input, negations) = many0_count((char('!'), space)).parse(input)?;
    let positive = alt((|input| group(input, context), |input| name(input, context)));
    let (input, node) = terminated(need(Expected::Operand, positive), space).parse(input)?;
    Ok((input, if negations % 2 == 1 { node.not() } else { node }))
}

fn group<'a>(input: &'a str, context: Context<'_>) -> Parsed<'a, Node> {
    let (inner, _) = terminated(char('('), space).parse(input)?;
    if context.depth == Expression::MAX_DEPTH {
        return fail(input, Expected::LessNesting);
    }
    let context = Context { depth: context.depth + 1, ..context };
    terminated(|input| any(input, context), need(Expected::OperatorOrParenthesis, char(')'))).parse(inner)
}

/// A name as it is read: what stands between its stars, so one text more than there are stars.
struct Name {
    texts: Vec<String>,
}

impl Name {
    fn new() -> Name {
        Name { texts: vec![String::new()] }
    }

    fn with(mut self, piece: Piece<'_>) -> Name {
        let mut texts = match piece {
            Piece::Bare(text) => text.split('*').map(Cow::Borrowed).collect::<Vec<_>>(),
            Piece::Quoted(text) => vec![Cow::Owned(text)],
        }
        .into_iter();
        if let (Some(last), Some(first)) = (self.texts.last_mut(), texts.next()) {
            last.push_str(&first);
        }
        self.texts.extend(texts.map(Cow::into_owned));
        self
    }

    fn stars(&self) -> usize {
        self.texts.len() - 1
    }

    /// `None`: no tag fits it.
    fn node(mut self) -> Option<Node> {
        let len: usize = self.texts.iter().map(String::len).sum();
        if len > MAX_NAME || (self.stars() == 0 && len == 0) {
            return None;
        }
        let suffix = self.texts.pop()?.into_boxed_str();
        if self.texts.is_empty() {
            return Some(Node::Tag(suffix));
        }
        let prefix = self.texts.remove(0).into_boxed_str();
        let middle = self.texts.into_iter().filter(|text| !text.is_empty()).map(String::into_boxed_str).collect();
        Some(Node::Wildcard(Wildcard { prefix, middle, suffix }))
    }
}

enum Piece<'a> {
    Bare(&'a str),
    Quoted(String),
}

fn quoted(input: &str) -> Parsed<'_, Piece<'_>> {
    let (inner, _) = char('"').parse(input)?;
    let escape = preceded(char('\\'), need(Expected::Escape, alt((tag("\""), tag("\\")))));
    let run = alt((is_not("\"\\"), escape));
    let mut runs = fold_many0(run, String::new, |text, run| text + run);
    let (inner, text) = runs.parse(inner)?;
    let (rest, _) = need(Expected::Quote, char('"')).parse(inner)?;
    Ok((rest, Piece::Quoted(text)))
}

fn bare(input: &str) -> Parsed<'_, Piece<'_>> {
    take_while1(|c: char| !c.is_whitespace() && !"()&|!\"".contains(c)).map(Piece::Bare).parse(input)
}

fn name<'a>(input: &'a str, context: Context<'_>) -> Parsed<'a, Node> {
    let (rest, name) = fold_many1(alt((quoted, bare)), Name::new, Name::with).parse(input)?;
    let wildcards = context.wildcards.get() + usize::from(name.stars() > 0);
    let Some(node) = name.node() else { return fail(input, Expected::PossibleName) };
    if wildcards > Expression::MAX_WILDCARDS {
        return fail(input, Expected::FewerWildcards);
    }
    context.wildcards.set(wildcards);
    Ok((rest, node))
}

#[cfg(test)]
mod tests;
