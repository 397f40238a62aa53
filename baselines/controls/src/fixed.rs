//! `fixed`: every token takes the same number of steps.

use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::prelude::*;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Every token takes the same number of steps, in training and in evaluation.",
    documentation: "\
## What it computes

Nothing.

## When it halts

After `depth` steps. Trained once for every depth, it gives the frontier that an adaptive policy must beat.

## Cost

No decisions.",
    reference: "control",
    role: Role::FixedDepth,
    // All tokens halt together.
    fits: &[HaltedKeysValues::FreezeState, HaltedKeysValues::LatestKv, HaltedKeysValues::Skip, HaltedKeysValues::RunOn],
    parameters: &[ParameterSpec::integer("depth", 1, (1, i64::MAX), "steps of every token, at most max_depth").depth()],
    ..PolicyDeclaration::new("fixed", PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct Fixed {
    depth: u32,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    Ok(Policy::early(Fixed { depth: admitted("fixed", context)? }))
}

/// The parameter `depth` of a policy, which is at most D.
pub fn admitted(policy: &str, context: &PolicyContext) -> Result<u32> {
    let depth = context.parameters.integer("depth")?;
    if depth > context.max_depth {
        let expected = format!("a whole number from 1 to max_depth = {}", context.max_depth);
        return Err(Error::invalid(format!("parameter `depth` of {policy}"), expected, depth));
    }
    Ok(depth as u32)
}

impl EarlyPolicy for Fixed {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        Ok(EarlyDecision::Depths(vec![self.depth; view.rows().len()]))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}
