//! Records passes of a model without halting: every step of every token.

use std::collections::BTreeMap;
use std::path::Path;

use haltbench_sdk::candle_core::{DType, Device, Tensor};
use haltbench_sdk::layout::RowSet;
use haltbench_sdk::task::{Instance, Task};

use super::format::{COMPLEXITY, POLICY};
use super::writer::TraceWriter;
use crate::batch::Batch;
use crate::data::{self, EvaluationInstance};
use crate::error::{Error, Result};
use crate::model::{Model, POLICY_PREFIX};
use crate::monitor::Monitor;
use crate::recurrence::dense_steps;

/// Large tensors to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// States after 0..=D steps.
    pub states: bool,
    /// Logits after 1..=D steps.
    pub logits: bool,
}

/// Numbers of what was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// Sequences.
    pub sequences: usize,
    /// Tokens.
    pub tokens: usize,
    /// Steps, D.
    pub max_depth: usize,
}

/// Names and shapes of a trace's tensors.
type Room = BTreeMap<String, (DType, Vec<usize>)>;

/// Writes the trace of `instances` of the task `name` to `path`, `batch` instances at a time; `headline` is the index
/// of the task's headline complexity.
///
/// # Errors
/// If a pass fails or the file cannot be written, or [`Error::Interrupted`].
pub fn record(
    model: &Model,
    (task, name): (&dyn Task, &str),
    instances: &[EvaluationInstance],
    (headline, batch): (usize, usize),
    contents: Contents,
    path: &Path,
    monitor: &dyn Monitor,
) -> Result<Recorded> {
    let pack = |chunk: &[EvaluationInstance]| {
        let (instances, identities): (Vec<&Instance>, Vec<u64>) =
            chunk.iter().map(|entry| (&entry.instance, entry.id)).unzip();
        Batch::new(&instances, &identities, task.spec().supervision, headline, &model.device)
    };
    let spec = task.spec();
    let length = |entry: &EvaluationInstance| {
        let tokens = 0..entry.instance.tokens.len();
        tokens.filter(|token| spec.supervision.reads_at(*token).is_some()).count()
    };
    let lengths: Vec<i64> = instances.iter().map(|entry| length(entry) as i64).collect();
    let (total, sequences) = (lengths.iter().sum::<i64>() as usize, lengths.len());
    let weights = policy_weights(model)?;
    let writer = TraceWriter::create(
        path,
        &metadata(model, task, data::complexity_range(task, name, headline)?),
        &room(model, task, &weights, (sequences, total), contents),
    )?;
    writer.write("lengths", 0, &Tensor::from_vec(lengths, sequences, &Device::Cpu)?)?;
    for (name, weight) in &weights {
        writer.write(name, 0, weight)?;
    }
    let (mut first_sequence, mut first) = (0, 0);
    for chunk in instances.chunks(batch) {
        let batch = pack(chunk)?;
        let identities: Vec<i64> = chunk.iter().map(|entry| entry.id.cast_signed()).collect();
        writer.write("identities", first_sequence, &Tensor::from_vec(identities, chunk.len(), &Device::Cpu)?)?;
        write_tokens(&writer, task, chunk, &batch, first)?;
        let write = |name: &str, entry: usize, numbers: &Tensor| {
            writer.write(name, (entry * total + first) * numbers.dim(1)?, numbers)
        };
        let all = RowSet::all(batch.rows());
        dense_steps(model, &batch, |step, states| {
            if contents.states {
                write("states", step, states)?;
            }
            if contents.logits && step > 0 {
                write("logits", step - 1, &model.backbone.coda(states, &batch.layout, &all, None)?)?;
            }
            Ok(())
        })?;
        first_sequence += chunk.len();
        first += batch.rows();
        if let Some(signal) = monitor.interrupted() {
            return Err(Error::Interrupted(signal));
        }
    }
    writer.finish()?;
    Ok(Recorded { sequences, tokens: total, max_depth: model.max_depth })
}

fn metadata(model: &Model, task: &dyn Task, (least, most): (f32, f32)) -> BTreeMap<String, String> {
    let dimensions = model.backbone.dimensions();
    let entry = |key: &str, value: String| (key.to_owned(), value);
    BTreeMap::from([
        entry("d_ff", dimensions.d_ff.to_string()),
        entry("vocabulary", dimensions.vocabulary.to_string()),
        entry("headline", task.spec().headline.to_owned()),
        entry("headline_range", format!("{least} {most}")),
    ])
}

fn room(
    model: &Model,
    task: &dyn Task,
    weights: &BTreeMap<String, Tensor>,
    (sequences, tokens): (usize, usize),
    contents: Contents,
) -> Room {
    let (dimensions, depth) = (model.backbone.dimensions(), model.max_depth);
    let mut room = Room::new();
    let mut add = |name: &str, dtype: DType, shape: Vec<usize>| room.insert(name.to_owned(), (dtype, shape));
    add("lengths", DType::I64, vec![sequences]);
    add("identities", DType::I64, vec![sequences]);
    add("targets", DType::I64, vec![tokens]);
    add("positions", DType::I64, vec![tokens]);
    for complexity in &task.spec().complexities {
        add(&format!("{COMPLEXITY}{}", complexity.name), DType::F32, vec![tokens]);
    }
    for (name, weight) in weights {
        add(name, weight.dtype(), weight.dims().to_vec());
    }
    if contents.states {
        add("states", model.dtype, vec![depth + 1, tokens, dimensions.d_model]);
    }
    if contents.logits {
        add("logits", model.dtype, vec![depth, tokens, dimensions.vocabulary]);
    }
    room
}

/// The policy's weights, by the names that the policy requested.
fn policy_weights(model: &Model) -> Result<BTreeMap<String, Tensor>> {
    let weights = model.variables.weights()?.into_iter();
    let of_policy = |(name, weight): (String, Tensor)| {
        let short = name.strip_prefix(POLICY_PREFIX)?;
        Some((format!("{POLICY}{short}"), weight))
    };
    Ok(weights.filter_map(of_policy).collect())
}

/// Writes targets, positions and complexities of the batch; `first` is the index of its first token.
fn write_tokens(
    writer: &TraceWriter,
    task: &dyn Task,
    chunk: &[EvaluationInstance],
    batch: &Batch,
    first: usize,
) -> Result<()> {
    let rows = batch.rows();
    let mut targets = vec![-1; rows];
    batch.readout.iter().zip(batch.targets.iter()).for_each(|(row, target)| targets[row] = i64::from(*target));
    writer.write("targets", first, &Tensor::from_vec(targets, rows, &Device::Cpu)?)?;
    let positions: Vec<i64> = (0..rows).map(|row| batch.layout.position(row) as i64).collect();
    writer.write("positions", first, &Tensor::from_vec(positions, rows, &Device::Cpu)?)?;
    for (column, complexity) in task.spec().complexities.iter().enumerate() {
        let value = |row: usize| {
            let instance = &chunk[batch.layout.sequence(row)].instance;
            instance.complexities.get(column, batch.target_index[row] as usize)
        };
        let values: Vec<f32> = (0..rows).map(value).collect();
        let name = format!("{COMPLEXITY}{}", complexity.name);
        writer.write(&name, first, &Tensor::from_vec(values, rows, &Device::Cpu)?)?;
    }
    Ok(())
}
