//! The exit gate of looped language models, trained in two stages.

mod ouro;

use haltbench_sdk_dylib as _;

pub use ouro::DECLARATION;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::check_policy_with;
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conforms() {
        for norm in ["rms", "none"] {
            check_policy_with(&super::DECLARATION, &[("norm", Value::Text(norm.to_owned()))]);
        }
    }
}
