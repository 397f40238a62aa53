//! Confidences that exits compare with a threshold.

use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;

use crate::classifier_loss::exit_logits;
use crate::norms::cosines;

/// A confidence that a token is done.
pub enum Confidence {
    /// Difference of the two largest token probabilities; holds the size of the vocabulary.
    Softmax(usize),
    /// The largest token probability; holds the size of the vocabulary.
    SoftmaxMaximum(usize),
    /// Cosine of the states after this step and the step before.
    State,
    /// Probability of the second of two classes.
    Classifier(Linear),
}

impl Confidence {
    /// The confidence that the parameter `confidence` names.
    pub fn new(context: &PolicyContext) -> Result<Self> {
        Ok(match context.parameters.text("confidence")? {
            "state" => Self::State,
            "softmax-maximum" => Self::SoftmaxMaximum(context.vocabulary),
            "classifier" => {
                Self::Classifier(Linear::with_bias(context.d_model, 2, context.variables.pp("classifier"))?)
            }
            _ => Self::Softmax(context.vocabulary),
        })
    }

    /// Stores h(0) if the confidence needs it.
    pub fn init(&self, view: &View, memory: &mut RowMemory) {
        if matches!(self, Self::State) {
            memory.replace("state", view.states());
        }
    }

    /// The confidence of each row after a step.
    pub fn scores(&self, view: &View, memory: &mut RowMemory) -> Result<Vec<f64>> {
        match self {
            Self::Softmax(_) => each(&view.logits()?, difference),
            Self::SoftmaxMaximum(_) => each(&view.logits()?, maximum),
            Self::State => {
                let previous = memory.replaced("state", view.states())?;
                cosines(&view.states().to_dtype(DType::F64)?, &previous.to_dtype(DType::F64)?)
            }
            Self::Classifier(head) => {
                Ok(sigmoid(&exit_logits(head, view.states())?)?.to_dtype(DType::F64)?.to_vec1()?)
            }
        }
    }

    /// Operations for each row, without the read-out of logits.
    pub fn flops(&self, d_model: usize) -> f64 {
        match self {
            Self::Softmax(vocabulary) | Self::SoftmaxMaximum(vocabulary) => 4.0 * *vocabulary as f64,
            Self::State => 6.0 * d_model as f64,
            Self::Classifier(_) => 4.0 * d_model as f64,
        }
    }
}

/// `confidence` of each row of `logits` `[rows, vocabulary]`.
fn each(logits: &Tensor, confidence: fn(&[f64]) -> f64) -> Result<Vec<f64>> {
    Ok(logits.to_dtype(DType::F64)?.to_vec2::<f64>()?.iter().map(|logits| confidence(logits)).collect())
}

/// Difference of the two largest entries of the softmax of `logits`; NaN if a logit is NaN. With a vocabulary of one token, the
/// second entry is 0.
fn difference(logits: &[f64]) -> f64 {
    let (mut first, mut second) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    for logit in logits {
        if *logit > first {
            (first, second) = (*logit, first);
        } else if *logit > second {
            second = *logit;
        }
    }
    (1.0 - (second - first).exp()) / total(logits, first)
}

/// The largest entry of the softmax of `logits`; NaN if a logit is NaN.
fn maximum(logits: &[f64]) -> f64 {
    let first = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    total(logits, first).recip()
}

/// The sum of e^(logit - first).
fn total(logits: &[f64], first: f64) -> f64 {
    logits.iter().map(|logit| (logit - first).exp()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidences_of_small_cases() {
        assert!((difference(&[0.1f64.ln(), 0.7f64.ln(), 0.2f64.ln()]) - 0.5).abs() < 1e-12);
        assert_eq!(difference(&[3.0]), 1.0);
        assert!(difference(&[f64::NAN, 1.0]).is_nan());
        assert!((maximum(&[0.1f64.ln(), 0.7f64.ln(), 0.2f64.ln()]) - 0.7).abs() < 1e-12);
        assert!(maximum(&[f64::NAN, 1.0]).is_nan());
    }
}
