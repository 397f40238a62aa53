//! Flags for the timed model and batch.

use std::path::PathBuf;

use haltbench_engine::bench::{BenchModel, Workload};
use haltbench_engine::{device, memory};
use haltbench_sdk::threads;

use crate::catalogue;
use crate::failure::Failure;

/// A model over random tokens, all under the loss.
#[derive(Debug, clap::Args)]
pub struct ModelArguments {
    /// Backbone, with its default parameters but for the sizes below
    #[arg(long, default_value = "anira")]
    backbone: String,
    /// Width of a token state
    #[arg(long, value_name = "N", default_value_t = 256)]
    d_model: usize,
    /// Width of the feed-forward layers
    #[arg(long, value_name = "N", default_value_t = 1664)]
    d_ff: usize,
    /// Steps a token may take at most, D
    #[arg(long, value_name = "D", default_value_t = 14)]
    depth: usize,
    /// Attention heads
    #[arg(long, value_name = "N", default_value_t = 8)]
    heads: usize,
    /// Sequences in the batch
    #[arg(long, value_name = "N", default_value_t = 32)]
    batch: usize,
    /// Tokens in each sequence; when decoding, in each prompt
    #[arg(long, visible_alias = "prompt", value_name = "N", default_value_t = 40)]
    length: usize,
    /// Tokens in the vocabulary
    #[arg(long, value_name = "N", default_value_t = 32)]
    vocabulary: usize,
    /// Halting policy, with its default parameters
    #[arg(long, default_value = "anira-e")]
    policy: String,
    /// Make tokens halt at depths drawn from p(d) ∝ b^-d with this mean; by default every token takes all D steps
    #[arg(long, value_name = "M")]
    mean_depth: Option<f64>,
    /// Keys and values of halted tokens: freeze-state, latest-kv, skip or run-on
    #[arg(long, value_name = "OPTION", default_value = "freeze-state")]
    halted_keys_values: String,
    /// Seed of weights, tokens and depths
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// Where to compute: cpu or cuda:N
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Number of timed repetitions
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    pub repetitions: u16,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

impl ModelArguments {
    /// Builds model and batch and calls `work` with them on a thread with a large stack.
    ///
    /// # Errors
    /// If a size does not fit, or what `work` reports.
    pub fn with<T: Send>(
        &self,
        plugins: &[PathBuf],
        recompute: bool,
        work: impl FnOnce(BenchModel) -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        memory::keep_freed();
        let catalogue = catalogue::load(plugins)?;
        let device = device::open(&self.device)?;
        let workload = Workload {
            backbone: self.backbone.clone(),
            policy: self.policy.clone(),
            d_model: self.d_model,
            d_ff: self.d_ff,
            heads: self.heads,
            depth: self.depth,
            batch: self.batch,
            length: self.length,
            vocabulary: self.vocabulary,
            mean_depth: self.mean_depth,
            halted_keys_values: self.halted_keys_values.clone(),
            recompute,
            seed: self.seed,
        };
        threads::in_pool(|| work(BenchModel::new(workload, &catalogue, &device)?))
            .map_err(haltbench_sdk::Error::from)?
    }
}
