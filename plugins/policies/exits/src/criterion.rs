//! Criteria that are computed after steps and compared with a threshold.

use haltbench_sdk::prelude::*;

/// A value of each row after a step, and whether it halts the row.
pub trait Criterion: Send + Sync {
    /// Stores what the first check compares with. Called before the first step, with h(0).
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn init(&self, _view: &View, _memory: &mut RowMemory) -> Result<()> {
        Ok(())
    }

    /// The value of each row of the view. A row whose value is NaN goes on.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn values(&self, view: &View, memory: &mut RowMemory) -> Result<Vec<f64>>;

    /// Whether a row with this value halts.
    fn passes(&self, value: f64, threshold: f64) -> bool {
        value < threshold
    }

    /// Operations of a check of one row, without the read-out of logits.
    fn flops(&self, d_model: usize) -> f64;
}

/// A policy that halts a token at the first step at which its criterion has passed.
pub struct Checked<C> {
    /// The criterion.
    pub criterion: C,
    /// What its values are compared with.
    pub threshold: f64,
    /// The first step after which a token is checked.
    pub first: usize,
    /// Steps from one check to the next.
    pub every: usize,
    /// Number of checks in a row that must pass.
    pub hits: usize,
}

impl<C: Criterion + 'static> Checked<C> {
    /// A policy that is checked after every step, with the parameter `threshold`.
    ///
    /// # Errors
    /// If there is no such parameter.
    pub fn after_every_step(context: &PolicyContext, criterion: C) -> Result<Self> {
        Ok(Self { criterion, threshold: context.parameters.real("threshold")?, first: 1, every: 1, hits: 1 })
    }

    /// The policy.
    pub fn policy(self) -> Policy {
        Policy::new(PolicyKind::Online, self)
    }
}

impl<C: Criterion> HaltingPolicy for Checked<C> {
    fn is_asked(&self, step: usize, max_depth: usize) -> bool {
        let is_checked = step >= self.first && (step - self.first).is_multiple_of(self.every);
        step < max_depth && (step == 0 || is_checked)
    }

    fn decide(&self, view: &View, memory: &mut RowMemory) -> Result<Decision> {
        if view.step() == 0 {
            self.criterion.init(view, memory)?;
            return Ok(Decision::none());
        }
        let scores = self.criterion.values(view, memory)?;
        let mut halts: Vec<bool> = scores.iter().map(|score| self.criterion.passes(*score, self.threshold)).collect();
        if self.hits > 1 {
            let hits = consecutive("hits", &halts, memory, view.states().device())?;
            halts = hits.iter().map(|hits| *hits >= self.hits as f64).collect();
        }
        Ok(Decision { scores: Some(scores), ..Decision::new(Halting::Halt(halts)) })
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        self.criterion.flops(d_model)
    }
}

/// For each row, how often its flag has been set in a row, this time included; `memory` keeps the counts as `name`.
///
/// # Errors
/// If a tensor operation fails.
pub fn consecutive(name: &'static str, flags: &[bool], memory: &mut RowMemory, device: &Device) -> Result<Vec<f64>> {
    let before: Vec<f64> = match memory.get(name) {
        Some(counts) => counts.to_vec1()?,
        None => vec![0.0; flags.len()],
    };
    let counts: Vec<f64> =
        flags.iter().zip(before).map(|(flag, before)| if *flag { before + 1.0 } else { 0.0 }).collect();
    memory.replace(name, &Tensor::new(counts.as_slice(), device)?);
    Ok(counts)
}
