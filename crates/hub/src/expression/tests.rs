use std::collections::BTreeMap;

use super::*;

mod chance;
mod random;
mod speed;
mod tree;

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
