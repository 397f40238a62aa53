//! Execution of an evaluation's steps.

/// How the steps of an evaluation are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// Halted tokens are not computed.
    Compacted,
    /// Every token is computed in all D steps, and results of halted tokens are discarded. Costs as much as a run
    /// without halting; tests compare compaction with it.
    Dense,
}
