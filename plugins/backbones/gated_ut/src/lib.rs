//! The gated Universal Transformer: a gate mixes the layer's result with its input.

mod bidirectional;
mod gated_ut;
mod layer;

use haltbench_sdk_dylib as _;

pub use gated_ut::DECLARATION;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::{check_backbone, check_backbone_with};
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conforms() {
        check_backbone(&super::DECLARATION);
        check_backbone(&super::bidirectional::DECLARATION);
        let text = |name, value: &str| (name, Value::Text(value.to_owned()));
        check_backbone_with(&super::DECLARATION, &[text("positions", "rope"), text("gate", "none")]);
        check_backbone_with(&super::DECLARATION, &[text("positions", "none"), ("tied", Value::Flag(true))]);
    }
}
