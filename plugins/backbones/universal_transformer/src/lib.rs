//! The Universal Transformer: tied layers with signals of position and step.

mod universal_transformer;

use haltbench_sdk_dylib as _;

pub use universal_transformer::DECLARATION;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::check_backbone_with;
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conforms() {
        let text = |value: &str| Value::Text(value.to_owned());
        check_backbone_with(&super::DECLARATION, &[]);
        let learned = [("step_signal", text("learned")), ("position_signal", text("learned"))];
        check_backbone_with(&super::DECLARATION, &learned);
        check_backbone_with(&super::DECLARATION, &[("norm", text("pre")), ("activation", text("gelu"))]);
        let plain = [("step_signal", text("none")), ("position_signal", text("none"))];
        check_backbone_with(&super::DECLARATION, &plain);
    }
}
