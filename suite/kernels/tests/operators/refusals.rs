//! An operand that does not fit is named, with what was expected and what was found.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};
use haltbench_kernels::{
    self as ops, AdamWStep, AttentionPlan, Candidates, EarlierCandidates, KeyValueEntries, Moments, PerceptronWeights,
    RopeTable,
};

fn ones(shape: &[usize]) -> Tensor {
    Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap()
}

fn doubles(shape: &[usize]) -> Tensor {
    Tensor::ones(shape, DType::F64, &Device::Cpu).unwrap()
}

fn refused<T>(result: Result<T>, expected: &str) {
    let Err(error) = result else { panic!("accepted, where `{expected}` was due") };
    let found = error.to_string();
    let found = found.lines().next().unwrap_or_default();
    assert_eq!(found, expected);
}

#[test]
fn norms_name_the_operand_of_another_shape_or_type() {
    let (x, vector) = (ones(&[2, 4]), ones(&[4]));
    let norm = |x: &Tensor, weight: &Tensor| ops::rms_norm(x, weight, 1e-5);
    refused(norm(&x, &ones(&[2])), "weight of rms_norm: expected [4] of f32, found [2] of f32");
    refused(norm(&x, &doubles(&[4])), "weight of rms_norm: expected [4] of f32, found [4] of f64");
    refused(norm(&vector, &vector), "x of rms_norm: expected rows and columns, found [4]");
    let norm = |weight: &Tensor, bias: &Tensor| ops::layer_norm(&x, weight, bias, 1e-5);
    refused(norm(&ones(&[2]), &vector), "weight of layer_norm: expected [4] of f32, found [2] of f32");
    refused(norm(&vector, &ones(&[8])), "bias of layer_norm: expected [4] of f32, found [8] of f32");
}

#[test]
fn rope_takes_whole_heads_of_an_even_width_and_a_position_for_each_row() {
    let rope = |width: usize, positions: usize, head: usize| {
        ops::rope(&ones(&[2, width]), &Arc::new(vec![0; positions]), &RopeTable::new(head, 1e4))
    };
    assert!(rope(8, 2, 4).is_ok());
    refused(rope(6, 2, 4), "x of rope: expected rows of whole heads of 4 numbers, found 6");
    refused(rope(8, 3, 4), "positions of rope: expected one for each of 2 rows, found 3");
    refused(rope(9, 2, 3), "table of rope: expected heads of an even width, found 3");
    refused(rope(0, 2, 0), "table of rope: expected heads of an even width, found 0");
}

#[test]
fn gates_take_operands_of_one_shape() {
    let open = |rows: usize| Arc::new(vec![true; rows]);
    let gate = |previous: &[usize], soft: &[usize], rows: usize| {
        ops::passthrough(&Candidates::of_all(&ones(&[2, 3])), &ones(previous), &ones(soft), &open(rows))
    };
    refused(gate(&[2, 2], &[2], 2), "previous of passthrough: expected [2, 3] of f32, found [2, 2] of f32");
    refused(gate(&[2, 3], &[3], 2), "soft of passthrough: expected [2] of f32, found [3] of f32");
    refused(gate(&[2, 3], &[2], 3), "open of passthrough: expected one for each of 2 rows, found 3");
    let gate = |computed: &[u32], earlier: &[usize]| {
        let earlier = EarlierCandidates { computed: computed.into(), candidates: ones(earlier) };
        let candidates = Candidates { computed: ones(&[computed.len(), 3]), earlier: Some(earlier) };
        ops::passthrough(&candidates, &ones(&[2, 3]), &ones(&[2]), &Arc::new(vec![true, false]))
    };
    assert!(gate(&[0], &[2, 3]).is_ok());
    refused(gate(&[0], &[3, 3]), "earlier candidates of passthrough: expected [2, 3] of f32, found [3, 3] of f32");
    refused(gate(&[2], &[2, 3]), "computed rows of passthrough: expected numbers below 2 that ascend, found [2]");
    refused(gate(&[1, 0], &[2, 3]), "computed rows of passthrough: expected numbers below 2 that ascend, found [1, 0]");
    refused(gate(&[1], &[2, 3]), "computed rows of passthrough: expected all rows that run, found some of them");
    let straight = ops::straight_through(&ones(&[2]), &ones(&[3]));
    refused(straight, "hard of straight_through: expected [3] of f32, found [2] of f32");
    let straight = ops::straight_through(&doubles(&[3]), &ones(&[3]));
    refused(straight, "hard of straight_through: expected [3] of f32, found [3] of f64");
}

#[test]
fn layers_name_the_weight_that_does_not_fit() {
    let x = ones(&[2, 3]);
    refused(ops::swiglu(&x), "x of swiglu: expected rows of gate and up side by side, an even width, found 3");
    let linear = |weight: &[usize], bias: &[usize]| ops::linear(&x, &ones(weight), Some(&ones(bias)));
    refused(linear(&[4, 2], &[4]), "weight of linear: expected [4, 3] of f32, found [4, 2] of f32");
    refused(linear(&[4, 3], &[3]), "bias of linear: expected [4] of f32, found [3] of f32");
    refused(ops::linear(&x, &ones(&[3]), None), "weight of linear: expected rows and columns, found [3]");
}

#[test]
fn perceptrons_name_the_weight_that_does_not_fit() {
    let scores = |states: &Tensor, [scale, shift, up, down, bias]: [&[usize]; 5]| {
        let [scale, shift, up, down, bias] = [scale, shift, up, down, bias].map(ones);
        ops::perceptron(states, &PerceptronWeights { scale, shift, up, down, bias }, 1e-5)
    };
    let (x, fit): (_, [&[usize]; 5]) = (ones(&[2, 3]), [&[3], &[3], &[5, 3], &[4, 5], &[4]]);
    assert!(scores(&x, fit).is_ok());
    let message = "scale of perceptron: expected [3] of f64, found [3] of f32";
    refused(scores(&doubles(&[2, 3]), fit), message);
    let names = ["scale", "shift", "up", "down", "bias"];
    let wrong: [(&[usize], &str); 5] =
        [(&[2], "[3]"), (&[4], "[3]"), (&[5, 2], "[5, 3]"), (&[4, 6], "[4, 5]"), (&[1], "[4]")];
    for (which, (shape, expected)) in wrong.into_iter().enumerate() {
        let mut shapes = fit;
        shapes[which] = shape;
        let message = format!("{} of perceptron: expected {expected} of f32, found {shape:?} of f32", names[which]);
        refused(scores(&x, shapes), &message);
    }
    refused(scores(&ones(&[3]), fit), "states of perceptron: expected rows and columns, found [3]");
}

#[test]
fn losses_need_a_target_in_the_vocabulary_for_each_row() {
    let loss = |targets: &[u32]| ops::cross_entropy(&ones(&[2, 3]), &Arc::new(targets.to_vec()));
    refused(loss(&[0]), "targets of cross_entropy: expected one for each of 2 rows, found 1");
    refused(loss(&[0, 3]), "targets of cross_entropy: expected numbers below 3, found 3");
}

#[test]
fn a_named_row_is_there_and_named_once() {
    let gather = |rows: &[u32]| ops::gather_rows(&ones(&[3, 2]), &rows.into());
    refused(gather(&[0, 3]), "rows: expected numbers below 3, found 3");
    refused(gather(&[2, 0, 2]), "rows: expected each row once, found 2 twice");
    for replace in [ops::replace_rows, ops::update_rows] {
        let replaced = |new: &Tensor| replace(&ones(&[3, 2]), &[0u32, 1].into(), new);
        let message = "new rows of replace_rows: expected [2, 2] of f32, found ";
        refused(replaced(&ones(&[1, 2])), &format!("{message}[1, 2] of f32"));
        refused(replaced(&ones(&[2, 4])), &format!("{message}[2, 4] of f32"));
        refused(replaced(&doubles(&[2, 2])), &format!("{message}[2, 2] of f64"));
    }
}

#[test]
fn attention_fits_its_plan() {
    let plan = |visible: Option<&Arc<Vec<bool>>>| AttentionPlan::new(&[0, 3][..], &[0, 1, 2], visible);
    let attend = |q: &[usize], keys_values: &[usize], heads: usize| {
        ops::causal_attention(&ones(q), &ones(keys_values), heads, &plan(None))
    };
    let message = "q of causal_attention: expected a row for each of the plan's 3 queries, found 2";
    refused(attend(&[2, 4], &[3, 8], 2), message);
    let message = "keys_values of causal_attention: expected [3, 8] of f32, found [3, 4] of f32";
    refused(attend(&[3, 4], &[3, 4], 2), message);
    for heads in [0, 3] {
        let message = format!("heads of causal_attention: expected a number that divides the width 4, found {heads}");
        refused(attend(&[3, 4], &[3, 8], heads), &message);
    }
    let hidden = ops::causal_attention(&ones(&[3, 4]), &ones(&[3, 8]), 2, &plan(Some(&Arc::new(vec![true; 2]))));
    refused(hidden, "visible of causal_attention: expected one for each of 3 rows, found 2");
}

#[test]
fn a_query_sees_entries_that_are_there() {
    let new = |heads: usize| KeyValueEntries::new(heads, 4, DType::F32, &Device::Cpu);
    refused(new(3), "heads of cached keys and values: expected a number that divides the width 4, found 3");
    let mut entries = new(2).unwrap();
    let message = "cached keys and values: expected [1, 8] of f32, found [2, 8] of f32";
    refused(entries.write(&[0], &ones(&[2, 8])), message);
    entries.write(&[0], &ones(&[1, 8])).unwrap();
    let attend = |q: &Tensor, seen: &[&[u32]]| ops::cached_attention(q, &entries, seen);
    let message = "q of cached_attention: expected [1, 4] of f32, found ";
    refused(attend(&ones(&[2, 4]), &[&[0]]), &format!("{message}[2, 4] of f32"));
    refused(attend(&doubles(&[1, 4]), &[&[0]]), &format!("{message}[1, 4] of f64"));
    let message = "seen of cached_attention: expected numbers of entries below 256, found 300 of query 0";
    refused(attend(&ones(&[1, 4]), &[&[0, 300]]), message);
    let message = "seen of cached_attention: expected an entry for every query, found query 0 sees no entry";
    refused(attend(&ones(&[1, 4]), &[&[]]), message);
}

#[test]
fn moments_and_gradient_are_like_the_weight() {
    let step = AdamWStep {
        rate: 0.1,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        decay: 0.0,
        correction1: 0.1,
        correction2: 0.01,
        scale: 1.0,
    };
    let moved = |[first, second, gradient]: [&[usize]; 3]| {
        let mut moments = Moments::new(vec![ones(&[2, 3])])?;
        moments.set(0, [&ones(first), &ones(second)])?;
        moments.step(&[Some(&ones(gradient))], |_| step)
    };
    let message = |operand: &str| format!("{operand} of adamw: expected [2, 3] of f32, found [3, 2] of f32");
    refused(moved([&[3, 2], &[2, 3], &[2, 3]]), &message("first"));
    refused(moved([&[2, 3], &[3, 2], &[2, 3]]), &message("second"));
    refused(moved([&[2, 3], &[2, 3], &[3, 2]]), &message("gradient"));
    let step = Moments::new(vec![ones(&[1]); 2]).unwrap().step(&[None], |_| step);
    refused(step, "gradients of adamw: expected one for each of 2 weights, found 1");
}
