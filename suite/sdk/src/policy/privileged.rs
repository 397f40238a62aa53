//! What oracles may read: complexities, labels and the outcomes of all steps.

use std::sync::Arc;

use candle_core::{D, DType, Device, Tensor};

use crate::error::{Error, Result};
use crate::layout::RowSet;
use crate::ops::cross_entropy;

/// What a policy reads that nobody can know when it decides. A policy that reads any of it is an oracle, never ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels {
    /// Nothing.
    None,
    /// The complexity of each token.
    Complexity,
    /// Targets, and what the model would predict after every step.
    Outcomes,
}

impl Labels {
    /// Whether the policy is an oracle.
    pub const fn any(self) -> bool {
        !matches!(self, Self::None)
    }
}

/// What oracles may read about the rows of a batch.
#[derive(Debug, Clone, Default)]
pub struct Privileged {
    /// Complexity of each row of the batch; NaN where undefined.
    pub complexity: Vec<f32>,
    /// Smallest and largest complexity at the training sizes.
    pub range: (f32, f32),
    /// Outcomes of all steps, for a policy that declares [`Labels::Outcomes`].
    pub outcomes: Option<Outcomes>,
}

/// What the model predicts after each of the steps 1..=D of a pass in which every token takes D steps.
///
/// Tokens that halt earlier may change what other tokens see, so an oracle that halts a token at a step of this pass may
/// find another prediction there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcomes {
    predictions: Vec<Vec<u32>>,
    losses: Vec<Vec<f64>>,
    targets: Option<Vec<Option<u32>>>,
}

impl Outcomes {
    /// Outcomes before the first step. `targets` has `None` for a row that predicts no answer; it is `None` if nobody
    /// recorded targets.
    pub fn new(targets: Option<Vec<Option<u32>>>) -> Self {
        Self { targets, ..Self::default() }
    }

    /// Adds a step, from the logits of every row after it, `[rows, vocabulary]`.
    ///
    /// # Errors
    /// If there is not a row of logits for each row, or a target is not in the vocabulary.
    pub fn push(&mut self, logits: &Tensor) -> Result<()> {
        let (rows, vocabulary) = logits.dims2()?;
        let mut losses = vec![f64::NAN; rows];
        if let Some(targets) = &self.targets {
            if rows != targets.len() {
                return Err(Error::invalid("logits", format!("{} rows of them", targets.len()), rows));
            }
            let known: Vec<u32> = targets.iter().flatten().copied().collect();
            if let Some(target) = known.iter().find(|target| **target as usize >= vocabulary) {
                let expected = format!("a token below {vocabulary}, the vocabulary");
                return Err(Error::invalid("target", expected, target));
            }
            if !known.is_empty() {
                let answers = RowSet::from_mask(&targets.iter().map(Option::is_some).collect::<Vec<bool>>());
                let found = cross_entropy(&answers.select(logits)?, &Arc::new(known))?;
                let found: Vec<f64> = found.to_dtype(DType::F64)?.to_device(&Device::Cpu)?.to_vec1()?;
                answers.iter().zip(found).for_each(|(row, loss)| losses[row] = loss);
            }
        }
        self.predictions.push(logits.argmax(D::Minus1)?.to_device(&Device::Cpu)?.to_vec1()?);
        self.losses.push(losses);
        Ok(())
    }

    /// Number of steps, D.
    pub fn max_depth(&self) -> usize {
        self.predictions.len()
    }

    /// Whether `row` predicts an answer.
    ///
    /// # Errors
    /// If nobody recorded targets.
    pub fn has_target(&self, row: usize) -> Result<bool> {
        let unknown = || Error::invalid("targets", "the tensor `targets` in the trace", "no such tensor");
        Ok(self.targets.as_ref().ok_or_else(unknown)?[row].is_some())
    }

    /// Whether the prediction of `row` after `step` is right; `false` without a target.
    pub fn is_right(&self, row: usize, step: usize) -> bool {
        self.targets.as_ref().is_some_and(|targets| targets[row] == Some(self.predictions[step - 1][row]))
    }

    /// Whether the prediction of `row` after `step` is that after step D.
    pub fn agrees_with_last(&self, row: usize, step: usize) -> bool {
        self.predictions.last().is_some_and(|last| last[row] == self.predictions[step - 1][row])
    }

    /// Cross-entropy of the target of `row` after `step`, in nats; NaN without a target.
    pub fn loss(&self, row: usize, step: usize) -> f64 {
        self.losses[step - 1][row]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_of_two_rows_over_two_steps() {
        let logits =
            |rows: &[[f32; 2]]| Tensor::from_slice(rows.as_flattened(), (rows.len(), 2), &Device::Cpu).unwrap();
        let mut outcomes = Outcomes::new(Some(vec![Some(1), None]));
        outcomes.push(&logits(&[[0.0, 0.0], [1.0, 0.0]])).unwrap();
        outcomes.push(&logits(&[[0.0, 3.0f32.ln()], [0.0, 2.0]])).unwrap();
        assert_eq!(outcomes.max_depth(), 2);
        assert!(!outcomes.is_right(0, 1) && outcomes.is_right(0, 2), "of equal logits the first counts");
        assert!(!outcomes.agrees_with_last(1, 1) && outcomes.agrees_with_last(1, 2));
        assert!((outcomes.loss(0, 1) - 2.0f64.ln()).abs() < 1e-7);
        assert!((outcomes.loss(0, 2) - (4.0f64 / 3.0).ln()).abs() < 1e-7);
        assert!(outcomes.loss(1, 1).is_nan() && !outcomes.has_target(1).unwrap() && !outcomes.is_right(1, 1));
        let error = Outcomes::new(Some(vec![Some(7)])).push(&logits(&[[0.0, 1.0]])).unwrap_err().to_string();
        assert_eq!(error, "target: expected a token below 2, the vocabulary, found 7");
        assert!(outcomes.push(&logits(&[[0.0, 1.0]])).is_err());
        assert!(Outcomes::new(None).has_target(0).unwrap_err().to_string().contains("no such tensor"));
    }
}
