//! `pondernet`: halting probabilities that are trained by the expected loss over steps.

use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "PonderNet: a halting probability at each step, drawn or accumulated; trained by the expected loss.",
    documentation: "\
## What it computes

lambda(d) = sigmoid(w·h(d) + b), and p(d) = lambda(d) times the product of 1 - lambda over all earlier steps; step D takes
the rest. Training minimises the expected loss, the sum over d of p(d) times the loss at step d. b starts where lambda is
`initial`: 1/2, so that p is 1/2, 1/4, ... at first; the prior then pulls tokens towards its own mean depth.

## When it halts

`bernoulli`: at step d with probability lambda(d), drawn for each token; the output is the state at that step, not a
mixture. `quantile`: at the first step at which the sum of p reaches `threshold` (Q-exit). `argmax`: at the most probable
step, the first of several. The steps to come are not known while a token runs, so later halting probabilities count as
equal to the present one; a trace has them all.

## Objective

`beta` · KL(p || g) in nats, averaged over all tokens, with the geometric prior g(d) = q (1 - q)^(d-1), q = `lambda_p`; step
D has its tail.

## Cost

One dot product for every executed step of a token.

## Published code

None by the authors. labmlai/annotated_deep_learning_paper_implementations computes the same p and draws; its divergence is
KL(g || p) with a prior that is cut off at D and not renormalised, which may be negative; the paper's is used here.
tinkoff-ai/palbert has the quantile exit with > where this has >=, and counts one layer too few at an exit.",
    reference: "Banino et al. 2021, arXiv 2107.05407; quantile exits: Balagansky and Gavrilov 2022, arXiv 2204.03276",
    recipe: Recipe::EVERY_STEP,
    stochastic: Holds::When("exit", "bernoulli"),
    parameters: &[
        ParameterSpec::real("beta", 0.01, (0.0, 1e6), "weight of the divergence from the prior"),
        ParameterSpec::real("lambda_p", 0.2, (1e-6, 0.999_999), "halting probability of the prior"),
        ParameterSpec::real("initial", 0.5, (1e-6, 0.999_999), "halting probability that b starts at"),
        ParameterSpec::choice("exit", "bernoulli", &["bernoulli", "quantile", "argmax"], "how a token halts in evaluation")
            .knob(Trend::None),
        ParameterSpec::real("threshold", 0.5, (0.0, 1.0), "cumulative probability at which exit = \"quantile\" halts")
            .knob(Trend::Deeper),
    ],
    examples: &[Example {
        title: "KL of p = (.2, .24, .28, .28) from the prior with lambda_p = .2",
        run: || {
            let log_p = Tensor::new(&[[0.2f64, 0.24, 0.28, 0.28].map(f64::ln)], &Device::Cpu)?;
            Ok(format!("{:.9}", divergence(&log_p, 0.2)?.get(0)?.to_scalar::<f64>()?))
        },
        expect: "0.147494435",
    }],
    ..PolicyDeclaration::new("pondernet", PolicyKind::Online, |context| {
        let initial = context.parameters.real("initial")?;
        let bias = (initial / (1.0 - initial)).ln();
        Ok(Policy::online(PonderNet {
            lambda: Linear::with_bias_from(bias, context.d_model, 1, context.variables.pp("lambda"))?,
            beta: context.parameters.real("beta")?,
            prior: context.parameters.real("lambda_p")?,
            draws: context.parameters.text("exit")? == "bernoulli",
            rule: match context.parameters.text("exit")? {
                "argmax" => HaltingRule::Mode,
                _ => HaltingRule::Threshold(context.parameters.real("threshold")?),
            },
        }))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct PonderNet {
    lambda: Linear,
    beta: f64,
    prior: f64,
    draws: bool,
    rule: HaltingRule,
}

impl OnlinePolicy for PonderNet {
    fn observe(&self, view: &View, _: &mut RowMemory) -> Result<OnlineDecision> {
        let hazards = self.lambda.forward(view.states())?.squeeze(1)?;
        if !self.draws {
            return Ok(OnlineDecision::HazardLogits(hazards));
        }
        let lambdas: Vec<f64> = sigmoid(&hazards)?.to_dtype(DType::F64)?.to_vec1()?;
        let halts = view.uniform("pondernet").iter().zip(lambdas).map(|(uniform, lambda)| *uniform < lambda).collect();
        Ok(OnlineDecision::Exits { hazard_logits: hazards, halts })
    }

    fn rule(&self) -> HaltingRule {
        self.rule
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let Some(log_p) = &record.log_distribution else { return Ok(None) };
        Ok(Some((divergence(log_p, self.prior)? * self.beta)?))
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        2.0 * d_model as f64
    }
}

/// KL(p || g) of each row, in nats, from log p `[rows, D]`; log p is clamped from below at -46 (p = 1e-20).
pub(crate) fn divergence(log_p: &Tensor, prior: f64) -> Result<Tensor> {
    let most = log_p.dim(1)?;
    let log_g = |step: usize| step as f64 * (1.0 - prior).ln() + if step + 1 < most { prior.ln() } else { 0.0 };
    let log_g = Tensor::from_vec((0..most).map(log_g).collect(), (1, most), log_p.device())?.to_dtype(log_p.dtype())?;
    Ok((log_p.exp()? * log_p.maximum(-46.0)?.broadcast_sub(&log_g)?)?.sum(1)?)
}
