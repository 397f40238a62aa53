//! Control policies, which test other explanations of a policy's results.
//!
//! | control | what it tests |
//! |---|---|
//! | `fixed` | fixed depths: the frontier that an adaptive policy must beat |
//! | `fixed-answers` | fixed depths of answers, with one step for prompts |
//! | `token-role`, `local-context`, `position` | whether a policy reads more than the surface |
//! | `random` | random depths |
//! | `random-matched` | the accuracy lost when a policy's depths are shuffled over tokens |
//! | `random-trained` | the value of choosing tokens, for a model trained at random depths with the same histogram |
//! | `oracle-complexity` | the value of perfect alignment; never ranked |

mod cue;
mod fixed;
mod fixed_answers;
mod local_context;
mod oracle_complexity;
mod position;
mod random;
mod random_matched;
mod random_trained;
mod recorded;
mod token_role;

use haltbench_sdk_dylib as _;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::{check_policy, check_policy_with};
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conform() {
        check_policy(&crate::fixed::DECLARATION);
        check_policy_with(&crate::fixed::DECLARATION, &[("depth", Value::Integer(3))]);
        check_policy(&crate::fixed_answers::DECLARATION);
        check_policy(&crate::token_role::DECLARATION);
        check_policy(&crate::local_context::DECLARATION);
        check_policy(&crate::position::DECLARATION);
        check_policy(&crate::random::DECLARATION);
        check_policy(&crate::random_trained::DECLARATION);
        check_policy(&crate::oracle_complexity::DECLARATION);
        for within in ["role", "all", "sequence", "position"] {
            let within = Value::Text(within.to_owned());
            check_policy_with(&crate::random_matched::DECLARATION, &[("within", within)]);
        }
    }
}
