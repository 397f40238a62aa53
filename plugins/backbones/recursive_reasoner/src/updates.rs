//! The order of the updates in a step, and a network that updates one half of the states.

use haltbench_sdk::layers::{Attend, AttentionLayer, Block, Rows};
use haltbench_sdk::prelude::*;

/// Which state of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// z_H, the first half, which is read out.
    High,
    /// z_L, the second half.
    Low,
}

/// The updates of a step: in each of `high` cycles, `low` updates of z_L and one of z_H.
pub fn updates(high: usize, low: usize) -> impl Iterator<Item = Half> {
    let cycle = move |_| std::iter::repeat_n(Half::Low, low).chain(std::iter::once(Half::High));
    (0..high).flat_map(cycle)
}

/// The halves of `states`, `[rows, 2 d]`: z_H and z_L.
pub fn halves(states: &Tensor) -> Result<[Tensor; 2]> {
    let width = states.dim(1)? / 2;
    Ok([states.narrow(1, 0, width)?.contiguous()?, states.narrow(1, width, width)?.contiguous()?])
}

/// A layer over one half of the states. The other half stays as it is.
pub struct OnHalf<'a> {
    pub layer: &'a Block,
    pub half: Half,
}

impl OnHalf<'_> {
    fn own(&self, states: &Tensor) -> Result<Tensor> {
        let [high, low] = halves(states)?;
        Ok(if self.half == Half::High { high } else { low })
    }
}

impl AttentionLayer for OnHalf<'_> {
    fn key_value_heads(&self) -> usize {
        self.layer.key_value_heads()
    }

    fn is_causal(&self) -> bool {
        self.layer.is_causal()
    }

    fn keys_values(&self, states: &Tensor, rows: &Rows) -> Result<Tensor> {
        self.layer.keys_values(&self.own(states)?, rows)
    }

    fn apply(&self, states: &Tensor, rows: &Rows, attend: &Attend) -> Result<Tensor> {
        let [high, low] = halves(states)?;
        let new = |half: &Tensor| self.layer.apply(half, rows, attend);
        Ok(match self.half {
            Half::High => Tensor::cat(&[&new(&high)?, &low], 1)?,
            Half::Low => Tensor::cat(&[&high, &new(&low)?], 1)?,
        })
    }
}
