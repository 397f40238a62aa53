//! Control policies: without them a leaderboard means nothing.
//!
//! `fixed` gives the frontier of fixed depth, `random` and `random-matched` destroy the alignment of depth with
//! difficulty, `oracle-complexity` reads the complexity itself and is never ranked.

mod fixed;
mod oracle_complexity;
mod random;
mod random_matched;

use haltbench_sdk_dylib as _;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::{check_policy, check_policy_with};
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conform() {
        check_policy(&crate::fixed::DECLARATION);
        check_policy_with(&crate::fixed::DECLARATION, &[("depth", Value::Integer(3))]);
        check_policy(&crate::random::DECLARATION);
        check_policy(&crate::oracle_complexity::DECLARATION);
        for within in ["role", "all", "sequence", "position"] {
            let within = Value::Text(within.to_owned());
            check_policy_with(&crate::random_matched::DECLARATION, &[("within", within)]);
        }
    }
}
