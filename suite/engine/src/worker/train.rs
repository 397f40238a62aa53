//! A model from plan to weights.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Instant;

use haltbench_sdk::candle_core::{DType, Device, Tensor};
use haltbench_sdk::initialise::Variables;

use super::record::{environment, finished_now, hashes, weight_counts};
use super::setting::Setting;
use crate::error::{Error, Result};
use crate::memory;
use crate::model::{Model, POLICY_PREFIX};
use crate::monitor::{Monitor, Stage};
use crate::plan::{ModelPlan, Start};
use crate::plugins::Catalogue;
use crate::store::{Checkpoint, MODEL_RESULT_SCHEMA, ModelFolder, ModelResult, RunFolder, Timings, write_model};
use crate::training::{Progress, Trainer};

/// Trains the model of `folder`'s plan from its checkpoint, or from the start, and records its weights.
pub(super) fn train(
    run: &RunFolder,
    folder: &ModelFolder,
    catalogue: &Catalogue,
    device: Device,
    monitor: &dyn Monitor,
) -> Result<()> {
    let plan = folder.plan()?;
    // Tells the scheduler that this process is not waiting for another.
    monitor.progress(Stage::Training, 0, plan.training.steps, None);
    let setting = Setting::new((run, catalogue), &plan.task, device, monitor)?;
    // Training reads only the depths on instances of the training part.
    let source = plan.source.as_ref().map(|source| setting.depths_of(source, &[])).transpose()?;
    let parameters = plan.policy_parameters(catalogue)?;
    let recipe = plan.stage(0).0.recipe;
    let parts = plan.parts(catalogue, (&parameters, setting.vocabulary()), recipe, source.as_ref())?;
    let mut model = Model::new(parts, DType::F32, &setting.device)?;
    if let Some(start) = &plan.start {
        begin_with(&model.variables, start, run)?;
    }
    let mut timings = folder.timings().unwrap_or_default();
    let trainer = Trainer {
        plan: &plan,
        task: setting.task.as_ref(),
        headline: setting.headline,
        range: setting.range(model.declaration.uses_labels.any())?,
    };
    let started = Instant::now();
    let progress = trainer.train(&mut model, folder, monitor)?;
    timings.training_seconds += started.elapsed().as_secs_f64();
    timings.training_steps = plan.training.steps;
    // Record the time even if training stops early.
    folder.write_json("timings.json", &timings)?;
    if let Progress::Interrupted(signal) = progress {
        return Err(Error::Interrupted(signal));
    }
    record(&plan, &model, &setting, folder, timings)
}

fn record(
    plan: &ModelPlan,
    model: &Model,
    setting: &Setting,
    folder: &ModelFolder,
    mut timings: Timings,
) -> Result<()> {
    let tensors = model.variables.weights()?;
    let weights = Checkpoint { model: folder.id().to_owned(), step: plan.training.steps, tensors };
    write_model(folder.path(), &weights, &configuration(plan, setting))?;
    let mut providers = vec![("task", plan.task.name.as_str()), ("backbone", plan.backbone.name.as_str())];
    providers.extend(plan.policy.iter().map(|policy| ("policy", policy.name.as_str())));
    let result = ModelResult {
        schema: MODEL_RESULT_SCHEMA,
        model: folder.id().to_owned(),
        steps: plan.training.steps,
        weights: weight_counts(&model.variables),
        environment: environment(setting.catalogue, &providers),
        files: hashes(folder, &["plan.toml", "metrics.jsonl", "weights.safetensors", "config.json"])?,
    };
    folder.write_json("result.json", &result)?;
    let training = folder.file("training.safetensors");
    match fs::remove_file(&training) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(Error::file(&training, "cannot be removed")(error));
        }
        _ => {}
    }
    finished_now(&mut timings);
    timings.peak_memory_bytes = memory::peak_memory();
    folder.write_json("timings.json", &timings)
}

/// The configuration that other programs need to load the weights.
fn configuration(plan: &ModelPlan, setting: &Setting) -> serde_json::Value {
    serde_json::json!({
        "vocabulary": setting.vocabulary().size,
        "backbone": plan.backbone,
        "policy": plan.policy,
        "max_depth": plan.max_depth,
        "halted_keys_values": plan.halted_keys_values,
        "stages": plan.stages,
    })
}

/// Loads the weights that training starts from into `variables`. The policy's own weights may be missing.
fn begin_with(variables: &Variables, start: &Start, run: &RunFolder) -> Result<()> {
    let (what, path) = match start {
        Start::Model(id) => {
            let folder = run.model(id);
            if folder.result()?.is_none() {
                return Err(Error::Cell(format!("the model {id} that it starts from is not trained")));
            }
            (format!("the model {id} that it starts from"), folder.file("weights.safetensors"))
        }
        Start::File { hash, path } => {
            let bytes = fs::read(path).map_err(Error::file(path, "cannot be read"))?;
            if blake3::hash(&bytes).to_hex().as_str() != hash {
                let message = "its hash has changed since the run was planned".to_owned();
                return Err(Error::Damaged { path: path.clone(), message });
            }
            (path.display().to_string(), path.clone())
        }
    };
    let found = read_tensors(&path)?;
    let own = variables.weights()?;
    fits(&what, &own, &found)?;
    for name in own.keys() {
        if let Some(tensor) = found.get(name) {
            variables.set(name, tensor)?;
        }
    }
    Ok(())
}

/// Refuses weights in `path` that do not fit `own`.
pub(crate) fn check_start(path: &Path, own: &BTreeMap<String, Tensor>) -> Result<()> {
    fits(&path.display().to_string(), own, &read_tensors(path)?)
}

/// Checks that every weight of `own` is found with its shape. The policy's own weights may be missing.
fn fits(what: &str, own: &BTreeMap<String, Tensor>, found: &BTreeMap<String, Tensor>) -> Result<()> {
    for (name, own) in own {
        match found.get(name) {
            Some(tensor) if tensor.dims() == own.dims() => {}
            None if name.starts_with(POLICY_PREFIX) => {}
            other => {
                let other = other.map_or("none".to_owned(), |tensor| format!("{:?}", tensor.dims()));
                let near = haltbench_sdk::names::nearest(name, found.keys().map(String::as_str));
                let near = near.filter(|near| near != name).map(|near| format!("; did you mean `{near}`?"));
                return Err(Error::Usage(format!(
                    "start: {what}: weight {name}: expected the shape {:?}, found {other}{}",
                    own.dims(),
                    near.unwrap_or_default()
                )));
            }
        }
    }
    Ok(())
}

fn read_tensors(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let bytes = fs::read(path).map_err(Error::file(path, "cannot be read"))?;
    let tensors = haltbench_sdk::candle_core::safetensors::load_buffer(&bytes, &Device::Cpu);
    let damaged =
        |error: haltbench_sdk::candle_core::Error| Error::Damaged { path: path.to_owned(), message: error.to_string() };
    Ok(tensors.map_err(damaged)?.into_iter().collect())
}
