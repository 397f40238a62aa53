//! The paper's two policies: ANIRA-E decides early, ANIRA-O online (arXiv 2602.08864).

mod decider;
mod early;
mod kl_from_prior;
mod online;
mod regulariser;

use haltbench_sdk_dylib as _;

pub use early::DECLARATION as ANIRA_E;
pub use online::DECLARATION as ANIRA_O;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::{check_policy, check_policy_with};
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conform() {
        for declaration in [&super::ANIRA_E, &super::ANIRA_O] {
            check_policy(declaration);
            for rule in ["mode", "median", "mean", "threshold"] {
                check_policy_with(declaration, &[("rule", Value::Text(rule.to_owned()))]);
            }
        }
    }
}
