//! Run folders whose numbers can be computed by hand.
//!
//! There are four sequences at trained sizes (two of size 2, two of size 3) and two of size 5, which is beyond. A
//! sequence of size n has a prompt token at position 0 and answer tokens at positions 1 to n; the height of an answer
//! token is its position. The first answer of a sequence of size 5 is a problem of size 2 inside a larger one. D = 4; a
//! token costs 10 and a token-step 100.

pub mod reading;

use std::collections::BTreeMap;
use std::fs;

use haltbench_analysis::{Estimate, Population, Split};
use haltbench_engine::ledger::Ledger;
use haltbench_engine::plan::{Cell, CellPlan, Choice, Evaluation, ModelPlan, Stage, Suite, TrainingSettings};
use haltbench_engine::store::{
    CellFolder, CellResult, Checks, GuessResult, MetricRow, RESULT_SCHEMA, RunFolder, Speed, State, Status, Timings,
    TokenRecord, write_tokens,
};
use haltbench_sdk::parameters::{ParameterSpec, Parameters, Value};
use haltbench_sdk::policy::{Recipe, Role};
use haltbench_sdk::task::{ComplexitySpec, FeatureKind, FeatureSpec, Supervision, TaskSpec};

/// (id, size, split) of every sequence.
const SEQUENCES: [(u64, u32, Split); 6] = [
    (0, 2, Split::InRange),
    (1, 2, Split::InRange),
    (2, 3, Split::InRange),
    (3, 3, Split::InRange),
    (4, 5, Split::Beyond),
    (5, 5, Split::Beyond),
];

const SPECS: &[ParameterSpec] = &[
    ParameterSpec::integer("depth", 1, (1, 9), ""),
    ParameterSpec::integer("modulus", 23, (1, 99), ""),
    ParameterSpec::real("gamma", 0.5, (0.0, 1.0), ""),
];

/// An implementation with some parameters.
pub fn choice(name: &str, parameters: &[(&'static str, Value)]) -> Choice {
    let given = parameters.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let specs: Vec<ParameterSpec> =
        SPECS.iter().filter(|spec| parameters.iter().any(|(key, _)| spec.name == *key)).copied().collect();
    Choice { name: name.to_owned(), parameters: Parameters::resolve(name, &specs, &given).unwrap() }
}

/// A policy in the fake run.
#[derive(Clone)]
pub struct Fake {
    pub label: &'static str,
    pub policy: Choice,
    pub kind: &'static str,
    pub causal: bool,
    /// What spot checks of its claims found.
    pub checks: Checks,
    pub oracle: bool,
    pub role: Role,
    /// Label of the policy whose model it uses.
    pub of: Option<&'static str>,
    /// Steps of an answer token of this height; prompt tokens take one step, except for `fixed`, where they take as
    /// many as the others.
    pub depth: fn(height: u32) -> u32,
    /// Whether an answer token of this height in a sequence of this size is correct.
    pub correct: fn(height: u32, size: u32) -> bool,
    /// Operations of a decision, made once per token (`early`) or once per token-step.
    pub decision: f64,
    /// Seconds of the policy's pass and of the fixed depth D, in turn.
    pub timed: &'static [[f64; 2]],
    /// Share of valid strings with seed 0, for a task that is a language; twice this share with seed 1.
    pub valid: Option<f64>,
}

impl Fake {
    pub fn new(label: &'static str, depth: fn(u32) -> u32, correct: fn(u32, u32) -> bool) -> Self {
        let policy = choice(label, &[]);
        Self {
            label,
            policy,
            kind: "early",
            causal: true,
            checks: Checks::default(),
            oracle: false,
            role: Role::Policy,
            of: None,
            depth,
            correct,
            decision: 0.0,
            // The logarithms of the ratios differ and average to the logarithm of 1.5.
            timed: &[[2.0, 3.0], [2.02, 3.0], [2.0, 3.03]],
            valid: None,
        }
    }

    /// One step for every token, correct at height 1.
    pub fn fixed_1() -> Self {
        let policy = choice("fixed", &[("depth", Value::Integer(1))]);
        Self { policy, role: Role::FixedDepth, ..Self::new("fixed(depth=1)", |_| 1, |height, _| height == 1) }
    }

    /// Three steps for every token, correct up to height 3.
    pub fn fixed_3() -> Self {
        let policy = choice("fixed", &[("depth", Value::Integer(3))]);
        Self { policy, role: Role::FixedDepth, ..Self::new("fixed(depth=3)", |_| 3, |height, _| height <= 3) }
    }

    /// As many steps as the height, and wrong only at the last token of every sequence.
    pub fn follower() -> Self {
        Self { decision: 1.0, ..Self::new("follower", |height| height.min(4), |height, size| height < size) }
    }

    /// As accurate as [`Fake::follower`], with reversed depths.
    pub fn opposer() -> Self {
        let depth = |height: u32| 4_u32.saturating_sub(height).max(1);
        let policy = Self::new("opposer", depth, |height, size| height < size);
        Self { kind: "online", decision: 1.0, ..policy }
    }

    /// Never wrong.
    pub fn oracle() -> Self {
        let policy = Self::new("oracle", |height| height.min(4), |_, _| true);
        Self { oracle: true, role: Role::Control, causal: false, ..policy }
    }

    fn tokens(&self) -> Vec<TokenRecord> {
        let prompt = if self.policy.name == "fixed" { (self.depth)(1) } else { 1 };
        let of = move |position: u32| if position > 0 { (self.depth)(position) } else { prompt };
        let token = move |(instance, size, split): (u64, u32, Split), position: u32| {
            let (steps, is_embedded) = (f64::from(of(position)), size == 5 && position == 1);
            TokenRecord {
                instance,
                problem: instance,
                size,
                own_size: if is_embedded { 2 } else { size },
                split: if is_embedded { Split::Embedded } else { split },
                position,
                is_answer: position > 0,
                input_token: 0,
                depth: of(position),
                // Where a token is read, the next one is predicted.
                depth_at_token: (position < size).then(|| of(position + 1)),
                expected_depth: None,
                expected_depth_at_token: None,
                distribution: None,
                target: 7,
                predicted: (position > 0).then(|| if (self.correct)(position, size) { 7 } else { 8 }),
                confidence: None,
                flops: 10.0 + 100.0 * steps + self.decision * if self.kind == "early" { 1.0 } else { steps },
                dense_flops: 410.0,
                complexities: vec![if position > 0 { position as f32 } else { f32::NAN }],
                features: vec![(position % 2) as f32, if position == 3 { f32::NAN } else { 1.0 }],
            }
        };
        let of_sequence = |sequence: (u64, u32, Split)| (0..=sequence.1).map(move |place| token(sequence, place));
        SEQUENCES.into_iter().flat_map(of_sequence).collect()
    }
}

/// A suite of one task and backbone with these policies and seeds.
pub fn suite(policies: &[Fake], seeds: &[u64]) -> Suite {
    let task = choice("mano", &[("modulus", Value::Integer(5))]);
    Suite {
        name: "fake".to_owned(),
        source: String::new(),
        warnings: Vec::new(),
        models: Vec::new(),
        cells: cells(policies, seeds, &task),
    }
}

/// The cells of one task with these policies and seeds, in the order of resolved suites.
pub fn cells(policies: &[Fake], seeds: &[u64], task: &Choice) -> Vec<Cell> {
    let plan = |policy: &Fake, seed: u64| CellPlan {
        schema: 1,
        max_depth: 4,
        halted_keys_values: "freeze-state".to_owned(),
        source: policy.of.map(str::to_owned),
        code: BTreeMap::new(),
        policy: policy.policy.clone(),
        evaluation: Evaluation { instances: 2, ..Evaluation::default() },
        model: ModelPlan {
            schema: 1,
            seed,
            device: "cpu".to_owned(),
            max_depth: 4,
            halted_keys_values: Some("freeze-state".to_owned()),
            source: None,
            start: None,
            code: BTreeMap::new(),
            task: task.clone(),
            backbone: choice("anira", &[]),
            policy: None,
            training: TrainingSettings { steps: 500, ..TrainingSettings::default() },
            stages: vec![Stage { steps: 500, recipe: Recipe::LAST_STEP }],
        },
    };
    let cell = |place: usize, policy: &Fake, seed: u64| {
        let plan = plan(policy, seed);
        Cell {
            id: blake3::hash(format!("{} {}", plan.id().unwrap(), policy.label).as_bytes()).to_hex()[..16].to_owned(),
            model: plan.model.id().unwrap(),
            label: policy.label.to_owned(),
            family: policy.label.to_owned(),
            sweep: place,
            of: policy.of.map(str::to_owned),
            fits: vec!["freeze-state".to_owned()],
            plan,
        }
    };
    seeds
        .iter()
        .flat_map(|&seed| policies.iter().enumerate().map(move |(place, policy)| cell(place, policy, seed)))
        .collect()
}

/// Finishes every cell of the given policies.
pub fn finish(run: &RunFolder, suite: &Suite, policies: &[Fake]) {
    for cell in &suite.cells {
        let found = policies.iter().find(|policy| policy.label == cell.label && policy.policy == cell.plan.policy);
        if let Some(policy) = found {
            finish_cell(&run.cell(&cell.id), cell, policy);
        }
    }
}

/// A guess with two of five answer tokens correct, and one of two at unseen sizes.
fn guess() -> GuessResult {
    let row = |metric: &str, split, value, count| {
        MetricRow::new(metric, Some(split), Population::All, &Estimate::point(value, count))
    };
    GuessResult {
        name: "most-frequent".to_owned(),
        documentation: "Always the same.".to_owned(),
        metrics: vec![
            row("token_accuracy", Split::InRange, 0.4, 10),
            row("exact_match", Split::InRange, 0.0, 4),
            row("token_accuracy", Split::Beyond, 0.5, 10),
        ],
    }
}

/// Measures of four strings, with a share of valid ones; of expectations that exclude possible tokens; of correlations
/// with two complexities; and of accepted answers at two kinds of sizes.
fn strings(valid: f64) -> Vec<MetricRow> {
    let row = |metric: &str, split: Split, value: f64| {
        MetricRow::new(metric, Some(split), Population::All, &Estimate::point(value, 4))
    };
    let spearman = |complexity: &str, value: f64| MetricRow {
        complexity: Some(complexity.to_owned()),
        ..row("generated_spearman", Split::InRange, value)
    };
    vec![
        row("generated_valid", Split::InRange, valid),
        row("teacher_forced_divergence", Split::InRange, f64::INFINITY),
        spearman("height", valid / 2.0),
        spearman("width", -valid),
        row("generated_accepted", Split::InRange, valid),
        row("generated_accepted", Split::Beyond, valid / 4.0),
    ]
}

/// Depth and accuracy at the end of training.
fn trained(seed: u64) -> Vec<MetricRow> {
    let row = |metric: &str, value: f64| {
        MetricRow::new(metric, Some(Split::InRange), Population::All, &Estimate::point(value, 10))
    };
    let seed = seed as f64;
    vec![row("trained_accuracy", 0.5), row("trained_answer_depth", 2.0 + seed / 10.0), row("trained_depth", 1.5)]
}

fn finish_cell(folder: &CellFolder, cell: &Cell, policy: &Fake) {
    let plan = &cell.plan;
    folder.create(plan).unwrap();
    let spec = TaskSpec {
        vocabulary: Vec::new(),
        size: None,
        supervision: Supervision::AtToken,
        features: ["odd", "rare"].map(|name| FeatureSpec { name, kind: FeatureKind::Static, documentation: "" }).into(),
        complexities: vec![ComplexitySpec { name: "height", documentation: "" }],
        headline: "height",
    };
    let tokens = policy.tokens();
    write_tokens(&folder.file("tokens.parquet"), &spec, &tokens).unwrap();
    let hash = |name: &str| blake3::hash(&fs::read(folder.file(name)).unwrap()).to_hex().to_string();
    let result = CellResult {
        schema: RESULT_SCHEMA,
        cell: cell.id.clone(),
        model: cell.model.clone(),
        task: plan.model.task.name.clone(),
        backbone: plan.model.backbone.name.clone(),
        policy: plan.policy.name.clone(),
        source: plan.source.clone(),
        kind: policy.kind.to_owned(),
        causal: policy.causal,
        uses_labels: policy.oracle,
        alters_states: false,
        role: policy.role.name().to_owned(),
        seed: plan.model.seed,
        device: plan.model.device.clone(),
        max_depth: plan.max_depth,
        halted_keys_values: plan.halted_keys_values.clone(),
        headline: "height".to_owned(),
        static_features: vec!["odd".to_owned(), "rare".to_owned()],
        weights: BTreeMap::new(),
        calibrated: BTreeMap::new(),
        checks: policy.checks.clone(),
        ledger: Ledger::default(),
        metrics: trained(plan.model.seed)
            .into_iter()
            .chain(policy.valid.into_iter().flat_map(|valid| strings(valid * (1 + plan.model.seed) as f64)))
            .collect(),
        guesses: vec![guess()],
        environment: BTreeMap::new(),
        files: ["plan.toml", "tokens.parquet"].map(|name| (name.to_owned(), hash(name))).into(),
    };
    fs::write(folder.file("result.json"), serde_json::to_string(&result).unwrap()).unwrap();
    if !policy.timed.is_empty() {
        let speed = Some(Speed { pairs: policy.timed.to_vec(), ..Speed::default() });
        let timings = Timings { speed, ..Timings::default() };
        fs::write(folder.file("timings.json"), serde_json::to_string(&timings).unwrap()).unwrap();
    }
    folder.set_status(&Status::of(State::Done)).unwrap();
}

/// Turns a finished cell into a failed one.
#[allow(dead_code, reason = "used by some of the test programs")]
pub fn fail(run: &RunFolder, id: &str, cause: &str) {
    let cell = run.cell(id);
    fs::remove_file(cell.file("result.json")).unwrap();
    cell.set_status(&Status::failed(cause)).unwrap();
}
