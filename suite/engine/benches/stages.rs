//! The stages that a training step passes through, for both of the paper's policies: a small model (width 64, 64 sequences
//! of 32 tokens, six steps), `cargo bench --profile dev -p haltbench_engine --bench stages`.
//!
//! The profile `dev` is the one that all builds share, so cargo builds nothing twice. Stages of the model are timed forward,
//! on constant weights, and with their backward pass, on variables.

#![allow(missing_docs, reason = "macros of criterion")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot begin has nothing to report")]

use criterion::{Criterion, criterion_group};
use haltbench_engine::bench::{BenchModel, Workload};
use haltbench_engine::memory;
use haltbench_engine::model::Model;
use haltbench_engine::optimiser::AdamW;
use haltbench_engine::plan::TrainingSettings;
use haltbench_engine::plugins::{self, Catalogue};
use haltbench_engine::recurrence::Noise;
use haltbench_engine::training;
use haltbench_sdk::backbone::{BeginContext, StepContext};
use haltbench_sdk::candle_core::{D, Tensor, Var};
use haltbench_sdk::candle_nn::ops::log_softmax;
use haltbench_sdk::key_values::KeyValues;
use haltbench_sdk::layout::RowSet;
use haltbench_sdk::ops::cross_entropy;
use haltbench_sdk::policy::{Halting, HaltingRecord, Phase, PolicyKind, Progress, RowMemory, View};
use haltbench_sdk::prelude::Device;
use haltbench_sdk::threads;
use haltbench_sdk_dylib as _;

fn workload(policy: &str, mean_depth: Option<f64>) -> Workload {
    Workload {
        backbone: "anira".to_owned(),
        policy: policy.to_owned(),
        d_model: 64,
        d_ff: 256,
        heads: 8,
        depth: 6,
        batch: 64,
        length: 32,
        vocabulary: 32,
        mean_depth,
        halted_keys_values: "freeze-state".to_owned(),
        recompute: false,
        seed: 0,
    }
}

/// One recurrent step of all rows, as the first of a sequence.
fn step(model: &Model, bench: &BenchModel, states: &Tensor) -> Tensor {
    let all = RowSet::all(bench.batch.rows());
    let layers = model.backbone.dimensions().core_layers;
    let mut key_values = KeyValues::new(model.halted_keys_values, layers, bench.batch.rows());
    key_values.begin_dense(&all, &vec![false; bench.batch.rows()], states).unwrap();
    model.backbone.step(states, &mut StepContext::new(1, &bench.batch.layout, &all, &mut key_values)).unwrap()
}

/// Logits over depths, or of hazards, of all rows.
fn decision(model: &Model, bench: &BenchModel, states: &Tensor) -> Tensor {
    let (layout, all) = (&bench.batch.layout, RowSet::all(bench.batch.rows()));
    let logits = || model.backbone.coda(states, layout, &all, None);
    let phase = Phase::Training(Progress::START);
    let step = usize::from(model.policy.kind() == PolicyKind::Online);
    let view = View::new(step, model.max_depth, layout, &all, states, &logits, phase, 0, None);
    match model.policy.decide(&view, &mut RowMemory::default()).unwrap().halting {
        Halting::Logits(logits) => logits,
        Halting::Hazards { logits, .. } => logits,
        _ => panic!("the policy gives neither logits nor hazards"),
    }
}

/// Cross-entropy of all rows and the policy's regulariser.
fn loss(model: &Model, bench: &BenchModel, logits: &Tensor, scores: &Tensor) -> Tensor {
    let losses = cross_entropy(logits, &bench.batch.targets).unwrap().mean_all().unwrap();
    let log_distribution = Some(log_softmax(scores, D::Minus1).unwrap());
    let record = HaltingRecord { log_distribution, ..HaltingRecord::new(model.max_depth, bench.depths.clone()) };
    match model.policy.regulariser(&record).unwrap() {
        Some(costs) => (losses + costs.mean_all().unwrap()).unwrap(),
        None => losses,
    }
}

/// Times a stage of the constant model, and of the other with its backward pass.
fn stage(criterion: &mut Criterion, name: &str, bench: &BenchModel, work: impl Fn(&Model) -> Tensor) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20);
    group.bench_function("forward", |bencher| bencher.iter(|| work(&bench.constant)));
    group.bench_function("forward and backward", |bencher| {
        bencher.iter(|| work(&bench.model).sum_all().unwrap().backward().unwrap());
    });
    group.finish();
}

fn model(criterion: &mut Criterion, catalogue: &Catalogue) {
    for policy in ["anira-e", "anira-o"] {
        let bench = BenchModel::new(workload(policy, None), catalogue, &Device::Cpu).unwrap();
        let layout = &bench.batch.layout;
        let states = bench.constant.backbone.begin(&bench.batch.tokens, &mut BeginContext::new(layout)).unwrap().states;
        stage(criterion, &format!("{policy}: decider"), &bench, |model| decision(model, &bench, &states));
        if policy != "anira-e" {
            continue;
        }
        // The backbone's stages are those of every policy.
        stage(criterion, "prelude", &bench, |model| {
            model.backbone.begin(&bench.batch.tokens, &mut BeginContext::new(layout)).unwrap().states
        });
        stage(criterion, "step", &bench, |model| step(model, &bench, &states));
        stage(criterion, "coda", &bench, |model| {
            model.backbone.coda(&states, layout, &bench.batch.readout, None).unwrap()
        });
        let logits = bench.constant.backbone.coda(&states, layout, &bench.batch.readout, None).unwrap();
        let scores = decision(&bench.constant, &bench, &states);
        // The loss has no weights of its own: what it is differentiated by are logits and scores.
        let variables = [&logits, &scores].map(|tensor| Var::from_tensor(tensor).unwrap());
        let mut group = criterion.benchmark_group("loss");
        group.bench_function("forward", |bencher| bencher.iter(|| loss(&bench.model, &bench, &logits, &scores)));
        group.bench_function("forward and backward", |bencher| {
            bencher.iter(|| loss(&bench.model, &bench, &variables[0], &variables[1]).backward().unwrap());
        });
        group.finish();
    }
}

/// Whole training steps and what they are made of, with all rows in all steps and with a third of that.
fn training_steps(criterion: &mut Criterion, catalogue: &Catalogue) {
    for (policy, mean_depth) in [("anira-e", None), ("anira-e", Some(2.0)), ("anira-o", None), ("anira-o", Some(2.0))] {
        let bench = BenchModel::new(workload(policy, mean_depth), catalogue, &Device::Cpu).unwrap();
        let noise = Noise::Forced(bench.depths.clone());
        let settings = TrainingSettings { learning_rate: 1e-4, warmup_steps: 0, ..TrainingSettings::default() };
        let mut optimiser = AdamW::new(&bench.model.variables, &settings, haltbench_sdk::policy::Trains::All).unwrap();
        let forward = || training::loss(&bench.model, &bench.batch, &noise, None).unwrap().total;
        let mut group = criterion.benchmark_group(format!("{policy}, mean depth {}", mean_depth.unwrap_or(6.0)));
        group.sample_size(10);
        group.bench_function("forward", |bencher| bencher.iter(forward));
        group.bench_function("forward and backward", |bencher| bencher.iter(|| forward().backward().unwrap()));
        let gradients = forward().backward().unwrap();
        group.bench_function("optimiser", |bencher| bencher.iter(|| optimiser.step(&gradients).unwrap()));
        group.bench_function("step", |bencher| {
            bencher.iter(|| optimiser.step(&forward().backward().unwrap()).unwrap());
        });
        group.finish();
    }
}

fn stages(criterion: &mut Criterion) {
    let (catalogue, _) = plugins::catalogue(&[]).unwrap();
    model(criterion, &catalogue);
    training_steps(criterion, &catalogue);
}

criterion_group!(benches, stages);

/// As the program works: on a thread of a pool with a large stack, keeping freed memory, while candle's own threads sleep.
fn main() {
    // SAFETY: there are no other threads yet that could read the environment.
    unsafe { std::env::set_var("CANDLE_BARRIER_POOL_SPIN_LIMIT", "1") };
    memory::keep_freed();
    threads::in_pool(|| {
        benches();
        Criterion::default().configure_from_args().final_summary();
    })
    .unwrap();
}
