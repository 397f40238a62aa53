//! `oracle-complexity`: depth is a linear function of the token's true complexity.

use haltbench_sdk::prelude::*;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Depth is a linear function of the token's true complexity; an oracle, never ranked.",
    documentation: "\
## What it computes

d = ceil(a c + b), clipped to 1..=D, of the task's headline complexity c. `a` and `b` map the range of complexities at
the training sizes onto 1..=D.

## When it halts

After d steps; tokens without a complexity (the prompt) take one step.

## Cost

No decisions. It reads what a policy cannot know and shows what perfect alignment would be worth.",
    reference: "control; Elbayad et al. 2020, arXiv 1910.10073, uses oracle depths in the same spirit",
    role: Role::Control,
    uses_labels: Labels::Complexity,
    causal: Holds::Never,
    ..PolicyDeclaration::new("oracle-complexity", PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct OracleComplexity;

fn build(_: &PolicyContext) -> Result<Policy> {
    Ok(Policy::early(OracleComplexity))
}

impl EarlyPolicy for OracleComplexity {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        let privileged = view.privileged()?;
        let depth = |row: usize| depth(privileged.complexity[row], privileged.range, view.max_depth());
        Ok(EarlyDecision::Depths(view.rows().iter().map(depth).collect()))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}

fn depth(complexity: f32, (least, most): (f32, f32), max_depth: usize) -> u32 {
    if complexity.is_nan() {
        return 1;
    }
    let share = if most > least { f64::from(complexity - least) / f64::from(most - least) } else { 1.0 };
    // A tiny amount is subtracted so that the ends of the range map exactly to 1 and D.
    (1.0 + share * (max_depth - 1) as f64 - 1e-6).ceil().clamp(1.0, max_depth as f64) as u32
}

#[cfg(test)]
mod tests {
    use super::depth;

    #[test]
    fn maps_the_training_range_onto_all_depths() {
        let depths = [1.0, 2.0, 3.0, 4.0, 9.0, f32::NAN].map(|complexity| depth(complexity, (1.0, 4.0), 4));
        assert_eq!(depths, [1, 2, 3, 4, 4, 1]);
        assert_eq!(depth(2.0, (2.0, 2.0), 4), 4);
    }
}
