//! Operations that work row by row or number by number.

use std::sync::Arc;

use candle_core::{D, DType, Result, Tensor};
use haltbench_kernels::{self as ops, Candidates, Float, Instructions, RopeTable, RowOperation};

use crate::agreement::{Gradients, Operation, Size, agree, device};

const EPSILON: f64 = 1e-5;
const THETA: f64 = 10_000.0;

/// Down to one number, no rows, rows of no numbers, and more rows than one thread works on at a time.
const MATRICES: [Size; 6] = [[0, 5, 0], [1, 1, 0], [3, 5, 0], [130, 16, 0], [3, 0, 0], [0, 0, 0]];

const OPERATIONS: [Operation; 9] = [
    Operation {
        name: "rms_norm",
        sizes: &MATRICES,
        operands: |[rows, width, _]| vec![vec![rows, width], vec![width]],
        fused: |t, _| ops::rms_norm(&t[0], &t[1], EPSILON),
        composed: |t, _| {
            let scale = (t[0].sqr()?.mean_keepdim(D::Minus1)? + EPSILON)?.sqrt()?;
            t[0].broadcast_div(&scale)?.broadcast_mul(&t[1])
        },
        gradients: Gradients::Exact,
    },
    Operation {
        name: "layer_norm",
        sizes: &MATRICES,
        operands: |[rows, width, _]| vec![vec![rows, width], vec![width], vec![width]],
        fused: |t, _| ops::layer_norm(&t[0], &t[1], &t[2], EPSILON),
        composed: |t, _| {
            let centred = t[0].broadcast_sub(&t[0].mean_keepdim(D::Minus1)?)?;
            let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + EPSILON)?.sqrt()?;
            centred.broadcast_div(&deviation)?.broadcast_mul(&t[1])?.broadcast_add(&t[2])
        },
        gradients: Gradients::Exact,
    },
    Operation {
        name: "rope",
        // The third number is the width of a head.
        sizes: &[[0, 4, 2], [1, 2, 2], [4, 12, 6], [70, 8, 2], [3, 0, 2]],
        operands: |[rows, width, _]| vec![vec![rows, width]],
        fused: |t, [rows, _, head]| ops::rope(&t[0], &Arc::new(positions(rows)), &RopeTable::new(head, THETA)),
        composed: rotated,
        gradients: Gradients::Exact,
    },
    Operation {
        name: "swiglu",
        sizes: &MATRICES,
        operands: |[rows, width, _]| vec![vec![rows, 2 * width]],
        fused: |t, _| ops::swiglu(&t[0]),
        composed: |t, [_, width, _]| silu(&t[0].narrow(1, 0, width)?)? * t[0].narrow(1, width, width)?,
        gradients: Gradients::Exact,
    },
    Operation {
        name: "silu",
        sizes: &MATRICES,
        operands: |[rows, width, _]| vec![vec![rows, width]],
        fused: |t, _| ops::silu(&t[0]),
        composed: |t, _| silu(&t[0]),
        gradients: Gradients::Exact,
    },
    Operation {
        name: "log_sigmoid",
        sizes: &MATRICES,
        operands: |[rows, width, _]| vec![vec![rows, width]],
        fused: |t, _| ops::log_sigmoid(&t[0]),
        composed: |t, _| (t[0].neg()?.exp()? + 1.0)?.log()?.neg(),
        gradients: Gradients::Exact,
    },
    Operation {
        name: "rowwise",
        sizes: &MATRICES,
        operands: |[rows, width, _]| vec![vec![rows, width]],
        fused: |t, _| ops::rowwise(&t[0], Moment),
        composed: |t, _| (t[0].exp()? * &t[0])?.sum(1),
        gradients: Gradients::Exact,
    },
    Operation {
        name: "passthrough",
        sizes: &MATRICES,
        operands: |[rows, width, _]| vec![vec![rows, width], vec![rows, width], vec![rows]],
        fused: |t, [rows, ..]| ops::passthrough(&Candidates::of_all(&t[0]), &t[1], &t[2], &Arc::new(open(rows))),
        composed: |t, [rows, ..]| {
            let hard: Vec<f64> = open(rows).into_iter().map(|open| f64::from(u8::from(open))).collect();
            let hard = Tensor::from_vec(hard, rows, t[2].device())?.to_dtype(t[2].dtype())?;
            let gate = ((hard - &t[2])?.detach() + &t[2])?.unsqueeze(1)?;
            t[0].broadcast_mul(&gate)? + t[1].broadcast_mul(&gate.affine(-1.0, 1.0)?)?
        },
        gradients: Gradients::Estimated,
    },
    Operation {
        name: "straight_through",
        sizes: &MATRICES,
        operands: |[rows, width, _]| vec![vec![rows, width]; 2],
        fused: |t, _| ops::straight_through(&t[0], &t[1]),
        composed: |t, _| (&t[0] - &t[1])?.detach() + &t[1],
        gradients: Gradients::Estimated,
    },
];

fn silu(x: &Tensor) -> Result<Tensor> {
    x / (x.neg()?.exp()? + 1.0)?
}

/// An operation of this test's own: Σ x eˣ of a row.
struct Moment;

impl RowOperation for Moment {
    const NAME: &'static str = "moment";

    #[inline(always)]
    fn forward<T: Float>(&self, instructions: impl Instructions, width: usize, rows: &[T], results: &mut [T]) {
        for (result, row) in results.iter_mut().zip(rows.chunks_exact(width.max(1))) {
            *result = row.iter().map(|x| *x * Float::exp(*x, instructions)).sum();
        }
    }

    #[inline(always)]
    fn backward<T: Float>(
        &self,
        instructions: impl Instructions,
        width: usize,
        rows: &[T],
        gradients: &[T],
        of_rows: &mut [T],
    ) {
        let width = width.max(1);
        let operands = rows.chunks_exact(width).zip(gradients);
        for (into, (row, gradient)) in of_rows.chunks_exact_mut(width).zip(operands) {
            for (into, x) in into.iter_mut().zip(row) {
                *into = *gradient * (*x + T::one()) * Float::exp(*x, instructions);
            }
        }
    }

    fn composed(&self, rows: &Tensor) -> Result<Tensor> {
        (rows.exp()? * rows)?.sum(1)
    }
}

/// Rows that run.
fn open(rows: usize) -> Vec<bool> {
    (0..rows).map(|row| row % 3 == 1).collect()
}

fn positions(rows: usize) -> Vec<u32> {
    (0..rows as u32).map(|row| row * 3 % 11).collect()
}

/// Every pair (i, i + half) of a head turned by the angle position · theta^(-2i / head).
fn rotated(t: &[Tensor], [rows, width, head]: Size) -> Result<Tensor> {
    let half = head / 2;
    let angle = |(position, pair): (u32, usize)| f64::from(position) * THETA.powf(-2.0 * pair as f64 / head as f64);
    let pairs = positions(rows).into_iter().flat_map(|position| (0..half).map(move |pair| (position, pair)));
    let angles: Vec<f64> = pairs.map(angle).collect();
    let angles = Tensor::from_vec(angles, (rows, 1, half), t[0].device())?;
    let (cosine, sine) = (angles.cos()?.to_dtype(t[0].dtype())?, angles.sin()?.to_dtype(t[0].dtype())?);
    let heads = t[0].reshape((rows, width / head, head))?;
    let (low, high) = (heads.narrow(2, 0, half)?, heads.narrow(2, half, half)?);
    let turned_low = (low.broadcast_mul(&cosine)? - high.broadcast_mul(&sine)?)?;
    let turned_high = (high.broadcast_mul(&cosine)? + low.broadcast_mul(&sine)?)?;
    Tensor::cat(&[turned_low, turned_high], 2)?.reshape((rows, width))
}

/// candle's narrowed views of nothing may begin behind the end of their memory.
#[test]
fn nothing_may_lie_anywhere() {
    let nothing = Tensor::zeros((0, 8), DType::F32, &device()).unwrap().narrow(1, 2, 4).unwrap();
    let weight = Tensor::ones(4, DType::F32, &device()).unwrap();
    assert_eq!(ops::rms_norm(&nothing, &weight, EPSILON).unwrap().dims(), [0, 4]);
    assert_eq!(ops::swiglu(&nothing).unwrap().dims(), [0, 2]);
    assert_eq!(
        ops::update_rows(&nothing, &[].into(), &Tensor::zeros((0, 4), DType::F32, &device()).unwrap()).unwrap().dims(),
        [0, 4]
    );
}

#[test]
fn operations_on_rows_equal_their_compositions_in_every_layout() {
    agree(&OPERATIONS);
}
