//! A policy with the weights of a trace.

use haltbench_sdk::candle_core::{Device, Tensor};
use haltbench_sdk::candle_nn::VarBuilder;
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::names::nearest;
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::policy::{Policy, PolicyContext, PolicyDeclaration};

use super::format::POLICY;
use super::reader::Trace;
use crate::error::{Error, Result};
use crate::model::build_policy;
use crate::panics;

/// Default ratio of the feed-forward width to the width of a state, if the metadata do not have `d_ff`.
const USUAL_RATIO: usize = 4;

/// Builds the policy for `max_depth` steps and draws of `seed` over the weights `policy.NAME` of the trace.
pub fn build(
    trace: &Trace,
    declaration: &PolicyDeclaration,
    parameters: &Parameters,
    max_depth: usize,
    seed: u64,
) -> Result<Policy> {
    let variables = Variables::new(0, trace.dtype(), &Device::Cpu);
    build_over(trace, declaration, parameters, (max_depth, seed), variables.builder())?;
    for (name, initial) in variables.weights()? {
        variables.set(&name, &weight(trace, declaration.name, &name, initial.dims())?)?;
    }
    build_over(trace, declaration, parameters, (max_depth, seed), variables.constants())
}

/// Builds the policy with initial weights instead of those of the trace.
pub fn untrained(
    trace: &Trace,
    declaration: &PolicyDeclaration,
    parameters: &Parameters,
    max_depth: usize,
    seed: u64,
) -> Result<Policy> {
    let variables = Variables::new(0, trace.dtype(), &Device::Cpu);
    build_over(trace, declaration, parameters, (max_depth, seed), variables.builder())
}

fn build_over(
    trace: &Trace,
    declaration: &PolicyDeclaration,
    parameters: &Parameters,
    (max_depth, seed): (usize, u64),
    variables: VarBuilder<'static>,
) -> Result<Policy> {
    let d_model = trace.d_model().unwrap_or(1);
    let d_ff = size(trace, "d_ff")?.unwrap_or(USUAL_RATIO * d_model);
    let vocabulary = trace.vocabulary().map_or_else(|| size(trace, "vocabulary"), |found| Ok(Some(found)))?;
    let vocabulary = vocabulary.unwrap_or(1);
    let context = PolicyContext { d_model, d_ff, vocabulary, max_depth, parameters, variables, source: None, seed };
    panics::caught(declaration.name, || build_policy(declaration, &context))
}

/// Largest size in the metadata.
const LARGEST: usize = 1 << 30;

/// A size from the metadata, if it is there.
fn size(trace: &Trace, key: &str) -> Result<Option<usize>> {
    let Some(text) = trace.metadata.get(key) else { return Ok(None) };
    let size = text.parse().ok().filter(|size| (1..=LARGEST).contains(size));
    let message = || format!("metadata key `{key}`: expected a whole number from 1 to {LARGEST}, found `{text}`");
    size.map(Some).ok_or_else(|| trace.damaged(message()))
}

fn weight(trace: &Trace, policy: &str, name: &str, expected: &[usize]) -> Result<Tensor> {
    let name = format!("{POLICY}{name}");
    let Some((shape, values)) = trace.numbers(&name)? else {
        let near = nearest(&name, trace.names().filter(|name| name.starts_with(POLICY)));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let message = format!("policy {policy}: expected the tensor `{name}` {expected:?}, found no such tensor{near}");
        return Err(Error::Usage(message));
    };
    if shape != expected {
        return Err(Error::Usage(format!(
            "tensor `{name}`: policy {policy} expects the shape {expected:?}, found {shape:?}"
        )));
    }
    if let Some(place) = values.iter().position(|value| !value.is_finite()) {
        let found = values[place];
        return Err(trace.damaged(format!("tensor `{name}`, number {place}: expected a finite number, found {found}")));
    }
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(trace.dtype())?)
}
