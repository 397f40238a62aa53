//! `adaponder`: a gate of its own at every step decides whether a token goes on (AdaPonderLM).

use haltbench_sdk::ops::{linear, silu};
use haltbench_sdk::prelude::*;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "AdaPonderLM: a gate of its own at every step decides whether a token goes on; a mean depth is the target.",
    documentation: "\
## What it computes

g(d) = sigmoid(MLP_d(h(d))), the probability that a token goes on after step d. MLP_d has one hidden layer with SiLU, of
`width` times d_model, and weights of its own for each step. The mask m(d) = g(1) ... g(d) never rises. The last bias of
every gate starts at `bias`: 2 makes g .88, so that at first no token halts at the default threshold.

## When it halts

At the first step with g(d) <= `threshold`: the mask is 0 from there on, whatever later gates say.

## Objective

Training samples the mask with the probabilities g and passes gradients to m through it, straight-through, with the loss at
the state at which a token halts. To this it adds `lambda` times (E - `target_depth`)^2, where E = 1 + mean over all tokens
of m(1) + ... + m(D-1) is the mean depth; the default target is (D + 1) / 2.

## Cost

One MLP for every executed step of a token. There is a gate for each step before D (one for D = 1, unused), so a model cannot be evaluated at another
`max_depth` than it was trained with.

## Published code

None: transcribed from the abstract of the paper, which names gates for each iteration, a monotone mask and the reuse of
keys and values of halted tokens (`halted_keys_values = \"latest-kv\"`). Readings: the threshold of 1/2, sampling in
training, and the regulariser, which the abstract does not give.",
    reference: "Song et al. 2026, arXiv 2603.01914, gates and mask",
    parameters: &[
        ParameterSpec::real("lambda", 0.1, (0.0, 1e6), "weight of the regulariser"),
        ParameterSpec::real("target_depth", 0.0, (0.0, 1e6), "mean depth that training aims at; 0: (D + 1) / 2"),
        ParameterSpec::real("width", 1.0, (0.001, 64.0), "hidden width of a gate in multiples of d_model"),
        ParameterSpec::real("bias", 2.0, (-100.0, 100.0), "initial bias of every gate"),
        ParameterSpec::real("threshold", 0.5, (0.0, 1.0), "probability up to which a token halts").knob(Trend::Shallower),
    ],
    examples: &[Example {
        title: "regulariser of mean depth 2.64 and target 2, lambda = .1",
        run: || {
            let log_q = Tensor::new(&[[0.2f64, 0.24, 0.28, 0.28].map(f64::ln)], &Device::Cpu)?;
            let record = HaltingRecord { log_distribution: Some(log_q), ..HaltingRecord::new(4, vec![3]) };
            Ok(format!("{:.5}", penalty(&record, 2.0, 0.1)?.get(0)?.to_scalar::<f64>()?))
        },
        expect: "0.04096",
    }],
    ..PolicyDeclaration::new("adaponder", PolicyKind::Online, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct AdaPonder {
    /// `[gates, width, d_model]`.
    up: Tensor,
    /// `[gates, width]`.
    hidden_bias: Tensor,
    /// `[gates, 1, width]`.
    down: Tensor,
    /// `[gates, 1]`.
    bias: Tensor,
    lambda: f64,
    target: f64,
    threshold: f64,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    let (parameters, variables) = (context.parameters, &context.variables);
    let most = context.max_depth as f64;
    let target = match parameters.real("target_depth")? {
        0.0 => f64::midpoint(1.0, most),
        target if (1.0..=most).contains(&target) => target,
        target => {
            let operand = format!("parameter `target_depth` of {}", DECLARATION.name);
            let expected = format!("0 or a number from 1 to max_depth = {most}");
            return Err(Error::invalid(operand, expected, target));
        }
    };
    let (d_model, gates) = (context.d_model, context.max_depth.saturating_sub(1).max(1));
    let width = ((parameters.real("width")? * d_model as f64).round() as usize).max(1);
    let normal = |inputs: usize| Init::Randn { mean: 0.0, stdev: (inputs as f64).sqrt().recip() };
    let (up, down) = (variables.pp("up"), variables.pp("down"));
    let policy = AdaPonder {
        up: up.get_with_hints((gates, width, d_model), "weight", normal(d_model))?,
        hidden_bias: up.get_with_hints((gates, width), "bias", Init::Const(0.0))?,
        down: down.get_with_hints((gates, 1, width), "weight", normal(width))?,
        bias: down.get_with_hints((gates, 1), "bias", Init::Const(parameters.real("bias")?))?,
        lambda: parameters.real("lambda")?,
        target,
        threshold: parameters.real("threshold")?,
    };
    Ok(Policy::new(PolicyKind::Online, policy))
}

impl HaltingPolicy for AdaPonder {
    fn decide(&self, view: &View, _: &mut RowMemory) -> Result<Decision> {
        let Some(gate) = view.step().checked_sub(1) else { return Ok(Decision::none()) };
        let hidden = linear(view.states(), &self.up.get(gate)?, Some(&self.hidden_bias.get(gate)?))?;
        let logits = linear(&silu(&hidden)?, &self.down.get(gate)?, Some(&self.bias.get(gate)?))?.squeeze(1)?;
        let gates: Vec<f64> = sigmoid(&logits.to_dtype(DType::F64)?)?.to_vec1()?;
        let halts = Some(gates.iter().map(|gate| *gate <= self.threshold).collect());
        Ok(Decision { scores: Some(gates), ..Decision::new(Halting::Hazards { logits: logits.neg()?, halts }) })
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let has_distribution = record.log_distribution.is_some();
        has_distribution.then(|| penalty(record, self.target, self.lambda)).transpose()
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        let width = self.hidden_bias.dims().last().copied().unwrap_or(1);
        2.0 * (width * (d_model + 1)) as f64 + 5.0 * width as f64
    }
}

/// `lambda` times the squared distance of the mean depth from `target`, the same for every token, `[rows]`.
fn penalty(record: &HaltingRecord, target: f64, lambda: f64) -> Result<Tensor> {
    let depths = record.expected_depths()?;
    let penalty = ((depths.mean_all()? - target)?.sqr()? * lambda)?;
    Ok(penalty.broadcast_as(depths.shape())?)
}
