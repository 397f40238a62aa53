//! A backbone around a stack of layers. An implementation adds h(0) and what a step reads.

use std::sync::Arc;

use candle_core::Tensor;

use super::injection::Injection;
use super::stack::RecurrentStack;
use crate::backbone::{Backbone, BackboneCost, BeginContext, Dimensions, Start, StepContext};
use crate::cache::KeyValueCache;
use crate::error::Result;
use crate::layout::{RowSet, TokenLayout};

/// What a backbone adds to its stack. Every implementation is a [`Backbone`]. With the default methods, h(0) is the
/// prelude's output and each step reads the states alone.
pub trait Recurrence: Send + Sync {
    /// The stack.
    fn stack(&self) -> &RecurrentStack;

    /// Whether a step is the same function at every step number, phase and seed; see [`Backbone::is_stationary`].
    fn is_same_at_every_step(&self) -> bool {
        true
    }

    /// Whether [`start`](Self::start) needs whole sequences; see [`Backbone::reads_earlier_tokens`].
    fn reads_earlier_tokens(&self) -> bool {
        false
    }

    /// h(0) and the input of every step; see [`Backbone::begin`].
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn start(&self, tokens: &Tensor, context: &mut BeginContext) -> Result<Start> {
        let stack = self.stack();
        Ok(stack.prelude(&stack.embed(tokens)?, context)?.into())
    }

    /// How the input of every step joins the states; by default not at all.
    fn injection(&self) -> &Injection {
        &Injection::None
    }

    /// Input of the core's first layer, `[len, d_model]`, from the states of the rows that run; by default the
    /// [injection](Self::injection) of the input. Not called without rows.
    ///
    /// # Errors
    /// If a tensor operation fails or the context lacks something.
    fn enter(&self, states: &Tensor, context: &StepContext) -> Result<Tensor> {
        self.injection().join(states, context.input)
    }

    /// Floating-point operations of [`enter`](Self::enter) for each row.
    fn enter_flops(&self) -> f64 {
        self.injection().flops(self.stack().dimensions().d_model)
    }

    /// Input of the coda, `[rows, d_model]`, from the final states of all rows; by default the states.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn leave(&self, states: &Tensor) -> Result<Tensor> {
        Ok(states.clone())
    }
}

impl<R: Recurrence> Backbone for R {
    fn dimensions(&self) -> Dimensions {
        self.stack().dimensions()
    }

    fn is_stationary(&self) -> bool {
        self.is_same_at_every_step() && self.own_steps().is_none()
    }

    fn own_steps(&self) -> Option<usize> {
        self.stack().own_steps()
    }

    fn reads_earlier_tokens(&self) -> bool {
        Recurrence::reads_earlier_tokens(self)
    }

    fn begin(&self, tokens: &Tensor, context: &mut BeginContext) -> Result<Start> {
        self.start(tokens, context)
    }

    fn step(&self, states: &Tensor, context: &mut StepContext) -> Result<Tensor> {
        if context.rows.is_empty() {
            return self.stack().step(states, context);
        }
        let entered = self.enter(states, context)?;
        if entered.id() != states.id() {
            context.key_values.transform();
        }
        self.stack().step(&entered, context)
    }

    fn coda(
        &self,
        states: &Tensor,
        layout: &Arc<TokenLayout>,
        readout: &RowSet,
        cache: Option<&mut KeyValueCache>,
    ) -> Result<Tensor> {
        self.stack().coda(&self.leave(states)?, layout, readout, cache)
    }

    fn cost(&self) -> BackboneCost {
        let mut cost = self.stack().cost();
        cost.step.per_row += self.enter_flops();
        cost
    }
}
