//! How an evaluation executes its steps.

/// How the steps of an evaluation are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// Halted tokens are not computed.
    Compacted,
    /// Every token is computed in all D steps and the results of halted ones are discarded: what a run without
    /// halting costs, and what compaction is checked against.
    Dense,
}
