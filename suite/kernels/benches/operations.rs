//! Every fused operation, forward and with its backward pass, at the sizes of one step of a small model (64 sequences of
//! 32 tokens, width 64): `cargo bench --profile dev -p haltbench_kernels --bench operations`.
//!
//! The profile is that of every other build here, so nothing below is built twice.

#![allow(missing_docs, reason = "macros of criterion")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot begin has nothing to report")]

use std::sync::Arc;

use candle_core::{Device, Result, Tensor, Var};
use criterion::{Criterion, criterion_group, criterion_main};
use haltbench_kernels::{
    self as ops, AdamWStep, AttentionPlan, Backward, KeyValueEntries, LayerPass, LayerWeights, Moments,
    PerceptronWeights, RopeTable,
};

#[path = "../tests/support/normals.rs"]
mod normals;

const SEQUENCES: usize = 64;
const LENGTH: usize = 32;
const ROWS: usize = SEQUENCES * LENGTH;
const WIDTH: usize = 64;
const HIDDEN: usize = 256;
const HEADS: usize = 8;

fn values(shape: &[usize], seed: u64) -> Var {
    let normals = normals::normals(shape.iter().product(), seed, "bench").into_iter();
    let values: Vec<f32> = normals.map(|normal| 0.1 * normal as f32).collect();
    Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
}

/// All rows of sequences of equal length.
fn plan() -> Arc<AttentionPlan> {
    let starts: Vec<u32> = (0..=SEQUENCES).map(|sequence| (sequence * LENGTH) as u32).collect();
    AttentionPlan::new(&starts[..], &(0..ROWS as u32).collect::<Vec<u32>>(), None)
}

/// Times `operation` on variables of these shapes.
fn time(criterion: &mut Criterion, name: &str, shapes: &[&[usize]], operation: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let variables: Vec<Var> = shapes.iter().zip(1..).map(|(shape, seed)| values(shape, seed)).collect();
    let tensors: Vec<Tensor> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
    let constants: Vec<Tensor> = tensors.iter().map(Tensor::detach).collect();
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20);
    group.bench_function("forward", |bencher| bencher.iter(|| operation(&constants).unwrap()));
    group.bench_function("forward and backward", |bencher| {
        bencher.iter(|| operation(&tensors).unwrap().sum_all().unwrap().backward().unwrap());
    });
    group.finish();
}

fn operations(criterion: &mut Criterion) {
    let positions: Arc<Vec<u32>> = Arc::new((0..ROWS).map(|row| (row % LENGTH) as u32).collect());
    let plan = plan();
    let rope = Arc::new(RopeTable::new(WIDTH / HEADS, 10_000.0));
    let (x, vector): (&[usize], &[usize]) = (&[ROWS, WIDTH], &[WIDTH]);
    time(criterion, "rms_norm", &[x, vector], |t| ops::rms_norm(&t[0], &t[1], 1e-5));
    time(criterion, "layer_norm", &[x, vector, vector], |t| ops::layer_norm(&t[0], &t[1], &t[2], 1e-5));
    time(criterion, "rope", &[x], |t| ops::rope(&t[0], &positions, &rope));
    time(criterion, "causal_attention", &[x, &[ROWS, 2 * WIDTH]], |t| {
        ops::causal_attention(&t[0], &t[1], HEADS, &plan)
    });
    time(criterion, "linear", &[x, &[HIDDEN, WIDTH], &[HIDDEN]], |t| ops::linear(&t[0], &t[1], Some(&t[2])));
    time(criterion, "swiglu", &[&[ROWS, 2 * HIDDEN]], |t| ops::swiglu(&t[0]));
    time(criterion, "silu", &[&[ROWS, HIDDEN]], |t| ops::silu(&t[0]));
    time(criterion, "log_sigmoid", &[&[ROWS]], |t| ops::log_sigmoid(&t[0]));
    let targets: Arc<Vec<u32>> = Arc::new((0..ROWS as u32).map(|row| row % 32).collect());
    time(criterion, "cross_entropy", &[&[ROWS, 32]], |t| ops::cross_entropy(&t[0], &targets));
    let open: Arc<Vec<bool>> = Arc::new((0..ROWS).map(|row| row % 3 == 0).collect());
    time(criterion, "passthrough", &[x, x, &[ROWS]], |t| {
        ops::passthrough(&ops::Candidates::of_all(&t[0]), &t[1], &t[2], &open)
    });
    time(criterion, "straight_through", &[x, x], |t| ops::straight_through(&t[0], &t[1]));
    let third = thirds();
    let some: &[usize] = &[third.len(), WIDTH];
    time(criterion, "gather_rows", &[x], |t| ops::gather_rows(&t[0], &third));
    time(criterion, "replace_rows", &[x, some], |t| ops::replace_rows(&t[0], &third, &t[1]));
}

/// Perceptrons of one score, as after every step, and of several, as before the first, beside what they are made of.
fn decisions(criterion: &mut Criterion) {
    for outputs in [1, 6] {
        let (vector, down): (&[usize], &[usize]) = (&[WIDTH], &[outputs, HIDDEN]);
        let shapes: [&[usize]; 6] = [&[ROWS, WIDTH], vector, vector, &[HIDDEN, WIDTH], down, &[outputs]];
        time(criterion, &format!("perceptron of {outputs}"), &shapes, |t| {
            let [scale, shift, up, down, bias] = [1, 2, 3, 4, 5].map(|which| t[which].clone());
            ops::perceptron(&t[0], &PerceptronWeights { scale, shift, up, down, bias }, 1e-5)
        });
        time(criterion, &format!("perceptron of {outputs}, composed"), &shapes, |t| {
            let normed = ops::layer_norm(&t[0], &t[1], &t[2], 1e-5)?;
            ops::linear(&ops::silu(&ops::linear(&normed, &t[3], None)?)?, &t[4], Some(&t[5]))
        });
    }
}

/// Every third row.
fn thirds() -> Arc<[u32]> {
    (0..ROWS as u32).step_by(3).collect()
}

/// A layer over all rows, as it is used in the first step and in later ones.
fn layers(criterion: &mut Criterion) {
    let positions: Arc<Vec<u32>> = Arc::new((0..ROWS).map(|row| (row % LENGTH) as u32).collect());
    let plan = plan();
    let rope = Arc::new(RopeTable::new(WIDTH / HEADS, 10_000.0));
    let vector: &[usize] = &[WIDTH];
    let shapes: [&[usize]; 7] =
        [&[ROWS, WIDTH], vector, &[3 * WIDTH, WIDTH], &[WIDTH, WIDTH], vector, &[2 * HIDDEN, WIDTH], &[WIDTH, HIDDEN]];
    let layer = |t: &[Tensor], known: Option<(&Tensor, &Arc<[u32]>)>, backward: Backward| {
        let weights = LayerWeights {
            input_norm: t[1].clone(),
            query_key_value: t[2].clone(),
            output: t[3].clone(),
            feed_forward_norm: t[4].clone(),
            gate_up: t[5].clone(),
            down: t[6].clone(),
        };
        let pass = LayerPass::new(&weights, HEADS, 1e-5, &rope)?;
        let keys_values = pass.keys_values(&t[0], &positions, known)?;
        pass.attend(&t[0], &keys_values, &positions, &plan, backward)
    };
    let (third, whole) = (thirds(), Backward::default());
    let known = values(&[ROWS, 2 * WIDTH], 8).as_detached_tensor();
    time(criterion, "layer", &shapes, |t| layer(t, None, whole));
    let again = Backward { recompute: true, ..whole };
    time(criterion, "layer, computed again in the backward pass", &shapes, |t| layer(t, None, again));
    time(criterion, "layer, a third of the keys and values anew", &shapes, |t| layer(t, Some((&known, &third)), whole));
    let few = Backward { places: Some(&third), ..whole };
    time(criterion, "layer, a third of the rows differentiated", &shapes, |t| layer(t, None, few));
}

/// What has no backward pass.
fn constants(criterion: &mut Criterion) {
    let third = thirds();
    let [x, new] = [(1, ROWS), (2, third.len())].map(|(seed, rows)| values(&[rows, WIDTH], seed).as_detached_tensor());
    criterion.bench_function("update_rows", |bencher| bencher.iter(|| ops::update_rows(&x, &third, &new).unwrap()));
    criterion.bench_function("square_sums", |bencher| bencher.iter(|| ops::square_sums(&[&x]).unwrap()));
    // One new token of every sequence over all tokens that it has had.
    let mut entries = KeyValueEntries::new(HEADS, WIDTH, x.dtype(), x.device()).unwrap();
    let numbers: Vec<u32> = (0..ROWS as u32).collect();
    let keys_values = values(&[ROWS, 2 * WIDTH], 3).as_detached_tensor();
    entries.write(&numbers, &keys_values).unwrap();
    let queries = values(&[SEQUENCES, WIDTH], 4).as_detached_tensor();
    let seen: Vec<&[u32]> = numbers.chunks(LENGTH).collect();
    criterion.bench_function("cached_attention", |bencher| {
        bencher.iter(|| ops::cached_attention(&queries, &entries, &seen).unwrap());
    });
    criterion.bench_function("writing entries", |bencher| {
        bencher.iter(|| entries.write(&numbers, &keys_values).unwrap());
    });
}

/// A step of the optimiser over a million weights.
fn adamw(criterion: &mut Criterion) {
    let [weight, gradient] = [1, 2].map(|seed| values(&[1 << 20], seed).as_detached_tensor());
    let mut moments = Moments::new(vec![weight]).unwrap();
    let step = AdamWStep {
        rate: 1e-3,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        decay: 1e-5,
        correction1: 0.1,
        correction2: 0.05,
        scale: 1.0,
    };
    criterion.bench_function("adamw", |bencher| {
        bencher.iter(|| moments.step(&[Some(&gradient)], |_| step).unwrap());
    });
}

criterion_group!(benches, operations, decisions, layers, constants, adamw);
criterion_main!(benches);
