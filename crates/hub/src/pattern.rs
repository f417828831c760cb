//! Regular expressions over stored values, in a search that can be stopped.
//!
//! The regex crate takes time in proportion to the length of the value *times* the size of the expression, and cannot be interrupted. So it
//! gets values only where that product is small. Longer ones are searched here, by the same automaton, state by state: slower, but
//! [`GoOn`] is asked all the time.

use regex::bytes::{Regex, RegexBuilder};
use regex_automata::nfa::thompson::{self, NFA, State, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;

use crate::information::InformationError;
use crate::patience::{GoOn, Stopped};

/// A regular expression made ready.
#[derive(Debug)]
pub struct Pattern {
    regex: Regex,
    nfa: NFA,
    walk: Walk,
}

impl Pattern {
    /// The longest regular expression, bytes.
    const MAX_LENGTH: usize = 4096;
    /// What a compiled one may take, bytes.
    const MAX_COMPILED: usize = 1 << 20;
    /// Bytes of a value times states of the automaton that the regex crate gets in one piece: some ten milliseconds at worst.
    const MAX_PIECE: usize = 1 << 21;

    /// Reads an expression, which must be UTF-8.
    pub fn new(text: &[u8]) -> Result<Pattern, InformationError> {
        let text = std::str::from_utf8(text).map_err(|_| InformationError::Pattern("it is not UTF-8".into()))?;
        if text.len() > Self::MAX_LENGTH {
            return Err(InformationError::Pattern(format!("it has more than {} bytes", Self::MAX_LENGTH)));
        }
        let regex = RegexBuilder::new(text)
            .size_limit(Self::MAX_COMPILED)
            .dfa_size_limit(Self::MAX_COMPILED)
            .build()
            .map_err(|why| InformationError::Pattern(why.to_string()))?;
        let config = thompson::Config::new().utf8(false).nfa_size_limit(Some(Self::MAX_COMPILED)).which_captures(WhichCaptures::None);
        let nfa = thompson::Compiler::new()
            .syntax(syntax::Config::new().utf8(false))
            .configure(config)
            .build(text)
            .map_err(|why| InformationError::Pattern(why.to_string()))?;
        Ok(Pattern { regex, walk: Walk::new(nfa.states().len()), nfa })
    }

    /// Whether it fits anywhere in a value.
    pub fn fits(&mut self, value: &[u8], go_on: &mut dyn GoOn) -> Result<bool, Stopped> {
        if value.len().saturating_mul(self.nfa.states().len()) <= Self::MAX_PIECE {
            return Ok(self.regex.is_match(value));
        }
        self.walk.is_match(&self.nfa, value, go_on)
    }
}

/// The states that the automaton is in: a breadth-first walk, each state at most once for each byte.
#[derive(Debug)]
struct Walk {
    current: Vec<StateID>,
    next: Vec<StateID>,
    /// For each state, behind which byte it was entered last, counted from 1.
    entered: Vec<usize>,
    /// States that are still to be followed without a byte.
    stack: Vec<StateID>,
    steps: u32,
}

impl Walk {
    /// How often [`GoOn`] is asked.
    const STEPS: u32 = 4096;

    fn new(states: usize) -> Walk {
        Walk { current: Vec::new(), next: Vec::new(), entered: vec![0; states], stack: Vec::new(), steps: 0 }
    }

    fn is_match(&mut self, nfa: &NFA, value: &[u8], go_on: &mut dyn GoOn) -> Result<bool, Stopped> {
        self.current.clear();
        self.entered.fill(0);
        // It begins anywhere: the automaton itself has a loop for that.
        if self.enter(nfa, nfa.start_unanchored(), value, 0, go_on)? {
            return Ok(true);
        }
        std::mem::swap(&mut self.current, &mut self.next);
        for (at, &byte) in value.iter().enumerate() {
            if self.current.is_empty() {
                return Ok(false);
            }
            self.next.clear();
            for of in 0..self.current.len() {
                self.step(go_on)?;
                let to = match nfa.state(self.current[of]) {
                    State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
                    State::Sparse(transitions) => transitions.matches_byte(byte),
                    State::Dense(transitions) => transitions.matches_byte(byte),
                    State::Look { .. }
                    | State::Union { .. }
                    | State::BinaryUnion { .. }
                    | State::Capture { .. }
                    | State::Fail
                    | State::Match { .. } => None,
                };
                if let Some(to) = to
                    && self.enter(nfa, to, value, at + 1, go_on)?
                {
                    return Ok(true);
                }
            }
            std::mem::swap(&mut self.current, &mut self.next);
        }
        Ok(false)
    }

    /// Enters a state, and all that are reached from it without a byte. `true`: one of them is the end.
    fn enter(&mut self, nfa: &NFA, state: StateID, value: &[u8], at: usize, go_on: &mut dyn GoOn) -> Result<bool, Stopped> {
        self.stack.clear();
        self.stack.push(state);
        while let Some(state) = self.stack.pop() {
            self.step(go_on)?;
            if std::mem::replace(&mut self.entered[state], at + 1) == at + 1 {
                continue;
            }
            match nfa.state(state) {
                State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) => self.next.push(state),
                State::Look { look, next } => {
                    if nfa.look_matcher().matches(*look, value, at) {
                        self.stack.push(*next);
                    }
                }
                State::Union { alternates } => self.stack.extend_from_slice(alternates),
                State::BinaryUnion { alt1, alt2 } => self.stack.extend([*alt1, *alt2]),
                State::Capture { next, .. } => self.stack.push(*next),
                State::Fail => {}
                State::Match { .. } => return Ok(true),
            }
        }
        Ok(false)
    }

    fn step(&mut self, go_on: &mut dyn GoOn) -> Result<(), Stopped> {
        self.steps += 1;
        if self.steps < Self::STEPS {
            return Ok(());
        }
        self.steps = 0;
        go_on.go_on()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts how often it is asked, up to a limit.
    struct Asked(usize, usize);

    impl GoOn for Asked {
        fn go_on(&mut self) -> Result<(), Stopped> {
            self.0 += 1;
            if self.0 > self.1 { Err(Stopped::TimeLimit) } else { Ok(()) }
        }
    }

    fn walked(pattern: &str, value: &[u8]) -> bool {
        let mut pattern = Pattern::new(pattern.as_bytes()).expect("legal");
        let Pattern { nfa, walk, .. } = &mut pattern;
        walk.is_match(nfa, value, &mut Asked(0, usize::MAX)).expect("patient")
    }

    #[test]
    fn the_walk_finds_what_the_regex_crate_finds() {
        let patterns = [
            "",
            "a",
            "^a",
            "a$",
            "^$",
            "a*b",
            "(a|b)+c",
            "[^a]",
            "(?i)GRÜN",
            "\\bgrün\\b",
            "\\Bn",
            "(?-u:\\xff)",
            "(?-u:\\b)x",
            "(?s).",
            "(?m)^b$",
            "a{2,3}c",
            "\\p{Greek}+",
            "(?s-u:^.{3}$)",
            "x?",
            "[a-z]+\\z",
            "\\w\\d",
            "(a*)*b",
            "\\b{start}g",
            "(?R)$",
        ];
        let values: [&[u8]; 12] = [
            b"",
            b"a",
            b"b",
            b"aab",
            b"abcabc",
            "ein grün-Ton".as_bytes(),
            b"\xff",
            b"a\nb\nc",
            "σίσυφος".as_bytes(),
            b"x\xffx",
            b"w1",
            b"aaac",
        ];
        for pattern in patterns {
            let Ok(regex) = Regex::new(pattern) else {
                assert!(Pattern::new(pattern.as_bytes()).is_err(), "{pattern}");
                continue;
            };
            for value in values {
                assert_eq!(walked(pattern, value), regex.is_match(value), "{pattern:?} in {:?}", String::from_utf8_lossy(value));
            }
        }
    }

    #[test]
    fn long_values_are_walked_and_the_walk_can_be_stopped() {
        let hostile = Pattern::new(b"(?:a?){200}[ab]{400}c");
        let mut hostile = hostile.expect("legal");
        let mut value = vec![b'a'; 1 << 20];
        assert_eq!(hostile.fits(&value, &mut Asked(0, 100)), Err(Stopped::TimeLimit));
        let mut simple = Pattern::new(b"lyon$").expect("legal");
        let mut asked = Asked(0, usize::MAX);
        assert_eq!(simple.fits(&value, &mut asked), Ok(false));
        assert!(asked.0 > 0, "a value of 1 MiB is not given to the regex crate in one piece");
        value.extend_from_slice(b"lyon");
        assert_eq!(simple.fits(&value, &mut asked), Ok(true));
    }

    #[test]
    fn what_is_wrong_or_too_big_is_refused() {
        for pattern in ["(", "a{999999}{999999}", "\\w{500}\\w{500}\\w{500}", "(?=a)", "(a)\\1"] {
            assert!(matches!(Pattern::new(pattern.as_bytes()), Err(InformationError::Pattern(_))), "{pattern}");
        }
        assert!(Pattern::new(&vec![b'a'; Pattern::MAX_LENGTH]).is_ok());
        assert!(Pattern::new(&vec![b'a'; Pattern::MAX_LENGTH + 1]).is_err());
        assert!(Pattern::new(b"\xff").is_err());
    }
}
