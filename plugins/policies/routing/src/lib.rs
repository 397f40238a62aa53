//! Routing: which tokens take a step, or how many steps a token takes, by the scores of a router.

mod mixture_of_depths;
mod mor_expert_choice;
mod mor_token_choice;

use haltbench_sdk_dylib as _;

pub use mixture_of_depths::DECLARATION as MIXTURE_OF_DEPTHS;
pub use mor_expert_choice::DECLARATION as MOR_EXPERT_CHOICE;
pub use mor_token_choice::DECLARATION as MOR_TOKEN_CHOICE;

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::{build_policy, check_policy, check_policy_with};
    use haltbench_sdk::parameters::Value;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn expert_choice_conforms() {
        for choice in ["top-k", "threshold"] {
            check_policy_with(&super::MOR_EXPERT_CHOICE, &[("choice", text(choice))]);
        }
    }

    #[test]
    fn token_choice_conforms() {
        check_policy(&super::MOR_TOKEN_CHOICE);
        for (router, gate) in [("softmax", "each"), ("sigmoid", "end"), ("sigmoid", "each")] {
            check_policy_with(&super::MOR_TOKEN_CHOICE, &[("router", text(router)), ("gate", text(gate))]);
        }
        check_policy_with(&super::MOR_TOKEN_CHOICE, &[("balancing", text("loss-free"))]);
    }

    #[test]
    fn a_choice_in_no_step_is_refused() {
        let built = |every: i64| {
            let given = [("every", Value::Integer(every))];
            build_policy(&super::MIXTURE_OF_DEPTHS, &given, 4).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(built(4), Ok(()));
        let expected = "parameter `every` of mixture-of-depths: expected a whole number from 1 to max_depth = 4, because \
                        no step would choose tokens, found 5";
        assert_eq!(built(5), Err(expected.to_owned()));
    }

    #[test]
    fn mixture_of_depths_conforms() {
        for choice in ["top-k", "router", "predictor"] {
            for every in [1, 2] {
                let given =
                    [("choice", text(choice)), ("every", Value::Integer(every)), ("capacity", Value::Real(0.5))];
                check_policy_with(&super::MIXTURE_OF_DEPTHS, &given);
            }
        }
        check_policy_with(&super::MIXTURE_OF_DEPTHS, &[("at_least_one", Value::Flag(false))]);
    }
}
