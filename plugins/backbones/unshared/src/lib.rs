//! A Transformer whose steps share no weights: the control for recurrence.

mod unshared;

use haltbench_sdk_dylib as _;

pub use unshared::DECLARATION;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::check_backbone_with;
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conforms() {
        // The checks take three steps.
        let steps = ("steps", Value::Integer(3));
        let others = [steps.clone(), ("positions", Value::Text("none".to_owned())), ("tied", Value::Flag(true))];
        check_backbone_with(&super::DECLARATION, &others);
        check_backbone_with(&super::DECLARATION, &[steps]);
    }
}
