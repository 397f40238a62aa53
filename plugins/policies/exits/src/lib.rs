//! Exits that compare a confidence, or the change in a step, with a threshold after every step.

mod agreement;
mod calm;
mod classifier_loss;
mod confidence;
mod criterion;
mod decay;
mod distributions;
mod entropy;
mod fixed_point;
mod huginn;
mod huginn_argmax_stability;
mod huginn_cosine;
mod huginn_entropy_diff;
mod huginn_kl;
mod huginn_latent_diff;
mod huginn_minp_kl;
mod norms;
mod patience;
mod step_norm;
mod two_scale;

use haltbench_sdk_dylib as _;

pub use calm::DECLARATION as CALM;
pub use entropy::DECLARATION as ENTROPY;
pub use fixed_point::DECLARATION as FIXED_POINT;
pub use huginn_argmax_stability::DECLARATION as HUGINN_ARGMAX_STABILITY;
pub use huginn_cosine::DECLARATION as HUGINN_COSINE;
pub use huginn_entropy_diff::DECLARATION as HUGINN_ENTROPY_DIFF;
pub use huginn_kl::DECLARATION as HUGINN_KL;
pub use huginn_latent_diff::DECLARATION as HUGINN_LATENT_DIFF;
pub use huginn_minp_kl::DECLARATION as HUGINN_MINP_KL;
pub use patience::DECLARATION as PATIENCE;
pub use step_norm::DECLARATION as STEP_NORM;
pub use two_scale::DECLARATION as TWO_SCALE;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::{build_policy, check_policy, check_policy_with};
    use haltbench_sdk::parameters::Value;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn calm_conforms() {
        check_policy(&super::CALM);
        for confidence in ["softmax-maximum", "state", "classifier"] {
            check_policy_with(&super::CALM, &[("confidence", text(confidence)), ("decay", text("paper"))]);
        }
        let geometric = [("confidence", text("classifier")), ("classifier_loss", text("geometric"))];
        check_policy_with(&super::CALM, &geometric);
    }

    #[test]
    fn more_steps_without_a_check_than_there_are_are_refused() {
        let built = |steps: i64| {
            let given = [("min_steps", Value::Integer(steps))];
            build_policy(&super::HUGINN_KL, &given, 4).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(built(4), Ok(()));
        let expected = "parameter `min_steps` of huginn-kl: expected a whole number from 0 to max_depth = 4, found 5";
        assert_eq!(built(5), Err(expected.to_owned()));
    }

    #[test]
    fn exits_of_huginn_conform() {
        let seldom = [("min_steps", Value::Integer(1)), ("every_n", Value::Integer(2))];
        for declaration in [
            &super::HUGINN_ARGMAX_STABILITY,
            &super::HUGINN_COSINE,
            &super::HUGINN_ENTROPY_DIFF,
            &super::HUGINN_KL,
            &super::HUGINN_LATENT_DIFF,
            &super::HUGINN_MINP_KL,
        ] {
            check_policy(declaration);
            check_policy_with(declaration, &seldom);
        }
        check_policy_with(&super::HUGINN_ARGMAX_STABILITY, &[("threshold", Value::Real(2.0))]);
    }

    #[test]
    fn exits_of_moving_states_conform() {
        for declaration in [&super::STEP_NORM, &super::TWO_SCALE] {
            check_policy(declaration);
            for (measure, hits) in [("absolute", 1), ("relative", 2)] {
                check_policy_with(declaration, &[("measure", text(measure)), ("hits", Value::Integer(hits))]);
            }
        }
    }

    #[test]
    fn fixed_points_conform() {
        for patience_for in ["damping", "exit"] {
            for damping in [1.0, 0.6] {
                let given = [("patience_for", text(patience_for)), ("damping", Value::Real(damping))];
                check_policy_with(&super::FIXED_POINT, &given);
            }
        }
    }

    #[test]
    fn exits_of_classifiers_conform() {
        for normalise in [false, true] {
            check_policy_with(&super::ENTROPY, &[("normalise", Value::Flag(normalise))]);
        }
        for agreement in ["prediction", "logits"] {
            check_policy_with(&super::PATIENCE, &[("agreement", text(agreement)), ("threshold", Value::Real(1.0))]);
        }
    }
}
