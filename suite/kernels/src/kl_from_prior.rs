//! KL divergence of each row's distribution from a prior: gamma Σ q (log q - log p), in nats.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::cpu::{self, ROWS, Real, dispatch, number};
use crate::instructions::{Instructions, with_instructions};
use crate::threads;

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
    let (rows, outcomes) = crate::operands::matrix("log q of kl_from_prior", log_q)?;
    if log_prior.len() != outcomes {
        let expected = format!("one for each of {outcomes} outcomes");
        return Err(crate::operands::unfit("log prior of kl_from_prior", expected, log_prior.len()));
    }
    if cpu::fused(log_q) {
        return log_q.contiguous()?.apply_op1(KlFromPrior { log_prior: log_prior.clone(), gamma });
    }
    crate::operands::unless_empty(log_q, rows, || composed(log_q, log_prior, gamma))
}

fn composed(log_q: &Tensor, log_prior: &[f64], gamma: f64) -> Result<Tensor> {
    // Of every type, and e to its power is zero: infinity times zero would be no number.
    const LOWEST: f64 = -1e4;
    let log_p = Tensor::new(log_prior, log_q.device())?.to_dtype(log_q.dtype())?;
    let log_q = log_q.maximum(LOWEST)?;
    (log_q.exp()? * log_q.broadcast_sub(&log_p)?)?.sum(1)? * gamma
}

impl KlFromPrior {
    /// log p in the type at hand.
    fn log_prior<T: Real>(&self) -> Vec<T> {
        self.log_prior.iter().copied().map(number).collect()
    }

    fn forward<T: Real>(&self, log_q: &[T], rows: usize) -> Vec<T> {
        let (log_prior, gamma): (Vec<T>, T) = (self.log_prior(), number(self.gamma));
        let outcomes = log_prior.len().max(1);
        let mut divergences = vec![T::zero(); rows];
        let chunks = divergences.chunks_mut(ROWS).zip(log_q.chunks(ROWS * outcomes)).collect();
        with_instructions!(instructions => threads::for_each_with(
            instructions,
            chunks,
            #[inline(always)]
            |(divergences, log_q): (&mut [T], &[T])| {
                let masses = masses(instructions, log_q);
                let rows = log_q.chunks_exact(outcomes).zip(masses.chunks_exact(outcomes));
                for (divergence, (log_q, q)) in divergences.iter_mut().zip(rows) {
                    let mut sum = T::zero();
                    for ((log_q, q), log_p) in log_q.iter().zip(q).zip(&log_prior) {
                        sum += or_nothing(*q, *q * (*log_q - *log_p));
                    }
                    *divergence = sum * gamma;
                }
            },
        ));
        divergences
    }

    fn backward<T: Real>(&self, log_q: &[T], grad: &[T]) -> Vec<T> {
        let (log_prior, gamma): (Vec<T>, T) = (self.log_prior(), number(self.gamma));
        let outcomes = log_prior.len().max(1);
        let mut result = vec![T::zero(); log_q.len()];
        let chunks =
            result.chunks_mut(ROWS * outcomes).zip(log_q.chunks(ROWS * outcomes).zip(grad.chunks(ROWS))).collect();
        with_instructions!(instructions => threads::for_each_with(
            instructions,
            chunks,
            #[inline(always)]
            |(result, (log_q, grad)): (&mut [T], (&[T], &[T]))| {
                let masses = masses(instructions, log_q);
                let rows = log_q.chunks_exact(outcomes).zip(masses.chunks_exact(outcomes));
                for ((result, (log_q, q)), grad) in result.chunks_exact_mut(outcomes).zip(rows).zip(grad) {
                    let slope = *grad * gamma;
                    for ((result, (log_q, q)), log_p) in result.iter_mut().zip(log_q.iter().zip(q)).zip(&log_prior) {
                        *result = or_nothing(*q, slope * *q * (*log_q - *log_p + T::one()));
                    }
                }
            },
        ));
        result
    }
}

/// The q of many rows at once: a row may be shorter than a register.
#[inline(always)]
fn masses<T: Real>(instructions: impl Instructions, log_q: &[T]) -> Vec<T> {
    let mut masses = log_q.to_vec();
    for mass in &mut masses {
        *mass = Real::exp(*mass, instructions);
    }
    masses
}

/// `term`, or zero where `mass` is: the limit of q log q.
#[inline(always)]
fn or_nothing<T: Real>(mass: T, term: T) -> T {
    if mass == T::zero() { T::zero() } else { term }
}

impl CustomOp1 for KlFromPrior {
    fn name(&self) -> &'static str {
        "kl-from-prior"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        dispatch!("kl-from-prior", candle_core::backend::BackendStorage::dtype(storage), T => {
            let rows = layout.dims()[0];
            Ok(cpu::stored(self.forward(cpu::slice::<T>(storage, layout)?, rows), rows))
        })
    }

    fn bwd(&self, log_q: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        dispatch!("kl-from-prior", log_q.dtype(), T => {
            let result = cpu::with_all::<T, _, 2>([log_q, grad], |[log_q, grad]| Ok(self.backward(log_q, grad)))?;
            cpu::gradient(result, log_q)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candle_core::{DType, Device, Result, Tensor, Var};

    use super::{composed, kl_from_prior};
    use crate::testing::{agree, values};

    #[test]
    fn equals_its_composition_and_finite_differences() {
        for (rows, outcomes) in [(1, 1), (6, 11), (130, 5)] {
            let prior: Arc<[f64]> = (0..outcomes).map(|outcome| -0.3 * (1 + outcome) as f64).collect();
            let inputs = [values(&[rows, outcomes], 11)];
            agree(&inputs, |x| kl_from_prior(&x[0], &prior, 0.7), |x| composed(&x[0], &prior, 0.7));
        }
        assert!(kl_from_prior(&values(&[2, 3], 1), &[0.0; 2].into(), 1.0).is_err());
    }

    /// Half, nothing, half from a prior of a half, a quarter and a quarter: 2 (½ ln 1 + ½ ln 2).
    #[test]
    fn an_outcome_without_mass_adds_nothing_and_has_no_gradient() {
        let prior: Arc<[f64]> = [0.5f64, 0.25, 0.25].map(f64::ln).into();
        type Divergence = fn(&Tensor, &Arc<[f64]>, f64) -> Result<Tensor>;
        let operations: [Divergence; 2] = [kl_from_prior, |log_q, prior, gamma| composed(log_q, prior, gamma)];
        for dtype in [DType::F32, DType::F64] {
            for operation in operations {
                let log_q = [0.5f64, 0.0, 0.5].map(f64::ln);
                let log_q = Tensor::new(&[log_q], &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
                let log_q = Var::from_tensor(&log_q).unwrap();
                let divergence = operation(&log_q, &prior, 2.0).unwrap();
                let gradients = divergence.backward().unwrap();
                let numbers = |x: &Tensor| x.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap();
                let found: Vec<f64> = [numbers(&divergence), numbers(gradients.get(&log_q).unwrap())].concat();
                let expected = [2.0f64.ln(), 1.0, 0.0, 1.0 + 2.0f64.ln()];
                for (found, expected) in found.iter().zip(expected) {
                    assert!((found - expected).abs() < 1e-6, "{found} against {expected}");
                }
            }
        }
    }

    /// What is no number must not pass for a mass of nothing.
    #[test]
    fn what_is_no_number_stays_none() {
        let log_q = Tensor::new(&[[f32::NAN, -1.0]], &Device::Cpu).unwrap();
        let divergence = kl_from_prior(&log_q, &[-1.0, -1.0].into(), 1.0).unwrap();
        assert!(divergence.to_vec1::<f32>().unwrap()[0].is_nan());
    }
}
