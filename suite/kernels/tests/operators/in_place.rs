//! Operations that write to the memory of an operand, and sums over all of one.

use candle_core::{Result, Tensor};
use haltbench_kernels::{self as ops, AdamWStep, Moments};

use crate::agreement::{Gradients, Operation, Size, agree, device, numbers};

const STEP: AdamWStep = AdamWStep {
    rate: 0.1,
    beta1: 0.9,
    beta2: 0.99,
    epsilon: 1e-8,
    decay: 0.05,
    correction1: 0.19,
    correction2: 0.0199,
    scale: 0.5,
};

const MATRICES: [Size; 6] = [[0, 5, 0], [1, 1, 0], [3, 7, 0], [130, 140, 0], [3, 0, 0], [5, 1, 0]];

const OPERATIONS: [Operation; 4] = [
    Operation {
        name: "adamw of a matrix",
        sizes: &MATRICES,
        operands: |[rows, width, _]| vec![vec![rows, width]; 4],
        fused: moved,
        composed: moved_by_the_equations,
        gradients: Gradients::None,
    },
    Operation {
        name: "adamw of a vector",
        sizes: &MATRICES,
        operands: |[_, width, _]| vec![vec![width]; 4],
        fused: moved,
        composed: moved_by_the_equations,
        gradients: Gradients::None,
    },
    Operation {
        name: "update_rows",
        sizes: &MATRICES,
        operands: |[rows, width, _]| vec![vec![rows, width], vec![rows / 2, width]],
        fused: |t, [rows, ..]| {
            let named: Vec<u32> = (0..rows as u32 / 2).map(|place| 2 * place + 1).rev().collect();
            ops::update_rows(&t[0].detach(), &named.into(), &t[1].detach())
        },
        composed: |t, [rows, width, _]| {
            let new = |row: usize| (row % 2 == 1).then(|| rows / 2 - 1 - row / 2);
            let row = |row: usize| match new(row) {
                Some(place) => t[1].narrow(0, place, 1),
                None => t[0].narrow(0, row, 1),
            };
            if rows * width == 0 {
                return Ok(t[0].clone());
            }
            Tensor::cat(&(0..rows).map(row).collect::<Result<Vec<Tensor>>>()?, 0)
        },
        gradients: Gradients::None,
    },
    Operation {
        name: "square_sums",
        sizes: &MATRICES,
        operands: |[rows, width, _]| vec![vec![rows, width]],
        fused: |t, _| Tensor::new(ops::square_sums(&[&t[0]])?, t[0].device())?.squeeze(0)?.to_dtype(t[0].dtype()),
        composed: |t, _| t[0].sqr()?.sum_all(),
        gradients: Gradients::None,
    },
];

/// Weight and moments after a step, side by side.
fn moved(t: &[Tensor], _: Size) -> Result<Tensor> {
    // On a GPU only a weight in one piece can be moved.
    let weight = if device().is_cpu() { t[0].detach() } else { t[0].detach().contiguous()? };
    let mut moments = Moments::new(vec![weight.clone()])?;
    moments.set(0, [&t[1], &t[2]])?;
    moments.step(&[Some(&t[3])], |_| STEP)?;
    let [first, second] = moments.get(0)?;
    Tensor::stack(&[weight, first, second], 0)?.flatten_all()
}

fn moved_by_the_equations(t: &[Tensor], _: Size) -> Result<Tensor> {
    let gradient = (&t[3] * STEP.scale)?;
    let first = ((&t[1] * STEP.beta1)? + (&gradient * (1.0 - STEP.beta1))?)?;
    let second = ((&t[2] * STEP.beta2)? + (gradient.sqr()? * (1.0 - STEP.beta2))?)?;
    let root = ((&second / STEP.correction2)?.sqrt()? + STEP.epsilon)?;
    let change = (((&first / STEP.correction1)? / root)? * STEP.rate)?;
    let weight = ((&t[0] * (1.0 - STEP.decay))? - change)?;
    Tensor::stack(&[weight, first, second], 0)?.flatten_all()
}

#[test]
fn operations_in_place_equal_their_compositions_in_every_layout() {
    agree(&OPERATIONS);
}

/// Dimension, first and count of the part of a memory that is moved, and whether a number is in it.
type Part = (usize, usize, usize, fn(usize) -> bool);

/// What lies around the operand in its memory belongs to others.
#[test]
fn writing_in_place_changes_nothing_else() {
    let memory = || Tensor::arange(0f64, 30.0, &device()).unwrap().reshape((6, 5)).unwrap();
    let new = Tensor::full(100.0, (1, 5), &device()).unwrap();
    let whole = memory();
    let part = ops::update_rows(&whole.narrow(0, 2, 3).unwrap(), &[1u32].into(), &new).unwrap();
    let expected: Vec<f64> = (0..30).map(|n| if (15..20).contains(&n) { 100.0 } else { f64::from(n) }).collect();
    assert_eq!(numbers(&part), expected[10..25]);
    // On a GPU the rows are replaced in a copy.
    if device().is_cpu() {
        assert_eq!(numbers(&whole), expected);
    }
    let parts: [Part; 2] = [(0, 2, 3, |n| (10..25).contains(&n)), (1, 1, 2, |n| (1..3).contains(&(n % 5)))];
    for (dimension, first, count, inside) in parts {
        let whole = memory();
        let weight = whole.narrow(dimension, first, count).unwrap();
        let mut moments = Moments::new(vec![weight.clone()]).unwrap();
        moments.set(0, [&weight.ones_like().unwrap(), &weight.ones_like().unwrap()]).unwrap();
        let step = moments.step(&[None], |_| STEP);
        if !device().is_cpu() && !weight.is_contiguous() {
            assert!(step.unwrap_err().to_string().contains("contiguous memory"));
            continue;
        }
        step.unwrap();
        for (n, number) in numbers(&whole).into_iter().enumerate() {
            assert_eq!(number != n as f64, inside(n), "number {n} is {number}");
        }
    }
}
