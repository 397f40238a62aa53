//! `mor-expert-choice`: at every step, the tokens with the highest scores continue.

use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Mixture-of-Recursions, expert choice: the highest-scoring tokens of a sequence take the next step.",
    documentation: "\
## What it computes

At step r, router r gives the score u = w(r)·x to each token that took the previous step. Of a sequence of S tokens, the
max(1, floor(c S)) with the largest u take the step: x becomes x + `alpha` sigmoid(u) f(x), where f includes its residual. c is
`capacity`, or the paper's (D - r + 1) / D if that is 0; over `capacity_warmup` training steps, c falls from 1 along a cosine.

## When it halts

A token that is not chosen takes no further step. The choice depends on the whole sequence, so it is not causal. With
`choice = \"threshold\"`, a token continues if sigmoid(u) >= .5, as the auxiliary loss trains it; this is causal.

## Objective

At each step, `auxiliary` times the cross-entropy of sigmoid(u) with whether the token is among the largest, plus `z_loss` times
u^2, averaged over the step's candidates. Training chooses the largest under both values of `choice`.

## Cost

One dot product for each token and step. Tokens that rest are not computed; with `skip`, no token attends to them.

## Published code

`expert_choice_router.py` of raymin0223/mixture_of_recursions. It has no code for inference, where a step with one token would
always choose it; the threshold is ours, from its auxiliary loss. A capacity written as .333 loses a token against 1/3 there when S
is a multiple of 3; here a product within 1e-9 of a whole number counts as that number.",
    reference: "Bae et al. 2025, arXiv 2507.10524, expert-choice routing; the authors' code",
    causal: Holds::When("choice", "threshold"),
    parameters: &[
        ParameterSpec::real("alpha", 0.1, (0.0, 1e3), "scale of the gate"),
        ParameterSpec::real("capacity", 0.0, (0.0, 1.0), "share of a sequence that takes a step; 0: the paper's"),
        ParameterSpec::integer("capacity_warmup", 0, (0, 1 << 40), "training steps over which the share falls from 1"),
        ParameterSpec::real("auxiliary", 0.001, (0.0, 1e6), "weight of the routers' cross-entropy"),
        ParameterSpec::real("z_loss", 0.0, (0.0, 1e6), "weight of the squared router logits"),
        ParameterSpec::choice("choice", "top-k", &["top-k", "threshold"], "how tokens are chosen").knob(Trend::None),
    ],
    ..PolicyDeclaration::new("mor-expert-choice", PolicyKind::Select, |context| {
        let router = |step: usize| Linear::new(context.d_model, 1, context.variables.pp(format!("router.{step}")));
        let routers = (0..context.max_depth).map(router).collect::<std::result::Result<_, _>>()?;
        Ok(Policy::select(ExpertChoice { routers, parameters: context.parameters.clone() }))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct ExpertChoice {
    routers: Vec<Linear>,
    parameters: Parameters,
}

impl SelectPolicy for ExpertChoice {
    fn select(&self, view: &View, memory: &mut RowMemory) -> Result<Selection> {
        let logits = self.routers[view.step()].forward(view.states())?.squeeze(1)?;
        let values: Vec<f64> = logits.to_dtype(DType::F64)?.to_vec1()?;
        let candidates: Vec<bool> = match memory.get("chosen") {
            Some(chosen) => chosen.to_dtype(DType::F64)?.to_vec1()?.iter().map(|chosen: &f64| *chosen > 0.0).collect(),
            None => vec![true; values.len()],
        };
        let scores = values.iter().zip(&candidates).map(|(u, is)| if *is { *u } else { f64::NAN }).collect();
        let chosen: Vec<bool> = match (view.phase(), self.parameters.text("choice")?) {
            (Phase::Evaluation, "threshold") => values.iter().zip(candidates).map(|(u, is)| is && *u >= 0.0).collect(),
            _ => {
                view.layout().require_whole(DECLARATION.name, "the largest scores of a sequence are chosen")?;
                largest_of_sequences(view.layout(), &values, &candidates, self.share(view)?)
            }
        };
        memory.replace("chosen", &indicator(&chosen, &logits)?);
        memory.stash("logits", &logits);
        let gate = Some((sigmoid(&logits)? * self.parameters.real("alpha")?)?);
        Ok(Selection { chosen, gate, combine: Combine::Added, scores: Some(scores) })
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let (auxiliary, z_loss) = (self.parameters.real("auxiliary")?, self.parameters.real("z_loss")?);
        let (mut total, mut candidates) = (None, vec![true; record.depths.len()]);
        for (stashed, chosen) in record.stashed("logits")?.iter().zip(&record.chosen) {
            let logits = &stashed.values;
            let targets = indicator(chosen, logits)?;
            let mut cost = (binary_cross_entropy(logits, &targets)? * auxiliary)?;
            if z_loss > 0.0 {
                cost = (cost + (logits.sqr()? * z_loss)?)?;
            }
            total = Objective::add(total, Objective::mean_over(&cost, &candidates)?)?;
            candidates.clone_from(chosen);
        }
        Ok(total)
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        2.0 * d_model as f64
    }
}

impl ExpertChoice {
    /// The share c of a sequence that takes the next step; c + (1 - c) (1 + cos(pi t / T)) / 2 in training step t < T.
    fn share(&self, view: &View) -> Result<f64> {
        let (most, steps) = (view.max_depth() as f64, self.parameters.integer("capacity_warmup")? as f64);
        let capacity = self.parameters.real("capacity")?;
        let share = if capacity > 0.0 { capacity } else { (most - view.step() as f64) / most };
        let Phase::Training(progress) = view.phase() else { return Ok(share) };
        let angle = (std::f64::consts::PI * progress.step as f64 / steps).min(std::f64::consts::PI);
        Ok(share + (1.0 - share) * 0.5 * (1.0 + angle.cos()))
    }
}
