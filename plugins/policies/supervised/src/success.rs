//! Targets of halting heads: how well the answers of a sequence, or one answer, are predicted after a step.

use haltbench_sdk::prelude::*;

/// What counts as success.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Success {
    /// 1 if all answers are predicted rightly, otherwise 0.
    Exact,
    /// Share of answers that are predicted rightly.
    Accuracy,
    /// exp(-mean cross-entropy of the answers): the geometric mean of the targets' probabilities.
    Likelihood,
}

impl Success {
    /// What `name` says.
    pub fn from_name(name: &str) -> Self {
        match name {
            "accuracy" => Self::Accuracy,
            "likelihood" => Self::Likelihood,
            _ => Self::Exact,
        }
    }

    /// Success after `step` steps of each group of answers, without gradients; 0 for a group without answers.
    pub fn of(self, pass: &TrainingPass, step: usize, groups: &[Vec<usize>]) -> Result<Vec<f64>> {
        let scores: Vec<f64> = match self {
            Self::Likelihood => pass.step_losses(step)?.to_dtype(DType::F64)?.to_vec1()?,
            _ => pass.right(step)?.iter().map(|right| f64::from(u8::from(*right))).collect(),
        };
        Ok(groups.iter().map(|group| self.of_group(group.iter().map(|place| scores[*place]))).collect())
    }

    /// Success of one group from its answers' cross-entropies, or from 1 for right and 0 for wrong.
    fn of_group(self, scores: impl Iterator<Item = f64>) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for score in scores {
            sum += score;
            count += 1.0;
        }
        match self {
            _ if count == 0.0 => 0.0,
            Self::Exact => f64::from(u8::from(sum == count)),
            Self::Accuracy => sum / count,
            Self::Likelihood => (-sum / count).exp(),
        }
    }

    /// The three targets of a sequence with three answers of the probabilities .9, .8 and .1, of which the first two are
    /// predicted.
    pub fn worked_example() -> String {
        let losses = [0.9f64, 0.8, 0.1].map(|probability| -probability.ln());
        let right = [1.0, 1.0, 0.0];
        let exact = Self::Exact.of_group(right.into_iter());
        let accuracy = Self::Accuracy.of_group(right.into_iter());
        format!("{exact}, {accuracy:.6}, {:.6}", Self::Likelihood.of_group(losses.into_iter()))
    }
}

/// Cross-entropy of heads `logits` with constant `targets`.
pub fn head_loss(logits: &Tensor, targets: Vec<f64>) -> Result<Tensor> {
    let targets = Tensor::from_vec(targets, logits.dims1()?, logits.device())?.to_dtype(logits.dtype())?;
    binary_cross_entropy(logits, &targets)
}
