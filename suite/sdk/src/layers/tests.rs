//! Composed layers against the fused one, and against loops over single numbers for what the fused one has not.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::*;
use crate::initialise::Variables;
use crate::layout::{RowSet, TokenLayout};
use crate::ops::AttentionPlan;
use crate::random::Stream;

fn drawn(rows: usize, width: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut stream = Stream::new(seed, "test", &[]);
    (0..rows).map(|_| (0..width).map(|_| stream.normal()).collect()).collect()
}

fn tensor(rows: &[Vec<f64>]) -> Tensor {
    Tensor::new(rows.to_vec(), &Device::Cpu).unwrap()
}

fn close(what: &str, found: &Tensor, expected: &[Vec<f64>]) {
    let found: Vec<Vec<f64>> = found.to_vec2().unwrap();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        let near = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-11);
        assert!(near && found.len() == expected.len(), "{what}, row {row}: {found:?} against {expected:?}");
    }
}

#[test]
fn the_composed_layer_has_the_weights_and_results_of_the_fused_one() {
    let shape = BlockShape::llama2(16, 24, 2, 1e-5, 100.0);
    let rotary = Rotary::new(shape.attention.rotation, 8);
    let [fused, composed] = [0, 1].map(|_| Variables::new(3, DType::F64, &Device::Cpu));
    let layer = Layer::new(&shape, &rotary, fused.builder()).unwrap();
    assert!(matches!(layer, Layer::Fused(_)));
    let block = Block::new(&shape, &rotary, composed.builder()).unwrap();
    let (left, right) = (fused.weights().unwrap(), composed.weights().unwrap());
    assert!(left.keys().eq(right.keys()), "{:?} against {:?}", left.keys(), right.keys());
    let layout = TokenLayout::new(&[5, 1, 4], &[0, 1, 2]).unwrap();
    let states = tensor(&drawn(10, 16, 1));
    for rows in [RowSet::all(10), RowSet::from_mask(&[0, 1, 0, 1, 1, 1, 0, 0, 1, 0].map(|bit| bit == 1))] {
        let expected = layer.forward(0, &states, &layout, &rows, None).unwrap().to_vec2().unwrap();
        close("composed", &forward_layer(&block, 0, &states, &layout, &rows, None).unwrap(), &expected);
    }
    assert_eq!(fused_cost(&shape), shape.cost());
}

fn fused_cost(shape: &BlockShape) -> crate::backbone::PartCost {
    let (d_model, d_ff, heads) = (shape.attention.d_model, shape.feed_forward.d_ff, shape.attention.heads);
    TransformerShape { d_model, d_ff, heads, rms_norm_epsilon: 1e-5, rope_theta: 100.0 }.cost()
}

#[test]
fn any_other_configuration_is_composed() {
    let llama = BlockShape::llama2(16, 24, 2, 1e-5, 100.0);
    let mut others = vec![llama; 6];
    others[0].attention.key_value_heads = 1;
    others[1].attention.rotation = Rotation::Interleaved { theta: 100.0 };
    others[2].attention.biases = AttentionBiases::QUERY_KEY;
    others[3].placement = Placement::InBranch;
    others[4].norm = NormShape::Rms { epsilon: 1e-5, weighted: false };
    others[5].feed_forward.activation = Activation::Relu;
    for shape in others {
        let variables = Variables::new(3, DType::F64, &Device::Cpu);
        let rotary = Rotary::new(shape.attention.rotation, 8);
        assert!(matches!(Layer::new(&shape, &rotary, variables.builder()).unwrap(), Layer::Composed(_)), "{shape:?}");
    }
}

/// A product, a bias, a norm of each head and a rotation, number by number.
struct Loops {
    head_dim: usize,
    theta: f64,
    epsilon: f64,
}

impl Loops {
    fn project(x: &[f64], weight: &Tensor, bias: Option<&Tensor>) -> Vec<f64> {
        let weight: Vec<Vec<f64>> = weight.to_vec2().unwrap();
        let bias = bias.map_or(vec![0.0; weight.len()], |bias| bias.to_vec1().unwrap());
        let sum = |row: &Vec<f64>| row.iter().zip(x).map(|(weight, x)| weight * x).sum::<f64>();
        weight.iter().zip(bias).map(|(row, bias)| sum(row) + bias).collect()
    }

    /// Heads normed with `weight`, then rotated in interleaved pairs.
    fn turned(&self, x: &[f64], weight: &Tensor, position: usize) -> Vec<f64> {
        let weight: Vec<f64> = weight.to_vec1().unwrap();
        let head = |head: &[f64]| {
            let mean = head.iter().map(|x| x * x).sum::<f64>() / head.len() as f64;
            let normed: Vec<f64> =
                head.iter().zip(&weight).map(|(x, weight)| x / (mean + self.epsilon).sqrt() * weight).collect();
            let pair = |pair: usize| {
                let angle = position as f64 * self.theta.powf(-2.0 * pair as f64 / self.head_dim as f64);
                let (x, y) = (normed[2 * pair], normed[2 * pair + 1]);
                [x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()]
            };
            (0..self.head_dim / 2).flat_map(pair).collect::<Vec<f64>>()
        };
        x.chunks(self.head_dim).flat_map(head).collect()
    }
}

/// Grouped queries, all biases, norms of heads, interleaved rotation, hidden keys and a subset of rows at once.
#[test]
fn attention_with_every_option_is_that_of_loops() {
    let (heads, few, head_dim, d_model) = (6, 2, 4, 10);
    let shape = AttentionShape {
        key_value_heads: few,
        head_dim: Some(head_dim),
        rotation: Rotation::Interleaved { theta: 50.0 },
        biases: AttentionBiases::ALL,
        norm: Some(NormShape::Rms { epsilon: 1e-3, weighted: true }),
        ..AttentionShape::new(d_model, heads)
    };
    let variables = Variables::new(8, DType::F64, &Device::Cpu);
    let attention = Attention::new(shape, &Rotary::new(shape.rotation, head_dim), variables.builder()).unwrap();
    for (seed, (name, variable)) in (20..).zip(variables.all()) {
        let drawn = drawn(1, variable.elem_count(), seed).concat();
        variables.set(&name, &Tensor::from_vec(drawn, variable.shape(), &Device::Cpu).unwrap()).unwrap();
    }
    let weights = variables.weights().unwrap();
    let layout = TokenLayout::new(&[4, 3], &[0, 1]).unwrap();
    let visible = Arc::new(vec![true, false, true, true, false, true, true]);
    let rows = RowSet::from_mask(&[false, true, true, true, false, true, true]);
    let x = drawn(7, d_model, 2);
    let plan = AttentionPlan::new(&layout, &rows, Some(&visible));
    let all: Vec<u32> = (0..7).collect();
    let keys_values = attention.keys_values(&tensor(&x), &positions_of(&layout, &all)).unwrap();
    let positions = positions_of(&layout, rows.as_slice());
    let found = attention.attend(&rows.select(&tensor(&x)).unwrap(), &positions, &keys_values, &plan).unwrap();

    let loops = Loops { head_dim, theta: 50.0, epsilon: 1e-3 };
    let project = |row: usize, name: &str| {
        let bias = weights.get(&format!("{name}.bias"));
        Loops::project(&x[row], &weights[&format!("{name}.weight")], bias)
    };
    let turned = |row: usize, which: &str| {
        let projected = project(row, &format!("{which}_proj"));
        loops.turned(&projected, &weights[&format!("{which}_norm.weight")], layout.position(row))
    };
    let expected: Vec<Vec<f64>> = (rows.iter())
        .map(|row| {
            let seen: Vec<usize> = (layout.start(row)..=row).filter(|key| *key == row || visible[*key]).collect();
            let query = turned(row, "q");
            let mixed = (0..heads).flat_map(|head| {
                let own = head / (heads / few) * head_dim..(head / (heads / few) + 1) * head_dim;
                let score = |key: &usize| {
                    let product: f64 = (query[head * head_dim..(head + 1) * head_dim].iter())
                        .zip(&turned(*key, "k")[own.clone()])
                        .map(|(q, k)| q * k)
                        .sum();
                    (product / (head_dim as f64).sqrt()).exp()
                };
                let scores: Vec<f64> = seen.iter().map(score).collect();
                let total: f64 = scores.iter().sum();
                let values: Vec<Vec<f64>> =
                    seen.iter().map(|key| project(*key, "v_proj")[own.clone()].to_vec()).collect();
                let mix = |place: usize| {
                    scores.iter().zip(&values).map(|(score, value)| score / total * value[place]).sum::<f64>()
                };
                (0..head_dim).map(mix).collect::<Vec<f64>>()
            });
            let mixed: Vec<f64> = mixed.collect();
            Loops::project(&mixed, &weights["o_proj.weight"], weights.get("o_proj.bias"))
        })
        .collect();
    close("attention", &found, &expected);
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let refused = |shape: AttentionShape| shape.validate().unwrap_err().to_string();
    let rotated = |shape| AttentionShape { rotation: Rotation::Halves { theta: 10.0 }, ..shape };
    assert_eq!(
        refused(rotated(AttentionShape::new(12, 4))),
        "heads: expected a number that divides d_model 12 into heads of even width, found 4"
    );
    assert_eq!(
        refused(AttentionShape { key_value_heads: 3, ..AttentionShape::new(16, 4) }),
        "key_value_heads: expected a divisor of 4 heads, found 3"
    );
    assert_eq!(
        refused(rotated(AttentionShape { head_dim: Some(3), ..AttentionShape::new(16, 4) })),
        "head_dim: expected an even width of at least 2, found 3"
    );
    assert!(AttentionShape::new(12, 4).validate().is_ok());
}
