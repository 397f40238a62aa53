//! ANIRA's deciders, distributions and inference rules against their equations.

use haltbench_engine::trace::ReplayedToken;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;
use crate::replays::{Trajectory, policy, text, valid};

/// Asserts that numbers `[B, S, ...]` of the golden equal those of the tokens that are not padding.
fn same(
    golden: &Golden,
    tokens: &[usize],
    name: &str,
    found: &[ReplayedToken],
    of: impl Fn(&ReplayedToken) -> Vec<f64>,
) {
    let count = found.len();
    let expected: Vec<Vec<f64>> = golden.tensor(name).reshape((count, ())).unwrap().to_vec2().unwrap();
    for token in tokens {
        golden.near(name, &of(&found[*token]), &expected[*token]);
    }
}

#[test]
fn distributions_and_depths_are_those_of_the_equations_under_every_rule() {
    for golden in Golden::all("anira_gates") {
        let tokens = valid(&golden.tensor("input.valid"));
        let states = golden.tensor("input.states");
        for (name, kind) in [("anira-e", "E"), ("anira-o", "O")] {
            let weight = |name: &str| golden.tensor(&format!("weight.{kind}.{name}"));
            let weights = [
                ("norm.weight", weight("ln_w")),
                ("norm.bias", weight("ln_b")),
                ("up.weight", weight("w1")),
                ("down.weight", weight("w2")),
                ("down.bias", weight("b2")),
            ];
            let mut trajectory = Trajectory::new(&states, weights);
            let count: usize = trajectory.lengths.iter().sum();
            let depth = states.dim(0).unwrap() - 1;
            // A vocabulary of one token has no loss, so only the divergence remains.
            trajectory.logits = Some(Tensor::zeros((depth, count, 1), DType::F64, &Device::Cpu).unwrap());
            trajectory.targets = Some(vec![0; count]);
            let thresholds = golden.config()["thresholds"].as_array().unwrap();
            let mut rules = vec![("mode", 0.5, "mode".to_owned()), ("median", 0.5, "median".to_owned())];
            rules.push(("mean", 0.5, "mean_nearest".to_owned()));
            rules.extend(
                thresholds
                    .iter()
                    .enumerate()
                    .map(|(place, threshold)| ("threshold", threshold.as_f64().unwrap(), format!("threshold.{place}"))),
            );
            for (rule, threshold, suffix) in rules {
                for (place, base) in golden.config()["prior_b"].as_array().unwrap().iter().enumerate() {
                    let given = [
                        ("rule", text(rule)),
                        ("threshold", Value::Real(threshold)),
                        ("gamma", Value::Real(1.0)),
                        ("b", Value::Real(base.as_f64().unwrap())),
                    ];
                    let found = trajectory.replay(policy(name), &given, None);
                    let expected = |name: &str| format!("expected.{kind}.{name}");
                    same(&golden, &tokens, &expected("q"), &found, |token| token.distribution.clone().unwrap());
                    let mean = |token: &ReplayedToken| vec![token.expected_depth.unwrap()];
                    same(&golden, &tokens, &expected("expected_depth"), &found, mean);
                    let depth = |token: &ReplayedToken| vec![f64::from(token.depth)];
                    same(&golden, &tokens, &expected(&format!("depth.{suffix}")), &found, depth);
                    let share = |token: &ReplayedToken| vec![token.objective.unwrap()];
                    same(&golden, &tokens, &expected(&format!("kl_per_token.{place}")), &found, share);
                }
            }
        }
    }
}
