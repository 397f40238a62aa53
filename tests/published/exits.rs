//! Exits by confidence and by change against the published criteria.

use haltbench_engine::trace::ReplayedToken;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;
use crate::replays::{Trajectory, by_token, policy, text, valid};

/// Applies a linear head `[V, d]` to the states after steps 1..=D of `[D + 1, B, S, d]`.
fn read_out(states: &Tensor, head: &Tensor) -> Tensor {
    let (steps, batch, length, width) = states.dims4().unwrap();
    let after = states.narrow(0, 1, steps - 1).unwrap().reshape((steps - 1, batch * length, width)).unwrap();
    after.broadcast_matmul(&head.t().unwrap()).unwrap()
}

/// Asserts that all known scores are the expected ones.
fn same_scores(golden: &Golden, what: &str, found: &[ReplayedToken], expected: &[Vec<f64>]) {
    for (found, expected) in found.iter().zip(expected) {
        let pairs = found.scores.iter().zip(expected).filter_map(|(found, expected)| Some((found.as_ref()?, expected)));
        let (found, expected): (Vec<f64>, Vec<f64>) = pairs.unzip();
        assert!(!found.is_empty());
        golden.near(what, &found, &expected);
    }
}

#[test]
fn huginns_criteria_are_those_of_the_published_code() {
    for golden in Golden::all("huginn_exits") {
        let states = golden.tensor("input.states");
        let mut trajectory = Trajectory::new(&states, []);
        trajectory.logits = Some(read_out(&states, &golden.tensor("weight.head")));
        for (declaration, name) in [(policy("huginn-kl"), "kl"), (policy("huginn-latent-diff"), "latent-diff")] {
            let values = by_token(&golden.tensor(&format!("expected.per_token.values.{name}")));
            for (thresholds, depths) in [("default_thresholds", "depth"), ("custom_thresholds", "depth_custom")] {
                let threshold = golden.config()[thresholds][name].as_f64().unwrap();
                let found = trajectory.replay(declaration, &[("threshold", Value::Real(threshold))], None);
                let expected = golden.integers(&format!("expected.per_token.{depths}.{name}"));
                let found_depths: Vec<u32> = found.iter().map(|token| token.depth).collect();
                assert_eq!(found_depths, expected, "{} {name} {thresholds}", golden.name);
                same_scores(&golden, name, &found, &values);
            }
        }
    }
}

#[test]
fn calms_confidences_exits_and_losses_are_those_of_the_published_code() {
    for golden in Golden::all("calm").iter().filter(|golden| golden.has("weight.meta_w")) {
        let states = golden.tensor("input.states");
        let tokens = valid(&golden.tensor("input.weights"));
        let weights = [
            ("classifier.weight", golden.tensor("weight.meta_w")),
            ("classifier.bias", golden.tensor("weight.meta_b")),
        ];
        let mut trajectory = Trajectory::new(&states, weights);
        trajectory.logits = Some(read_out(&states, &golden.tensor("weight.head")));
        let targets = golden.integers("input.targets");
        let target = |token: usize| if tokens.contains(&token) { i64::from(targets[token]) } else { -1 };
        trajectory.targets = Some((0..targets.len()).map(target).collect());
        for (confidence, name) in [("softmax", "softmax_diff"), ("state", "state"), ("classifier", "meta")] {
            let never = [("confidence", text(confidence)), ("threshold", Value::Real(2.0))];
            let found = trajectory.replay(policy("calm"), &never, None);
            same_scores(golden, name, &found, &by_token(&golden.tensor(&format!("expected.conf.{name}"))));
        }
        for (confidence, name) in [("softmax", "softmax"), ("classifier", "meta")] {
            let given = [
                ("confidence", text(confidence)),
                ("threshold", Value::Real(golden.number("threshold"))),
                ("decay", text("t5x")),
                ("temperature", Value::Real(golden.number("position_temp"))),
                ("length", Value::Integer(golden.size("max_length") as i64)),
            ];
            let found = trajectory.replay(policy("calm"), &given, None);
            let expected = golden.integers(&format!("derived.free_depth.{name}"));
            let depths: Vec<u32> = found.iter().map(|token| token.depth).collect();
            assert_eq!(depths, expected, "{} {name}", golden.name);
        }
        let sum = |found: &[ReplayedToken]| tokens.iter().map(|token| found[*token].objective.unwrap()).sum::<f64>();
        let classifier = trajectory.replay(policy("calm"), &[("confidence", text("classifier"))], None);
        golden.near("classifier", &[sum(&classifier)], &golden.numbers("expected.balanced_meta_loss"));
        trajectory.stage = Some(1);
        let exits = trajectory.replay(policy("calm"), &[], None);
        golden.near("exits", &[sum(&exits)], &golden.numbers("expected.multi_exit_linear"));
    }
}

#[test]
fn learn_then_test_accepts_what_the_equations_accept() {
    for golden in Golden::all("calm_ltt") {
        let level = golden.number("epsilon");
        for (case, tolerated) in golden.config()["delta"].as_object().unwrap() {
            let losses: Vec<Vec<f64>> = golden.tensor(&format!("input.{case}.loss")).to_vec2().unwrap();
            let items = losses.len();
            let mean = |column: usize| losses.iter().map(|row| row[column]).sum::<f64>() / items as f64;
            let means: Vec<f64> = (0..losses[0].len()).map(mean).collect();
            golden.near(case, &means, &golden.numbers(&format!("expected.{case}.mean_loss")));
            let accepted = learn_then_test(&means, items, tolerated.as_f64().unwrap(), level);
            assert_eq!(accepted as u32, golden.integers(&format!("derived.{case}.accepted_count"))[0], "{case}");
        }
    }
}
