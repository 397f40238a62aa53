//! A backbone that returns recorded steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use haltbench_sdk::Error;
use haltbench_sdk::backbone::{Backbone, BackboneCost, BeginContext, Dimensions, Start, StepContext};
use haltbench_sdk::cache::KeyValueCache;
use haltbench_sdk::candle_core::Tensor;
use haltbench_sdk::layout::{RowSet, TokenLayout};

type Result<T> = haltbench_sdk::Result<T>;

/// Returns the recorded states and logits of some tokens and ignores its inputs.
pub struct Steps {
    /// Name of the policy that reads them, for messages.
    pub policy: &'static str,
    /// States after 0, 1, ..., D steps, `[tokens, width]` each.
    pub states: Vec<Tensor>,
    /// Logits after 1, ..., D steps, `[tokens, vocabulary]` each, if recorded.
    pub logits: Option<Vec<Tensor>>,
    /// Sizes of the model.
    pub dimensions: Dimensions,
    /// The last step that was taken.
    pub step: AtomicUsize,
}

impl Backbone for Steps {
    fn dimensions(&self) -> Dimensions {
        self.dimensions
    }

    fn begin(&self, _: &Tensor, _: &mut BeginContext) -> Result<Start> {
        self.step.store(0, Ordering::Relaxed);
        Ok(self.states[0].clone().into())
    }

    fn step(&self, _: &Tensor, context: &mut StepContext) -> Result<Tensor> {
        self.step.store(context.step, Ordering::Relaxed);
        context.rows.select(&self.states[context.step])
    }

    fn coda(
        &self,
        _: &Tensor,
        _: &Arc<TokenLayout>,
        readout: &RowSet,
        _: Option<&mut KeyValueCache>,
    ) -> Result<Tensor> {
        let Some(logits) = &self.logits else {
            let operand = format!("logits for policy {}", self.policy);
            return Err(Error::invalid(operand, "the tensor `logits` in the trace", "no such tensor"));
        };
        match self.step.load(Ordering::Relaxed) {
            0 => {
                let operand = format!("logits for policy {}", self.policy);
                Err(Error::invalid(operand, "those after 1 step or more, as a trace has them", "those of h(0)"))
            }
            step => readout.select(&logits[step - 1]),
        }
    }

    fn cost(&self) -> BackboneCost {
        BackboneCost::default()
    }
}
