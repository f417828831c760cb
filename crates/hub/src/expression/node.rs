//! An expression as it was understood: its nodes, their order, and whom they select.

use std::borrow::Cow;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::bitmaps::{difference, intersection, union};
use super::wildcard::Wildcard;
use super::{Leaf, Sets};

/// A name, or an operator with what it stands between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Tag(Box<str>),
    Wildcard(Wildcard),
    Not(Box<Node>),
    /// Two or more, in the order in which to evaluate them.
    All(Vec<Node>),
    /// Two or more.
    Any(Vec<Node>),
}

impl Node {
    pub(super) fn all(mut nodes: Vec<Node>) -> Node {
        // What may narrow the search for little comes first, and a negation behind what it can be taken away from.
        nodes.sort_by_key(|node| (node.has_wildcard(), matches!(node, Node::Not(_)), !matches!(node, Node::Tag(_))));
        if nodes.len() == 1 { nodes.remove(0) } else { Node::All(nodes) }
    }

    pub(super) fn any(mut nodes: Vec<Node>) -> Node {
        if nodes.len() == 1 { nodes.remove(0) } else { Node::Any(nodes) }
    }

    pub(super) fn not(self) -> Node {
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

    pub(super) fn each_leaf<'a>(&'a self, each: &mut impl FnMut(Leaf<'a>)) {
        match self {
            Node::Tag(tag) => each(Leaf::Tag(tag)),
            Node::Wildcard(wildcard) => each(Leaf::Wildcard(wildcard)),
            Node::Not(node) => node.each_leaf(each),
            Node::All(nodes) | Node::Any(nodes) => nodes.iter().for_each(|node| node.each_leaf(each)),
        }
    }

    /// Whether it selects a client with these tags.
    pub(super) fn selects(&self, tags: &[Arc<str>]) -> bool {
        match self {
            Node::Tag(name) => tags.iter().any(|tag| **tag == **name),
            Node::Wildcard(wildcard) => tags.iter().any(|tag| wildcard.matches(tag)),
            Node::Not(node) => !node.selects(tags),
            Node::All(nodes) => nodes.iter().all(|node| node.selects(tags)),
            Node::Any(nodes) => nodes.iter().any(|node| node.selects(tags)),
        }
    }

    /// A set that is right about the clients in `within`; about others it may say anything. So a tag's bitmap is lent as it is, and
    /// what need not be known is not worked out.
    pub(super) fn evaluate<'a>(&self, within: &RoaringBitmap, tags: &'a impl Sets) -> Cow<'a, RoaringBitmap> {
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
