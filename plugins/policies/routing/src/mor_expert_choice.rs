//! `mor-expert-choice`: at every recursion the tokens that score highest go on.

use haltbench_sdk::candle_nn::ops::sigmoid;
use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Mixture-of-Recursions, expert choice: the tokens of a sequence that score highest take the next step.",
    documentation: "\
## What it computes

At recursion r a router of its own gives u = w(r)·x to each token that took the recursion before. Of a sequence of S tokens the
max(1, floor(c S)) with the largest u are chosen, the first of equal ones; their states become x + `alpha` sigmoid(u) f(x),
where f holds its own residual. c is `capacity`, or (D - r + 1) / D where that is 0, the paper's; over the first
`capacity_warmup` training steps it falls to that from 1 as a cosine.

## When it halts

A token that is not chosen takes no further step. The choice sees the whole sequence, so it is not causal; with
`choice = \"threshold\"` a token is chosen where sigmoid(u) >= .5, which its auxiliary loss trains, and decoding can follow.

## Objective

At each recursion the cross-entropy of sigmoid(u) and whether the token was chosen, averaged over the candidates, times
`auxiliary`, and the mean of u^2 over them times `z_loss`.

## Cost

One dot product for each token and step. What is not chosen is not computed; with `skip` nobody attends to it.",
    reference: "Bae et al. 2025, arXiv 2507.10524, expert-choice routing; the authors' code",
    causal: Holds::When("choice", "threshold"),
    parameters: &[
        ParameterSpec::real("alpha", 0.1, (0.0, 1e3), "scale of the gate"),
        ParameterSpec::real("capacity", 0.0, (0.0, 1.0), "share of a sequence that a recursion takes; 0: the paper's"),
        ParameterSpec::integer("capacity_warmup", 0, (0, 1 << 40), "training steps over which capacities fall from 1"),
        ParameterSpec::real("auxiliary", 0.001, (0.0, 1e6), "weight of the routers' cross-entropy"),
        ParameterSpec::real("z_loss", 0.0, (0.0, 1e6), "weight of the squared router logits"),
        ParameterSpec::choice("choice", "top-k", &["top-k", "threshold"], "who goes on in evaluation").knob(Trend::None),
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
        let chosen: Vec<bool> = match (view.phase(), self.parameters.text("choice")?) {
            (Phase::Evaluation, "threshold") => values.iter().zip(candidates).map(|(u, is)| is && *u >= 0.0).collect(),
            _ => largest_of_sequences(view.layout(), &values, &candidates, self.share(view)?),
        };
        memory.replace("chosen", &indicator(&chosen, &logits)?);
        memory.stash("logits", &logits);
        let gate = Some((sigmoid(&logits)? * self.parameters.real("alpha")?)?);
        Ok(Selection { chosen, gate, combine: Combine::Added, scores: Some(values) })
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let (auxiliary, z_loss) = (self.parameters.real("auxiliary")?, self.parameters.real("z_loss")?);
        let (mut total, mut candidates) = (None, vec![true; record.depths.len()]);
        for (stashed, chosen) in record.stashed("logits").iter().zip(&record.chosen) {
            let logits = &stashed.values;
            let targets = indicator(chosen, logits)?;
            let cost = ((binary_cross_entropy(logits, &targets)? * auxiliary)? + (logits.sqr()? * z_loss)?)?;
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
    /// The share c of a sequence that the next step takes; in training step t < T it is c + (1 - c) (1 + cos(pi t / T)) / 2.
    fn share(&self, view: &View) -> Result<f64> {
        let (most, steps) = (view.max_depth() as f64, self.parameters.integer("capacity_warmup")? as f64);
        let share = match self.parameters.real("capacity")? {
            0.0 => (most - view.step() as f64) / most,
            share => share,
        };
        Ok(match view.phase() {
            Phase::Training(progress) if (progress.step as f64) < steps => {
                share + (1.0 - share) * 0.5 * (1.0 + (std::f64::consts::PI * progress.step as f64 / steps).cos())
            }
            _ => share,
        })
    }
}
