//! Weights of keys: a key with the weight m counts m times in the softmax of every query that sees it.
//!
//! ln m is added to the score. Attention computes q · k / √w for heads of width w, so each head of a key gets one more number,
//! ln m, and each head of a query is scaled by √((w + 1) / w) and gets √(w + 1):
//!
//! (√((w + 1) / w) q · k + √(w + 1) ln m) / √(w + 1) = q · k / √w + ln m
//!
//! Values get a zero. Keys keep their weights in every memory and cache without further provisions, because they contain
//! them.

use candle_core::{Result, Tensor};

/// `keys_values`, `[rows, 2 * heads * head_dim]`, with `log_weights`, `[rows, 1]`, in each head of the keys:
/// `[rows, 2 * heads * (head_dim + 1)]`.
pub(super) fn weighed(keys_values: &Tensor, log_weights: &Tensor, heads: usize) -> Result<Tensor> {
    let (rows, width) = keys_values.dims2()?;
    let heads_of_both = keys_values.reshape((rows, 2, heads, width / (2 * heads)))?;
    let log_weights = log_weights.unsqueeze(2)?.broadcast_as((rows, heads, 1))?;
    let last = Tensor::stack(&[&log_weights, &log_weights.zeros_like()?], 1)?;
    Tensor::cat(&[heads_of_both, last], 3)?.reshape((rows, width + 2 * heads))
}

/// Attention of `queries`, `[rows, heads * head_dim]`, over [`weighed`] keys: `attend` is attention over heads that are
/// one number wider.
pub(super) fn attend_weighed(
    queries: &Tensor,
    heads: usize,
    attend: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let (rows, width) = queries.dims2()?;
    let head_dim = width / heads;
    let narrow = head_dim as f64;
    let scaled = (queries.reshape((rows, heads, head_dim))? * ((narrow + 1.0) / narrow).sqrt())?;
    let last = Tensor::full((narrow + 1.0).sqrt(), (rows, heads, 1), queries.device())?.to_dtype(queries.dtype())?;
    let wide = attend(&Tensor::cat(&[scaled, last], 2)?.reshape((rows, width + heads))?)?;
    wide.reshape((rows, heads, head_dim + 1))?.narrow(2, 0, head_dim)?.contiguous()?.reshape((rows, width))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candle_core::{DType, Device};

    use super::*;
    use crate::backbone::StepContext;
    use crate::initialise::Variables;
    use crate::key_values::{HaltedKeysValues, KeyValues};
    use crate::layers::{Block, BlockShape, Layer, Place, Rotary};
    use crate::layout::{RowSet, TokenLayout};
    use crate::ops::{AttentionPlan, causal_attention};
    use crate::random::Stream;

    fn drawn(rows: usize, width: usize, seed: u64) -> Tensor {
        let mut stream = Stream::new(seed, "test", &[]);
        let numbers: Vec<f64> = (0..rows * width).map(|_| stream.normal()).collect();
        Tensor::from_vec(numbers, (rows, width), &Device::Cpu).unwrap()
    }

    /// Two heads of width 3, two sequences, against the weighted softmax in loops over single numbers.
    #[test]
    fn a_key_counts_as_often_as_its_weight_says() {
        let (heads, head_dim, width) = (2, 3, 6);
        let layout = TokenLayout::new(&[4, 2], &[0, 1]).unwrap();
        let (queries, keys_values) = (drawn(6, width, 1), drawn(6, 2 * width, 2));
        let weights = [1.0, 0.25, 3e-5, 0.7, 0.5, 1.0_f64];
        let log_weights = Tensor::new(weights.map(f64::ln).as_slice(), &Device::Cpu).unwrap().unsqueeze(1).unwrap();
        let plan = AttentionPlan::new(&layout, &RowSet::all(6), None);
        let keys = weighed(&keys_values, &log_weights, heads).unwrap();
        let found = attend_weighed(&queries, heads, |queries| causal_attention(queries, &keys, heads, &plan)).unwrap();
        let found: Vec<Vec<f64>> = found.to_vec2().unwrap();
        let [q, kv] = [queries, keys_values].map(|x| x.to_vec2::<f64>().unwrap());
        for row in 0..6 {
            for head in 0..heads {
                let of_head = |numbers: &[f64], offset: usize| numbers[offset + head * head_dim..][..head_dim].to_vec();
                let share = |key: usize| {
                    let products = of_head(&q[row], 0).into_iter().zip(of_head(&kv[key], 0)).map(|(q, k)| q * k);
                    weights[key] * (products.sum::<f64>() / (head_dim as f64).sqrt()).exp()
                };
                let seen: Vec<usize> = (if row < 4 { 0 } else { 4 }..=row).collect();
                let total: f64 = seen.iter().map(|key| share(*key)).sum();
                for place in 0..head_dim {
                    let value = |key: &usize| share(*key) / total * of_head(&kv[*key], width)[place];
                    let expected: f64 = seen.iter().map(value).sum();
                    let found = found[row][head * head_dim + place];
                    assert!((found - expected).abs() < 1e-12, "row {row}, head {head}: {found} against {expected}");
                }
            }
        }
    }

    /// A step of both kinds of layers: weights of 1 change nothing, a tiny weight hides a key, and others agree.
    #[test]
    fn fused_and_composed_layers_weigh_keys_alike() {
        let shape = BlockShape::llama2(16, 24, 2, 1e-5, 100.0);
        let rotary = Rotary::new(shape.attention.rotation, 8);
        let [first, second] = [0, 1].map(|_| Variables::new(3, DType::F64, &Device::Cpu));
        let fused = Layer::new(&shape, &rotary, first.builder()).unwrap();
        let composed = Layer::Composed(Box::new(Block::new(&shape, &rotary, second.builder()).unwrap()));
        let layout = Arc::new(TokenLayout::new(&[4, 1, 3], &[0, 1, 2]).unwrap());
        let (all, states) = (RowSet::all(8), drawn(8, 16, 1));
        let step = |layer: &Layer, weights: Option<&[f64; 8]>, visible: Option<&Arc<Vec<bool>>>| -> Vec<f64> {
            let mut key_values = KeyValues::new(HaltedKeysValues::FreezeState, 1, 8);
            if let Some(weights) = weights {
                let log_weights = Tensor::new(weights.map(f64::ln).as_slice(), &Device::Cpu).unwrap();
                key_values.weigh(log_weights.unsqueeze(1).unwrap());
            }
            let plan = AttentionPlan::new(&layout, &all, visible);
            let mut context = StepContext::new(1, &layout, &all, &mut key_values);
            let new = layer.step(Place::shared(0), &states, &mut context, &plan).unwrap();
            new.flatten_all().unwrap().to_vec1().unwrap()
        };
        let same = |what: &str, left: &[f64], right: &[f64]| {
            let near = left.iter().zip(right).all(|(left, right)| (left - right).abs() < 1e-11);
            assert!(near, "{what}: {left:?} against {right:?}");
        };
        let some = [1.0, 0.3, 0.9, 0.5, 0.2, 1.0, 0.01, 0.6];
        same("some", &step(&fused, Some(&some), None), &step(&composed, Some(&some), None));
        let plain = step(&fused, None, None);
        assert_ne!(step(&fused, Some(&some), None), plain);
        for layer in [&fused, &composed] {
            same("ones", &step(layer, Some(&[1.0; 8]), None), &plain);
            // A row sees itself even if it is hidden, so the hidden row is not compared.
            let hidden = step(layer, None, Some(&Arc::new((0..8).map(|row| row != 1).collect())));
            let tiny = step(layer, Some(&[1.0, 1e-30, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]), None);
            same("tiny, before", &tiny[..16], &hidden[..16]);
            same("tiny, after", &tiny[32..], &hidden[32..]);
        }
    }
}
