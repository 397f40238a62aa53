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
pub fn same_scores<'a>(
    golden: &Golden,
    what: &str,
    found: impl IntoIterator<Item = &'a ReplayedToken>,
    expected: impl IntoIterator<Item = &'a Vec<f64>>,
) {
    for (found, expected) in found.into_iter().zip(expected) {
        let pairs = found.scores.iter().zip(expected).filter_map(|(found, expected)| Some((found.as_ref()?, expected)));
        let (found, expected): (Vec<f64>, Vec<f64>) = pairs.unzip();
        assert!(!found.is_empty());
        golden.near(what, &found, &expected);
    }
}

/// Huginn's criteria.
const CRITERIA: [&str; 6] = ["argmax-stability", "cosine", "entropy-diff", "kl", "latent-diff", "minp-kl"];

/// States, and logits that the given head reads out of them.
fn huginn(golden: &Golden) -> Trajectory {
    let states = golden.tensor("input.states");
    let mut trajectory = Trajectory::new(&states, []);
    trajectory.logits = Some(read_out(&states, &golden.tensor("weight.head")));
    trajectory
}

fn threshold(golden: &Golden, of: &str, criterion: &str) -> (&'static str, Value) {
    ("threshold", Value::Real(golden.number(&format!("{of}/{criterion}"))))
}

#[test]
fn huginns_criteria_are_those_of_the_published_code() {
    for golden in Golden::all("huginn_exits") {
        let trajectory = huginn(&golden);
        for name in CRITERIA {
            let declaration = policy(&format!("huginn-{name}"));
            let values = by_token(&golden.tensor(&format!("expected.per_token.values.{name}")));
            let default = declaration.defaults().unwrap().real("threshold").unwrap();
            assert_eq!(default, golden.number(&format!("default_thresholds/{name}")), "{name}");
            for (thresholds, depths) in [("default_thresholds", "depth"), ("custom_thresholds", "depth_custom")] {
                let found = trajectory.replay(declaration, &[threshold(&golden, thresholds, name)], None);
                let expected = golden.integers(&format!("expected.per_token.{depths}.{name}"));
                let found_depths: Vec<u32> = found.iter().map(|token| token.depth).collect();
                assert_eq!(found_depths, expected, "{} {name} {thresholds}", golden.name);
                same_scores(&golden, name, &found, &values);
            }
        }
    }
}

/// Checks after the steps m + 1, m + 1 + n, ... see what checks after every step see of a trajectory without the steps between.
#[test]
fn huginns_checks_between_which_steps_are_left_out_compare_with_the_last_check() {
    for golden in Golden::all("huginn_exits") {
        let whole = huginn(&golden);
        let logits = whole.logits.as_ref().unwrap();
        let most = logits.dim(0).unwrap();
        for (least, every) in [(0, 2), (3, 1), (2, 3), (most - 2, 5), (most, 1)] {
            let checked: Vec<usize> = (least + 1..most).step_by(every).collect();
            // Step D is not checked: a token halts there in any case.
            let kept: Vec<usize> = checked.iter().copied().chain([most]).collect();
            let select = |all: &Tensor, steps: &mut dyn Iterator<Item = usize>| {
                let steps: Vec<u32> = steps.map(|step| step as u32).collect();
                all.index_select(&Tensor::new(steps.as_slice(), &Device::Cpu).unwrap(), 0).unwrap()
            };
            let mut partial = huginn(&golden);
            partial.states = select(&whole.states, &mut std::iter::once(0).chain(kept.iter().copied()));
            partial.logits = Some(select(logits, &mut kept.iter().map(|step| step - 1)));
            for name in CRITERIA {
                let declaration = policy(&format!("huginn-{name}"));
                let given = threshold(&golden, "custom_thresholds", name);
                let expected = partial.replay(declaration, std::slice::from_ref(&given), None);
                let schedule =
                    [("min_steps", Value::Integer(least as i64)), ("every_n", Value::Integer(every as i64)), given];
                for (found, expected) in whole.replay(declaration, &schedule, None).iter().zip(expected) {
                    let what = format!("{name} {least} {every}");
                    let depth = checked.get(expected.depth as usize - 1).copied().unwrap_or(most);
                    assert_eq!(found.depth as usize, depth, "{what}");
                    let scores: Vec<f64> = found.scores.iter().copied().flatten().collect();
                    assert_eq!(scores, expected.scores.iter().copied().flatten().collect::<Vec<f64>>(), "{what}");
                }
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
        let confidences = [
            ("softmax", "softmax_diff"),
            ("softmax-maximum", "softmax_max"),
            ("state", "state"),
            ("classifier", "meta"),
        ];
        for (confidence, name) in confidences {
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
        for (loss, name) in [("balanced", "balanced_meta_loss"), ("geometric", "geom_like_loss")] {
            let given = [("confidence", text("classifier")), ("classifier_loss", text(loss))];
            let found = trajectory.replay(policy("calm"), &given, None);
            golden.near(name, &[sum(&found)], &golden.numbers(&format!("expected.{name}")));
        }
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
