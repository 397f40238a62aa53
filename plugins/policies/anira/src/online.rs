//! ANIRA-O: a decider reads the state after every step and gives a halting probability.

use haltbench_sdk::prelude::*;

use crate::decider::{BASE, Decider, GAMMA, WIDTH};
use crate::regulariser::{weighted_divergence, worked_divergence};

/// Declaration of ANIRA-O.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "ANIRA-O: a halting decider reads each token's state after every step.",
    documentation: "\
## What it computes

alpha(d) = sigmoid of the decider's score of h(d). With r(0) = 1: q(d) = r(d-1) alpha(d), r(d) = r(d-1) (1 - alpha(d)),
and the last depth takes the rest, q(D) = r(D-1).

## When it halts

By default at the median: the first step with F(d) >= 0.5. `mode`, `mean` and `threshold` halt at the first depth that
the rule would choose from q if the token were frozen there (its alpha then stays what it is). A replay of a trace has
alpha at all steps and applies the rule to q itself, as the paper writes it: this can change the depth under `mode` and
`mean`, not under the others. In training u is drawn uniformly and the token halts at the first d with F(d) >= u; the gate's
gradient is that of r(d-1).

## Objective

`gamma` · KL(q || p) with p(d) ∝ `b`^-d, averaged over all tokens, prompt included.

## Cost

One decision for every executed step of a token.",
    reference: "Moosa et al. 2026, arXiv 2602.08864, sections 3.1 and 3.2",
    parameters: &[GAMMA, BASE, WIDTH, HaltingRule::PARAMETERS_MEDIAN[0], HaltingRule::PARAMETERS_MEDIAN[1]],
    examples: &[
        Example {
            title: "halting probabilities .2, .3, .5 of D = 4 steps halt at the median after 3",
            run: || {
                let mut history = HazardHistory::default();
                let mut steps = 0;
                for hazard in [0.2, 0.3, 0.5] {
                    history.push(hazard);
                    steps += 1;
                    if history.halts(HaltingRule::Median, 4) {
                        break;
                    }
                }
                Ok(format!("{steps} steps, E[d] = {:.2}", history.expected_depth(4)))
            },
            expect: "3 steps, E[d] = 2.64",
        },
        Example {
            title: "KL of q = (.2, .24, .28, .28) from the uniform prior, b = 1",
            run: || worked_divergence(&[0.2, 0.24, 0.28, 0.28], 1.0),
            expect: "0.009038",
        },
    ],
    ..PolicyDeclaration::new("anira-o", PolicyKind::Online, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct AniraO {
    decider: Decider,
    gamma: f64,
    base: f64,
    rule: HaltingRule,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    let parameters = context.parameters;
    Ok(Policy::online(AniraO {
        decider: Decider::new(context, 1)?,
        gamma: parameters.real("gamma")?,
        base: parameters.real("b")?,
        rule: HaltingRule::from_parameters(parameters)?,
    }))
}

impl OnlinePolicy for AniraO {
    fn observe(&self, view: &View, _: &mut RowMemory) -> Result<OnlineDecision> {
        Ok(OnlineDecision::HazardLogits(self.decider.logits(view.states())?.squeeze(1)?))
    }

    fn rule(&self) -> HaltingRule {
        self.rule
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        weighted_divergence(record, self.gamma, self.base)
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        self.decider.flops(d_model)
    }
}
