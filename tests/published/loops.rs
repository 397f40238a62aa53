//! Policies without golden numbers, against loops over single numbers in f64 that follow their equations.

use std::collections::BTreeMap;

use haltbench_sdk::candle_core::Var;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::linear_model::LinearModel;
use crate::replays::{policy, text};

/// Numbers of a tensor with up to three dimensions, in the order of its rows.
#[derive(Clone)]
struct Numbers {
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Numbers {
    fn random(stream: &mut Stream, shape: &[usize]) -> Self {
        let count = shape.iter().product();
        Self { shape: shape.to_vec(), values: (0..count).map(|_| stream.normal()).collect() }
    }

    fn var(&self) -> Var {
        Var::from_tensor(&Tensor::from_vec(self.values.clone(), self.shape.as_slice(), &Device::Cpu).unwrap()).unwrap()
    }

    fn row(&self, row: usize) -> &[f64] {
        let width = self.shape[self.shape.len() - 1];
        &self.values[row * width..][..width]
    }
}

/// Random states, read-out, targets and weights by name.
struct Case {
    numbers: BTreeMap<&'static str, Numbers>,
    lengths: Vec<usize>,
    targets: Vec<Option<u32>>,
    max_depth: usize,
}

const WIDTH: usize = 5;
const VOCABULARY: u64 = 4;

impl Case {
    fn new(seed: u64, weights: &[(&'static str, &[usize])]) -> Self {
        let mut stream = Stream::new(seed, "loops", &[]);
        let (lengths, max_depth) = (vec![3, 1, 4], 4);
        let tokens: usize = lengths.iter().sum();
        let mut numbers = BTreeMap::from([
            ("states", Numbers::random(&mut stream, &[max_depth + 1, tokens, WIDTH])),
            ("read-out", Numbers::random(&mut stream, &[VOCABULARY as usize, WIDTH])),
        ]);
        weights.iter().for_each(|(name, shape)| {
            numbers.insert(name, Numbers::random(&mut stream, shape));
        });
        // One token of the first sequence is no answer.
        let target = |token| (token != 1).then(|| stream.below(VOCABULARY) as u32);
        let targets = (0..tokens).map(target).collect();
        Self { numbers, lengths, targets, max_depth }
    }

    fn model(&self) -> LinearModel {
        let states = &self.numbers["states"];
        let tokens = self.targets.len();
        let of_step = |step: usize| Numbers {
            shape: vec![tokens, WIDTH],
            values: states.values[step * tokens * WIDTH..][..tokens * WIDTH].to_vec(),
        };
        let weights = self.numbers.iter().filter(|(name, _)| !["states", "read-out"].contains(*name));
        LinearModel {
            states: (0..=self.max_depth).map(|step| of_step(step).var()).collect(),
            head: self.numbers["read-out"].var(),
            lengths: self.lengths.clone(),
            targets: self.targets.clone(),
            weights: weights.map(|(name, weight)| (*name, weight.var())).collect(),
            training_steps: 1,
        }
    }

    fn state(&self, step: usize, token: usize) -> &[f64] {
        self.numbers["states"].row(step * self.targets.len() + token)
    }

    fn logits(&self, step: usize, token: usize) -> Vec<f64> {
        (0..VOCABULARY as usize).map(|row| dot(self.numbers["read-out"].row(row), self.state(step, token))).collect()
    }

    fn loss(&self, step: usize, token: usize) -> f64 {
        let logits = self.logits(step, token);
        logits.iter().map(|logit| logit.exp()).sum::<f64>().ln() - logits[self.targets[token].unwrap() as usize]
    }

    fn is_right(&self, step: usize, token: usize) -> bool {
        let logits = self.logits(step, token);
        let target = self.targets[token].unwrap() as usize;
        logits.iter().all(|logit| *logit <= logits[target])
    }

    fn answers(&self) -> Vec<usize> {
        (0..self.targets.len()).filter(|token| self.targets[*token].is_some()).collect()
    }

    /// The tokens of each sequence.
    fn sequences(&self) -> Vec<Vec<usize>> {
        let mut start = 0;
        let tokens = |length: &usize| {
            start += length;
            (start - length..start).collect()
        };
        self.lengths.iter().map(tokens).collect()
    }

    /// The sequence of each token.
    fn of_tokens(&self) -> Vec<usize> {
        self.sequences().iter().enumerate().flat_map(|(place, tokens)| vec![place; tokens.len()]).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn near(what: &str, found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance * (1.0 + expected.abs()), "{what}: {found} against {expected}");
}

fn loopus_logit(case: &Case, step: usize, token: usize) -> f64 {
    let state = case.state(step, token);
    let count = state.len() as f64;
    let mean = state.iter().sum::<f64>() / count;
    let variance = state.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    let (scale, shift) = (case.numbers["norm.weight"].row(0), case.numbers["norm.bias"].row(0));
    let normed: Vec<f64> = (0..state.len())
        .map(|place| (state[place] - mean) / (variance + 1e-5).sqrt() * scale[place] + shift[place])
        .collect();
    dot(&normed, case.numbers["head.weight"].row(0)) + case.numbers["head.bias"].values[0]
}

fn loopus_objective(case: &Case, beta: f64) -> f64 {
    let answers = case.answers();
    let steps = case.max_depth as f64;
    let mean = |step: usize| answers.iter().map(|token| case.loss(step, *token)).sum::<f64>() / answers.len() as f64;
    let mut total = 0.0;
    for step in 1..=case.max_depth {
        total += mean(step) / steps;
        if step > 1 {
            let rise = mean(step) - mean(step - 1);
            total += beta * rise * sigmoid(rise) / (steps - 1.0);
        }
        let sequences = case.sequences();
        for tokens in &sequences {
            let right: Vec<bool> = tokens
                .iter()
                .filter(|token| case.targets[**token].is_some())
                .map(|token| case.is_right(step, *token))
                .collect();
            let accuracy = right.iter().filter(|right| **right).count() as f64 / right.len() as f64;
            let logit = loopus_logit(case, step, tokens[tokens.len() - 1]);
            total += ((1.0 + logit.exp()).ln() - accuracy * logit) / (sequences.len() as f64 * steps);
        }
    }
    total
}

fn loopus(seed: u64) -> Case {
    let weights: [(&str, &[usize]); 4] =
        [("norm.weight", &[WIDTH]), ("norm.bias", &[WIDTH]), ("head.weight", &[1, WIDTH]), ("head.bias", &[1])];
    Case::new(seed, &weights)
}

#[test]
fn loopus_objective_and_gradients() {
    const STEP: f64 = 1e-5;
    let beta = 0.7;
    let mut case = loopus(1);
    let model = case.model();
    let recipe = Recipe { trains: Trains::All, ..Recipe::OBJECTIVE };
    let found = model.gradient(policy("loopus"), &[("beta", Value::Real(beta))], recipe);
    near("objective", found.total, loopus_objective(&case, beta), 1e-12);
    let mut gradients = BTreeMap::from([("read-out", found.of(&model.head))]);
    gradients.insert("states", model.states.iter().flat_map(|states| found.of(states)).collect());
    model.weights.iter().for_each(|(name, weight)| {
        gradients.insert(name, found.of(weight));
    });
    for (name, gradient) in gradients {
        for (place, found) in gradient.iter().enumerate() {
            let mut at = |shift: f64| {
                case.numbers.get_mut(name).unwrap().values[place] += shift;
                let value = loopus_objective(&case, beta);
                case.numbers.get_mut(name).unwrap().values[place] -= shift;
                value
            };
            let difference = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            near(&format!("gradient at {name}[{place}]"), *found, difference, 1e-8);
        }
    }
}

#[test]
fn loopus_exits() {
    for seed in 1..=3 {
        let case = loopus(seed);
        let trajectory = case.model().trajectory();
        let last: Vec<usize> = case.sequences().iter().map(|tokens| tokens[tokens.len() - 1]).collect();
        for (exit, threshold) in
            [("confidence", 0.6), ("confidence", 0.9), ("cumulative", 0.9), ("distance", 2.5), ("distance", 4.0)]
        {
            let key = if exit == "distance" { "distance_threshold" } else { "threshold" };
            let given = [("exit", text(exit)), (key, Value::Real(threshold))];
            let found = trajectory.replay(policy("loopus"), &given, None);
            for (token, sequence) in case.of_tokens().into_iter().enumerate() {
                let (mut survival, mut depth) = (1.0, case.max_depth);
                for step in 1..case.max_depth {
                    let q = sigmoid(loopus_logit(&case, step, last[sequence]));
                    survival *= 1.0 - q;
                    let moved = case.state(step, last[sequence]).iter().zip(case.state(step - 1, last[sequence]));
                    let (score, halts) = match exit {
                        "confidence" => (q, q > threshold),
                        "cumulative" => (1.0 - survival, 1.0 - survival > threshold),
                        _ => {
                            let distance = moved.map(|(now, before)| (now - before).powi(2)).sum::<f64>().sqrt();
                            (distance, distance < threshold)
                        }
                    };
                    near("score", found[token].scores[step - 1].unwrap(), score, 1e-12);
                    if halts {
                        depth = step;
                        break;
                    }
                }
                assert_eq!(found[token].depth as usize, depth, "{exit} {threshold}, token {token}");
            }
        }
    }
}

#[test]
fn adaponder_gates_exits_and_objective() {
    const GATES: usize = 3;
    for seed in 1..=3 {
        let weights: [(&str, &[usize]); 4] = [
            ("up.weight", &[GATES, WIDTH, WIDTH]),
            ("up.bias", &[GATES, WIDTH]),
            ("down.weight", &[GATES, 1, WIDTH]),
            ("down.bias", &[GATES, 1]),
        ];
        let case = Case::new(seed, &weights);
        let gate = |step: usize, token: usize| {
            let hidden: Vec<f64> = (0..WIDTH)
                .map(|unit| {
                    let place = (step - 1) * WIDTH + unit;
                    let sum = dot(case.numbers["up.weight"].row(place), case.state(step, token));
                    let sum = sum + case.numbers["up.bias"].values[place];
                    sum * sigmoid(sum)
                })
                .collect();
            sigmoid(
                dot(case.numbers["down.weight"].row(step - 1), &hidden) + case.numbers["down.bias"].values[step - 1],
            )
        };
        let tokens = case.targets.len();
        let mut mean = 0.0;
        let mut distributions = Vec::new();
        for token in 0..tokens {
            let (mut mask, mut q) = (1.0, Vec::new());
            for step in 1..case.max_depth {
                mean += mask / tokens as f64;
                q.push(mask * (1.0 - gate(step, token)));
                mask *= gate(step, token);
            }
            mean += mask / tokens as f64;
            q.push(mask);
            distributions.push(q);
        }
        let (lambda, target) = (0.3, 2.0);
        let penalty = lambda * (mean - target) * (mean - target);
        for threshold in [0.3, 0.5, 0.7] {
            let given = [
                ("threshold", Value::Real(threshold)),
                ("lambda", Value::Real(lambda)),
                ("target_depth", Value::Real(target)),
            ];
            let found = case.model().trajectory().replay(policy("adaponder"), &given, None);
            for (token, found) in found.iter().enumerate() {
                let halts = (1..case.max_depth).find(|step| gate(*step, token) <= threshold);
                let depth = halts.unwrap_or(case.max_depth);
                assert_eq!(found.depth as usize, depth, "threshold {threshold}, token {token}");
                for (found, expected) in found.distribution.as_ref().unwrap().iter().zip(&distributions[token]) {
                    near("distribution", *found, *expected, 1e-12);
                }
                for (step, score) in found.scores.iter().enumerate().take(depth.min(GATES)) {
                    near("score", score.unwrap(), gate(step + 1, token), 1e-12);
                }
                let loss = case.targets[token].map_or(0.0, |_| case.loss(depth, token));
                near("objective", found.objective.unwrap(), loss + penalty, 1e-12);
            }
        }
    }
}

/// The weight of the entropy in the first half of training.
#[test]
fn ouro_begins_with_another_weight() {
    let case = Case::new(1, &[("gate.weight", &[1, WIDTH]), ("gate.bias", &[1])]);
    let total = |training_steps: u64, given: &[(&str, f64)]| {
        let given: Vec<(&str, Value)> = given.iter().map(|(name, value)| (*name, Value::Real(*value))).collect();
        let model = LinearModel { training_steps, ..case.model() };
        model.gradient(policy("ouro"), &given, Recipe::EVERY_STEP).total
    };
    let [low, high] = [0.05, 0.1].map(|beta| total(1, &[("beta", beta)]));
    assert!((low - high).abs() > 1e-3);
    near("at first", total(10, &[("beta_start", 0.1)]), high, 1e-12);
    near("in the end", total(1, &[("beta_start", 0.1)]), low, 1e-12);
    near("without", total(10, &[]), low, 1e-12);
}
