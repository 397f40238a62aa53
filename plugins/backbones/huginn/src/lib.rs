//! Huginn: a recurrent Transformer of sandwich layers with a random initial state.

mod huginn;

use haltbench_sdk_dylib as _;

pub use huginn::DECLARATION;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::check_backbone_with;
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conforms() {
        for injection in ["concat", "add", "diagonal", "none"] {
            check_backbone_with(&super::DECLARATION, &[("injection", Value::Text(injection.to_owned()))]);
        }
        check_backbone_with(&super::DECLARATION, &[("init_scale", Value::Real(0.0))]);
    }
}
