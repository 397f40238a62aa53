//! A Transformer whose steps share no weights: the control for recurrence.

mod unshared;

use haltbench_sdk_dylib as _;

pub use unshared::DECLARATION;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use haltbench_sdk::conformance::check_backbone_with;
    use haltbench_sdk::initialise::Variables;
    use haltbench_sdk::parameters::Value;
    use haltbench_sdk::prelude::*;

    #[test]
    fn conforms() {
        // The checks take three steps.
        let steps = ("steps", Value::Integer(3));
        check_backbone_with(&super::DECLARATION, &[steps.clone()]);
        let others = [steps, ("positions", Value::Text("none".to_owned())), ("tied", Value::Flag(true))];
        check_backbone_with(&super::DECLARATION, &others);
    }

    #[test]
    fn another_depth_than_that_of_its_weights_is_refused() {
        let given =
            BTreeMap::from([("steps".to_owned(), Value::Integer(4)), ("d_model".to_owned(), Value::Integer(16))]);
        let parameters = Parameters::resolve("unshared", super::DECLARATION.parameters, &given).unwrap();
        let variables = Variables::new(0, DType::F32, &Device::Cpu);
        let context = BackboneContext { vocabulary: 5, parameters: &parameters, variables: variables.builder() };
        let backbone = (super::DECLARATION.build)(&context).unwrap();
        let layout = Arc::new(TokenLayout::new(&[2], &[0]).unwrap());
        let tokens = Tensor::new(&[1u32, 2], &Device::Cpu).unwrap();
        for max_depth in [3, 5] {
            let mut context = BeginContext { max_depth, ..BeginContext::new(&layout) };
            let error = backbone.begin(&tokens, &mut context).unwrap_err().to_string();
            let expected = "max_depth: expected 4, the parameter `steps` of the backbone unshared, whose steps have layers of \
                            their own, found ";
            assert_eq!(error, format!("{expected}{max_depth}"));
        }
    }
}
