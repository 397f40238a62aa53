//! Looped layers without injection: k layers applied L times.

mod looped;

use haltbench_sdk_dylib as _;

pub use looped::DECLARATION;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::{check_backbone, check_backbone_with};
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conforms() {
        check_backbone(&super::DECLARATION);
        let text = |name, value: &str| (name, Value::Text(value.to_owned()));
        for injection in ["concat", "add", "diagonal"] {
            check_backbone_with(&super::DECLARATION, &[text("injection", injection)]);
        }
        for positions in ["none", "learned"] {
            // A table of as many rows as the longest sequence and as many steps as D: every row has a gradient.
            let tables = [("learned_positions", Value::Integer(7)), ("learned_steps", Value::Integer(3))];
            let given = [text("positions", positions), text("step_signal", "learned")];
            check_backbone_with(&super::DECLARATION, &[&given[..], &tables].concat());
        }
        let abacus = [("learned_positions", Value::Integer(12)), ("abacus_shift", Value::Integer(4))];
        check_backbone_with(&super::DECLARATION, &[&[text("positions", "abacus")], &abacus[..]].concat());
        let tied = [text("step_signal", "sinusoid"), ("tied", Value::Flag(true)), text("injection", "add")];
        check_backbone_with(&super::DECLARATION, &tied);
        check_backbone_with(&super::DECLARATION, &[("key_value_heads", Value::Integer(1))]);
    }
}
