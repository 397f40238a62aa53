//! The head of Q-halting: one or two numbers for what it reads.

use haltbench_sdk::ops::linear;
use haltbench_sdk::prelude::*;

use crate::reads::{Read, Reads};

/// The head.
pub struct Head {
    weight: Tensor,
    bias: Tensor,
    reads: Reads,
}

/// Outputs of the head.
pub struct Heads {
    /// What it read.
    pub read: Read,
    /// Logit that the answer is right, `[read]`.
    pub halt: Tensor,
    /// Logit of the value of going on, `[read]`, if there is a second output.
    pub go_on: Option<Tensor>,
}

impl Head {
    /// A head with weights of 0 and biases that start at `bias`.
    pub fn new(context: &PolicyContext) -> Result<Self> {
        let (parameters, head) = (context.parameters, context.variables.pp("head"));
        let outputs = if parameters.flag("continues")? { 2 } else { 1 };
        Ok(Self {
            weight: head.get_with_hints((outputs, context.d_model), "weight", Init::Const(0.0))?,
            bias: head.get_with_hints(outputs, "bias", Init::Const(parameters.real("bias")?))?,
            reads: Reads::from_name(parameters.text("reads")?),
        })
    }

    /// Whether each token is read for itself.
    pub fn is_of_tokens(&self) -> bool {
        self.reads == Reads::Token
    }

    /// Outputs for `states`, `[rows.len(), d_model]`.
    pub fn read(&self, states: &Tensor, rows: &RowSet, layout: &TokenLayout) -> Result<Heads> {
        let read = self.reads.of("q-halting", states, rows, layout)?;
        let q = linear(&read.states, &self.weight, Some(&self.bias))?;
        let go_on = if self.outputs() == 2 { Some(q.get_on_dim(1, 1)?) } else { None };
        Ok(Heads { read, halt: q.get_on_dim(1, 0)?, go_on })
    }

    /// Outputs for every sequence, or for every answer, after `step` steps.
    pub fn at(&self, pass: &TrainingPass, step: usize) -> Result<Heads> {
        let states = pass.states(step)?;
        match self.reads {
            Reads::Token => self.read(&pass.answers.select(states)?, pass.answers, pass.layout),
            _ => self.read(states, &RowSet::all(pass.layout.rows()), pass.layout),
        }
    }

    /// Floating-point operations for one token.
    pub fn flops(&self, d_model: usize) -> f64 {
        let mean = if self.reads == Reads::Mean { 1.0 } else { 0.0 };
        (2.0 * self.outputs() as f64 + mean) * d_model as f64
    }

    fn outputs(&self) -> usize {
        self.bias.elem_count()
    }
}
