//! The depth-adaptive Transformer: exits that are trained towards the depths of an oracle.

mod confidence;
mod geometric;
mod multinomial;
mod oracle;
mod sequence;
mod thresholds;

use haltbench_sdk_dylib as _;

pub use confidence::DECLARATION as ELBAYAD_CONFIDENCE;
pub use geometric::DECLARATION as ELBAYAD_GEOMETRIC;
pub use multinomial::DECLARATION as ELBAYAD_MULTINOMIAL;
pub use sequence::DECLARATION as ELBAYAD_SEQUENCE;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::{build_policy, check_policy, check_policy_with};
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conform() {
        let correctness = ("oracle", Value::Text("correctness".to_owned()));
        for declaration in [&super::ELBAYAD_GEOMETRIC, &super::ELBAYAD_MULTINOMIAL] {
            check_policy(declaration);
            check_policy_with(declaration, &[correctness.clone(), ("smoothing", Value::Real(1.5))]);
        }
        check_policy(&super::ELBAYAD_CONFIDENCE);
        check_policy_with(
            &super::ELBAYAD_CONFIDENCE,
            &[("calibrate", Value::Flag(true)), ("samples", Value::Integer(9))],
        );
        check_policy(&super::ELBAYAD_SEQUENCE);
        check_policy_with(&super::ELBAYAD_SEQUENCE, &[correctness]);
    }

    #[test]
    fn thresholds_of_steps_are_as_many_as_there_are_decisions() {
        let build = |text: &str| {
            let given = [("thresholds", Value::Text(text.to_owned()))];
            build_policy(&super::ELBAYAD_GEOMETRIC, &given, 4).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(build("0.5, 0.25,1"), Ok(()));
        let operand = "parameter `thresholds` of elbayad-geometric";
        let count = "3 numbers, one for each step before the last";
        assert_eq!(build("0.5"), Err(format!("{operand}: expected {count}, found 1")));
        let number = "numbers from 0 to 1, separated by commas";
        assert_eq!(build("0.5, x, 1"), Err(format!("{operand}: expected {number}, found x")));
        assert_eq!(build("0.5, 2, 1"), Err(format!("{operand}: expected {number}, found 2")));
    }
}
