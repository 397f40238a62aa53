//! KL divergence of each row's distribution from a prior: gamma Σ q (log q - log p), in nats.

use std::sync::Arc;

use haltbench_sdk::candle_core::{Result as TensorResult, Tensor};
use haltbench_sdk::ops::{Float, Instructions, RowOperation, rowwise};
use haltbench_sdk::{Error, Result};

struct KlFromPrior {
    log_prior: Arc<[f64]>,
    gamma: f64,
}

/// gamma · KL(q || p) of each row, from log q `[rows, outcomes]` and log p: `[rows]`. An outcome with q = 0, whose log q may
/// be minus infinity, adds nothing and has no gradient.
///
/// # Errors
/// If there are not as many outcomes in the prior.
pub fn kl_from_prior(log_q: &Tensor, log_prior: &Arc<[f64]>, gamma: f64) -> Result<Tensor> {
    let (_, outcomes) = log_q.dims2()?;
    if log_prior.len() != outcomes {
        let expected = format!("one for each of {outcomes} outcomes");
        return Err(Error::invalid("log prior of kl_from_prior", expected, log_prior.len()));
    }
    Ok(rowwise(log_q, KlFromPrior { log_prior: log_prior.clone(), gamma })?)
}

impl KlFromPrior {
    /// log p in the type at hand.
    fn log_prior<T: Float>(&self) -> Vec<T> {
        self.log_prior.iter().copied().map(T::from_f64).collect()
    }
}

impl RowOperation for KlFromPrior {
    const NAME: &'static str = "kl-from-prior";

    #[inline(always)]
    fn forward<T: Float>(&self, instructions: impl Instructions, outcomes: usize, log_q: &[T], divergences: &mut [T]) {
        let (log_prior, gamma): (Vec<T>, T) = (self.log_prior(), T::from_f64(self.gamma));
        let (outcomes, masses) = (outcomes.max(1), masses(instructions, log_q));
        let rows = log_q.chunks_exact(outcomes).zip(masses.chunks_exact(outcomes));
        for (divergence, (log_q, q)) in divergences.iter_mut().zip(rows) {
            let mut sum = T::zero();
            for ((log_q, q), log_p) in log_q.iter().zip(q).zip(&log_prior) {
                sum += or_nothing(*q, *q * (*log_q - *log_p));
            }
            *divergence = sum * gamma;
        }
    }

    #[inline(always)]
    fn backward<T: Float>(
        &self,
        instructions: impl Instructions,
        outcomes: usize,
        log_q: &[T],
        gradients: &[T],
        of_log_q: &mut [T],
    ) {
        let (log_prior, gamma): (Vec<T>, T) = (self.log_prior(), T::from_f64(self.gamma));
        let (outcomes, masses) = (outcomes.max(1), masses(instructions, log_q));
        let rows = log_q.chunks_exact(outcomes).zip(masses.chunks_exact(outcomes));
        for ((result, (log_q, q)), gradient) in of_log_q.chunks_exact_mut(outcomes).zip(rows).zip(gradients) {
            let slope = *gradient * gamma;
            for ((result, (log_q, q)), log_p) in result.iter_mut().zip(log_q.iter().zip(q)).zip(&log_prior) {
                *result = or_nothing(*q, slope * *q * (*log_q - *log_p + T::one()));
            }
        }
    }

    fn composed(&self, log_q: &Tensor) -> TensorResult<Tensor> {
        // Of every type, and e to its power is zero: infinity times zero would be no number.
        const LOWEST: f64 = -1e4;
        let log_p = Tensor::new(&*self.log_prior, log_q.device())?.to_dtype(log_q.dtype())?;
        let log_q = log_q.maximum(LOWEST)?;
        (log_q.exp()? * log_q.broadcast_sub(&log_p)?)?.sum(1)? * self.gamma
    }
}

/// The q of many rows at once: a row may be shorter than a register.
#[inline(always)]
fn masses<T: Float>(instructions: impl Instructions, log_q: &[T]) -> Vec<T> {
    let mut masses = log_q.to_vec();
    for mass in &mut masses {
        *mass = Float::exp(*mass, instructions);
    }
    masses
}

/// `term`, or zero where `mass` is: the limit of q log q.
#[inline(always)]
fn or_nothing<T: Float>(mass: T, term: T) -> T {
    if mass == T::zero() { T::zero() } else { term }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use haltbench_sdk::Result;
    use haltbench_sdk::candle_core::{DType, Device, Tensor, Var};
    use haltbench_sdk::ops::RowOperation;
    use haltbench_sdk::random::Stream;

    use super::{KlFromPrior, kl_from_prior};

    type Divergence = fn(&Tensor, &Arc<[f64]>, f64) -> Result<Tensor>;

    fn composed(log_q: &Tensor, prior: &Arc<[f64]>, gamma: f64) -> Result<Tensor> {
        Ok(KlFromPrior { log_prior: prior.clone(), gamma }.composed(log_q)?)
    }

    fn numbers(x: &Tensor) -> Vec<f64> {
        x.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Divergences, their sum with weights that differ, and the gradient of that.
    fn evaluated(operation: Divergence, log_q: &Tensor, prior: &Arc<[f64]>) -> (Vec<f64>, f64, Vec<f64>) {
        let log_q = Var::from_tensor(log_q).unwrap();
        let divergence = operation(&log_q, prior, 0.7).unwrap();
        let weights: Vec<f64> = (1..=divergence.elem_count()).map(|row| (row as f64).cos()).collect();
        let weights = Tensor::new(weights, &Device::Cpu).unwrap().to_dtype(divergence.dtype()).unwrap();
        let loss = (&divergence * weights).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        (numbers(&divergence), numbers(&loss)[0], numbers(gradients.get(&log_q).unwrap()))
    }

    fn close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
        assert_eq!(found.len(), expected.len(), "{what}");
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= tolerance * (1.0 + expected.abs()), "{what}: {found} {expected}");
        }
    }

    #[test]
    fn equals_its_composition_and_finite_differences() {
        for (rows, outcomes) in [(1, 1), (6, 11), (130, 5)] {
            let prior: Arc<[f64]> = (0..outcomes).map(|outcome| -0.3 * (1 + outcome) as f64).collect();
            let mut stream = Stream::new(11, "test", &[]);
            let log_q: Vec<f64> = (0..rows * outcomes).map(|_| stream.normal()).collect();
            let tensor = |log_q: &[f64]| Tensor::from_slice(log_q, (rows, outcomes), &Device::Cpu).unwrap();
            for (dtype, tolerance) in [(DType::F64, 1e-11), (DType::F32, 3e-5)] {
                let log_q = tensor(&log_q).to_dtype(dtype).unwrap();
                let (found, _, gradient) = evaluated(kl_from_prior, &log_q, &prior);
                let (expected, _, expected_gradient) = evaluated(composed, &log_q, &prior);
                close("divergence", &found, &expected, tolerance);
                close("gradient", &gradient, &expected_gradient, 10.0 * tolerance);
            }
            let (_, _, gradient) = evaluated(kl_from_prior, &tensor(&log_q), &prior);
            for index in (0..log_q.len()).step_by((log_q.len() / 40).max(1)) {
                let loss = |shift: f64| {
                    let mut moved = log_q.clone();
                    moved[index] += shift;
                    evaluated(kl_from_prior, &tensor(&moved), &prior).1
                };
                let difference = (loss(1e-5) - loss(-1e-5)) / 2e-5;
                close("finite difference", &[gradient[index]], &[difference], 1e-6);
            }
        }
    }

    #[test]
    fn a_prior_has_as_many_outcomes_as_a_row() {
        let log_q = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        let message = kl_from_prior(&log_q, &[0.0; 2].into(), 1.0).unwrap_err().to_string();
        assert_eq!(message, "log prior of kl_from_prior: expected one for each of 3 outcomes, found 2");
    }

    /// Half, nothing, half from a prior of a half, a quarter and a quarter: 2 (½ ln 1 + ½ ln 2).
    #[test]
    fn an_outcome_without_mass_adds_nothing_and_has_no_gradient() {
        let prior: Arc<[f64]> = [0.5f64, 0.25, 0.25].map(f64::ln).into();
        let operations: [Divergence; 2] = [kl_from_prior, composed];
        for dtype in [DType::F32, DType::F64] {
            for operation in operations {
                let log_q = [0.5f64, 0.0, 0.5].map(f64::ln);
                let log_q = Tensor::new(&[log_q], &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
                let log_q = Var::from_tensor(&log_q).unwrap();
                let divergence = operation(&log_q, &prior, 2.0).unwrap();
                let gradients = divergence.backward().unwrap();
                let found: Vec<f64> = [numbers(&divergence), numbers(gradients.get(&log_q).unwrap())].concat();
                let expected = [2.0f64.ln(), 1.0, 0.0, 1.0 + 2.0f64.ln()];
                for (found, expected) in found.iter().zip(expected) {
                    assert!((found - expected).abs() < 1e-6, "{found} against {expected}");
                }
            }
        }
    }

    /// NaN must not count as zero mass.
    #[test]
    fn what_is_no_number_stays_none() {
        let log_q = Tensor::new(&[[f32::NAN, -1.0]], &Device::Cpu).unwrap();
        let divergence = kl_from_prior(&log_q, &[-1.0, -1.0].into(), 1.0).unwrap();
        assert!(divergence.to_vec1::<f32>().unwrap()[0].is_nan());
    }
}
