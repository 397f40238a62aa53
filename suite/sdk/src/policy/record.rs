//! What the engine tells a policy about finished passes.

use std::collections::BTreeMap;

use candle_core::Tensor;

use crate::error::{Error, Result};
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
    /// What the policy stashed as `name`, in the order of the steps; empty if it stashed nothing at all, as with D = 1.
    ///
    /// # Errors
    /// [`Error::Unknown`] if the policy stashed other names but not this one.
    pub fn stashed(&self, name: &str) -> Result<&[Stashed]> {
        match self.stash.get(name) {
            Some(stashed) => Ok(stashed),
            None if self.stash.is_empty() => Ok(&[]),
            None => Err(Error::unknown("stash of the policy", name, self.stash.keys().copied())),
        }
    }

    /// Expected depth of each token, the mean of its distribution over depths, `[rows]`, with gradients.
    ///
    /// # Errors
    /// [`Error::Contract`] for a policy without a distribution.
    pub fn expected_depths(&self) -> Result<Tensor> {
        let without =
            || Error::contract("policy", "asks for expected depths without giving a distribution over depths");
        let distribution = self.log_distribution.as_ref().ok_or_else(without)?.exp()?;
        let depths: Vec<f64> = (1..=self.max_depth).map(|depth| depth as f64).collect();
        let depths = Tensor::from_vec(depths, self.max_depth, distribution.device())?.to_dtype(distribution.dtype())?;
        Ok(distribution.broadcast_mul(&depths)?.sum(1)?)
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
    pub fn over_all_rows(&self) -> Result<Tensor> {
        let nothing = Tensor::zeros(self.rows.total(), self.values.dtype(), self.values.device())?;
        Ok(nothing.index_add(&self.rows.tensor(self.values.device())?, &self.values, 0)?)
    }
}

/// A token of a finished pass, with its depth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SourceToken {
    /// Id of the sequence, as [`TokenLayout::identity`](crate::layout::TokenLayout::identity) has it.
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

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::HaltingRecord;

    #[test]
    fn the_expected_depth_is_the_mean_of_the_distribution() {
        let q = Tensor::new(&[[0.5f64, 0.25, 0.25], [0.0, 0.0, 1.0]], &Device::Cpu).unwrap();
        let record = HaltingRecord { log_distribution: Some(q.log().unwrap()), ..HaltingRecord::new(3, vec![1, 3]) };
        assert_eq!(record.expected_depths().unwrap().to_vec1::<f64>().unwrap(), [1.75, 3.0]);
        let without = HaltingRecord::new(3, vec![1, 3]).expected_depths().unwrap_err();
        assert!(without.to_string().contains("without giving a distribution over depths"), "{without}");
    }
}
