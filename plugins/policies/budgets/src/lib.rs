//! Budgets that read no state: one depth for all tokens, or a depth from length and position.

mod global_budget;
mod position_regressor;
mod regression;

use haltbench_sdk_dylib as _;

pub use global_budget::DECLARATION as GLOBAL_BUDGET;
pub use position_regressor::DECLARATION as POSITION_REGRESSOR;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::{check_policy, check_policy_with};
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conform() {
        check_policy(&super::GLOBAL_BUDGET);
        check_policy_with(&super::GLOBAL_BUDGET, &[("budget", Value::Integer(2))]);
        check_policy(&super::POSITION_REGRESSOR);
    }
}
