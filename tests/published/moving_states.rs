//! Exits by the movement of states against their equations.

use haltbench_sdk::parameters::Value;

use crate::exits::same_scores;
use crate::golden::Golden;
use crate::replays::{Trajectory, after_nothing, by_token, policy, text, valid};

#[test]
fn accelerations_and_step_norms_and_their_exits_are_those_of_the_equations() {
    for golden in Golden::all("two_scale") {
        let trajectory = Trajectory::new(&golden.tensor("input.states"), []);
        let tokens = valid(&golden.tensor("input.valid"));
        // Nothing accelerates after the first step.
        let acceleration = |name: &str| after_nothing(&golden.tensor(name));
        for (policy_name, measure, usual, form, values) in [
            ("two-scale", "absolute", 2, "two_scale", acceleration("expected.acceleration")),
            ("two-scale", "relative", 2, "two_scale_relative", acceleration("expected.acceleration_relative")),
            ("two-scale", "absolute", 1, "two_scale_one_hit", acceleration("expected.acceleration")),
            ("step-norm", "absolute", 1, "step_norm", golden.tensor("expected.step_norm")),
            ("step-norm", "relative", 1, "step_norm_relative", golden.tensor("expected.step_norm_relative")),
            ("step-norm", "absolute", 2, "step_norm_two_hit", golden.tensor("expected.step_norm")),
        ] {
            let values = by_token(&values);
            let thresholds = form.trim_end_matches("_one_hit").trim_end_matches("_two_hit");
            let thresholds = golden.config()["thresholds"][thresholds].as_array().unwrap();
            for (place, threshold) in thresholds.iter().enumerate() {
                let given = [
                    ("measure", text(measure)),
                    ("hits", Value::Integer(usual)),
                    ("threshold", Value::Real(threshold.as_f64().unwrap())),
                ];
                let found = trajectory.replay(policy(policy_name), &given, None);
                let expected = golden.integers(&format!("expected.depth.{form}.{place}"));
                tokens.iter().for_each(|token| assert_eq!(found[*token].depth, expected[*token], "{form} {place}"));
                let of = |token: &usize| (&found[*token], &values[*token]);
                let (found, values): (Vec<_>, Vec<_>) = tokens.iter().map(of).unzip();
                same_scores(&golden, form, found, values);
            }
        }
        // The relative step with one hit has two names.
        let threshold =
            ("threshold", Value::Real(golden.config()["thresholds"]["step_norm_relative"][0].as_f64().unwrap()));
        let found = trajectory.replay(policy("huginn-latent-diff"), &[threshold], None);
        let expected = golden.integers("expected.depth.step_norm_relative.0");
        tokens.iter().for_each(|token| assert_eq!(found[*token].depth, expected[*token]));
    }
}
