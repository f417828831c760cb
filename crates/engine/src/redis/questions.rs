//! Questions to other servers, and their answers.
//!
//! Who has to answer is known by name: how many connections Redis has given a question to says little, as a broken one may be among them that Redis
//! has not noticed yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use fws_hub::ClusterError;
use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex};

use super::node::NodeId;

/// Questions that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Questions {
    open: Mutex<HashMap<u64, Arc<Question>>>,
    last: AtomicU64,
}

/// One that somebody waits for. It is open until this is dropped.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    questions: &'a Questions,
    question: Arc<Question>,
    pub number: u64,
}

#[derive(Debug, Default)]
struct Question {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How many connections of servers have heard it; `None`: that is not known yet.
    reached: Option<u64>,
    answers: Vec<(NodeId, Vec<u8>)>,
    failure: Option<ClusterError>,
}

/// How far a question is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Progress {
    pub reached: Option<u64>,
    /// Who has answered.
    pub answered: Vec<NodeId>,
}

impl Questions {
    /// A new question.
    pub fn open(&self) -> Asked<'_> {
        // Never 0, which stands for none.
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let question = Arc::<Question>::default();
        self.open.lock().insert(number, question.clone());
        Asked { questions: self, question, number }
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut State)) {
        // Else it was given up: late answers are nobody's.
        let Some(question) = self.open.lock().get(&number).cloned() else { return };
        change(&mut question.state.lock());
        question.changed.notify_all();
    }

    /// So many connections have heard a question.
    pub fn reached(&self, number: u64, count: u64) {
        self.change(number, |state| state.reached = Some(count));
    }

    /// A server has answered. It is heard once, though it may have been asked twice.
    pub fn answered(&self, number: u64, from: NodeId, answer: Vec<u8>) {
        self.change(number, |state| {
            if state.answers.iter().all(|(node, _)| *node != from) {
                state.answers.push((from, answer));
            }
        });
    }

    /// A server does not do what is asked.
    pub fn refused(&self, number: u64, why: &str) {
        self.change(number, |state| state.failure = Some(ClusterError::Refused(why.into())));
    }

    /// It is not known whether anybody has heard it.
    pub fn fail(&self, number: u64) {
        self.change(number, |state| state.failure = Some(ClusterError::Timeout));
    }

    /// The connection is gone.
    pub fn fail_all(&self) {
        let numbers: Vec<u64> = self.open.lock().keys().copied().collect();
        for number in numbers {
            self.change(number, |state| state.failure = Some(ClusterError::Unavailable));
        }
    }
}

impl Asked<'_> {
    /// Waits until it is enough, or until then. How far it is.
    pub fn wait(&self, until: Instant, enough: impl Fn(&Progress) -> bool) -> Result<Progress, ClusterError> {
        let mut state = self.question.state.lock();
        loop {
            if let Some(failure) = &state.failure {
                return Err(failure.clone());
            }
            let progress = Progress { reached: state.reached, answered: state.answers.iter().map(|(node, _)| *node).collect() };
            if enough(&progress) || self.question.changed.wait_until(&mut state, until).timed_out() {
                return Ok(progress);
            }
        }
    }

    /// The answers that have come.
    pub fn answers(self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.question.state.lock().answers).into_iter().map(|(_, answer)| answer).collect()
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.questions.open.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn node() -> NodeId {
        NodeId::random().expect("randomness")
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[test]
    fn each_server_is_heard_once_and_answers_that_come_too_late_are_nobodys() {
        let (questions, one, other) = (Questions::default(), node(), node());
        let asked = questions.open();
        let number = asked.number;
        questions.answered(number, one, b"early".to_vec());
        questions.reached(number, 3);
        questions.answered(number, one, b"again".to_vec());
        let progress = asked.wait(soon(), |progress| progress.answered.len() == 2).expect("no failure");
        assert_eq!(progress, Progress { reached: Some(3), answered: vec![one] });
        questions.answered(number, other, b"other".to_vec());
        assert!(asked.wait(soon(), |progress| progress.answered.len() == 2).is_ok_and(|progress| progress.answered == [one, other]));
        assert_eq!(asked.answers(), [b"early".to_vec(), b"other".to_vec()]);
        questions.answered(number, one, b"too late".to_vec());
        assert!(questions.open.lock().is_empty());
    }

    #[test]
    fn a_question_fails_when_it_is_refused_or_the_connection_is_gone() {
        let questions = Questions::default();
        let refused = questions.open();
        questions.refused(refused.number, "no");
        assert_eq!(refused.wait(soon(), |_| false), Err(ClusterError::Refused("no".into())));
        let cut = questions.open();
        questions.fail_all();
        assert_eq!(cut.wait(soon(), |_| false), Err(ClusterError::Unavailable));
        let unknown = questions.open();
        questions.fail(unknown.number);
        assert_eq!(unknown.wait(soon(), |_| false), Err(ClusterError::Timeout));
    }
}
