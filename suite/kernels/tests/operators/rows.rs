//! Operations that take rows out and put them back, and the loss of some rows.

use std::sync::Arc;

use candle_core::{D, Result, Tensor};
use candle_nn::ops::log_softmax;
use haltbench_kernels as ops;

use crate::agreement::{Gradients, Operation, Size, agree};

/// The third number is how many rows are named.
const NAMED: [Size; 7] = [[5, 3, 3], [1, 1, 1], [130, 9, 70], [4, 3, 0], [0, 3, 0], [3, 0, 2], [3, 4, 3]];

const OPERATIONS: [Operation; 5] = [
    Operation {
        name: "gather_rows",
        sizes: &NAMED,
        operands: |[rows, width, _]| vec![vec![rows, width]],
        fused: |t, size| ops::gather_rows(&t[0], &named(size).into()),
        composed: |t, size| taken(&t[0], &named(size)),
        gradients: Gradients::Exact,
    },
    Operation {
        name: "replace_rows",
        sizes: &NAMED,
        operands: |[rows, width, count]| vec![vec![rows, width], vec![count, width]],
        fused: |t, size| ops::replace_rows(&t[0], &named(size).into(), &t[1]),
        composed: replaced,
        gradients: Gradients::Exact,
    },
    // Where a gradient can be asked for, in memory of its own; elsewhere in that of its operand, which is no leaf then.
    Operation {
        name: "update_rows with a gradient",
        sizes: &NAMED,
        operands: |[rows, width, count]| vec![vec![rows, width], vec![count, width]],
        fused: |t, size| ops::update_rows(&t[0], &named(size).into(), &t[1]),
        composed: replaced,
        gradients: Gradients::Exact,
    },
    Operation {
        name: "cross_entropy",
        sizes: &[[0, 4, 0], [1, 1, 0], [1, 2, 0], [6, 11, 0], [130, 5, 0], [0, 0, 0]],
        operands: |[rows, vocabulary, _]| vec![vec![rows, vocabulary]],
        fused: |t, [rows, vocabulary, _]| ops::cross_entropy(&t[0], &Arc::new(targets(rows, vocabulary))),
        composed: |t, [rows, vocabulary, _]| losses(&t[0], &targets(rows, vocabulary)),
        gradients: Gradients::Exact,
    },
    // As the engine masks a loss: the rows under it are taken out first. The composition computes all losses.
    Operation {
        name: "cross_entropy with a loss mask",
        sizes: &[[6, 11, 4], [3, 1, 2], [130, 5, 70], [5, 3, 0]],
        operands: |[rows, vocabulary, _]| vec![vec![rows, vocabulary]],
        fused: |t, size| {
            let [rows, vocabulary, _] = size;
            let (kept, all) = (named(size), targets(rows, vocabulary));
            let targets: Vec<u32> = kept.iter().map(|row| all[*row as usize]).collect();
            ops::cross_entropy(&ops::gather_rows(&t[0], &kept.into())?, &Arc::new(targets))
        },
        composed: |t, size| taken(&losses(&t[0], &targets(size[0], size[1]))?, &named(size)),
        gradients: Gradients::Exact,
    },
];

/// Some rows, each once, in no order.
fn named([rows, _, count]: Size) -> Vec<u32> {
    let mut order: Vec<u32> = (0..rows as u32).collect();
    order.sort_by_key(|row| (row * 7 + 3) % 31);
    order.truncate(count);
    order
}

fn taken(x: &Tensor, rows: &[u32]) -> Result<Tensor> {
    x.contiguous()?.index_select(&Tensor::from_slice(rows, rows.len(), x.device())?, 0)
}

fn replaced(t: &[Tensor], size: Size) -> Result<Tensor> {
    let mut places: Vec<u32> = (0..size[0] as u32).collect();
    for (row, place) in named(size).into_iter().zip(size[0] as u32..) {
        places[row as usize] = place;
    }
    taken(&Tensor::cat(&[&t[0], &t[1]], 0)?, &places)
}

fn targets(rows: usize, vocabulary: usize) -> Vec<u32> {
    (0..rows as u32).map(|row| row * 5 % vocabulary as u32).collect()
}

fn losses(logits: &Tensor, targets: &[u32]) -> Result<Tensor> {
    if targets.is_empty() {
        return logits.sum(1);
    }
    let index = Tensor::from_slice(targets, (targets.len(), 1), logits.device())?;
    log_softmax(logits, D::Minus1)?.gather(&index, 1)?.squeeze(1)?.neg()
}

#[test]
fn operations_that_name_rows_equal_their_compositions_in_every_layout() {
    agree(&OPERATIONS);
}
