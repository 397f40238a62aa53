//! `huginn-kl`: Huginn's exit, once a step hardly changes the prediction.

use haltbench_sdk::candle_nn::ops::log_softmax;
use haltbench_sdk::prelude::*;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Huginn: halts a token once a step changes its predicted distribution by less than a threshold.",
    documentation: "\
## What it computes

KL(p(d-1) || p(d)) in nats, where p(d) is the softmax of the logits read out from h(d). Before the first step p(0) is the
uniform distribution over the vocabulary, so that the first exit can be at step 1. A token with probability 0 in p(d-1) adds
nothing; one with probability 0 in p(d) alone makes the divergence infinite.

## When it halts

At the first step whose divergence is below `threshold`, as in the authors' code; at equality the token goes on.

## Cost

A read-out of the logits for every executed step of a token, and a divergence over the vocabulary.",
    reference: "Geiping et al. 2025, arXiv 2502.05171, KL divergence; the threshold is the default of the authors' code",
    // It reads logits after every step.
    recipe: Recipe::EVERY_EXIT,
    parameters: &[ParameterSpec::real("threshold", 1e-3, (0.0, 100.0), "divergence below which a token halts, in nats")
        .knob(Trend::Shallower)],
    examples: &[Example {
        title: "from the uniform distribution to (.1, .7, .2)",
        run: || {
            let log = |p: [f64; 3]| Tensor::new(&[p.map(f64::ln)], &Device::Cpu);
            Ok(format!("{:.6}", divergences(&log([1.0 / 3.0; 3])?, &log([0.1, 0.7, 0.2])?)?[0]))
        },
        expect: "0.324287",
    }],
    ..PolicyDeclaration::new("huginn-kl", PolicyKind::Online, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct Kl {
    threshold: f64,
    vocabulary: usize,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    Ok(Policy::online(Kl { threshold: context.parameters.real("threshold")?, vocabulary: context.vocabulary }))
}

impl OnlinePolicy for Kl {
    fn observe(&self, view: &View, memory: &mut RowMemory) -> Result<OnlineDecision> {
        let now = log_softmax(&view.logits()?.to_dtype(DType::F64)?, D::Minus1)?;
        let uniform = (now.zeros_like()? - (self.vocabulary as f64).ln())?;
        let before = memory.replace("log p", &now).unwrap_or(uniform);
        let scores = divergences(&before, &now)?;
        let halts = scores.iter().map(|score| *score < self.threshold).collect();
        Ok(OnlineDecision::Scored { scores, halts })
    }

    fn decision_flops(&self, _: usize) -> f64 {
        6.0 * self.vocabulary as f64
    }
}

/// KL(p || q) of each row, in nats, from log p and log q `[rows, vocabulary]`, with 0 log 0 = 0.
fn divergences(log_p: &Tensor, log_q: &Tensor) -> Result<Vec<f64>> {
    let p = log_p.exp()?;
    let terms = (&p * (log_p - log_q)?)?;
    let divergences: Vec<f64> = terms.sum(1)?.to_vec1()?;
    if !divergences.iter().any(|divergence| divergence.is_nan()) {
        return Ok(divergences);
    }
    // Logits of minus infinity are rare, and a mask over the vocabulary is not cheap.
    Ok(p.ne(0.0)?.where_cond(&terms, &p.zeros_like()?)?.sum(1)?.to_vec1()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// log p with minus infinity where p is 0, and what SciPy's `entropy(p, q)` gives.
    #[test]
    fn a_token_without_probability_adds_nothing() {
        let log = |p: [f64; 3]| Tensor::new(&[p.map(f64::ln)], &Device::Cpu).unwrap();
        let divergence = |p, q| divergences(&log(p), &log(q)).unwrap()[0];
        assert!((divergence([0.5, 0.5, 0.0], [0.25, 0.75, 0.0]) - 0.143_841_036_225_890_4).abs() < 1e-15);
        assert!((divergence([0.5, 0.5, 0.0], [0.25, 0.25, 0.5]) - 2.0f64.ln()).abs() < 1e-15);
        assert_eq!(divergence([0.5, 0.25, 0.25], [0.5, 0.5, 0.0]), f64::INFINITY);
    }
}
