//! Ouro's gate against its forward pass and against the equations of its two stages.

use haltbench_sdk::parameters::Value;

use crate::golden::Golden;
use crate::replays::{Trajectory, after_nothing, by_token, gate_of_width_one, policy, text, valid, with_losses};

/// The policy reads normed states and runs to the largest depth.
fn whole() -> [(&'static str, Value); 2] {
    [("norm", text("none")), ("threshold", Value::Real(1.0))]
}

#[test]
fn exits_and_objectives_are_those_of_the_published_forward_pass() {
    for golden in Golden::all("ouro_forward") {
        let states = golden.tensor("expected.states");
        let weights = [
            ("gate.weight", golden.tensor("weight.model.early_exit_gate.weight")),
            ("gate.bias", golden.tensor("weight.model.early_exit_gate.bias")),
        ];
        let mut trajectory = Trajectory::new(&after_nothing(&states), weights);
        let steps = states.dim(0).unwrap();
        let tokens = golden.integers("input.labels");
        trajectory.logits = Some(golden.tensor("expected.logits").reshape((steps, tokens.len(), ())).unwrap());
        trajectory.targets = Some(tokens.iter().map(|target| i64::from(*target)).collect());
        let p: Vec<Vec<f64>> = golden.tensor("expected.exit_pdf").reshape(((), steps)).unwrap().to_vec2().unwrap();
        for quantile in golden.config()["q"].as_array().unwrap() {
            let given = [("norm", text("none")), ("threshold", Value::Real(quantile.as_f64().unwrap()))];
            let found = trajectory.replay(policy("ouro"), &given, None);
            let depths: Vec<u32> = found.iter().map(|token| token.depth).collect();
            assert_eq!(depths, golden.integers(&format!("derived.exit_depth.q{quantile}")), "{}", golden.name);
            for (found, expected) in found.iter().zip(&p) {
                golden.near("p", found.distribution.as_ref().unwrap(), expected);
            }
        }
        for (stage, name) in [(1, "derived.stage1_loss"), (2, "derived.stage2_loss")] {
            trajectory.stage = Some(stage);
            let found = trajectory.replay(policy("ouro"), &whole(), None);
            let mean = found.iter().map(|token| token.objective.unwrap()).sum::<f64>() / found.len() as f64;
            golden.near(name, &[mean], &golden.numbers(name));
        }
    }
}

#[test]
fn objectives_are_those_of_the_equations() {
    for golden in Golden::all("ouro_stages") {
        let tokens = valid(&golden.tensor("input.valid"));
        let losses = golden.tensor("input.losses");
        let mut trajectory =
            with_losses(&golden.tensor("input.gate_logits"), gate_of_width_one("gate"), &losses, &tokens);
        let gain = ("gain", Value::Real(golden.number("gamma")));
        let sharpness = ("sharpness", Value::Real(golden.number("k")));
        let given =
            [whole()[0].clone(), whole()[1].clone(), ("beta", Value::Real(golden.number("beta"))), gain, sharpness];
        trajectory.stage = Some(1);
        let first = trajectory.replay(policy("ouro"), &given, None);
        for (token, p) in by_token(&golden.tensor("expected.stage1.p")).iter().enumerate() {
            if tokens.contains(&token) {
                golden.near("p", first[token].distribution.as_ref().unwrap(), p);
            }
        }
        let mean = |found: &[haltbench_engine::trace::ReplayedToken]| {
            tokens.iter().map(|token| found[*token].objective.unwrap()).sum::<f64>() / tokens.len() as f64
        };
        golden.near("stage 1", &[mean(&first)], &golden.numbers("expected.stage1.loss"));
        // Replay is the end of training, where the weight at its beginning no longer acts.
        let begun = [&given[..], &[("beta_start", Value::Real(7.0))]].concat();
        let late = trajectory.replay(policy("ouro"), &begun, None);
        golden.near("stage 1", &[mean(&late)], &golden.numbers("expected.stage1.loss"));
        trajectory.stage = Some(2);
        let second = trajectory.replay(policy("ouro"), &given, None);
        golden.near("stage 2", &[mean(&second)], &golden.numbers("expected.stage2.loss"));
        let steps = losses.dim(0).unwrap() as f64;
        let entropies = by_token(&golden.tensor("expected.stage2.bce"));
        for token in &tokens {
            let expected = entropies[*token].iter().sum::<f64>() / steps;
            golden.near("stage 2 of a token", &[second[*token].objective.unwrap()], &[expected]);
        }
    }
}
