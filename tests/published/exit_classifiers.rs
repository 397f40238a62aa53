//! Exits by entropy and by patience against DeeBERT and PABEE.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::exits::same_scores;
use crate::golden::Golden;
use crate::replays::{Trajectory, by_token, policy, text};

/// One sequence whose tokens have given logits, `[D, N, C]`, and states that do not matter.
fn with_logits(logits: Tensor) -> Trajectory {
    let (steps, count, _) = logits.dims3().unwrap();
    let mut trajectory =
        Trajectory::new(&Tensor::zeros((steps + 1, 1, count, 1), DType::F64, &Device::Cpu).unwrap(), []);
    trajectory.logits = Some(logits);
    trajectory
}

fn depths(trajectory: &Trajectory, name: &str, given: &[(&str, Value)]) -> Vec<u32> {
    trajectory.replay(policy(name), given, None).iter().map(|token| token.depth).collect()
}

#[test]
fn entropies_and_their_exits_are_those_of_the_published_code() {
    for golden in Golden::all("exit_classifiers") {
        let trajectory = with_logits(golden.tensor("input.logits"));
        let entropies = golden.tensor("expected.entropy");
        let most = (golden.size("C") as f64).ln();
        let shares = (&entropies / most).unwrap();
        for (place, threshold) in golden.config()["entropy_thresholds"].as_array().unwrap().iter().enumerate() {
            let threshold = threshold.as_f64().unwrap();
            let expected = golden.integers(&format!("expected.deebert.exit.{place}"));
            for (normalise, threshold, values) in [(false, threshold, &entropies), (true, threshold / most, &shares)] {
                let given = [("normalise", Value::Flag(normalise)), ("threshold", Value::Real(threshold))];
                assert_eq!(depths(&trajectory, "entropy", &given), expected, "{normalise} {threshold}");
                let found = trajectory.replay(policy("entropy"), &given, None);
                same_scores(&golden, "entropy", &found, &by_token(values));
            }
        }
    }
}

#[test]
fn exits_by_patience_are_those_of_the_published_code() {
    for golden in Golden::all("exit_classifiers") {
        let classes = with_logits(golden.tensor("input.logits"));
        let regression = with_logits(golden.tensor("input.regression"));
        for patience in
            golden.config()["patience"].as_array().unwrap().iter().map(|patience| patience.as_u64().unwrap())
        {
            let threshold = ("threshold", Value::Real(patience as f64));
            let expected = golden.integers(&format!("expected.pabee.exit.p{patience}"));
            assert_eq!(depths(&classes, "patience", std::slice::from_ref(&threshold)), expected, "{patience}");
            let tolerance = ("tolerance", Value::Real(golden.number("regression_threshold")));
            let expected = golden.integers(&format!("expected.pabee.regression.p{patience}"));
            let given = [threshold, ("agreement", text("logits")), tolerance];
            assert_eq!(depths(&regression, "patience", &given), expected, "regression {patience}");
        }
    }
}
