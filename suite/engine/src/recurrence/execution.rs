//! How an evaluation executes its steps, and what a step computed.

use std::sync::Arc;

use haltbench_sdk::layout::RowSet;

/// How the steps of an evaluation are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// Halted tokens are not computed.
    Compacted,
    /// Every token is computed in all D steps and the results of halted ones are discarded: what a run without
    /// halting costs, and what compaction is checked against.
    Dense,
}

/// What one step of a pass computed.
#[derive(Clone)]
pub(super) struct StepWork {
    /// The rows that were computed.
    pub rows: RowSet,
    /// The rows that their attention might see; `None` means all.
    pub visible: Option<Arc<Vec<bool>>>,
    /// Rows whose keys and values alone were projected.
    pub projected: RowSet,
}
