use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::*;

#[derive(Default)]
struct Index(BTreeMap<String, RoaringBitmap>);

impl TagIndex for Index {
    fn get(&self, tag: &str) -> Option<&RoaringBitmap> {
        self.0.get(tag)
    }
    fn each(&self, f: &mut dyn FnMut(&str, &RoaringBitmap)) {
        self.0.iter().for_each(|(tag, tagged)| f(tag, tagged));
    }
}

/// Clients 0, 1, 2 … with these tags, all live.
fn clients<'a>(tags: impl IntoIterator<Item = &'a [&'a str]>) -> (RoaringBitmap, Index) {
    let (mut live, mut index) = (RoaringBitmap::new(), Index::default());
    for (client, tags) in tags.into_iter().enumerate() {
        live.insert(client as u32);
        for tag in tags {
            index.0.entry(tag.to_string()).or_default().insert(client as u32);
        }
    }
    (live, index)
}

fn select(text: &str, (live, index): &(RoaringBitmap, Index)) -> Vec<u32> {
    match Expression::parse(text) {
        Ok(expression) => expression.evaluate(live, index).iter().collect(),
        Err(error) => panic!("{text}: {error}"),
    }
}

/// Whether one client with these tags is selected.
fn selects(text: &str, tags: &[&str]) -> bool {
    select(text, &clients([tags])) == [0]
}

fn stuck(text: &str) -> (usize, Expected) {
    match Expression::parse(text) {
        Ok(expression) => panic!("{text}: {expression:?}"),
        Err(SyntaxError { position, expected }) => (position, expected),
    }
}

#[test]
fn what_the_reference_implementation_gets_wrong_is_right_here() {
    assert!(selects("(premium|vip)&(grenoble|lyon)&!banned", &["premium", "lyon"]));
    assert!(selects("(premium|vip)&(grenoble|lyon)&!banned", &["vip", "grenoble", "other"]));
    assert!(!selects("(premium|vip)&(grenoble|lyon)&!banned", &["vip", "grenoble", "banned"]));
    assert!(!selects("(premium|vip)&(grenoble|lyon)&!banned", &["vip", "premium"]));
    assert!(!selects("!(banned)&(premium)", &["banned", "premium"]));
    assert!(selects("!(banned)&(premium)", &["premium"]));
    assert!(selects("*admin", &["superadmin"]) && selects("*admin", &["admin"]) && !selects("*admin", &["admins"]));
    assert!(selects("a&b&c", &["a", "b", "c"]) && !selects("a&b&c", &["a", "b"]) && !selects("a&b&c", &["b", "c"]));
    assert!(selects("a*c*e", &["abcde"]) && selects("a*c*e", &["ace"]) && selects("a*c*e", &["accee"]));
    assert!(!selects("a*c*e", &["ae"]) && !selects("a*c*e", &["abcd"]) && !selects("a*c*e", &["aec"]));
    assert!(selects("group_*", &["group_7"]) && selects("group_*", &["group_"]) && !selects("group_*", &["group"]));
}

#[test]
fn not_binds_over_and_over_or() {
    let all = clients([&[] as &[&str], &["a"], &["b"], &["a", "b"], &["c"], &["a", "c"], &["b", "c"], &["a", "b", "c"]]);
    for (text, expected) in [
        ("a|b&c", vec![1, 3, 5, 6, 7]),
        ("(a|b)&c", vec![5, 6, 7]),
        ("a&b|c", vec![3, 4, 5, 6, 7]),
        ("!a&b", vec![2, 6]),
        ("!(a&b)", vec![0, 1, 2, 4, 5, 6]),
        ("!a|b", vec![0, 2, 3, 4, 6, 7]),
        ("a&!b&!c", vec![1]),
        ("!a&!b", vec![0, 4]),
        ("!!a", vec![1, 3, 5, 7]),
        ("!!!a", vec![0, 2, 4, 6]),
        ("a || b && c", vec![1, 3, 5, 6, 7]),
        (" \t( a\n|\u{3000}b ) & ! c ", vec![1, 2, 3]),
        ("((a))", vec![1, 3, 5, 7]),
        ("*", vec![1, 2, 3, 4, 5, 6, 7]),
        ("!*", vec![0]),
        ("nobody", vec![]),
        ("a&nobody&b", vec![]),
        ("!nobody", vec![0, 1, 2, 3, 4, 5, 6, 7]),
    ] {
        assert_eq!(select(text, &all), expected, "{text}");
    }
}

#[test]
fn a_name_may_have_any_character_in_quotes_and_most_without() {
    for (text, tag) in [
        ("rôle:modérateur/🦀", "rôle:modérateur/🦀"),
        (r"a\b-c.d", r"a\b-c.d"),
        (r#""a & (b|!c)""#, "a & (b|!c)"),
        (r#""say \"hi\" \\""#, r#"say "hi" \"#),
        (r#""*""#, "*"),
        ("\"line\nbreak\0\"", "line\nbreak\0"),
    ] {
        assert!(selects(text, &[tag]), "{text}");
        assert!(!selects(text, &["other"]), "{text}");
    }
    assert!(selects("x|\"a b\"&c", &["a b", "c"]));
    for (text, tag) in [
        (r#"room_"a b""#, "room_a b"),
        (r#""a b"_room"#, "a b_room"),
        (r#"a"*"b"|"c"#, "a*b|c"),
        (r#""a""b""#, "ab"),
        ("\"\"\"a\"\"\"", "a"),
        (r#"a"\"""\\""#, r#"a"\"#),
        (r#"room_"a|b"*"#, "room_a|b and more"),
        (r#"*"*"*"#, "has a * in it"),
        (r#"*"" "#, "whatever"),
        (r#"""*"end""#, "the end"),
        (r#"a*"b c"*d"#, "a-b c-d"),
    ] {
        assert!(selects(text, &[tag]), "{text}");
        assert!(!selects(&format!("({text})&!\"{}\"", tag.replace('\\', r"\\").replace('"', r#"\""#)), &[tag]), "{text}");
    }
    assert!(!selects(r#"room_"*""#, &["room_1"]) && selects(r#"room_"*""#, &["room_*"]), "a star in quotes is one");
}

#[test]
fn an_error_says_where_and_what_was_expected() {
    for (text, position, expected) in [
        ("", 0, Expected::Operand),
        ("  ", 2, Expected::Operand),
        ("a&", 2, Expected::Operand),
        ("a & ", 4, Expected::Operand),
        ("&a", 0, Expected::Operand),
        ("a&|b", 2, Expected::Operand),
        ("a&&&b", 3, Expected::Operand),
        ("a & & b", 4, Expected::Operand),
        ("a||", 3, Expected::Operand),
        ("!", 1, Expected::Operand),
        ("a&!)", 3, Expected::Operand),
        ("()", 1, Expected::Operand),
        ("(a|)", 3, Expected::Operand),
        ("é b", 3, Expected::OperatorOrEnd),
        ("a!b", 1, Expected::OperatorOrEnd),
        ("a)", 1, Expected::OperatorOrEnd),
        ("a(b)", 1, Expected::OperatorOrEnd),
        ("\"a\" \"b\"", 4, Expected::OperatorOrEnd),
        ("a \"b\"", 2, Expected::OperatorOrEnd),
        ("a\"b", 3, Expected::Quote),
        ("(a", 2, Expected::OperatorOrParenthesis),
        ("(a b)", 3, Expected::OperatorOrParenthesis),
        ("((a)", 4, Expected::OperatorOrParenthesis),
        ("a|\"b", 4, Expected::Quote),
        ("\"a\\\"", 4, Expected::Quote),
        ("\"a\\n\"", 3, Expected::Escape),
        ("\"a\\", 3, Expected::Escape),
        ("a|\"\"", 2, Expected::PossibleName),
        ("a|\"\"\"\"", 2, Expected::PossibleName),
    ] {
        assert_eq!(stuck(text), (position, expected), "{text}");
    }
    let error = Expression::parse("(a b)").expect_err("no operator");
    assert_eq!(error.to_string(), "tag expression, byte 3: expected '&', '|' or ')'");
}

#[test]
fn what_is_one_over_a_limit_is_an_error() {
    let name = "é".repeat(127) + "x";
    assert!(selects(&name, &[&name]) && selects(&format!("\"{name}\""), &[&name]) && selects(&format!("*{name}*"), &[&name]));
    for text in
        [format!("a|{name}y"), format!("a|\"{name}y\""), format!("a|*{name}y"), format!("a|\"{name}\"y"), format!("a|*\"{name}\"*y")]
    {
        assert_eq!(stuck(&text), (2, Expected::PossibleName));
    }
    let nested = |depth| "(".repeat(depth) + "a" + &")".repeat(depth);
    assert!(selects(&nested(Expression::MAX_DEPTH), &["a"]));
    assert_eq!(stuck(&nested(Expression::MAX_DEPTH + 1)), (Expression::MAX_DEPTH, Expected::LessNesting));
    let side_by_side = ["(a)"; 1000].join("|");
    assert!(selects(&side_by_side, &["a"]), "only nesting is limited");
    let wildcards = |count| vec!["a*"; count].join("|");
    assert!(selects(&wildcards(Expression::MAX_WILDCARDS), &["ab"]));
    assert_eq!(stuck(&wildcards(Expression::MAX_WILDCARDS + 1)), (Expression::MAX_WILDCARDS * 3, Expected::FewerWildcards));
    let long = "a".to_owned() + &" ".repeat(Expression::MAX_LENGTH - 1);
    assert!(selects(&long, &["a"]));
    assert_eq!(stuck(&(long + " ")), (Expression::MAX_LENGTH, Expected::ShorterExpression));
}

#[test]
fn hostile_expressions_are_refused_or_evaluated_at_once() {
    let long = "a".repeat(MAX_NAME);
    for text in ["!", "(", "(!", "((a)|", "a&(", "\"", "\\", "*", "a*", "a|", "a&", "!a|", "*|", "(a)&", "\"\\", "()", "é"] {
        let text: String = text.chars().cycle().take(Expression::MAX_LENGTH / text.chars().next().map_or(1, char::len_utf8)).collect();
        for text in [text.clone(), text[..text.len() - 1 - text.ends_with('é') as usize].to_owned() + "a"] {
            if let Ok(expression) = Expression::parse(&text) {
                let (live, index) = clients([[&*long].as_slice()]);
                expression.evaluate(&live, &index);
            }
        }
    }
    assert!(selects(&("!".repeat(4094) + "a"), &["a"]), "an even number of negations");
    assert!(!selects(&("!".repeat(4095) + "a"), &["a"]));
    let names: Vec<String> = (0..1000).map(|n| format!("{n}{}", &long[4..])).collect();
    let crowd: Vec<Vec<&str>> = names.iter().map(|name| vec![&**name]).collect();
    let crowd = clients(crowd.iter().map(Vec::as_slice));
    assert_eq!(select("*a*a*a*a*b", &crowd), [0u32; 0]);
    assert_eq!(select(&["*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"; 64].join("|"), &crowd), [0u32; 0]);
    assert_eq!(select(&("*a".repeat(120) + "*b"), &crowd), [0u32; 0]);
}

/// Any thread may ask, and the C library chooses its stack: 128 KiB with musl. Unoptimised frames are ten times as large.
#[test]
fn the_deepest_expression_needs_little_stack() {
    let deep = || {
        let text = "!(a&".repeat(Expression::MAX_DEPTH) + "b" + &")".repeat(Expression::MAX_DEPTH);
        selects(&text, &["a", "b"])
    };
    let size = if cfg!(debug_assertions) { 2 << 20 } else { 112 << 10 };
    let thread = std::thread::Builder::new().stack_size(size).spawn(deep).expect("a thread");
    assert!(thread.join().expect("no overflow"));
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// Few letters, so that names meet: some with a meaning of their own, and of one to four bytes.
    fn name(&mut self, letters: &[char]) -> String {
        (0..1 + self.below(4)).map(|_| self.one_of(letters)).collect()
    }
}

const PLAIN: &[char] = &['a', 'b', 'é', '🦀', '\\'];
const ANY: &[char] = &['a', 'b', 'é', '🦀', '\\', '"', '*', ' ', '&', '|', '!', '(', ')'];
const WILD: &[char] = &['a', 'b', 'é', '*', '*'];

/// What was meant by an expression, evaluated client by client.
enum Tree {
    Tag(String),
    Wildcard(String),
    Not(Box<Tree>),
    All(Vec<Tree>),
    Any(Vec<Tree>),
}

impl Tree {
    /// Mostly of names that somebody has.
    fn random(random: &mut Random, pool: &[String], depth: u32) -> Tree {
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

    fn matches(&self, tags: &BTreeSet<String>) -> bool {
        match self {
            Tree::Tag(tag) => tags.contains(tag),
            Tree::Wildcard(pattern) => tags.iter().any(|tag| glob(pattern, tag)),
            Tree::Not(tree) => !tree.matches(tags),
            Tree::All(trees) => trees.iter().all(|tree| tree.matches(tags)),
            Tree::Any(trees) => trees.iter().any(|tree| tree.matches(tags)),
        }
    }

    /// As text, with parentheses where they are needed and now and then where they are not.
    fn print(&self, random: &mut Random) -> String {
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

/// `cargo test --release -p fws-hub expression -- --ignored --nocapture`
#[test]
#[ignore = "a measurement: run it in release"]
fn a_hundred_thousand_clients_are_searched_in_less_than_a_millisecond() {
    const CLIENTS: u32 = 100_000;
    let mut random = Random(88172645463325252);
    let mut index = Index::default();
    for client in 0..CLIENTS {
        let mut tag = |tag: &str| {
            index.0.entry(tag.to_owned()).or_default().insert(client);
        };
        for (name, one_in) in [("premium", 3), ("vip", 10), ("grenoble", 4), ("lyon", 4), ("banned", 20)] {
            if random.below(one_in) == 0 {
                tag(name);
            }
        }
        for _ in 0..2 {
            tag(&format!("group_{}", random.below(495)));
        }
        for _ in 0..4 {
            tag(&format!("other_{}", random.below(500)));
        }
    }
    assert_eq!(index.0.len(), 1000);
    let live: RoaringBitmap = (0..=CLIENTS).collect();
    let measure = |what: &str, text: &str, index: &Index| {
        let mut times: Vec<Duration> = (0..200)
            .map(|_| {
                let start = Instant::now();
                let expression = Expression::parse(text).expect("an expression");
                std::hint::black_box(expression.evaluate(&live, index));
                start.elapsed()
            })
            .collect();
        times.sort_unstable();
        let found = Expression::parse(text).expect("an expression").evaluate(&live, index).len();
        println!("{what}: {:?} median, {:?} at worst of 200, {found} found: {text}", times[100], times[199]);
        times[100]
    };
    let text = "(premium|vip)&(grenoble|lyon)&!banned&group_*";
    let time = measure("two groups each", text, &index);
    measure("without the groups", "(premium|vip)&(grenoble|lyon)&!banned", &index);
    measure("no positive name", "!banned&!vip", &index);
    measure("every tag", "*", &index);
    // A quarter of all in each group: half as many tags as clients may have.
    for group in 0..495 {
        let group = index.0.entry(format!("group_{group}")).or_default();
        (0..CLIENTS).filter(|_| random.below(4) == 0).for_each(|client| _ = group.insert(client));
    }
    let crowded = measure("a hundred groups each", text, &index);
    measure("a hundred groups each", "group_*4&!*7", &index);
    // One without a group: now a search for the groups has to look at all of them.
    for name in ["premium", "lyon"] {
        index.0.entry(name.to_owned()).or_default().insert(CLIENTS);
    }
    measure("one without", text, &index);
    if !cfg!(debug_assertions) {
        assert!(time < Duration::from_millis(1) && crowded < Duration::from_millis(1), "{time:?} {crowded:?}");
    }
}
