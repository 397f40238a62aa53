//! Objectives of an exit classifier, which learns whether a step already predicts the same token as step D.

use haltbench_sdk::candle_nn::ops::log_softmax;
use haltbench_sdk::layers::Linear;
use haltbench_sdk::policy::softplus;
use haltbench_sdk::prelude::*;

/// Which objective.
#[derive(Clone, Copy)]
pub enum ClassifierLoss {
    /// An exit alone: class-balanced cross-entropy.
    Balanced,
    /// All exits together: the probability of the first exit that agrees.
    Geometric,
}

impl ClassifierLoss {
    /// The parameter that chooses.
    pub const PARAMETER: ParameterSpec = ParameterSpec::choice(
        "classifier_loss",
        "balanced",
        &["balanced", "geometric"],
        "how the classifier is trained: each exit alone, or the first one that agrees",
    );

    /// The objective that the parameter `classifier_loss` names.
    ///
    /// # Errors
    /// If there is no such parameter.
    pub fn new(parameters: &Parameters) -> Result<Self> {
        Ok(if parameters.text("classifier_loss")? == "geometric" { Self::Geometric } else { Self::Balanced })
    }

    /// The cost of each answer, `[answers]`.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn costs(self, classifier: &Linear, pass: &TrainingPass) -> Result<Tensor> {
        if pass.answers.is_empty() {
            return Ok(pass.losses.clone());
        }
        match self {
            Self::Balanced => balanced(classifier, pass),
            Self::Geometric => geometric(classifier, pass),
        }
    }
}

/// Logit of the second of a classifier's two classes, `[rows]`: the difference of its outputs.
///
/// # Errors
/// If a tensor operation fails.
pub fn exit_logits(classifier: &Linear, states: &Tensor) -> Result<Tensor> {
    let outputs = classifier.forward(states)?;
    Ok((outputs.get_on_dim(1, 1)? - outputs.get_on_dim(1, 0)?)?)
}

/// The exit logits of the answers after `step` steps, `[answers]`.
fn logits(classifier: &Linear, pass: &TrainingPass, step: usize) -> Result<Tensor> {
    exit_logits(classifier, &pass.answers.select(pass.states(step)?)?)
}

/// The mean over all exits but the last of the class-balanced cross-entropy of 1[argmax(d) = argmax(D)].
fn balanced(classifier: &Linear, pass: &TrainingPass) -> Result<Tensor> {
    let others = (pass.record.max_depth - 1) as f64;
    let mut costs = pass.losses.zeros_like()?;
    for step in 1..pass.record.max_depth {
        let logits = logits(classifier, pass, step)?;
        costs = (costs + (balanced_cross_entropy(&logits, &pass.agrees_with_last(step)?)? / others)?)?;
    }
    Ok(costs)
}

/// -log of the probability that the exit is the first one that agrees with step D. The probability of exit d is m(d) times the
/// product of 1 - m over all earlier exits, divided by its sum over all exits.
fn geometric(classifier: &Linear, pass: &TrainingPass) -> Result<Tensor> {
    let mut survival = pass.losses.zeros_like()?;
    let (mut scores, mut targets) = (Vec::new(), Vec::new());
    let mut agreed = vec![false; pass.answers.len()];
    for step in 1..=pass.record.max_depth {
        let logits = logits(classifier, pass, step)?;
        scores.push((&survival - softplus(&logits.neg()?)?)?);
        survival = (survival - softplus(&logits)?)?;
        let agrees = pass.agrees_with_last(step)?;
        let is_first: Vec<bool> = agrees.iter().zip(&agreed).map(|(agrees, agreed)| *agrees && !agreed).collect();
        targets.push(indicator(&is_first, &pass.losses)?);
        agreed.iter_mut().zip(agrees).for_each(|(agreed, agrees)| *agreed |= agrees);
    }
    let log_p = log_softmax(&Tensor::stack(&scores, 1)?, D::Minus1)?;
    Ok((log_p * Tensor::stack(&targets, 1)?)?.sum(1)?.neg()?)
}
