//! What the engine tells a policy about finished passes.

use std::collections::BTreeMap;

use candle_core::Tensor;

use crate::layout::RowSet;

/// A finished training pass, as the regulariser sees it.
pub struct HaltingRecord {
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// Steps executed per row.
    pub depths: Vec<u32>,
    /// Logarithm of the distribution over depths, `[rows, D]`, of policies that have one.
    pub log_distribution: Option<Tensor>,
    /// Weights of the states after 0, 1, ..., D steps, `[rows, D + 1]`, of soft policies.
    pub weights: Option<Tensor>,
    /// Gate that a selecting policy returned for each step, `[rows]` each.
    pub gates: Vec<Tensor>,
    /// Which rows a selecting policy chose in each step.
    pub chosen: Vec<Vec<bool>>,
    /// What the policy [stashed](super::RowMemory::stash), by name, in the order of the steps.
    pub stash: BTreeMap<&'static str, Vec<Stashed>>,
}

/// A tensor that a policy kept of one decision.
#[derive(Debug, Clone)]
pub struct Stashed {
    /// Steps executed before the decision.
    pub step: usize,
    /// The rows that the decision was about.
    pub rows: RowSet,
    /// What was kept, `[rows.len(), ...]`.
    pub values: Tensor,
}

impl HaltingRecord {
    /// What the policy stashed as `name`, in the order of the steps.
    pub fn stashed(&self, name: &str) -> &[Stashed] {
        self.stash.get(name).map_or(&[], Vec::as_slice)
    }

    /// A record of executed depths and nothing else.
    pub fn new(max_depth: usize, depths: Vec<u32>) -> Self {
        Self {
            max_depth,
            depths,
            log_distribution: None,
            weights: None,
            gates: Vec::new(),
            chosen: Vec::new(),
            stash: BTreeMap::new(),
        }
    }
}

impl Stashed {
    /// Stashed values spread over all rows of the batch, `[total]`: 0 for the rows that the decision was not about. For
    /// stashes with one number for each row.
    ///
    /// # Errors
    /// If `values` are not of the shape `[rows.len()]`.
    pub fn over_all_rows(&self) -> crate::Result<Tensor> {
        let nothing = Tensor::zeros(self.rows.total(), self.values.dtype(), self.values.device())?;
        Ok(nothing.index_add(&self.rows.tensor(self.values.device())?, &self.values, 0)?)
    }
}

/// A token of a finished pass, with its depth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SourceToken {
    /// Id of the sequence, the same in every run.
    pub identity: u64,
    /// 0-based position in the sequence.
    pub position: u32,
    /// Token read at this position.
    pub input_token: u32,
    /// Size of the instance.
    pub size: u32,
    /// Split of the sequence: 0 for sizes seen in training, higher numbers for the others. Measures never mix splits.
    pub split: u32,
    /// Whether the prediction made here is part of an answer.
    pub is_answer: bool,
    /// Steps executed.
    pub depth: u32,
}

/// Depths that another cell gave to tokens, as a policy with a source reads them. Tokens are ordered by sequence and
/// position.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SourceDepths {
    /// Tokens of the evaluation that the policy is about to repeat.
    pub evaluation: Vec<SourceToken>,
    /// Tokens of instances from the training part: a policy may fit a rule on these.
    pub training: Vec<SourceToken>,
}
