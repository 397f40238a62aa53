//! Policies that choose the positions that take part in a step.

mod mor_expert_choice;

use haltbench_sdk_dylib as _;

pub use mor_expert_choice::DECLARATION;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::check_policy_with;
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conforms() {
        for choice in ["top-k", "threshold"] {
            check_policy_with(&super::DECLARATION, &[("choice", Value::Text(choice.to_owned()))]);
        }
    }
}
