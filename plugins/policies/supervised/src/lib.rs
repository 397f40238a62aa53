//! Deciders that are trained on targets: whether an answer is right, the depth that a token needs, a mean depth.

mod adaponder;
mod labels;
mod loopus;
mod oracle_supervised;
mod q_halting;
mod q_head;
mod reads;
mod success;
mod supervised_steps;

use haltbench_sdk_dylib as _;

pub use adaponder::DECLARATION as ADAPONDER;
pub use loopus::DECLARATION as LOOPUS;
pub use oracle_supervised::DECLARATION as ORACLE_SUPERVISED;
pub use q_halting::DECLARATION as Q_HALTING;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::{build_policy, check_policy, check_policy_with};
    use haltbench_sdk::parameters::Value;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn q_halting_conforms() {
        check_policy(&super::Q_HALTING);
        for (reads, target) in
            [("first", "accuracy"), ("mean", "likelihood"), ("token", "exact"), ("token", "likelihood")]
        {
            check_policy_with(&super::Q_HALTING, &[("reads", text(reads)), ("target", text(target))]);
        }
        check_policy_with(&super::Q_HALTING, &[("supervises", text("until-halt")), ("exploration", Value::Real(0.5))]);
        check_policy_with(&super::Q_HALTING, &[("evaluate", text("full"))]);
    }

    #[test]
    fn oracle_supervised_conforms() {
        check_policy(&super::ORACLE_SUPERVISED);
        for (labels, counts) in [("first-consistent", "until-needed"), ("stable", "all"), ("mismatch", "until-needed")]
        {
            let given = [("labels", text(labels)), ("counts", text(counts)), ("top_logits", Value::Integer(4))];
            check_policy_with(&super::ORACLE_SUPERVISED, &given);
        }
    }

    #[test]
    fn loopus_conforms() {
        for exit in ["confidence", "cumulative", "distance"] {
            check_policy_with(&super::LOOPUS, &[("exit", text(exit))]);
        }
    }

    #[test]
    fn adaponder_conforms() {
        check_policy(&super::ADAPONDER);
        check_policy_with(&super::ADAPONDER, &[("target_depth", Value::Real(3.5)), ("width", Value::Real(0.5))]);
    }

    #[test]
    fn a_target_depth_out_of_reach_is_refused() {
        let given = [("target_depth", Value::Real(7.0))];
        let error = build_policy(&super::ADAPONDER, &given, 4).map(|_| ()).unwrap_err().to_string();
        let expected = "parameter `target_depth` of adaponder: expected 0 or a number from 1 to max_depth = 4, found 7";
        assert_eq!(error, expected);
    }
}
