//! Stick-breaking halting against the Sparse Universal Transformer's wrapper: weights, soft keys and values, outputs,
//! depths and costs.

use haltbench_engine::recurrence::{Execution, evaluate};
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;
use crate::replays::{Trajectory, policy};
use crate::stub::{Padded, Stub, Stubbed, batch};

/// A tensor `[..., S, B, ...]` of the file with the sequences first.
fn by_sequence(tensor: &Tensor, from: usize) -> Tensor {
    tensor.transpose(from, from + 1).unwrap().contiguous().unwrap()
}

fn weights(golden: &Golden) -> Vec<(&'static str, Tensor)> {
    vec![
        ("gate.inner.weight", golden.tensor("weight._gate.0.weight")),
        ("gate.inner.bias", golden.tensor("weight._gate.0.bias")),
        ("gate.outer.weight", golden.tensor("weight._gate.3.weight")),
    ]
}

fn given(threshold: f64) -> Vec<(&'static str, Value)> {
    ["threshold", "training_threshold"]
        .map(|name| (name, Value::Real(threshold)))
        .into_iter()
        .chain([("tau", Value::Real(1.0))])
        .collect()
}

/// The layers of the wrapper at one threshold, by token.
struct Layers {
    tokens: Padded,
    /// Survival after each gate, 0 once the token is cut, `[L, tokens]`.
    survive: Vec<Vec<f64>>,
    /// The same without the cut.
    survival: Vec<Vec<f64>>,
    /// Halting mass of the states after 1, 2, ... layers.
    mass: Vec<Vec<f64>>,
    /// Expected depth counted from 0, which goes on growing after the cut.
    counted: Vec<Vec<f64>>,
}

impl Layers {
    fn new(golden: &Golden, threshold: f64) -> Self {
        let tokens = Padded::new(&by_sequence(&golden.tensor("input.pad_mask"), 0));
        let read = |name: &str| -> Vec<Vec<f64>> {
            let tensor = golden.tensor(&format!("expected.thr{threshold}.{name}"));
            tokens.by_step(&by_sequence(&tensor, 1)).to_vec2().unwrap()
        };
        let survival = read("log_never").into_iter().map(|row| row.into_iter().map(f64::exp).collect());
        let (survive, mass, counted) = (read("survive"), read("halt_p"), read("acc_depth"));
        Self { survival: survival.collect(), survive, mass, counted, tokens }
    }

    fn depth(&self, token: usize) -> usize {
        let layers = self.survive.len();
        (1..layers).find(|layer| self.survive[*layer][token] == 0.0).unwrap_or(layers)
    }
}

#[test]
fn weights_depths_and_costs_are_those_of_the_published_wrapper() {
    for golden in Golden::all("sut_halting") {
        for threshold in golden.config()["thresholds"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()) {
            let layers = Layers::new(&golden, threshold);
            let states = golden.tensor(&format!("expected.thr{threshold}.h"));
            let count = states.dim(0).unwrap();
            let states = layers.tokens.by_step(&by_sequence(&states, 1));
            let first = layers.tokens.packed(&by_sequence(&golden.tensor("input.x"), 0)).unsqueeze(0).unwrap();
            let trajectory = Trajectory {
                lengths: layers.tokens.lengths.clone(),
                states: Tensor::cat(&[&first, &states], 0).unwrap(),
                logits: None,
                targets: Some(vec![0; layers.tokens.tokens.len()]),
                stage: None,
                weights: weights(&golden).into_iter().collect(),
            };
            let found = trajectory.replay(policy("stick-breaking"), &given(threshold), None);
            let (mut published, mut cut) = (0.0, 0);
            for (token, found) in found.iter().enumerate() {
                let depth = layers.depth(token);
                assert_eq!(found.depth as usize, depth, "{} at {threshold}: token {token}", golden.name);
                let weight = |step: usize| match step {
                    0 => 0.0,
                    step if step < depth => layers.mass[step - 1][token],
                    step if step == depth => layers.survival[step - 1][token],
                    _ => 0.0,
                };
                let expected: Vec<f64> = (0..=count).map(weight).collect();
                golden.near("weights", found.weights.as_ref().unwrap(), &expected);
                for step in 1..=depth.min(count - 1) {
                    golden.near("score", &[found.scores[step - 1].unwrap()], &[1.0 - layers.survival[step][token]]);
                }
                let steps: f64 = expected.iter().zip(0..).map(|(weight, step)| weight * f64::from(step)).sum();
                golden.near("objective", &[found.objective.unwrap()], &[steps]);
                let last = count - 1;
                let counted = layers.counted[last][token] + layers.survive[last][token] * last as f64;
                published += counted / layers.tokens.tokens.len() as f64;
                // Counted from 0, and only for tokens that are not cut: the wrapper goes on adding.
                if depth == count {
                    golden.near("published cost", &[steps - 1.0], &[counted]);
                } else {
                    cut += 1;
                }
            }
            let loss = golden.tensor(&format!("expected.thr{threshold}.act_loss"));
            golden.near("mean of published costs", &[published], &[loss.get(count - 1).unwrap().to_scalar().unwrap()]);
            assert!(threshold > 0.95 || cut > 0, "{}: no token is cut at {threshold}", golden.name);
        }
    }
}

/// The whole recurrence over the file's stub layer, which adds tanh(W h + U mean of the visible kv + b).
#[test]
fn outputs_are_those_of_the_published_wrapper_around_its_stub() {
    for golden in Golden::all("sut_halting") {
        for threshold in golden.config()["thresholds"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()) {
            let tokens = Layers::new(&golden, threshold).tokens;
            let [w, u, b] = ["W", "U", "b"].map(|name| golden.tensor(&format!("weight.mod.{name}")));
            let step = move |states: &Tensor, context: &mut StepContext| {
                // A copy, because later steps write into it.
                let projected = context.key_values.sources(0, states)?.states.copy()?;
                let soft = context.key_values.commit(0, projected)?;
                let mean = |row: usize| {
                    let (start, count) = (context.layout.start(row), context.layout.position(row) + 1);
                    Ok(soft.narrow(0, start, count)?.mean(0)?)
                };
                let means = Tensor::stack(&context.rows.iter().map(mean).collect::<Result<Vec<_>>>()?, 0)?;
                Ok((states + (states.matmul(&w)? + means.matmul(&u)?)?.broadcast_add(&b)?.tanh()?)?)
            };
            let kv = golden.tensor(&format!("expected.thr{threshold}.kv"));
            let last = kv.dim(0).unwrap() - 1;
            let expected = tokens.packed(&by_sequence(&kv.get(last).unwrap(), 0));
            let stubbed = Stubbed {
                declaration: policy("stick-breaking"),
                given: given(threshold),
                weights: weights(&golden),
                max_depth: last + 1,
                halted: HaltedKeysValues::FreezeState,
            };
            let first = tokens.packed(&by_sequence(&golden.tensor("input.x"), 0));
            let model = stubbed.model(Stub { first, step: Box::new(step) });
            for execution in [Execution::Compacted, Execution::Dense] {
                let found = evaluate(&model, &batch(&tokens.lengths), execution, None).unwrap();
                golden.close("output", &found.logits, &expected);
            }
        }
    }
}
