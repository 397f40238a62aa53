//! What an objective sees: a finished training pass with its losses.

use std::sync::Arc;

use candle_core::{D, Device, Tensor};

use super::{HaltingRecord, Progress, Recipe};
use crate::error::{Error, Result};
use crate::layout::{RowSet, TokenLayout};
use crate::ops::cross_entropy;

/// A finished training pass. Labels reach objectives through it, never decisions.
pub struct TrainingPass<'a> {
    /// Depths, distributions, weights, gates and what the policy stashed.
    pub record: &'a HaltingRecord,
    /// Which row is which token.
    pub layout: &'a TokenLayout,
    /// The rows under the loss: those that predict an answer token.
    pub answers: &'a RowSet,
    /// The targets of these rows.
    pub targets: &'a Arc<Vec<u32>>,
    /// States of all rows after 0, 1, ... steps, `[rows, d_model]`, with gradients. A token that has halted keeps its state.
    pub states: &'a [Tensor],
    /// How far training has come.
    pub progress: Progress,
    /// How this stage trains.
    pub recipe: Recipe,
    /// The recipe's loss of each answer, in nats, `[answers]`: cross-entropy at the state or states that the recipe
    /// specifies.
    pub losses: Tensor,
    /// Computes the logits of `answers` after a number of steps, `[answers, vocabulary]`, with gradients unless the recipe
    /// freezes the backbone.
    pub read_out: &'a dyn Fn(usize) -> Result<Tensor>,
}

impl TrainingPass<'_> {
    /// States of all rows after `step` steps, `[rows, d_model]`, with gradients.
    ///
    /// # Errors
    /// If the pass was not unrolled that far.
    pub fn states(&self, step: usize) -> Result<&Tensor> {
        self.states.get(step).ok_or_else(|| {
            let expected = format!("a step of the pass, 0 to {}", self.states.len().saturating_sub(1));
            Error::invalid("step of an objective", expected, step)
        })
    }

    /// Logits of the answers after `step` steps, `[answers, vocabulary]`, without gradients.
    ///
    /// # Errors
    /// If the pass was not unrolled that far.
    pub fn logits(&self, step: usize) -> Result<Tensor> {
        self.states(step)?;
        Ok((self.read_out)(step)?.detach())
    }

    /// Cross-entropy of each answer after `step` steps, in nats, `[answers]`, without gradients.
    ///
    /// # Errors
    /// If the pass was not unrolled that far.
    pub fn step_losses(&self, step: usize) -> Result<Tensor> {
        Ok(cross_entropy(&self.logits(step)?, self.targets)?.detach())
    }

    /// Cross-entropy of each answer after `step` steps, in nats, `[answers]`, with gradients unless the recipe freezes the
    /// backbone.
    ///
    /// # Errors
    /// If the pass was not unrolled that far.
    pub fn losses_at(&self, step: usize) -> Result<Tensor> {
        self.states(step)?;
        Ok(cross_entropy(&(self.read_out)(step)?, self.targets)?)
    }

    /// Mean of [`losses_at`](Self::losses_at) over the steps 1..=D, `[answers]`.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn mean_losses(&self) -> Result<Tensor> {
        let most = self.record.max_depth;
        let mut sum = self.losses_at(1)?;
        for step in 2..=most {
            sum = (sum + self.losses_at(step)?)?;
        }
        Ok((sum / most as f64)?)
    }

    /// The answers of each sequence, as places in [`answers`](Self::answers).
    pub fn answers_of_sequences(&self) -> Vec<Vec<usize>> {
        let mut places = vec![Vec::new(); self.layout.sequences()];
        self.answers.iter().enumerate().for_each(|(place, row)| places[self.layout.sequence(row)].push(place));
        places
    }

    /// Costs of sequences, `[sequences]`, as costs of their first tokens, `[rows]`, whose mean is the mean over the
    /// sequences with answers. `None` if no sequence has any.
    ///
    /// # Errors
    /// If there are not as many costs as sequences.
    pub fn per_sequence(&self, costs: &Tensor) -> Result<Option<Tensor>> {
        let starts: Vec<u32> =
            (0..self.layout.sequences()).map(|sequence| self.layout.rows_of(sequence).start as u32).collect();
        let mut counts = vec![false; self.layout.rows()];
        self.answers.iter().for_each(|row| counts[self.layout.start(row)] = true);
        let nothing = Tensor::zeros(self.layout.rows(), costs.dtype(), costs.device())?;
        let starts = Tensor::new(starts, costs.device())?;
        Objective::mean_over(&nothing.index_add(&starts, costs, 0)?, &counts)
    }

    /// The token predicted for each answer after `step` steps: the argmax of the logits, the first of equal ones.
    ///
    /// # Errors
    /// If the pass was not unrolled that far.
    pub fn predictions(&self, step: usize) -> Result<Vec<u32>> {
        if self.answers.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.logits(step)?.argmax(D::Minus1)?.to_device(&Device::Cpu)?.to_vec1()?)
    }

    /// Whether each answer is predicted rightly after `step` steps.
    ///
    /// # Errors
    /// If the pass was not unrolled that far.
    pub fn right(&self, step: usize) -> Result<Vec<bool>> {
        Ok(self.predictions(step)?.iter().zip(self.targets.iter()).map(|(found, target)| found == target).collect())
    }

    /// Whether each answer has the same prediction after `step` steps as after all D steps.
    ///
    /// # Errors
    /// If the pass was not unrolled that far.
    pub fn agrees_with_last(&self, step: usize) -> Result<Vec<bool>> {
        let last = self.predictions(self.record.max_depth)?;
        Ok(self.predictions(step)?.iter().zip(&last).map(|(now, last)| now == last).collect())
    }

    /// `values`, one for each answer, as a constant tensor `[answers]` of the losses' type.
    ///
    /// # Errors
    /// If there are not as many values as answers.
    pub fn constant(&self, values: Vec<f64>) -> Result<Tensor> {
        Ok(Tensor::from_vec(values, self.answers.len(), self.losses.device())?.to_dtype(self.losses.dtype())?)
    }
}

/// What training minimises: the mean of `answers` plus the mean of `tokens`.
pub struct Objective {
    /// Cost of each answer token, `[answers]`.
    pub answers: Tensor,
    /// Cost of each token, prompt included, `[rows]`. The warm-up of the regulariser scales it.
    pub tokens: Option<Tensor>,
}

impl Objective {
    /// Rescales `costs` `[rows]` so that their mean over all rows equals their mean over the rows in `mask`; 0 outside
    /// the mask. `None` if the mask is empty.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn mean_over(costs: &Tensor, mask: &[bool]) -> Result<Option<Tensor>> {
        let count = mask.iter().filter(|is_in| **is_in).count();
        if count == 0 {
            return Ok(None);
        }
        let share = mask.len() as f64 / count as f64;
        let weights: Vec<f64> = mask.iter().map(|is_in| if *is_in { share } else { 0.0 }).collect();
        let weights = Tensor::from_vec(weights, mask.len(), costs.device())?.to_dtype(costs.dtype())?;
        Ok(Some((costs * weights)?))
    }

    /// Sum of two per-token costs, either of which may be missing.
    ///
    /// # Errors
    /// If their shapes differ.
    pub fn add(first: Option<Tensor>, second: Option<Tensor>) -> Result<Option<Tensor>> {
        Ok(match (first, second) {
            (Some(first), Some(second)) => Some((first + second)?),
            (first, second) => first.or(second),
        })
    }
}

/// Softplus, ln(1 + e^x), without overflow: max(x, 0) + ln(1 + e^-|x|).
///
/// # Errors
/// If a tensor operation fails.
pub fn softplus(x: &Tensor) -> Result<Tensor> {
    let zero = x.zeros_like()?;
    Ok((x.maximum(&zero)? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?)?)
}

/// Binary cross-entropy of sigmoid(`logits`) and `targets` in [0, 1], in nats, element by element: softplus(x) - x y, which
/// neither overflows nor takes the logarithm of 0.
///
/// # Errors
/// If shapes differ.
pub fn binary_cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    Ok((softplus(logits)? - (logits * targets)?)?)
}

/// 1 for each flag that is set and 0 for the others, `[flags.len()]`, with the type and device of `like`.
///
/// # Errors
/// If the device refuses the memory.
pub fn indicator(flags: &[bool], like: &Tensor) -> Result<Tensor> {
    let values: Vec<f64> = flags.iter().map(|flag| f64::from(u8::from(*flag))).collect();
    Ok(Tensor::from_vec(values, flags.len(), like.device())?.to_dtype(like.dtype())?)
}

/// [`binary_cross_entropy`] of sigmoid(`logits`) `[rows]` and `labels`, each row weighted by the share of rows with the
/// other label, so that both classes have the same total weight.
///
/// # Errors
/// If there are not as many labels as logits.
pub fn balanced_cross_entropy(logits: &Tensor, labels: &[bool]) -> Result<Tensor> {
    let share = labels.iter().filter(|label| **label).count() as f64 / labels.len().max(1) as f64;
    let targets = indicator(labels, logits)?;
    // Weight 1 - share for rows with the label, share for the others.
    let weights = targets.affine(1.0 - 2.0 * share, share)?;
    Ok((binary_cross_entropy(logits, &targets)? * weights)?)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Var};

    use super::*;

    #[test]
    fn binary_cross_entropy_is_exact_far_out() {
        let logits = Tensor::new(&[0.0f64, 2.0, -2.0, 800.0, -800.0], &Device::Cpu).unwrap();
        let targets = Tensor::new(&[1.0f64, 0.25, 1.0, 0.0, 0.0], &Device::Cpu).unwrap();
        let found: Vec<f64> = binary_cross_entropy(&logits, &targets).unwrap().to_vec1().unwrap();
        // -y ln s(x) - (1 - y) ln(1 - s(x)), where that can be computed.
        let naive = |x: f64, y: f64| {
            let s = 1.0 / (1.0 + (-x).exp());
            -y * s.ln() - (1.0 - y) * (1.0 - s).ln()
        };
        for (found, expected) in found.iter().zip([naive(0.0, 1.0), naive(2.0, 0.25), naive(-2.0, 1.0), 800.0, 0.0]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn its_gradient_is_the_sigmoid_minus_the_target() {
        let logits = Var::new(&[0.3f64, -1.5, 40.0], &Device::Cpu).unwrap();
        let targets = Tensor::new(&[1.0f64, 0.25, 0.0], &Device::Cpu).unwrap();
        let loss = binary_cross_entropy(logits.as_tensor(), &targets).unwrap().sum_all().unwrap();
        let gradient: Vec<f64> = loss.backward().unwrap().get(&logits).unwrap().to_vec1().unwrap();
        for (found, (x, y)) in gradient.iter().zip([(0.3f64, 1.0), (-1.5, 0.25), (40.0, 0.0)]) {
            assert!((found - (1.0 / (1.0 + (-x).exp()) - y)).abs() < 1e-12, "{gradient:?}");
        }
    }

    #[test]
    fn a_mean_over_some_rows_is_a_mean_over_all() {
        let costs = Tensor::new(&[1.0f64, 2.0, 4.0, 8.0], &Device::Cpu).unwrap();
        let mean = Objective::mean_over(&costs, &[true, false, true, false]).unwrap().unwrap();
        assert_eq!(mean.mean_all().unwrap().to_scalar::<f64>().unwrap(), 2.5);
        assert!(Objective::mean_over(&costs, &[false; 4]).unwrap().is_none());
        assert_eq!(mean.dtype(), DType::F64);
    }
}
