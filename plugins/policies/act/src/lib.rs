//! Adaptive computation time: outputs that mix the states of several steps.

mod act;
mod ut_act;
mod worked;

use haltbench_sdk_dylib as _;

pub use act::DECLARATION as ACT;
pub use ut_act::DECLARATION as UT_ACT;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::{check_policy, check_policy_with};
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conform() {
        check_policy(&super::ACT);
        for output in ["accumulated", "basic"] {
            for force in [true, false] {
                let given = [("output", Value::Text(output.to_owned())), ("force_remainder", Value::Flag(force))];
                check_policy_with(&super::UT_ACT, &given);
            }
        }
    }
}
