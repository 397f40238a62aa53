//! Cross-entropy of each row: log(sum(exp(logits))) - logits[target], in nats.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor};

use super::cpu::{self, ROWS, Real, dispatch};
use crate::instructions::Portable;
use crate::operands;
use crate::threads;

struct CrossEntropy {
    targets: Arc<Vec<u32>>,
}

/// Cross-entropy of each row of `logits` `[rows, vocabulary]` with its target: `[rows]`.
///
/// # Errors
/// If there are not as many targets as rows, or one is outside the vocabulary.
pub fn cross_entropy(logits: &Tensor, targets: &Arc<Vec<u32>>) -> Result<Tensor> {
    let (rows, vocabulary) = operands::matrix("logits of cross_entropy", logits)?;
    if targets.len() != rows {
        return Err(operands::unfit("targets of cross_entropy", format!("one for each of {rows} rows"), targets.len()));
    }
    if let Some(target) = targets.iter().find(|target| **target as usize >= vocabulary) {
        return Err(operands::unfit("targets of cross_entropy", format!("numbers below {vocabulary}"), target));
    }
    if cpu::fused(logits) {
        return logits.contiguous()?.apply_op1(CrossEntropy { targets: targets.clone() });
    }
    operands::unless_empty(logits, rows, || composed(logits, targets))
}

fn composed(logits: &Tensor, targets: &[u32]) -> Result<Tensor> {
    let index = Tensor::new(targets, logits.device())?.unsqueeze(1)?;
    let log = candle_nn::ops::log_softmax(logits, D::Minus1)?;
    log.gather(&index, 1)?.squeeze(1)?.neg()
}

fn log_sum_exp<T: Real>(row: &[T]) -> T {
    let largest = row.iter().copied().fold(row[0], |left, right| if right > left { right } else { left });
    row.iter().map(|x| (*x - largest).exp(Portable)).sum::<T>().ln() + largest
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        dispatch!("cross-entropy", candle_core::backend::BackendStorage::dtype(storage), T => {
            let logits = cpu::slice::<T>(storage, layout)?;
            let vocabulary = layout.dims()[1].max(1);
            let mut losses = vec![0 as T; self.targets.len()];
            let chunks = losses.chunks_mut(ROWS).zip(logits.chunks(ROWS * vocabulary)).zip(self.targets.chunks(ROWS));
            threads::for_each(chunks.collect(), |((losses, logits), targets): ((&mut [T], &[T]), &[u32])| {
                for ((loss, row), target) in losses.iter_mut().zip(logits.chunks_exact(vocabulary)).zip(targets) {
                    *loss = log_sum_exp(row) - row[*target as usize];
                }
            });
            Ok(cpu::stored(losses, self.targets.len()))
        })
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let vocabulary = logits.dim(1)?.max(1);
        dispatch!("cross-entropy", logits.dtype(), T => {
            let result = cpu::with_all::<T, _, 2>([logits, grad], |[logits, grad]| {
                let mut result = logits.to_vec();
                let rows = grad.chunks(ROWS).zip(self.targets.chunks(ROWS));
                let chunks = result.chunks_mut(ROWS * vocabulary).zip(rows).collect();
                threads::for_each(chunks, |(result, (grad, targets)): (&mut [T], (&[T], &[u32]))| {
                    for ((row, grad), target) in result.chunks_exact_mut(vocabulary).zip(grad).zip(targets) {
                        let total = log_sum_exp(row);
                        for x in row.iter_mut() {
                            *x = (*x - total).exp() * *grad;
                        }
                        row[*target as usize] -= *grad;
                    }
                });
                Ok(result)
            })?;
            cpu::gradient(result, logits)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{composed, cross_entropy};
    use crate::testing::{agree, values};

    #[test]
    fn equals_its_composition_and_finite_differences() {
        for (rows, vocabulary) in [(1, 2), (6, 11)] {
            let targets = Arc::new((0..rows as u32).map(|row| (row * 5) % vocabulary as u32).collect::<Vec<_>>());
            let inputs = [values(&[rows, vocabulary], 11)];
            agree(&inputs, |x| cross_entropy(&x[0], &targets), |x| composed(&x[0], &targets));
        }
        assert!(cross_entropy(&values(&[2, 3], 1), &Arc::new(vec![0, 3])).is_err());
    }
}
