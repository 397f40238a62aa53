//! Operations that mix the numbers of a row or the rows of a sequence: linear layers and attention.

use std::sync::Arc;

use candle_core::{D, Result, Tensor};
use candle_nn::ops::softmax;
use haltbench_kernels::{self as ops, AttentionPlan, KeyValueEntries, NO_ENTRY, PerceptronWeights};

use crate::agreement::{Gradients, Operation, Size, agree};

/// Rows, inputs, outputs.
const PRODUCTS: [Size; 7] = [[0, 3, 4], [1, 1, 1], [5, 3, 4], [70, 9, 3], [3, 0, 2], [3, 2, 0], [0, 0, 0]];

/// Tokens, width, heads.
const SEQUENCES: [Size; 6] = [[0, 4, 2], [1, 1, 1], [9, 8, 2], [40, 6, 3], [5, 0, 1], [7, 2, 2]];

/// Rows, width of the states, scores; hidden numbers are [`HIDDEN`]. Few scores, many, and more rows than one thread works on
/// at a time.
const DECISIONS: [Size; 7] = [[0, 3, 4], [1, 2, 1], [5, 3, 4], [70, 9, 1], [130, 4, 3], [3, 0, 2], [3, 2, 0]];

const HIDDEN: usize = 19;

const EPSILON: f64 = 1e-5;

const OPERATIONS: [Operation; 7] = [
    Operation {
        name: "linear with a bias",
        sizes: &PRODUCTS,
        operands: |[rows, inputs, outputs]| vec![vec![rows, inputs], vec![outputs, inputs], vec![outputs]],
        fused: |t, _| ops::linear(&t[0], &t[1], Some(&t[2])),
        composed: |t, _| product(&t[0], &t[1])?.broadcast_add(&t[2]),
        gradients: Gradients::Exact,
    },
    Operation {
        name: "linear",
        sizes: &PRODUCTS,
        operands: |[rows, inputs, outputs]| vec![vec![rows, inputs], vec![outputs, inputs]],
        fused: |t, _| ops::linear(&t[0], &t[1], None),
        composed: |t, _| product(&t[0], &t[1]),
        gradients: Gradients::Exact,
    },
    Operation {
        name: "perceptron",
        sizes: &DECISIONS,
        operands: |[rows, width, scores]| {
            vec![vec![rows, width], vec![width], vec![width], vec![HIDDEN, width], vec![scores, HIDDEN], vec![scores]]
        },
        fused: |t, _| {
            let [scale, shift, up, down, bias] = [1, 2, 3, 4, 5].map(|which| t[which].clone());
            ops::perceptron(&t[0], &PerceptronWeights { scale, shift, up, down, bias }, EPSILON)
        },
        composed: |t, _| {
            let centred = t[0].broadcast_sub(&t[0].mean_keepdim(D::Minus1)?)?;
            let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + EPSILON)?.sqrt()?;
            let normed = centred.broadcast_div(&deviation)?.broadcast_mul(&t[1])?.broadcast_add(&t[2])?;
            let hidden = product(&normed, &t[3])?;
            let hidden = (&hidden / (hidden.neg()?.exp()? + 1.0)?)?;
            product(&hidden, &t[4])?.broadcast_add(&t[5])
        },
        gradients: Gradients::Exact,
    },
    Operation {
        name: "causal_attention of all rows",
        sizes: &SEQUENCES,
        operands: |size| operands(size, &Seen::all(size)),
        fused: |t, size| fused(t, size, &Seen::all(size)),
        composed: |t, size| composed(t, size, &Seen::all(size)),
        gradients: Gradients::Exact,
    },
    Operation {
        name: "causal_attention of some rows to some",
        sizes: &SEQUENCES,
        operands: |size| operands(size, &Seen::some(size)),
        fused: |t, size| fused(t, size, &Seen::some(size)),
        composed: |t, size| composed(t, size, &Seen::some(size)),
        gradients: Gradients::Exact,
    },
    Operation {
        name: "causal_attention of no row",
        sizes: &SEQUENCES,
        operands: |size| operands(size, &Seen::none(size)),
        fused: |t, size| fused(t, size, &Seen::none(size)),
        composed: |t, size| composed(t, size, &Seen::none(size)),
        gradients: Gradients::Exact,
    },
    Operation {
        name: "cached_attention",
        sizes: &SEQUENCES,
        operands: |size| operands(size, &Seen::some(size)),
        fused: cached,
        composed: |t, size| composed(t, size, &Seen::some(size)),
        gradients: Gradients::None,
    },
];

/// x wᵀ as sums over all pairs of rows, which also says what no inputs give.
fn product(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    x.unsqueeze(1)?.broadcast_mul(&weight.unsqueeze(0)?)?.sum(2)
}

/// Two sequences, or one where there is one token: which rows ask and which may be seen.
struct Seen {
    starts: Vec<u32>,
    queries: Vec<u32>,
    visible: Option<Arc<Vec<bool>>>,
}

impl Seen {
    fn new([tokens, ..]: Size, asks: fn(usize) -> bool) -> Self {
        let (second, end) = ((tokens - tokens / 3) as u32, tokens as u32);
        let starts = if second < end { vec![0, second, end] } else { vec![0, end] };
        let queries = (0..end).filter(|row| asks(*row as usize)).collect();
        Self { starts, queries, visible: None }
    }

    fn all(size: Size) -> Self {
        Self::new(size, |_| true)
    }

    fn some(size: Size) -> Self {
        let visible = Some(Arc::new((0..size[0]).map(|row| row % 3 != 1).collect()));
        Self { visible, ..Self::new(size, |row| row % 4 != 2) }
    }

    fn none(size: Size) -> Self {
        Self::new(size, |_| false)
    }

    /// What the row `query` sees.
    fn keys(&self, query: u32) -> Vec<u32> {
        let sees = |key: &u32| *key == query || self.visible.as_ref().is_none_or(|visible| visible[*key as usize]);
        let start = self.starts.iter().rfind(|start| **start <= query).copied();
        (start.unwrap()..=query).filter(sees).collect()
    }
}

fn operands([tokens, width, _]: Size, seen: &Seen) -> Vec<Vec<usize>> {
    vec![vec![seen.queries.len(), width], vec![tokens, 2 * width]]
}

fn fused(t: &[Tensor], [_, _, heads]: Size, seen: &Seen) -> Result<Tensor> {
    let plan = AttentionPlan::new(&seen.starts[..], &seen.queries, seen.visible.as_ref());
    ops::causal_attention(&t[0], &t[1], heads, &plan)
}

/// One query and one head at a time.
fn composed(t: &[Tensor], [_, width, heads]: Size, seen: &Seen) -> Result<Tensor> {
    if width == 0 || seen.queries.is_empty() {
        return Ok(t[0].clone());
    }
    let head_dim = width / heads;
    let mut rows = Vec::new();
    for (place, query) in seen.queries.iter().enumerate() {
        let keys = seen.keys(*query);
        let keys = Tensor::from_slice(&keys, keys.len(), t[1].device())?;
        let keys_values = t[1].contiguous()?.index_select(&keys, 0)?;
        let mut mixed = Vec::new();
        for head in 0..heads {
            let q = t[0].narrow(0, place, 1)?.narrow(1, head * head_dim, head_dim)?;
            let keys = keys_values.narrow(1, head * head_dim, head_dim)?;
            let values = keys_values.narrow(1, width + head * head_dim, head_dim)?;
            let scores = (product(&q, &keys)? * (head_dim as f64).sqrt().recip())?;
            mixed.push(product(&softmax(&scores, D::Minus1)?, &values.t()?)?);
        }
        rows.push(Tensor::cat(&mixed, 1)?);
    }
    Tensor::cat(&rows, 0)
}

/// The same keys and values as entries of a cache, from the last to the first and with gaps.
fn cached(t: &[Tensor], size: Size) -> Result<Tensor> {
    let [tokens, width, heads] = size;
    let seen = Seen::some(size);
    let mut entries = KeyValueEntries::new(heads, width, t[0].dtype(), t[0].device())?;
    let entry = |row: u32| 2 * (tokens as u32 - 1 - row);
    let numbers: Vec<u32> = (0..tokens as u32).map(entry).collect();
    entries.write(&numbers, &t[1])?;
    let with_hole = |query: &u32| [vec![NO_ENTRY], seen.keys(*query).into_iter().map(entry).collect()].concat();
    let lists: Vec<Vec<u32>> = seen.queries.iter().map(with_hole).collect();
    let lists: Vec<&[u32]> = lists.iter().map(Vec::as_slice).collect();
    ops::cached_attention(&t[0], &entries, &lists)
}

#[test]
fn operations_that_mix_equal_their_compositions_in_every_layout() {
    agree(&OPERATIONS);
}
