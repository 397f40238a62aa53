//! Status of a model or cell.

use serde::{Deserialize, Serialize};

/// State of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not started, or stopped and ready to be resumed.
    Pending,
    /// Running if its lock is held; otherwise its process died, and it can be resumed.
    Running,
    /// Finished.
    Done,
    /// Failed for a reason that would occur again.
    Failed,
    /// Stopped at a limit on its time, neither done nor failed; the next run continues.
    Stopped,
}

/// `status.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// State.
    pub state: State,
    /// Why it failed or was stopped, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// blake3 of `result.json`, once it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

impl Status {
    /// A state without a cause.
    pub fn of(state: State) -> Self {
        Self { state, cause: None, result: None }
    }

    /// Done, with a result of this hash.
    pub fn done(result: String) -> Self {
        Self { result: Some(result), ..Self::of(State::Done) }
    }

    /// Stopped because of `cause`.
    pub fn stopped(cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..Self::of(State::Stopped) }
    }

    /// Failed because of `cause`.
    pub fn failed(cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..Self::of(State::Failed) }
    }
}
