//! Q-halting against its equations with three targets, and against the published code of HRM and TRM.

use haltbench_sdk::candle_core::Var;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;
use crate::linear_model::{LinearModel, identity_read_out, unpadded};
use crate::replays::{Trajectory, policy, text};

/// How the policy is trained.
const RECIPE: Recipe = Recipe { trains: Trains::All, ..Recipe::OBJECTIVE };

fn tensor(values: Vec<f64>, shape: &[usize]) -> Tensor {
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn cross_entropy(logit: f64, target: f64) -> f64 {
    (1.0 + logit.exp()).ln() - logit * target
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// A model whose states begin with the head's outputs: `outputs` of them at every token, `[M, B, outputs]`, then its logits.
fn of_targets(golden: &Golden, outputs: &Tensor) -> LinearModel {
    let logits = unpadded(golden, &golden.tensor("input.logits"));
    let (steps, tokens, vocabulary) = logits.dims3().unwrap();
    let (_, batch, count) = outputs.dims3().unwrap();
    let whole = outputs.unsqueeze(2).unwrap().broadcast_as((steps, batch, golden.size("S"), count)).unwrap();
    let heads = unpadded(golden, &whole.contiguous().unwrap());
    let states = Tensor::cat(&[&heads, &logits], 2).unwrap();
    let first = Tensor::zeros((1, tokens, count + vocabulary), DType::F64, &Device::Cpu).unwrap();
    let states = Tensor::cat(&[&first, &states], 0).unwrap();
    let weight = (0..count * (count + vocabulary))
        .map(|place| f64::from(u8::from(place / (count + vocabulary) == place % (count + vocabulary))));
    let weights = [
        ("head.weight", tensor(weight.collect(), &[count, count + vocabulary])),
        ("head.bias", tensor(vec![0.0; count], &[count])),
    ];
    LinearModel::new(golden, &states, &identity_read_out(count, vocabulary), weights)
}

/// The last token of each sequence.
fn ends(lengths: &[usize]) -> Vec<usize> {
    let mut sum = 0;
    let end = |length: &usize| {
        sum += length;
        sum - 1
    };
    lengths.iter().map(end).collect()
}

#[test]
fn targets_losses_gradients_and_steps_are_those_of_the_equations() {
    for golden in Golden::all("halting_targets") {
        let model = of_targets(&golden, &golden.tensor("input.q_halt").unsqueeze(2).unwrap());
        let declaration = policy("q-halting");
        let ends = ends(&model.lengths);
        let width = model.head.dim(1).unwrap();
        for target in ["exact", "accuracy", "likelihood"] {
            let given = |coefficient: f64| [("target", text(target)), ("coefficient", Value::Real(coefficient))];
            let coefficient = golden.number("coefficient");
            let without = model.gradient(declaration, &given(0.0), RECIPE).total;
            let found = model.gradient(declaration, &given(coefficient), RECIPE);
            let name = format!("expected.loss.{target}");
            golden.near(&name, &[found.total - without], &golden.numbers(&name));
            let expected: Vec<Vec<f64>> = golden.tensor(&format!("expected.grad.{target}")).to_vec2().unwrap();
            for (step, expected) in expected.iter().enumerate() {
                let gradient = found.of(&model.states[step + 1]);
                for token in 0..gradient.len() / width {
                    let of_sequence = ends.iter().position(|end| *end == token).map_or(0.0, |place| expected[place]);
                    golden.near("gradient", &[gradient[token * width]], &[of_sequence]);
                }
            }
        }
        for least in [1, 2] {
            let given = [("minimum_steps", Value::Integer(least))];
            let found = model.trajectory().replay(declaration, &given, None);
            let expected = golden.integers(&format!("expected.steps.min{least}"));
            found.iter().for_each(|token| assert_eq!(token.depth, expected[token.sequence]));
        }
        let full = model.trajectory().replay(declaration, &[("evaluate", text("full"))], None);
        assert!(full.iter().all(|token| token.depth as usize == golden.size("M")));
    }
}

/// Each token's own target and decision, and steps that count until the halt, against loops.
#[test]
fn tokens_and_steps_until_the_halt_follow_the_equations() {
    for golden in Golden::all("halting_targets") {
        let model = of_targets(&golden, &golden.tensor("input.q_halt").unsqueeze(2).unwrap());
        let declaration = policy("q-halting");
        let (steps, batch) = (golden.size("M"), golden.size("B"));
        let q: Vec<Vec<f64>> = golden.tensor("input.q_halt").to_vec2().unwrap();
        let logits: Vec<Vec<Vec<f64>>> = unpadded(&golden, &golden.tensor("input.logits")).to_vec3().unwrap();
        let sequences: Vec<usize> = (0..batch).flat_map(|sequence| vec![sequence; model.lengths[sequence]]).collect();
        let loss = |step: usize, token: usize| {
            let logits = &logits[step][token];
            logits.iter().map(|logit| logit.exp()).sum::<f64>().ln() - logits[model.targets[token].unwrap() as usize]
        };
        let tokens = sequences.len() as f64;
        // Every token for itself, with the probability of its target.
        let given = [("reads", text("token")), ("target", text("likelihood"))];
        let mut expected = 0.0;
        for (step, q) in q.iter().enumerate() {
            for (token, sequence) in sequences.iter().enumerate() {
                let likelihood = (-loss(step, token)).exp();
                expected += loss(step, token) + 0.5 * cross_entropy(q[*sequence], likelihood);
            }
        }
        let found = model.gradient(declaration, &given, RECIPE).total;
        golden.near("tokens", &[found], &[expected / (tokens * steps as f64)]);
        // Without exploration, a sequence counts until its first positive logit.
        let given = [("supervises", text("until-halt")), ("exploration", Value::Real(0.0))];
        let stops = golden.integers("expected.steps.min1");
        let share = batch as f64 / f64::from(stops.iter().sum::<u32>());
        let exact: Vec<Vec<f64>> = golden.tensor("expected.target.exact").to_vec2().unwrap();
        let mut expected = 0.0;
        for (sequence, stop) in stops.iter().enumerate() {
            for step in 0..*stop as usize {
                let of_tokens = sequences.iter().enumerate().filter(|(_, found)| **found == sequence);
                let answers: f64 = of_tokens.map(|(token, _)| loss(step, token)).sum();
                let halting = 0.5 * cross_entropy(q[step][sequence], exact[step][sequence]);
                expected += share * (answers / tokens + halting / batch as f64);
            }
        }
        golden.near("until the halt", &[model.gradient(declaration, &given, RECIPE).total], &[expected]);
    }
}

/// The second head learns the larger head of the next step, which has no gradient.
#[test]
fn the_value_of_going_on_is_bootstrapped_without_a_gradient() {
    for golden in Golden::all("halting_targets") {
        let halt: Vec<Vec<f64>> = golden.tensor("input.q_halt").to_vec2().unwrap();
        let steps = halt.len();
        // The published numbers in another order serve as the second head.
        let go_on: Vec<Vec<f64>> =
            (0..steps).map(|step| halt[(step + 2) % steps].iter().rev().map(|q| -q).collect()).collect();
        let both = halt.iter().zip(&go_on).flat_map(|(halt, go_on)| halt.iter().zip(go_on).flat_map(|(a, b)| [*a, *b]));
        let batch = halt[0].len();
        let model = of_targets(&golden, &tensor(both.collect(), &[steps, batch, 2]));
        let given = [("continues", Value::Flag(true))];
        let found = model.gradient(policy("q-halting"), &given, RECIPE);
        let (width, ends) = (model.head.dim(1).unwrap(), ends(&model.lengths));
        let exact: Vec<Vec<f64>> = golden.tensor("expected.target.exact").to_vec2().unwrap();
        let scale = 0.5 / (steps * batch) as f64;
        for step in 0..steps {
            let gradient = found.of(&model.states[step + 1]);
            for (sequence, end) in ends.iter().enumerate() {
                let of_halt = sigmoid(halt[step][sequence]) - exact[step][sequence];
                let of_go_on = if step + 1 < steps {
                    let next = halt[step + 1][sequence].max(go_on[step + 1][sequence]);
                    sigmoid(go_on[step][sequence]) - sigmoid(next)
                } else {
                    0.0
                };
                golden.near("heads", &gradient[end * width..][..2], &[scale * of_halt, scale * of_go_on]);
            }
        }
        let found = model.trajectory().replay(policy("q-halting"), &given, None);
        let depth = |sequence: usize| {
            (0..steps - 1).position(|step| halt[step][sequence] > go_on[step][sequence]).map_or(steps, |step| step + 1)
        };
        found.iter().for_each(|token| assert_eq!(token.depth as usize, depth(token.sequence)));
    }
}

/// The published heads on the published states, `[T, B, d]` of the first token.
struct Published {
    golden: Golden,
    continues: bool,
    weight: Vec<Vec<f64>>,
    bias: Vec<f64>,
}

impl Published {
    fn all() -> impl Iterator<Item = Self> {
        [("hrm_act", true), ("trm_act", false)].into_iter().flat_map(|(form, continues)| {
            Golden::all(form).into_iter().map(move |golden| {
                let outputs = if continues { 2 } else { 1 };
                let weight = golden.tensor("weight.q_head.weight").narrow(0, 0, outputs).unwrap().to_vec2().unwrap();
                let bias = golden.numbers("weight.q_head.bias")[..outputs].to_vec();
                Self { golden, continues, weight, bias }
            })
        })
    }

    fn weights(&self, padding: usize) -> [(&'static str, Tensor); 2] {
        let (outputs, width) = (self.bias.len(), self.weight[0].len() + padding);
        let padded = self.weight.iter().flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(0.0, padding)));
        [
            ("head.weight", tensor(padded.collect(), &[outputs, width])),
            ("head.bias", tensor(self.bias.clone(), &[outputs])),
        ]
    }

    fn given(&self) -> Vec<(&'static str, Value)> {
        vec![("reads", text("first")), ("continues", Value::Flag(self.continues))]
    }

    /// A state at which the heads have the outputs `wanted`: a combination of their weights.
    fn state_with(&self, wanted: &[f64]) -> Vec<f64> {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let right: Vec<f64> = wanted.iter().zip(&self.bias).map(|(wanted, bias)| wanted - bias).collect();
        let first = &self.weight[0];
        let shares = match self.weight.get(1) {
            None => vec![right[0] / dot(first, first)],
            Some(second) => {
                let (aa, ab, bb) = (dot(first, first), dot(first, second), dot(second, second));
                let determinant = aa * bb - ab * ab;
                vec![(right[0] * bb - right[1] * ab) / determinant, (right[1] * aa - right[0] * ab) / determinant]
            }
        };
        (0..first.len())
            .map(|place| self.weight.iter().zip(&shares).map(|(row, share)| share * row[place]).sum())
            .collect()
    }

    /// The labels of each row at each call: of the batch that it last took.
    fn labels(&self) -> Vec<Vec<Vec<Option<u32>>>> {
        let golden = &self.golden;
        let offered: Vec<Vec<Vec<f64>>> = golden.tensor("input.labels").to_vec3().unwrap();
        let steps: Vec<Vec<f64>> = golden.tensor("expected.steps").to_vec2().unwrap();
        let mut used: Vec<Vec<f64>> = offered[0].clone();
        let read = |label: &f64| (*label >= 0.0).then_some(*label as u32);
        let at = |call: usize| {
            for row in (0..used.len()).filter(|row| steps[call][*row] == 1.0) {
                used[row].clone_from(&offered[call][row]);
            }
            used.iter().map(|row| row.iter().map(read).collect()).collect()
        };
        (0..offered.len()).map(at).collect()
    }
}

#[test]
fn sequences_halt_where_the_published_code_halts_them_in_training() {
    for published in Published::all() {
        let golden = &published.golden;
        let by_call = |name: &str| -> Vec<Vec<f64>> { golden.tensor(name).to_vec2().unwrap() };
        let (steps, halted) = (by_call("expected.steps"), by_call("expected.halted"));
        let (uniform, least) = (by_call("input.u"), by_call("input.r"));
        let q_halt = by_call("expected.q_halt");
        let most = golden.size("halt_max_steps");
        let states = golden.tensor("expected.z_H");
        let never = published.state_with(&[-9.0, 9.0][..published.bias.len()]);
        for (call, steps) in steps.iter().enumerate() {
            for (row, step) in steps.iter().map(|step| *step as usize).enumerate() {
                // The state of the call at its step, and states that halt nothing at all others.
                let state = flat(&states.get(call).unwrap().get(row).unwrap().get(0).unwrap());
                let all: Vec<f64> =
                    (0..=most).flat_map(|other| if other == step { state.clone() } else { never.clone() }).collect();
                let trajectory = Trajectory::new(&tensor(all, &[most + 1, 1, 1, never.len()]), published.weights(0));
                let explores = uniform[call][row] < golden.number("halt_exploration_prob");
                let least = if explores { least[call][row] as i64 } else { 1 };
                let mut given = published.given();
                given.push(("minimum_steps", Value::Integer(least)));
                let found = &trajectory.replay(policy("q-halting"), &given, None)[0];
                let halts = found.depth as usize == step;
                assert_eq!(halts, halted[call][row] > 0.0, "{}: call {call}, row {row}", golden.name);
                if step < most {
                    let other = if published.continues { by_call("expected.q_continue")[call][row] } else { 0.0 };
                    golden.near("score", &[found.scores[step - 1].unwrap()], &[q_halt[call][row] - other]);
                }
                given.push(("evaluate", text("full")));
                assert_eq!(trajectory.replay(policy("q-halting"), &given, None)[0].depth as usize, most);
            }
        }
    }
}

#[test]
fn halting_losses_are_those_of_the_published_code() {
    for published in Published::all() {
        let golden = &published.golden;
        let states = golden.tensor("expected.z_H");
        let logits = golden.tensor("expected.logits");
        let (calls, batch, length, vocabulary) = logits.dims4().unwrap();
        let width = published.weight[0].len();
        let labels = published.labels();
        let q_halt: Vec<Vec<f64>> = golden.tensor("expected.q_halt").to_vec2().unwrap();
        for call in 0..calls {
            let of_call = |tensor: &Tensor| tensor.get(call).unwrap().reshape((batch * length, ())).unwrap();
            let (state, logits) = (of_call(&states), of_call(&logits));
            let step = Tensor::cat(&[&state, &logits], 1).unwrap();
            let mut steps = vec![step.zeros_like().unwrap(), step];
            // The heads of the next step, from the published target: both the same, so their maximum is too.
            let targets: Vec<f64> = match published.continues {
                true => golden.tensor("expected.target_q_continue").get(call).unwrap().to_vec1().unwrap(),
                false => Vec::new(),
            };
            let next: Vec<f64> = targets.iter().map(|target| (target / (1.0 - target)).ln()).collect();
            if published.continues {
                let of_row = |next: &f64| vec![published.state_with(&[*next, *next]); length].concat();
                let state = tensor(next.iter().flat_map(of_row).collect(), &[batch * length, width]);
                steps.push(Tensor::cat(&[&state, &logits], 1).unwrap());
            }
            let var = |tensor: &Tensor| Var::from_tensor(tensor).unwrap();
            let model = LinearModel {
                states: steps.iter().map(var).collect(),
                head: var(&identity_read_out(width, vocabulary)),
                lengths: vec![length; batch],
                targets: labels[call].concat(),
                weights: published.weights(vocabulary).iter().map(|(name, weight)| (*name, var(weight))).collect(),
                training_steps: 1,
            };
            let total = |coefficient: f64| {
                let mut given = published.given();
                given.push(("coefficient", Value::Real(coefficient)));
                model.gradient(policy("q-halting"), &given, RECIPE).total
            };
            // Published losses are sums; a row without labels counts as right there and not at all here.
            let mut expected = golden.numbers("expected.q_halt_loss")[call];
            let mut counted = 0.0;
            for (row, labels) in labels[call].iter().enumerate() {
                match labels.iter().any(Option::is_some) {
                    true => counted += 1.0,
                    false => expected -= cross_entropy(q_halt[call][row], 1.0),
                }
            }
            if published.continues {
                expected += golden.numbers("expected.q_continue_loss")[call];
                // The second step has the logits of the first, so its target is the same.
                let predictions: Vec<u32> = logits.argmax(1).unwrap().to_vec1().unwrap();
                for (row, labels) in labels[call].iter().enumerate() {
                    let is_right =
                        |place: usize| labels[place].is_none_or(|label| label == predictions[row * length + place]);
                    expected += cross_entropy(next[row], f64::from(u8::from((0..length).all(is_right))));
                }
            }
            let steps = (model.states.len() - 1) as f64;
            golden.near("halting loss", &[total(0.5) - total(0.0)], &[0.5 * expected / (counted * steps)]);
        }
        if published.continues {
            // Where a row goes on, the heads that the target comes from are those of the next call.
            let by_call = |name: &str| -> Vec<Vec<f64>> { golden.tensor(name).to_vec2().unwrap() };
            let (halted, targets) = (by_call("expected.halted"), by_call("expected.target_q_continue"));
            let (halt, go_on) = (by_call("expected.q_halt"), by_call("expected.q_continue"));
            for (call, row) in (0..calls - 1).flat_map(|call| (0..batch).map(move |row| (call, row))) {
                if halted[call][row] == 0.0 {
                    let larger = halt[call + 1][row].max(go_on[call + 1][row]);
                    golden.near("target", &[targets[call][row]], &[sigmoid(larger)]);
                }
            }
        }
    }
}
