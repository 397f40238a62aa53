//! The model and the batch of the timings.

use std::collections::BTreeMap;
use std::sync::Arc;

use haltbench_sdk::candle_core::{DType, Device, Tensor};
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::parameters::{Parameters, Value};
use haltbench_sdk::random::Stream;
use haltbench_sdk::vocabulary::Vocabulary;
use serde::Serialize;

use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::model::{Model, ModelParts};
use crate::plugins::Catalogue;

/// Sizes of a timed model and of its batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Workload {
    /// Name of the backbone.
    pub backbone: String,
    /// Name of the policy.
    pub policy: String,
    /// Width of a token state.
    pub d_model: usize,
    /// Width of the feed-forward layers.
    pub d_ff: usize,
    /// Attention heads.
    pub heads: usize,
    /// Steps a token may take at most, D.
    pub depth: usize,
    /// Sequences in the batch.
    pub batch: usize,
    /// Tokens in each sequence.
    pub length: usize,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Mean depth of the tokens; all D steps when not given.
    pub mean_depth: Option<f64>,
    /// Keys and values of halted tokens.
    pub halted_keys_values: String,
    /// Whether the backward pass recomputes the core's steps.
    pub recompute: bool,
    /// Seed of weights, tokens and depths.
    pub seed: u64,
}

impl Workload {
    /// Depths of `rows` tokens.
    ///
    /// # Errors
    /// [`Error::Usage`] if the mean depth is not between 1 and D.
    pub(super) fn draw(&self, rows: usize) -> Result<Vec<u32>> {
        match self.mean_depth {
            None => Ok(vec![self.depth as u32; rows]),
            Some(mean) => draw_depths(self.depth, mean, rows, self.seed),
        }
    }
}

/// Most steps of a timed model.
const MOST_STEPS: usize = 1 << 12;

/// Most words of its vocabulary.
const MOST_WORDS: usize = 1 << 20;

/// Most tokens of all sequences.
pub(super) const MOST_ROWS: usize = 1 << 24;

/// A model and a batch of random tokens, all of them under the loss.
pub struct BenchModel {
    /// The sizes.
    pub workload: Workload,
    /// The model; all but the sizes given are the backbone's defaults.
    pub model: Model,
    /// The model with its weights as constants.
    pub constant: Model,
    /// The batch.
    pub batch: Batch,
    /// The depth at which each row halts.
    pub depths: Vec<u32>,
}

impl BenchModel {
    /// Builds model and batch.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the invalid size.
    pub fn new(workload: Workload, catalogue: &Catalogue, device: &Device) -> Result<Self> {
        let Workload { d_model, d_ff, heads, depth, batch, length, vocabulary, seed, .. } = workload;
        let limits = [
            ("depth", depth, MOST_STEPS),
            ("batch", batch, MOST_ROWS),
            ("length", length, MOST_ROWS),
            ("vocabulary", vocabulary, MOST_WORDS),
            ("batch times --length", batch.saturating_mul(length), MOST_ROWS),
        ];
        for (flag, value, most) in limits {
            if !(1..=most).contains(&value) {
                return Err(Error::Usage(format!("--{flag}: expected a number from 1 to {most}, found {value}")));
            }
        }
        let backbone = catalogue.backbone(&workload.backbone)?;
        let mut given = vec![("d_model", d_model), ("d_ff", d_ff), ("heads", heads)];
        // A backbone whose steps have weights of their own declares their number.
        if backbone.parameters.iter().any(|spec| spec.name == "steps") {
            given.push(("steps", depth));
        }
        let given = given.into_iter().map(|(name, value)| (name.to_owned(), Value::Integer(value as i64)));
        let given: BTreeMap<String, Value> = given.collect();
        let backbone_parameters = Parameters::resolve(backbone.name, backbone.parameters, &given)?;
        let policy = catalogue.policy(&workload.policy)?;
        let parameters = Parameters::resolve(policy.name, policy.parameters, &BTreeMap::new())?;
        let parts = ModelParts {
            backbone: (backbone, &backbone_parameters),
            policy: (policy, &parameters),
            recipe: policy.recipe,
            source: None,
            vocabulary: Vocabulary::new(vocabulary),
            max_depth: depth,
            halted_keys_values: HaltedKeysValues::from_name(&workload.halted_keys_values)?,
            recompute: workload.recompute,
            seed,
        };
        let model = Model::new(parts, DType::F32, device)?;
        let constant = model.constant(parts)?;
        let rows = batch * length;
        let mut stream = Stream::new(seed, "bench tokens", &[]);
        let mut tokens = || (0..rows).map(|_| stream.below(vocabulary as u64) as u32).collect::<Vec<u32>>();
        let (inputs, targets) = (tokens(), tokens());
        let identities: Vec<u64> = (0..batch as u64).collect();
        let layout = Arc::new(TokenLayout::new(&vec![length; batch], &identities)?);
        let batch = Batch {
            tokens: Tensor::from_vec(inputs, rows, device)?,
            readout: RowSet::all(rows),
            targets: Arc::new(targets),
            target_index: (0..rows).map(|row| layout.position(row) as u32).collect(),
            complexity: vec![1.0; rows],
            layout,
        };
        let depths = workload.draw(rows)?;
        Ok(Self { workload, model, constant, batch, depths })
    }

    /// The largest product with weights in the model, as (rows, inner, columns).
    pub(super) fn product(&self) -> (usize, usize, usize) {
        (self.batch.rows(), self.workload.d_model, 2 * self.workload.d_ff)
    }

    /// Mean of the depths.
    pub fn mean_depth(&self) -> f64 {
        self.depths.iter().copied().map(f64::from).sum::<f64>() / self.depths.len().max(1) as f64
    }
}

/// Depths of `rows` tokens, independent of each other, from the paper's prior p(d) ∝ b^-d over 1..=`most` (§3.2.1),
/// with the base at which its mean is `mean`; with a base below 1, deep tokens are more likely.
fn draw_depths(most: usize, mean: f64, rows: usize, seed: u64) -> Result<Vec<u32>> {
    if !(mean >= 1.0 && mean <= most as f64) {
        return Err(Error::Usage(format!("--mean-depth: expected a number from 1 to --depth {most}, found {mean}")));
    }
    let prior = |log_base: f64| {
        let weights: Vec<f64> = (0..most).map(|step| (-log_base * step as f64).exp()).collect();
        let total: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / total).collect::<Vec<f64>>()
    };
    let mean_of = |prior: &[f64]| prior.iter().zip(1..).map(|(mass, depth)| mass * f64::from(depth)).sum::<f64>();
    // The mean falls as the base rises; at e^±40, nearly all mass is on one depth.
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if mean_of(&prior(middle)) > mean {
            low = middle;
        } else {
            high = middle;
        }
    }
    let prior = prior((low + high) / 2.0);
    let mut stream = Stream::new(seed, "bench depths", &[]);
    let draw = |_| {
        let mut rest = stream.uniform();
        let at = prior.iter().position(|mass| {
            rest -= mass;
            rest < 0.0
        });
        at.map_or(most, |place| place + 1) as u32
    };
    Ok((0..rows).map(draw).collect())
}

#[cfg(test)]
mod tests {
    use super::draw_depths;

    #[test]
    fn depths_have_the_mean_that_was_asked_for() {
        for (most, mean) in [(14, 14.0 / 3.0), (6, 2.0), (6, 5.0), (1, 1.0), (4, 4.0), (4, 1.0)] {
            let depths = draw_depths(most, mean, 20_000, 3).unwrap();
            let found = depths.iter().copied().map(f64::from).sum::<f64>() / depths.len() as f64;
            assert!((found - mean).abs() < 0.1, "{most} {mean}: {found}");
            assert!(depths.iter().all(|depth| (1..=most as u32).contains(depth)));
        }
        assert!(draw_depths(4, 0.5, 1, 0).unwrap_err().to_string().contains("from 1 to --depth 4"));
    }
}
