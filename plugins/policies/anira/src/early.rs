//! ANIRA-E: a decider reads h(0) once and gives a distribution over depths.

use haltbench_sdk::prelude::*;

use crate::decider::{BASE, Decider, GAMMA, WIDTH};
use crate::regulariser::{weighted_divergence, worked_divergence};

/// Declaration of ANIRA-E.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "ANIRA-E: a depth decider reads each token's state after the prelude, once.",
    documentation: "\
## What it computes

q(d) = softmax over the depths 1..=D of the decider's logits for h(0), centred to mean zero. The decider is LayerNorm,
a linear layer to `decider_width` · d_model, SiLU and a linear layer with D outputs.

## When it halts

After the depth that `rule` takes from q: the mode by default. In training the depth is sampled with a
straight-through Gumbel-Softmax of temperature `tau`.

## Objective

`gamma` · KL(q || p) with p(d) ∝ `b`^-d, averaged over all tokens, prompt included.

## Cost

One decision a token, before the first step.",
    reference: "Moosa et al. 2026, arXiv 2602.08864, sections 3.1 and 3.2",
    parameters: &[
        GAMMA,
        BASE,
        WIDTH,
        ParameterSpec::real("tau", 1.0, (1e-3, 1e3), "temperature of the Gumbel-Softmax in training"),
        HaltingRule::PARAMETERS_MODE[0],
        HaltingRule::PARAMETERS_MODE[1],
    ],
    examples: &[
        Example {
            title: "mode, median and mean of q = (.2, .24, .28, .28)",
            run: || {
                let q = [0.2, 0.24, 0.28, 0.28];
                let rules = [HaltingRule::Mode, HaltingRule::Median, HaltingRule::Mean];
                Ok(format!("{:?}", rules.map(|rule| rule.depth(&q))))
            },
            expect: "[3, 3, 3]",
        },
        Example {
            title: "KL of q = (.2, .24, .28, .28) from the uniform prior, b = 1",
            run: || worked_divergence(&[0.2, 0.24, 0.28, 0.28], 1.0),
            expect: "0.009038",
        },
    ],
    ..PolicyDeclaration::new("anira-e", PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct AniraE {
    decider: Decider,
    gamma: f64,
    base: f64,
    tau: f64,
    rule: HaltingRule,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    let parameters = context.parameters;
    Ok(Policy::early(AniraE {
        decider: Decider::new(context, context.max_depth)?,
        gamma: parameters.real("gamma")?,
        base: parameters.real("b")?,
        tau: parameters.real("tau")?,
        rule: HaltingRule::from_parameters(parameters)?,
    }))
}

impl EarlyPolicy for AniraE {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        let logits = self.decider.logits(view.states())?;
        Ok(EarlyDecision::Logits(logits.broadcast_sub(&logits.mean_keepdim(D::Minus1)?)?))
    }

    fn rule(&self) -> HaltingRule {
        self.rule
    }

    fn temperature(&self) -> f64 {
        self.tau
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        weighted_divergence(record, self.gamma, self.base)
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        self.decider.flops(d_model)
    }
}
