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
//! | `random-within-sequence`, `random-within-position` | the same within a sequence, or at the same position of one size |
//! | `oracle-complexity` | the value of perfect alignment; never ranked |
//! | `first-consistent`, `first-correct`, `loss-optimal` | what a policy that knew every outcome would save; never ranked |

mod cue;
mod first_consistent;
mod first_correct;
mod fixed;
mod fixed_answers;
mod local_context;
mod loss_optimal;
mod oracle_complexity;
mod outcome_depths;
mod position;
mod random;
mod random_matched;
mod random_trained;
mod random_within_position;
mod random_within_sequence;
mod recorded;
mod shuffle;
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
        for within in ["role", "all"] {
            let within = Value::Text(within.to_owned());
            check_policy_with(&crate::random_matched::DECLARATION, &[("within", within)]);
        }
        check_policy(&crate::random_within_sequence::DECLARATION);
        check_policy(&crate::random_within_position::DECLARATION);
        let stays = [("stays", Value::Flag(true))];
        check_policy(&crate::first_consistent::DECLARATION);
        check_policy_with(&crate::first_consistent::DECLARATION, &stays);
        check_policy(&crate::first_correct::DECLARATION);
        check_policy_with(&crate::first_correct::DECLARATION, &stays);
        check_policy_with(&crate::first_correct::DECLARATION, &[("prompt_depth", Value::Integer(1))]);
        check_policy(&crate::loss_optimal::DECLARATION);
    }
}
