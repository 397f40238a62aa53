//! `global-budget`: one depth for all tokens, chosen when the model is used.

use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::policy::Unroll;
use haltbench_sdk::prelude::*;

const NAME: &str = "global-budget";

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "A global budget: every token takes the same number of steps, chosen when the model is used.",
    documentation: "\
## What it computes

Nothing. One model serves all budgets: its recipe draws a number of steps from 1 to D for each batch. The policy `fixed`
trains another model for every depth.

The depths of all tokens are known before the first step, so a backbone that is conditioned on time, such as
`loopformer`, may read its step as a share of the budget and take fewer but larger steps. Any other backbone is read after
`budget` of its D steps.

## When it halts

After `budget` steps, or after D if it is 0. A budget above D is refused.

## Cost

No decisions.

## Published code

armenjeddi/loopformer. It has no policy: the user gives a list of step sizes. Its objective, the loss of a long pass plus a
tenth of the loss of a short one and of the distance of their states, belongs to the training of its backbone.",
    reference: "LoopFormer 2026, ICLR, elastic depth at inference",
    recipe: Recipe { unroll: Unroll::Uniform, ..Recipe::LAST_STEP },
    role: Role::Control,
    // All tokens halt together.
    fits: &[HaltedKeysValues::FreezeState, HaltedKeysValues::LatestKv, HaltedKeysValues::Skip, HaltedKeysValues::RunOn],
    parameters: &[ParameterSpec::integer("budget", 0, (0, 1 << 40), "steps of every token, at most D; 0: D")
        .knob(Trend::None)],
    ..PolicyDeclaration::new(NAME, PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct GlobalBudget {
    budget: u32,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    let (budget, most) = (context.parameters.integer("budget")?, context.max_depth);
    if budget > most {
        let expected = format!("a whole number from 0 to max_depth = {most}");
        return Err(Error::invalid(format!("parameter `budget` of {NAME}"), expected, budget));
    }
    Ok(Policy::early(GlobalBudget { budget: if budget == 0 { most } else { budget } as u32 }))
}

impl EarlyPolicy for GlobalBudget {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        Ok(EarlyDecision::Depths(vec![self.budget; view.rows().len()]))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::build_policy;
    use haltbench_sdk::parameters::Value;

    use super::*;

    #[test]
    fn a_budget_above_d_is_refused() {
        let given = [("budget", Value::Integer(7))];
        let error = build_policy(&DECLARATION, &given, 6).err().unwrap().to_string();
        assert_eq!(
            error,
            "parameter `budget` of global-budget: expected a whole number from 0 to max_depth = 6, found 7"
        );
    }
}
