//! Worked examples: a policy's weights for one token whose halting probabilities are given.

use haltbench_sdk::prelude::*;

/// A policy whose halting unit reads the token's state, a number, as its logit; `given` are values of its parameters.
pub fn of_width_one(
    declaration: &PolicyDeclaration,
    given: &[(&str, haltbench_sdk::parameters::Value)],
    max_depth: usize,
) -> Result<Policy> {
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let number = |value: f64| Tensor::new(&[value], &Device::Cpu);
    let weights = [("halting.weight", number(1.0)?.unsqueeze(0)?), ("halting.bias", number(0.0)?)];
    let weights = weights.map(|(name, weight)| (name.to_owned(), weight)).into_iter().collect();
    (declaration.build)(&PolicyContext {
        d_model: 1,
        d_ff: 1,
        vocabulary: 1,
        max_depth,
        parameters: &Parameters::resolve(declaration.name, declaration.parameters, &given)?,
        variables: VarBuilder::from_tensors(weights, DType::F64, &Device::Cpu),
        source: None,
        seed: 0,
    })
}

/// The steps that a token takes and the effective weights of its states after steps 1, 2, ..., where `probabilities` are those
/// that the policy reads after 0, 1, ... steps.
pub fn weights(policy: &Policy, probabilities: &[f64], max_depth: usize) -> Result<(usize, Vec<f64>)> {
    let (layout, rows, mut memory) = (TokenLayout::new(&[1], &[0])?, RowSet::all(1), RowMemory::default());
    let read_out = || Err(Error::contract("act", "a worked example has no logits"));
    let mut weights = Vec::new();
    for step in 0..=max_depth {
        let p = probabilities.get(step).copied().unwrap_or(0.5);
        let states = Tensor::new(&[[(p / (1.0 - p)).ln()]], &Device::Cpu)?;
        let view = View::new(step, max_depth, &layout, &rows, &states, &read_out, Phase::Evaluation, 0, None);
        let decision = policy.decide(&view, &mut memory)?;
        if let Some(Output { weight, blend, .. }) = decision.output {
            let weight: f64 = weight.get(0)?.to_scalar()?;
            if blend == Blend::Interpolation {
                weights.iter_mut().for_each(|earlier| *earlier *= 1.0 - weight);
            }
            weights.push(weight);
        }
        if matches!(&decision.halting, Halting::Halt(halts) if halts[0]) {
            weights.remove(0);
            return Ok((step, weights));
        }
    }
    Err(Error::contract("act", "the token of a worked example never halts"))
}

/// Steps and weights as text.
pub fn shown((steps, weights): (usize, Vec<f64>)) -> String {
    let weights: Vec<String> = weights.iter().map(|weight| format!("{weight:.4}")).collect();
    format!("{steps} steps, {}", weights.join(" "))
}
