//! PonderNet: halting probabilities that are trained with a loss at every step.

mod palbert;
mod pondernet;

use haltbench_sdk_dylib as _;

pub use palbert::DECLARATION as PALBERT;
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

    #[test]
    fn palbert_conforms() {
        for layers in [0, 3] {
            check_policy_with(&super::PALBERT, &[("layers", Value::Integer(layers))]);
        }
    }
}
