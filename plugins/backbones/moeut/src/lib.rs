//! MoEUT: a Universal Transformer whose feed-forward layers and attention are mixtures of experts.

mod experts;
mod layer;
mod moeut;
mod notes;

use haltbench_sdk_dylib as _;

pub use moeut::DECLARATION;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use haltbench_sdk::conformance::{check_backbone, check_backbone_with};
    use haltbench_sdk::initialise::Variables;
    use haltbench_sdk::parameters::Value;
    use haltbench_sdk::prelude::*;

    #[test]
    fn conforms() {
        check_backbone(&super::DECLARATION);
        let sizes = [("ff_experts", 3), ("ff_k", 1), ("att_experts", 2), ("att_k", 1), ("head_dim", 6)];
        check_backbone_with(&super::DECLARATION, &sizes.map(|(name, size)| (name, Value::Integer(size))));
    }

    #[test]
    fn experts_that_do_not_fit_are_refused() {
        for (name, expected) in [
            ("ff_k", "ff_k: expected at most ff_experts = 2, found 3"),
            ("att_k", "att_k: expected at most att_experts = 2, found 3"),
            ("d_ff", "ff_experts: expected a divisor of d_ff 3, found 2"),
        ] {
            let given = [("ff_experts", 2), ("att_experts", 2), ("ff_k", 2), (name, 3)];
            let given: BTreeMap<String, Value> =
                given.iter().map(|(name, size)| ((*name).to_owned(), Value::Integer(*size))).collect();
            let parameters = Parameters::resolve("moeut", super::DECLARATION.parameters, &given).unwrap();
            let variables = Variables::new(0, DType::F32, &Device::Cpu);
            let context = BackboneContext {
                vocabulary: Vocabulary::new(5),
                parameters: &parameters,
                variables: variables.builder(),
            };
            assert_eq!((super::DECLARATION.build)(&context).err().unwrap().to_string(), expected);
        }
    }
}
