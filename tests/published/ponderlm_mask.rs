//! `ponderlm-mask` on a whole model, against its equations in loops over single numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use haltbench_engine::batch::Batch;
use haltbench_engine::model::{Model, ModelParts};
use haltbench_engine::plugins;
use haltbench_engine::recurrence::{Execution, Noise, evaluate, unroll};
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

const WIDTH: usize = 8;
const HEADS: usize = 2;
const STEPS: usize = 4;
const VOCABULARY: usize = 11;
const THETA: f64 = 10_000.0;
const EPSILON: f64 = 1e-5;
const THRESHOLD: f64 = 0.35;
const TOKENS: [u32; 9] = [3, 1, 4, 1, 5, 9, 2, 6, 5];
const LENGTHS: [usize; 2] = [5, 4];

fn model() -> Model {
    let (catalogue, _) = plugins::catalogue(&[]).unwrap();
    let (backbone, policy) = (catalogue.backbone("anira").unwrap(), catalogue.policy("ponderlm-mask").unwrap());
    let whole = |pairs: &[(&str, i64)]| -> BTreeMap<String, Value> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::Integer(*value))).collect()
    };
    let sizes =
        [("d_model", 8), ("d_ff", 12), ("heads", 2), ("core_layers", 1), ("prelude_layers", 0), ("coda_layers", 0)];
    let mut given = whole(&sizes);
    given.insert("rms_norm_epsilon".to_owned(), Value::Real(EPSILON));
    given.insert("rope_theta".to_owned(), Value::Real(THETA));
    let parameters = Parameters::resolve("anira", backbone.parameters, &given).unwrap();
    let given = [("threshold", THRESHOLD), ("bias", 0.5)].map(|(name, value)| (name.to_owned(), Value::Real(value)));
    let policy_parameters = Parameters::resolve("ponderlm-mask", policy.parameters, &given.into()).unwrap();
    let parts = ModelParts {
        backbone: (backbone, &parameters),
        policy: (policy, &policy_parameters),
        recipe: policy.recipe,
        source: None,
        vocabulary: Vocabulary::new(VOCABULARY),
        max_depth: STEPS,
        halted_keys_values: HaltedKeysValues::Skip,
        recompute: false,
        seed: 7,
    };
    let model = Model::new(parts, DType::F64, &Device::Cpu).unwrap();
    // The initial gate is too small to tell tokens apart.
    let mut stream = Stream::new(1, "gate", &[]);
    let gate: Vec<f64> = (0..WIDTH).map(|_| 1.5 * stream.normal()).collect();
    model.variables.set("decider.gate.weight", &Tensor::from_vec(gate, (1, WIDTH), &Device::Cpu).unwrap()).unwrap();
    model
}

fn batch() -> Batch {
    let layout = TokenLayout::new(&LENGTHS, &[0, 1]).unwrap();
    let rows = layout.rows();
    Batch {
        layout: Arc::new(layout),
        tokens: Tensor::new(&TOKENS, &Device::Cpu).unwrap(),
        target_index: vec![0; rows],
        readout: RowSet::all(rows),
        targets: Arc::new(vec![0; rows]),
        complexity: vec![f32::NAN; rows],
    }
}

/// A layer of Llama 2, number by number.
struct Loops {
    weights: BTreeMap<String, Vec<Vec<f64>>>,
}

impl Loops {
    fn new(model: &Model) -> Self {
        let rows = |tensor: &Tensor| match tensor.rank() {
            1 => vec![tensor.to_vec1().unwrap()],
            _ => tensor.to_vec2().unwrap(),
        };
        let weights = model.variables.weights().unwrap();
        Self { weights: weights.iter().map(|(name, tensor)| (name.clone(), rows(tensor))).collect() }
    }

    fn core(&self, name: &str, x: &[f64]) -> Vec<f64> {
        product(&self.weights[&format!("core.layers.0.{name}.weight")], x)
    }

    fn normed(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let mean = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        let scale = &self.weights[&format!("{name}.weight")][0];
        x.iter().zip(scale).map(|(x, scale)| x / (mean + EPSILON).sqrt() * scale).collect()
    }

    /// R(h) of `row` in a sequence of `states`; the key of row j counts `counts[j]` times.
    fn step(&self, states: &[Vec<f64>], row: usize, counts: &[f64]) -> Vec<f64> {
        let head_dim = WIDTH / HEADS;
        let x = |row: usize| self.normed("core.layers.0.input_layernorm", &states[row]);
        let query = turned(&self.core("self_attn.q_proj", &x(row)), row);
        let mut mixed = Vec::new();
        for head in 0..HEADS {
            let own = head * head_dim..(head + 1) * head_dim;
            let share = |key: usize| {
                let keys = turned(&self.core("self_attn.k_proj", &x(key)), key);
                let score: f64 = query[own.clone()].iter().zip(&keys[own.clone()]).map(|(q, k)| q * k).sum();
                counts[key] * (score / (head_dim as f64).sqrt()).exp()
            };
            let total: f64 = (0..=row).map(share).sum();
            for place in own.clone() {
                mixed.push(
                    (0..=row).map(|key| share(key) / total * self.core("self_attn.v_proj", &x(key))[place]).sum(),
                );
            }
        }
        let attended: Vec<f64> = sum(&states[row], &self.core("self_attn.o_proj", &mixed));
        let y = self.normed("core.layers.0.post_attention_layernorm", &attended);
        let gated: Vec<f64> = (self.core("mlp.gate_proj", &y).iter())
            .zip(self.core("mlp.up_proj", &y))
            .map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up)
            .collect();
        sum(&attended, &self.core("mlp.down_proj", &gated))
    }

    fn gate(&self, state: &[f64]) -> f64 {
        let logit = product(&self.weights["decider.gate.weight"], state)[0] + self.weights["decider.gate.bias"][0][0];
        1.0 / (1.0 + (-logit).exp())
    }

    /// Final states, depths and masks after each step of one sequence. If it `prunes`, a token whose mask is below the
    /// threshold is no key and no longer moves.
    fn run(&self, tokens: &[u32], prunes: bool) -> (Vec<Vec<f64>>, Vec<u32>, Vec<Vec<f64>>) {
        let mut states: Vec<Vec<f64>> =
            tokens.iter().map(|token| self.weights["embed_tokens.weight"][*token as usize].clone()).collect();
        let (mut masks, mut pruned) = (vec![1.0; tokens.len()], vec![false; tokens.len()]);
        let (mut depths, mut all) = (vec![0; tokens.len()], vec![Vec::new(); tokens.len()]);
        for step in 1..=STEPS {
            let counts: Vec<f64> =
                masks.iter().zip(&pruned).map(|(mask, pruned)| if *pruned { 0.0 } else { *mask }).collect();
            let new: Vec<Vec<f64>> = (0..tokens.len())
                .map(|row| {
                    if pruned[row] {
                        return states[row].clone();
                    }
                    let moved = self.step(&states, row, &counts);
                    moved.iter().zip(&states[row]).map(|(new, old)| old + masks[row] * (new - old)).collect()
                })
                .collect();
            states = new;
            for row in (0..tokens.len()).filter(|row| !pruned[*row]) {
                depths[row] = step as u32;
                if step < STEPS {
                    masks[row] *= self.gate(&states[row]);
                    all[row].push(masks[row]);
                }
            }
            for (pruned, mask) in pruned.iter_mut().zip(&masks) {
                *pruned |= prunes && *mask < THRESHOLD;
            }
        }
        (states, depths, all)
    }

    fn logits(&self, state: &[f64]) -> Vec<f64> {
        product(&self.weights["lm_head.weight"], &self.normed("norm", state))
    }
}

fn product(weight: &[Vec<f64>], x: &[f64]) -> Vec<f64> {
    weight.iter().map(|row| row.iter().zip(x).map(|(weight, x)| weight * x).sum()).collect()
}

fn sum(left: &[f64], right: &[f64]) -> Vec<f64> {
    left.iter().zip(right).map(|(left, right)| left + right).collect()
}

/// Heads rotated in halves.
fn turned(x: &[f64], position: usize) -> Vec<f64> {
    let (head_dim, mut turned) = (WIDTH / HEADS, x.to_vec());
    for head in (0..WIDTH).step_by(head_dim) {
        for pair in 0..head_dim / 2 {
            let angle = position as f64 * THETA.powf(-2.0 * pair as f64 / head_dim as f64);
            let (left, right) = (x[head + pair], x[head + pair + head_dim / 2]);
            turned[head + pair] = left * angle.cos() - right * angle.sin();
            turned[head + pair + head_dim / 2] = left * angle.sin() + right * angle.cos();
        }
    }
    turned
}

fn sequences() -> [&'static [u32]; 2] {
    let (first, second) = TOKENS.split_at(LENGTHS[0]);
    [first, second]
}

fn near(what: &str, found: &[f64], expected: &[f64]) {
    let close = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-10);
    assert!(close && found.len() == expected.len(), "{what}: {found:?} against {expected:?}");
}

#[test]
fn training_masks_keys_and_updates_softly() {
    let (model, batch) = (model(), batch());
    let found = unroll(&model, &batch, &Noise::Seeded(0), None).unwrap();
    let loops = Loops::new(&model);
    let states: Vec<Vec<f64>> = found.states[STEPS].to_vec2().unwrap();
    let masks: Vec<Vec<f64>> =
        found.record.stashed("mask").unwrap().iter().map(|mask| mask.values.to_vec1().unwrap()).collect();
    let mut first = 0;
    for tokens in sequences() {
        let (expected, _, expected_masks) = loops.run(tokens, false);
        for (row, (state, of_steps)) in expected.iter().zip(&expected_masks).enumerate() {
            near(&format!("state {row}"), &states[first + row], state);
            let masks: Vec<f64> = masks.iter().map(|of_step| of_step[first + row]).collect();
            near(&format!("masks {row}"), &masks, of_steps);
        }
        first += tokens.len();
    }
}

#[test]
fn evaluation_prunes_what_is_below_the_threshold() {
    let (model, batch) = (model(), batch());
    let loops = Loops::new(&model);
    for execution in [Execution::Compacted, Execution::Dense] {
        let found = evaluate(&model, &batch, execution, None).unwrap();
        let logits: Vec<Vec<f64>> = found.logits.to_vec2().unwrap();
        let mut first = 0;
        for tokens in sequences() {
            let (states, depths, masks) = loops.run(tokens, true);
            assert_eq!(found.depths[first..][..tokens.len()], depths);
            for row in 0..tokens.len() {
                near(&format!("logits {row}"), &logits[first + row], &loops.logits(&states[row]));
                let scores: Vec<f64> = found.decided.scores[first + row].iter().flatten().copied().collect();
                near(&format!("scores {row}"), &scores, &masks[row]);
            }
            first += tokens.len();
        }
        let shallow = found.depths.iter().filter(|depth| **depth < STEPS as u32).count();
        assert!((2..TOKENS.len()).contains(&shallow), "some tokens are pruned and some are not: {:?}", found.depths);
    }
}
