//! The dynamic halt of the Gated Universal Transformer against the published code, on its recorded layers: a whole
//! sequence, causal means, single tokens, and the single tokens of a plain Universal Transformer.

use std::sync::{Arc, Mutex};

use haltbench_engine::recurrence::{Execution, evaluate};
use haltbench_engine::trace::ReplayedToken;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;
use crate::replays::{Trajectory, policy, text};
use crate::stub::{Padded, Stub, Stubbed, batch};

/// The threshold of the published code.
const THRESHOLD: f64 = 0.999;

/// A recorded run of one variant.
struct Recorded {
    golden: Golden,
    variant: &'static str,
    given: Vec<(&'static str, Value)>,
    tokens: Padded,
    /// States before any step and after each one, `[D + 1, tokens, d_model]`.
    states: Tensor,
    /// Expected halting probabilities, `[D, tokens]`.
    alpha: Vec<Vec<f64>>,
}

impl Recorded {
    fn all(variant: &'static str, scope: &str, reads: &str) -> Vec<Self> {
        let recorded = |golden: Golden| {
            let read = |name: &str| golden.tensor(&format!("expected.{variant}.{name}"));
            let mask = read("out_mask");
            let tokens = Padded::new(&mask);
            let outs = tokens.by_step(&read("layer_out"));
            let first = tokens.packed(&read("layer_in").get(0).unwrap()).unsqueeze(0).unwrap();
            let alpha = read("alpha");
            // One number for each sequence, or one for each token.
            let alpha = if alpha.rank() == 2 {
                let shape = (alpha.dim(0).unwrap(), alpha.dim(1).unwrap(), mask.dim(1).unwrap());
                alpha.unsqueeze(2).unwrap().broadcast_as(shape).unwrap().contiguous().unwrap()
            } else {
                alpha
            };
            let given = vec![
                ("scope", text(scope)),
                ("reads", text(reads)),
                ("gamma", Value::Real(golden.number("penalty_gamma"))),
            ];
            let alpha = tokens.by_step(&alpha).to_vec2().unwrap();
            let states = Tensor::cat(&[&first, &outs], 0).unwrap();
            Self { variant, given, alpha, states, tokens, golden }
        };
        Golden::all("gut_ut_jrc").into_iter().map(recorded).collect()
    }

    fn weights(&self) -> Vec<(&'static str, Tensor)> {
        let read = |name: &str| self.golden.tensor(&format!("weight.{}.halt_layers.{name}", self.variant));
        vec![
            ("gate.inner.weight", read("0.weight")),
            ("gate.inner.bias", read("0.bias")),
            ("gate.outer.weight", read("2.weight")),
            ("gate.outer.bias", read("2.bias")),
        ]
    }

    fn depth(&self) -> usize {
        self.alpha.len()
    }

    /// The last step that a sequence takes.
    fn cap(&self, length: usize) -> usize {
        self.depth().min(length + 1)
    }

    /// The rows of each sequence.
    fn sequences(&self) -> Vec<std::ops::Range<usize>> {
        let ends = self.tokens.lengths.iter().scan(0, |end, length| {
            *end += length;
            Some(*end)
        });
        ends.zip(&self.tokens.lengths).map(|(end, length)| end - length..end).collect()
    }

    /// Replays some sequences with at most `cap` steps.
    fn replay(&self, rows: std::ops::Range<usize>, lengths: Vec<usize>, cap: usize) -> Vec<ReplayedToken> {
        let trajectory = Trajectory {
            targets: Some(vec![0; rows.len()]),
            lengths,
            states: self.states.narrow(1, rows.start, rows.len()).unwrap(),
            logits: None,
            stage: None,
            weights: self.weights().into_iter().collect(),
        };
        trajectory.replay(policy("gut"), &self.given, Some(cap))
    }

    /// The steps whose states a token mixes, and whether the next one is discarded, by a loop over the probabilities.
    fn kept(&self, token: usize, cap: usize) -> (usize, bool) {
        let mut left = 1.0;
        for step in 1..=cap {
            left *= 1.0 - self.alpha[step - 1][token];
            if 1.0 - left >= THRESHOLD {
                return (step - 1, true);
            }
        }
        (cap, false)
    }

    /// The expected weights of a token's states and its expected number of steps.
    fn weights_of(&self, token: usize, cap: usize) -> (Vec<f64>, f64) {
        let (kept, _) = self.kept(token, cap);
        let (mut left, mut steps, mut weights) = (1.0, 0.0, vec![0.0; cap + 1]);
        for step in 1..=kept {
            let share = left * self.alpha[step - 1][token];
            weights[step - 1] = share;
            steps += share * step as f64;
            left -= share;
        }
        weights[kept] = left;
        (weights, steps + left * kept as f64)
    }

    /// Compares a token with the loop over the recorded probabilities, and its output with the recorded one.
    fn check(&self, found: &ReplayedToken, token: usize, cap: usize) {
        let golden = &self.golden;
        let (kept, discards) = self.kept(token, cap);
        assert_eq!(found.depth as usize, kept + usize::from(discards), "{} token {token}", self.variant);
        let (weights, steps) = self.weights_of(token, cap);
        let own = found.weights.as_ref().unwrap();
        golden.near("weights", own, &weights);
        golden.near("cost", &[found.objective.unwrap()], &[golden.number("penalty_gamma") * steps]);
        let states = self.states.narrow(0, 0, cap + 1).unwrap().get_on_dim(1, token).unwrap();
        let output = Tensor::new(&own[..], &Device::Cpu).unwrap().unsqueeze(0).unwrap().matmul(&states).unwrap();
        let expected = self.tokens.packed(&golden.tensor(&format!("expected.{}.sequence", self.variant)));
        golden.close("output", &output, &expected.get(token).unwrap());
    }

    fn check_costs(&self, sequence: usize, found: &[ReplayedToken]) {
        let mean = found.iter().map(|token| token.objective.unwrap()).sum::<f64>() / found.len() as f64;
        let expected = self.golden.numbers(&format!("expected.{}.aux_loss", self.variant))[sequence];
        self.golden.near("auxiliary loss", &[mean], &[expected]);
    }

    /// The scores of a token before its first decision that differs from the published one.
    fn check_scores(&self, found: &ReplayedToken, token: usize, steps: usize) {
        let mut left = 1.0;
        for step in 1..=steps.min(found.scores.len() - 1) {
            left *= 1.0 - self.alpha[step - 1][token];
            self.golden.near("score", &[found.scores[step - 1].unwrap()], &[1.0 - left]);
        }
    }
}

/// All sequences in one batch; the shortest one stops at its cap.
#[test]
fn a_whole_sequence_halts_as_in_the_published_code() {
    for recorded in Recorded::all("gut", "sequence", "transition") {
        let count = recorded.tokens.tokens.len();
        let found = recorded.replay(0..count, recorded.tokens.lengths.clone(), recorded.depth());
        for (sequence, rows) in recorded.sequences().into_iter().enumerate() {
            let cap = recorded.cap(rows.len());
            for row in rows.clone() {
                let mut token = found[row].clone();
                token.weights.as_mut().unwrap().truncate(cap + 1);
                recorded.check(&token, row, cap);
            }
            recorded.check_costs(sequence, &found[rows]);
        }
    }
}

#[test]
fn single_tokens_halt_as_in_the_published_code() {
    for (variant, reads) in [("gut_token", "transition"), ("ut_causal", "state")] {
        for recorded in Recorded::all(variant, "token", reads) {
            for (sequence, rows) in recorded.sequences().into_iter().enumerate() {
                let cap = recorded.cap(rows.len());
                let found = recorded.replay(rows.clone(), vec![rows.len()], cap);
                for (found, row) in found.iter().zip(rows) {
                    recorded.check(found, row, cap);
                    recorded.check_scores(found, row, found.depth as usize);
                }
                recorded.check_costs(sequence, &found);
            }
        }
    }
}

/// The published code puts the discarded result of a halted token into the means of later tokens; here its frozen state
/// enters. So a token is compared until the first token before it halts, and wholly if none does.
#[test]
fn tokens_halt_by_running_means_as_in_the_published_code() {
    for recorded in Recorded::all("gut_causal", "causal", "transition") {
        let (mut whole, mut scores) = (0, 0);
        for rows in recorded.sequences() {
            let cap = recorded.cap(rows.len());
            let found = recorded.replay(rows.clone(), vec![rows.len()], cap);
            let mut first = cap;
            for (found, row) in found.iter().zip(rows) {
                let (kept, discards) = recorded.kept(row, cap);
                let own = kept + usize::from(discards);
                recorded.check_scores(found, row, own.min(first));
                scores += own.min(first);
                if own <= first {
                    recorded.check(found, row, cap);
                    whole += 1;
                }
                first = first.min(own);
            }
        }
        assert!(whole >= 5 && scores >= 25, "{whole} tokens and {scores} scores are compared");
    }
}

/// Keys and values of the steps of single tokens, running and halted.
#[test]
fn keys_and_values_are_soft_as_in_the_published_code() {
    for (variant, reads) in [("gut_token", "transition"), ("ut_causal", "state")] {
        for recorded in Recorded::all(variant, "token", reads) {
            let expected = recorded.tokens.by_step(&recorded.golden.tensor(&format!("expected.{variant}.kv_in")));
            for (rows, length) in recorded.sequences().into_iter().zip(recorded.tokens.lengths.clone()) {
                let cap = recorded.cap(length);
                let states = recorded.states.narrow(1, rows.start, length).unwrap();
                let seen: Arc<Mutex<Vec<Tensor>>> = Arc::default();
                let (first, told) = (states.get(0).unwrap(), seen.clone());
                let step = move |own: &Tensor, context: &mut StepContext| {
                    told.lock().unwrap().push(context.key_values.sources(0, own)?.states);
                    context.rows.select(&states.get(context.step)?)
                };
                let stubbed = Stubbed {
                    declaration: policy("gut"),
                    given: recorded.given.clone(),
                    weights: recorded.weights(),
                    max_depth: cap,
                    halted: HaltedKeysValues::FreezeState,
                };
                let model = stubbed.model(Stub { first, step: Box::new(step) });
                evaluate(&model, &batch(&[length]), Execution::Dense, None).unwrap();
                let seen = seen.lock().unwrap();
                assert_eq!(seen.len(), cap);
                for (step, seen) in seen.iter().enumerate() {
                    let expected = expected.get(step).unwrap().narrow(0, rows.start, length).unwrap();
                    recorded.golden.close("keys and values", seen, &expected);
                }
            }
        }
    }
}

/// The error function by its Taylor series.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    2.0 / std::f64::consts::PI.sqrt() * sum
}

/// A token of the slow loop below.
struct Slow {
    /// The state that it offers to means, once it has halted.
    frozen: Option<Vec<f64>>,
    left: f64,
    weights: Vec<f64>,
    depth: u32,
    steps: f64,
}

/// Running means with halted tokens among them, which the published code treats otherwise: a loop over single numbers.
#[test]
fn halted_tokens_enter_running_means_with_their_frozen_states() {
    const WIDTH: usize = 3;
    const DEPTH: usize = 5;
    const LENGTHS: [usize; 3] = [7, 1, 5];
    let threshold = 0.8;
    let mut stream = Stream::new(3, "gut", &[]);
    let mut tensor = |shape: &[usize], scale: f64| {
        let numbers = (0..shape.iter().product::<usize>()).map(|_| scale * stream.normal()).collect();
        Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
    };
    let count = LENGTHS.iter().sum();
    let states = tensor(&[DEPTH + 1, count, WIDTH], 1.0);
    let (w1, b1) = (tensor(&[WIDTH, 2 * WIDTH], 0.7), tensor(&[WIDTH], 0.5));
    let (w2, b2) = (tensor(&[1, WIDTH], 1.5), tensor(&[1], 0.5));
    let names = ["gate.inner.weight", "gate.inner.bias", "gate.outer.weight", "gate.outer.bias"];
    let trajectory = Trajectory {
        lengths: LENGTHS.to_vec(),
        states: states.clone(),
        logits: None,
        targets: Some(vec![0; count]),
        stage: None,
        weights: names.into_iter().zip([&w1, &b1, &w2, &b2].map(Clone::clone)).collect(),
    };
    let thresholds = ["threshold", "training_threshold"].map(|name| (name, Value::Real(threshold)));
    let given = [("scope", text("causal")), ("gamma", Value::Real(1.0)), thresholds[0].clone(), thresholds[1].clone()];
    let found = trajectory.replay(policy("gut"), &given, None);

    let states: Vec<Vec<Vec<f64>>> = states.to_vec3().unwrap();
    let (w1, b1): (Vec<Vec<f64>>, Vec<f64>) = (w1.to_vec2().unwrap(), b1.to_vec1().unwrap());
    let (w2, b2): (Vec<Vec<f64>>, Vec<f64>) = (w2.to_vec2().unwrap(), b2.to_vec1().unwrap());
    let mut start = 0;
    let mut distinct = std::collections::BTreeSet::new();
    for length in LENGTHS {
        let new = || Slow { frozen: None, left: 1.0, weights: vec![0.0; DEPTH + 1], depth: 0, steps: 0.0 };
        let mut tokens: Vec<Slow> = (0..length).map(|_| new()).collect();
        for step in 1..=DEPTH {
            let mut halting = Vec::new();
            for place in (0..length).filter(|place| tokens[*place].frozen.is_none()) {
                let mean = |step: usize, column: usize| {
                    let state = |other: usize| match &tokens[other].frozen {
                        Some(frozen) => frozen[column],
                        None => states[step][start + other][column],
                    };
                    (0..=place).map(state).sum::<f64>() / (place + 1) as f64
                };
                let read: Vec<f64> =
                    (0..2 * WIDTH).map(|column| mean(step - 1 + column / WIDTH, column % WIDTH)).collect();
                let hidden = w1.iter().zip(&b1).map(|(weights, bias)| {
                    let x = bias + weights.iter().zip(&read).map(|(weight, x)| weight * x).sum::<f64>();
                    x * (1.0 + erf(x / 2f64.sqrt())) / 2.0
                });
                let logit = b2[0] + w2[0].iter().zip(hidden).map(|(weight, x)| weight * x).sum::<f64>();
                let alpha = 1.0 / (1.0 + (-logit).exp());
                halting.push((place, alpha));
            }
            // All tokens of a step read the states before anybody halts in it.
            for (place, alpha) in halting {
                let token = &mut tokens[place];
                token.depth += 1;
                let after = token.left * (1.0 - alpha);
                if 1.0 - after >= threshold {
                    token.weights[step - 1] += token.left;
                    token.frozen = Some(states[step - 1][start + place].clone());
                } else {
                    token.weights[step - 1] += token.left * alpha;
                    token.steps += token.left;
                    token.left = after;
                    if step == DEPTH {
                        token.weights[step] += after;
                    }
                }
            }
        }
        for (token, found) in tokens.iter().zip(&found[start..]) {
            distinct.insert(token.depth);
            assert_eq!(found.depth, token.depth);
            let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} against {b}");
            found.weights.as_ref().unwrap().iter().zip(&token.weights).for_each(|(a, b)| near(*a, *b));
            near(found.objective.unwrap(), token.steps);
        }
        start += length;
    }
    assert!(distinct.len() >= 3, "{distinct:?}");
}
