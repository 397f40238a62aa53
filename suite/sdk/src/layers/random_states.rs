//! Random initial states.

use candle_core::{Device, Result, Tensor};

use crate::backbone::BeginContext;
use crate::policy::Phase;
use crate::random::Stream;

/// Where the normal law is cut, in standard deviations.
const CUT: f64 = 3.0;

/// States like `like`, `[rows, d_model]`, of normal numbers with standard deviation `deviation`, truncated at three
/// standard deviations: h(0) of Geiping et al. 2025 (arXiv 2502.05171). A token's numbers are keyed by the seed, the id
/// of its sequence and its position, and in training by the training step, so they do not depend on the batch.
///
/// # Errors
/// If the device refuses the memory.
pub fn random_states(context: &BeginContext, like: &Tensor, deviation: f64) -> Result<Tensor> {
    let (rows, width) = like.dims2()?;
    if deviation == 0.0 {
        return like.zeros_like().map(|zeros| zeros.detach());
    }
    let mut values = Vec::with_capacity(rows * width);
    for row in 0..rows {
        let token = [context.layout.key(row), context.layout.position(row) as u64];
        let mut stream = match context.phase {
            Phase::Evaluation => Stream::new(context.seed, "initial-state", &token),
            Phase::Training(progress) => {
                Stream::new(context.seed, "initial-state", &[token[0], token[1], progress.step])
            }
        };
        values.extend((0..width).map(|_| deviation * cut_normal(&mut stream)));
    }
    Tensor::from_vec(values, (rows, width), &Device::Cpu)?.to_dtype(like.dtype())?.to_device(like.device())
}

/// A standard normal number within three deviations, by rejection: one draw in 370 is made again.
fn cut_normal(stream: &mut Stream) -> f64 {
    loop {
        let number = stream.normal();
        if number.abs() <= CUT {
            return number;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candle_core::DType;

    use super::*;
    use crate::layout::TokenLayout;
    use crate::policy::Progress;

    fn at(step: u64) -> Phase {
        Phase::Training(Progress { step, total: 9 })
    }

    fn drawn(lengths: &[usize], names: &[u64], phase: Phase, seed: u64) -> Vec<Vec<f64>> {
        let layout = Arc::new(TokenLayout::new(lengths, names).unwrap());
        let like = Tensor::zeros((layout.rows(), 64), DType::F64, &Device::Cpu).unwrap();
        let context = BeginContext { phase, seed, ..BeginContext::new(&layout) };
        random_states(&context, &like, 0.5).unwrap().to_vec2().unwrap()
    }

    #[test]
    fn a_token_has_its_numbers_in_any_batch() {
        let evaluated = drawn(&[2, 3], &[7, 9], Phase::Evaluation, 1);
        assert_eq!(evaluated[2..], drawn(&[3], &[9], Phase::Evaluation, 1));
        let others = [
            drawn(&[3], &[9], Phase::Evaluation, 2),
            drawn(&[3], &[7], Phase::Evaluation, 1),
            drawn(&[3], &[9], at(0), 1),
            drawn(&[3], &[9], at(1), 1),
        ];
        for (place, other) in others.iter().enumerate() {
            assert!(others[..place].iter().all(|earlier| earlier[2] != other[2]) && evaluated[4] != other[2]);
        }
        assert_ne!(evaluated[0], evaluated[1], "positions differ");
    }

    /// The variance of the standard normal law cut at ±3 is 1 - 6 φ(3) / (2 Φ(3) - 1) = 0.97334.
    #[test]
    fn the_law_is_the_cut_normal_one() {
        let all: Vec<f64> = drawn(&[4000], &[1], Phase::Evaluation, 3).concat();
        assert!(all.iter().all(|number| number.abs() <= 1.5));
        let variance = all.iter().map(|number| number * number).sum::<f64>() / all.len() as f64;
        assert!((variance - 0.25 * 0.973_34).abs() < 0.003, "{variance}");
    }
}
