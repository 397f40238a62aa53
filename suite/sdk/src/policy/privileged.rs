//! What oracles may read: complexities, labels and the outcomes of all steps.

use crate::error::{Error, Result};

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
    targets: Vec<Option<u32>>,
    lacks_targets: bool,
}

impl Outcomes {
    /// Outcomes of rows with these `targets`, `None` for a row that predicts no answer, before their first step.
    pub fn new(targets: Vec<Option<u32>>) -> Self {
        Self { predictions: Vec::new(), losses: Vec::new(), targets, lacks_targets: false }
    }

    /// Outcomes of `rows` rows whose targets nobody recorded.
    pub fn without_targets(rows: usize) -> Self {
        Self { lacks_targets: true, ..Self::new(vec![None; rows]) }
    }

    /// Adds a step, from the logits of every row after it.
    ///
    /// # Errors
    /// If there is not a row of logits for each row, or a target is not in the vocabulary.
    pub fn push(&mut self, logits: &[Vec<f32>]) -> Result<()> {
        if logits.len() != self.targets.len() {
            return Err(Error::invalid("logits", format!("{} rows of them", self.targets.len()), logits.len()));
        }
        let mut losses = Vec::with_capacity(logits.len());
        for (row, target) in logits.iter().zip(&self.targets) {
            losses.push(match target {
                None => f64::NAN,
                Some(target) => cross_entropy(row, *target)?,
            });
        }
        self.predictions.push(logits.iter().map(|row| largest(row)).collect());
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
        if self.lacks_targets {
            return Err(Error::invalid("targets", "the tensor `targets` in the trace", "no such tensor"));
        }
        Ok(self.targets[row].is_some())
    }

    /// Whether the prediction of `row` after `step` is right; `false` without a target.
    pub fn is_right(&self, row: usize, step: usize) -> bool {
        self.targets[row] == Some(self.predictions[step - 1][row])
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

/// The index of the largest logit, the first of equal ones.
fn largest(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (place, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = place;
        }
    }
    best as u32
}

fn cross_entropy(logits: &[f32], target: u32) -> Result<f64> {
    let outside = || Error::invalid("target", format!("a token below {}, the vocabulary", logits.len()), target);
    let right = f64::from(*logits.get(target as usize).ok_or_else(outside)?);
    let most = logits.iter().fold(f64::NEG_INFINITY, |most, logit| most.max(f64::from(*logit)));
    let total: f64 = logits.iter().map(|logit| (f64::from(*logit) - most).exp()).sum();
    Ok(most + total.ln() - right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_of_two_rows_over_two_steps() {
        let mut outcomes = Outcomes::new(vec![Some(1), None]);
        let nothing: f32 = 0.0;
        outcomes.push(&[vec![nothing, nothing], vec![1.0, 0.0]]).unwrap();
        outcomes.push(&[vec![0.0, 3.0f32.ln()], vec![0.0, 2.0]]).unwrap();
        assert_eq!(outcomes.max_depth(), 2);
        assert!(!outcomes.is_right(0, 1) && outcomes.is_right(0, 2), "of equal logits the first counts");
        assert!(!outcomes.agrees_with_last(1, 1) && outcomes.agrees_with_last(1, 2));
        assert!((outcomes.loss(0, 1) - 2.0f64.ln()).abs() < 1e-7);
        assert!((outcomes.loss(0, 2) - (4.0f64 / 3.0).ln()).abs() < 1e-7);
        assert!(outcomes.loss(1, 1).is_nan() && !outcomes.has_target(1).unwrap() && !outcomes.is_right(1, 1));
        let error = Outcomes::new(vec![Some(7)]).push(&[vec![0.0, 1.0]]).unwrap_err().to_string();
        assert_eq!(error, "target: expected a token below 2, the vocabulary, found 7");
        assert!(outcomes.push(&[vec![0.0, 1.0]]).is_err());
        assert!(Outcomes::without_targets(2).has_target(0).unwrap_err().to_string().contains("no such tensor"));
    }
}
