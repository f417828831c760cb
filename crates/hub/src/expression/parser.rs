//! From the text of an expression to its nodes: the grammar at the head of [`super`], and its limits.

use std::borrow::Cow;
use std::cell::Cell;

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_while, take_while1};
use nom::character::complete::char;
use nom::error::{ErrorKind, ParseError};
use nom::multi::{fold_many0, fold_many1, many0_count, separated_list1};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};

use super::node::Node;
use super::wildcard::Wildcard;
use super::{Expected, Expression, SyntaxError};
use crate::MAX_NAME;

/// Reads a whole text.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let wildcards = Cell::new(0);
    let parsed = preceded(space, |input| any(input, Context { depth: 0, wildcards: &wildcards })).parse(text);
    let stuck = match parsed {
        Ok(("", node)) => return Ok(node),
        Ok((rest, _)) => Stuck { rest, expected: Expected::OperatorOrEnd },
        Err(nom::Err::Error(stuck) | nom::Err::Failure(stuck)) => stuck,
        Err(nom::Err::Incomplete(_)) => unreachable!("bug: a streaming parser among the complete ones"),
    };
    Err(SyntaxError { position: text.len() - stuck.rest.len(), expected: stuck.expected })
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
