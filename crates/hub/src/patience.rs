//! How long something may take that nobody can say in advance.

use serde::{Deserialize, Serialize};

/// Why something that takes long was given up. Nothing was changed or sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Stopped {
    /// It took longer than it may.
    #[error("the search took longer than search_timeout allows: search for less, or find clients by their tags")]
    TimeLimit,
    /// The caller does not want the answer any more.
    #[error("the search was interrupted by its caller")]
    Interrupted,
}

/// Says whether something that takes long goes on. It is asked often, at least every few milliseconds, and never while anything is locked.
pub trait GoOn {
    /// An error: it ends now, and that is why.
    fn go_on(&mut self) -> Result<(), Stopped>;
}

/// For as long as it takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Always;

impl GoOn for Always {
    fn go_on(&mut self) -> Result<(), Stopped> {
        Ok(())
    }
}
