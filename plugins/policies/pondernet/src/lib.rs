//! PonderNet: halting probabilities that are trained with a loss at every step.

mod pondernet;

use haltbench_sdk_dylib as _;

pub use pondernet::DECLARATION;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::check_policy_with;
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conforms() {
        for exit in ["bernoulli", "quantile", "argmax"] {
            check_policy_with(&super::DECLARATION, &[("exit", Value::Text(exit.to_owned()))]);
        }
    }
}
