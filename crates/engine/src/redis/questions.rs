//! Questions to other servers, and their answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fws_hub::ClusterError;
use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex};

/// Questions that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Questions {
    open: Mutex<HashMap<u64, Arc<Question>>>,
    last: AtomicU64,
}

/// One that somebody waits for.
#[derive(Debug)]
pub(super) struct Question {
    pub number: u64,
    /// It is for all servers: this one hears it as well, and does not answer.
    all: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How many servers answer; `None`: that is not known yet.
    expected: Option<u64>,
    answers: Vec<Vec<u8>>,
    failure: Option<ClusterError>,
}

impl State {
    fn is_complete(&self) -> bool {
        self.failure.is_some() || self.expected.is_some_and(|expected| self.answers.len() as u64 >= expected)
    }
}

impl Questions {
    /// A new question.
    pub fn open(&self, all: bool) -> Arc<Question> {
        // Never 0, which stands for none.
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let question = Arc::new(Question { number, all, state: Mutex::default(), changed: Condvar::new() });
        self.open.lock().insert(number, question.clone());
        question
    }

    fn change(&self, number: u64, change: impl FnOnce(&Question, &mut State)) {
        // Else it was given up: late answers are nobody's.
        let Some(question) = self.open.lock().get(&number).cloned() else { return };
        let mut state = question.state.lock();
        change(&question, &mut state);
        if state.is_complete() {
            question.changed.notify_all();
        }
    }

    /// So many servers have heard a question.
    pub fn reached(&self, number: u64, count: u64) {
        self.change(number, |question, state| state.expected = Some(count.saturating_sub(question.all.into())));
    }

    /// A server has answered.
    pub fn answered(&self, number: u64, answer: Vec<u8>) {
        self.change(number, |_, state| state.answers.push(answer));
    }

    /// A server does not do what is asked.
    pub fn refused(&self, number: u64, why: &str) {
        self.change(number, |_, state| state.failure = Some(ClusterError::Refused(why.into())));
    }

    /// It is not known whether anybody has heard it.
    pub fn fail(&self, number: u64) {
        self.change(number, |_, state| state.failure = Some(ClusterError::Timeout));
    }

    /// The connection is gone.
    pub fn fail_all(&self) {
        let numbers: Vec<u64> = self.open.lock().keys().copied().collect();
        for number in numbers {
            self.change(number, |_, state| state.failure = Some(ClusterError::Unavailable));
        }
    }
}

impl Question {
    /// Waits for the answers.
    pub fn wait(&self, questions: &Questions, timeout: Duration) -> Result<Vec<Vec<u8>>, ClusterError> {
        let until = Instant::now() + timeout;
        let mut state = self.state.lock();
        while !state.is_complete() && !self.changed.wait_until(&mut state, until).timed_out() {}
        let state = std::mem::take(&mut *state);
        questions.open.lock().remove(&self.number);
        match (state.failure, state.expected) {
            (Some(failure), _) => Err(failure),
            (None, None) => Err(ClusterError::Timeout),
            (None, Some(others)) => match others.saturating_sub(state.answers.len() as u64) {
                0 => Ok(state.answers),
                missing => {
                    let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
                    Err(ClusterError::Incomplete { missing: small(missing), others: small(others) })
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[test]
    fn all_answers_are_waited_for_and_one_that_does_not_come_is_missed() {
        let questions = Questions::default();
        let question = questions.open(true);
        questions.answered(question.number, b"early".to_vec());
        questions.reached(question.number, 3);
        questions.answered(question.number, b"late".to_vec());
        assert_eq!(question.wait(&questions, SOON), Ok(vec![b"early".to_vec(), b"late".to_vec()]));
        let question = questions.open(true);
        questions.reached(question.number, 3);
        questions.answered(question.number, Vec::new());
        assert_eq!(question.wait(&questions, SOON), Err(ClusterError::Incomplete { missing: 1, others: 2 }));
        questions.answered(question.number, b"too late".to_vec());
        assert!(questions.open.lock().is_empty());
    }

    #[test]
    fn a_question_that_nobody_hears_has_no_answer_and_one_of_which_nothing_is_known_has_timed_out() {
        let questions = Questions::default();
        let alone = questions.open(true);
        questions.reached(alone.number, 1);
        assert_eq!(alone.wait(&questions, SOON), Ok(Vec::new()));
        let gone = questions.open(false);
        questions.reached(gone.number, 0);
        assert_eq!(gone.wait(&questions, SOON), Ok(Vec::new()));
        assert_eq!(questions.open(false).wait(&questions, SOON), Err(ClusterError::Timeout));
        let refused = questions.open(false);
        questions.refused(refused.number, "no");
        assert_eq!(refused.wait(&questions, SOON), Err(ClusterError::Refused("no".into())));
        let cut = questions.open(false);
        questions.fail_all();
        assert_eq!(cut.wait(&questions, SOON), Err(ClusterError::Unavailable));
    }
}
