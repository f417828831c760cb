//! Expressions by chance, of which it is known whom they select.

use std::collections::BTreeSet;

use super::Expression;
use super::chance::{ANY, PLAIN, Random, WILD};

/// What was meant by an expression, evaluated client by client.
pub(super) enum Tree {
    Tag(String),
    Wildcard(String),
    Not(Box<Tree>),
    All(Vec<Tree>),
    Any(Vec<Tree>),
}

impl Tree {
    /// Mostly of names that somebody has.
    pub fn random(random: &mut Random, pool: &[String], depth: u32) -> Tree {
        let kind = if depth == 0 { random.below(3) } else { random.below(8) };
        let known = pool[random.below(pool.len() as u64) as usize].clone();
        let some = |random: &mut Random| (0..2 + random.below(3)).map(|_| Tree::random(random, pool, depth - 1)).collect();
        match kind {
            0 if random.below(4) == 0 => Tree::Tag(random.name(ANY)),
            0 | 1 => Tree::Tag(known),
            2 if random.below(2) == 0 && known.chars().all(|c| PLAIN.contains(&c)) => {
                Tree::Wildcard(known.replace(random.one_of(PLAIN), "*") + "*")
            }
            2 => Tree::Wildcard(random.name(WILD) + "*" + &random.name(WILD)),
            3 => Tree::Not(Box::new(Tree::random(random, pool, depth - 1))),
            4 | 5 => Tree::All(some(random)),
            _ => Tree::Any(some(random)),
        }
    }

    pub fn matches(&self, tags: &BTreeSet<String>) -> bool {
        match self {
            Tree::Tag(tag) => tags.contains(tag),
            Tree::Wildcard(pattern) => tags.iter().any(|tag| glob(pattern, tag)),
            Tree::Not(tree) => !tree.matches(tags),
            Tree::All(trees) => trees.iter().all(|tree| tree.matches(tags)),
            Tree::Any(trees) => trees.iter().any(|tree| tree.matches(tags)),
        }
    }

    /// As text, with parentheses where they are needed and now and then where they are not.
    pub fn print(&self, random: &mut Random) -> String {
        let list = |random: &mut Random, trees: &[Tree], operators: &[&str], loose: fn(&Tree) -> bool| {
            let mut text = String::new();
            for (n, tree) in trees.iter().enumerate() {
                if n > 0 {
                    text += random.one_of(operators);
                }
                text += &tree.print_in(random, loose(tree));
            }
            text
        };
        let text = match self {
            Tree::Tag(tag) => pieces(random, tag, false),
            Tree::Wildcard(pattern) => pieces(random, pattern, true),
            Tree::Not(tree) => "!".to_owned() + &tree.print_in(random, matches!(**tree, Tree::All(_) | Tree::Any(_))),
            Tree::All(trees) => list(random, trees, &["&", "&&", " & "], |tree| matches!(tree, Tree::Any(_))),
            Tree::Any(trees) => list(random, trees, &["|", "||", "\t||\n"], |_| false),
        };
        format!("{}{text}{}", random.one_of(&["", "", " "]), random.one_of(&["", "", "  "]))
    }

    fn print_in(&self, random: &mut Random, parentheses: bool) -> String {
        let text = self.print(random);
        if parentheses || random.below(5) == 0 { format!("({text})") } else { text }
    }
}

/// A name in pieces, quoted where it must be and now and then where it need not be; a star of a pattern is never quoted.
fn pieces(random: &mut Random, name: &str, pattern: bool) -> String {
    let mut text = String::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let most = rest.chars().take_while(|&c| !(pattern && c == '*')).count() as u64;
        let taken: String = rest.chars().take(1 + random.below(most.max(1)) as usize).collect();
        let quoted = !(pattern && first == '*') && (random.below(4) == 0 || taken.chars().any(|c| !PLAIN.contains(&c)));
        text += &if quoted { Expression::quote(&taken) } else { taken.clone() };
        rest = &rest[taken.len()..];
    }
    text
}

/// By the definition: a `*` takes nothing, or one character more.
fn glob(pattern: &str, name: &str) -> bool {
    let Some(first) = pattern.chars().next() else { return name.is_empty() };
    let after = |text: &str| text.chars().skip(1).collect::<String>();
    match first {
        '*' => glob(&after(pattern), name) || (!name.is_empty() && glob(pattern, &after(name))),
        _ => name.starts_with(first) && glob(&after(pattern), &after(name)),
    }
}
