//! Evaluation by generation. For tasks that are languages, the task judges strings that the model draws at temperature
//! 1, and the model's distributions along the strings of the evaluation. For tasks with several right answers, the
//! checker judges answers that the model generates.

pub mod acceptance;
mod reading;

use haltbench_analysis::{ClusterSum, Split};
use haltbench_sdk::candle_core::{D, DType, Device, Tensor};
use haltbench_sdk::candle_nn::ops::softmax;
use haltbench_sdk::policy::Source;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::generation::{Generation, PredictedString, StringMeasure};
use haltbench_sdk::task::{Instance, Task};

use crate::data::EvaluationInstance;
use crate::error::Result;
use crate::estimate::{self, Bounds};
use crate::model::Model;
use crate::store::MetricRow;

/// For a task that is a language: measures of the model's distributions along `strings`, measures of `count` strings
/// that it draws under `seed`, and the drawn strings.
///
/// # Errors
/// If a pass fails or the task refuses what the model gives, or [`Error::Interrupted`](crate::Error::Interrupted).
pub fn measure(
    model: &Model,
    task: &dyn Task,
    strings: &[PredictedString],
    (seed, count): (u64, usize),
    interrupted: &dyn Fn() -> Option<i32>,
) -> Result<(Vec<MetricRow>, Vec<PredictedString>)> {
    let Some(generation) = task.generation() else { return Ok((Vec::new(), Vec::new())) };
    let mut all = rows("teacher_forced", generation.teacher_forced(strings)?);
    let reason = refusal(model).or((count == 0).then_some("evaluation.generated_strings is 0"));
    let drawn = match reason {
        Some(_) => Vec::new(),
        None => generate(model, generation, (seed, count), interrupted)?,
    };
    let mut generated = rows("generated", generation.generated(&drawn)?);
    if let Some(reason) = reason {
        generated.iter_mut().for_each(|row| row.reason = Some(reason.to_owned()));
    }
    all.extend(generated);
    Ok((all, drawn))
}

/// Why a model cannot generate, if it cannot: its depths depend on later tokens, or on data that only instances of the
/// task have.
fn refusal(model: &Model) -> Option<&'static str> {
    let declaration = model.declaration;
    if !model.is_causal {
        Some("a policy that is not causal cannot generate")
    } else if declaration.uses_labels.any() {
        Some("a policy that reads labels cannot generate")
    } else if declaration.source == Source::DepthsAndModel {
        Some("a policy with recorded depths has none for other tokens")
    } else {
        None
    }
}

/// Drawn strings as instances, with the complexities that the task computes for any string, so that their depths can be
/// measured. All tokens after the prompt are under the loss.
pub fn as_instances(task: &dyn Task, strings: &[PredictedString]) -> Vec<EvaluationInstance> {
    let Some(generation) = task.generation() else { return Vec::new() };
    let prompt = generation.prompt();
    let instance = |string: &PredictedString| {
        let tokens = [&prompt[..], &string.tokens].concat();
        let length = tokens.len();
        let columns = generation.columns(&tokens);
        Instance {
            loss_mask: (0..length).map(|place| place >= prompt.len()).collect(),
            complexities: columns.complexities,
            features: columns.features,
            tokens,
            ..Instance::default()
        }
    };
    let entry = |(id, string)| {
        let split = Split::InRange;
        EvaluationInstance { id, size: 0, split, instance: instance(string) }
    };
    (0..).zip(strings).map(entry).collect()
}

/// Draws `count` strings; each has a random stream of its own under `seed`. `interrupted` returns the signal that asks
/// to stop, if any.
///
/// # Errors
/// If a pass fails, or [`Error::Interrupted`](crate::Error::Interrupted).
pub fn generate(
    model: &Model,
    generation: &dyn Generation,
    (seed, count): (u64, usize),
    interrupted: &dyn Fn() -> Option<i32>,
) -> Result<Vec<PredictedString>> {
    let prompt = generation.prompt();
    let mut strings = vec![PredictedString::default(); count];
    let mut streams: Vec<Stream> = (0..count as u64).map(|number| Stream::new(seed, "generation", &[number])).collect();
    let identities: Vec<u64> = (0..count as u64).collect();
    reading::grow(model, &identities, vec![prompt; count], interrupted, |number, distribution| {
        let token = draw(&distribution, &mut streams[number]);
        let string = &mut strings[number];
        string.tokens.push(token);
        string.distributions.push(distribution);
        // One token more than the longest string, to detect a string that is too long.
        (token != generation.end() && string.tokens.len() <= generation.longest()).then_some(token)
    })?;
    Ok(strings)
}

/// Softmax of logits `[rows, vocabulary]` in double precision.
///
/// # Errors
/// If a tensor operation fails.
pub fn distributions(logits: &Tensor) -> Result<Vec<Vec<f64>>> {
    let logits = logits.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    Ok(softmax(&logits, D::Minus1)?.to_vec2()?)
}

/// Draws a token.
fn draw(distribution: &[f64], stream: &mut Stream) -> u32 {
    let mut left = stream.uniform() * distribution.iter().sum::<f64>();
    let possible = || distribution.iter().enumerate().filter(|(_, probability)| **probability > 0.0);
    let reached = possible().find(|(_, probability)| {
        left -= **probability;
        left < 0.0
    });
    // Rounding may leave a remainder at the end.
    reached.or(possible().next_back()).map_or(0, |(token, _)| token as u32)
}

/// Measures as rows of a result; their names get the `prefix`.
pub fn rows(prefix: &str, measures: Vec<StringMeasure>) -> Vec<MetricRow> {
    let row = |measure: StringMeasure| {
        let sums = measure.sums.into_iter().map(|(sum, count)| ClusterSum { sum, count });
        let bounds = if measure.is_share { Bounds::Share } else { Bounds::None };
        estimate::row(&format!("{prefix}_{}", measure.name), Split::InRange, (0..).zip(sums), bounds)
    };
    measures.into_iter().map(row).collect()
}
