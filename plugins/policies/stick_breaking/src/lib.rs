//! Stick-breaking: each step takes a share of the weight that is left, and the output mixes the states of several steps.

mod gut;
mod means;
mod perceptron;
mod stick_breaking;

use haltbench_sdk_dylib as _;

pub use gut::DECLARATION as GUT;
pub use stick_breaking::DECLARATION as STICK_BREAKING;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::{check_policy, check_policy_with};
    use haltbench_sdk::parameters::Value;

    #[test]
    fn stick_breaking_conforms() {
        check_policy(&super::STICK_BREAKING);
        let given = [("training_threshold", Value::Real(0.9)), ("threshold", Value::Real(0.7))];
        check_policy_with(&super::STICK_BREAKING, &given);
    }

    #[test]
    fn gut_conforms() {
        for scope in ["sequence", "causal", "token"] {
            for reads in ["transition", "state"] {
                let text = |text: &str| Value::Text(text.to_owned());
                check_policy_with(&super::GUT, &[("scope", text(scope)), ("reads", text(reads))]);
                let threshold = Value::Real(0.7);
                let given = [("threshold", threshold.clone()), ("training_threshold", threshold)];
                check_policy_with(&super::GUT, &[("scope", text(scope)), given[0].clone(), given[1].clone()]);
            }
        }
    }
}
