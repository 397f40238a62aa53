//! Rotary positions (Su et al. 2021, arXiv 2104.09864) in both layouts of a head.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::ops::{RopeTable, rope};

/// Which numbers of a head are rotated together. No shape check notices a wrong layout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rotation {
    /// No rotation: positions enter in another way, or not at all.
    None,
    /// i and i + head_dim / 2, as in Llama: "rotate half".
    Halves {
        /// Base of the angles: pair i turns by position · theta^(-2i / head_dim).
        theta: f64,
    },
    /// 2i and 2i + 1, as in the paper and in Huginn.
    Interleaved {
        /// Base of the angles.
        theta: f64,
    },
}

/// A rotation with its angles, which all layers share.
#[derive(Debug, Clone)]
pub struct Rotary {
    rotation: Rotation,
    head_dim: usize,
    table: Arc<RopeTable>,
}

impl Rotary {
    /// A rotation of heads of `head_dim` numbers.
    pub fn new(rotation: Rotation, head_dim: usize) -> Self {
        let (Rotation::Halves { theta } | Rotation::Interleaved { theta }) = rotation else {
            return Self { rotation, head_dim, table: Arc::new(RopeTable::new(head_dim, 1.0)) };
        };
        Self { rotation, head_dim, table: Arc::new(RopeTable::new(head_dim, theta)) }
    }

    /// The angles, for operations that take them as an operand.
    pub(super) fn table(&self) -> &Arc<RopeTable> {
        &self.table
    }

    /// Rotates every head of `x` `[rows, heads * head_dim]` by the positions of the rows.
    ///
    /// Interleaved pairs are moved to the two halves and stay there: queries and keys are reordered in the same way, so
    /// their products do not change.
    ///
    /// # Errors
    /// If the rows are not whole heads or there are not as many positions.
    pub(super) fn apply(&self, x: &Tensor, positions: &Arc<Vec<u32>>) -> Result<Tensor> {
        match self.rotation {
            Rotation::None => Ok(x.clone()),
            Rotation::Halves { .. } => rope(x, positions, &self.table),
            Rotation::Interleaved { .. } => {
                let (rows, width) = x.dims2()?;
                let pairs = x.reshape((rows, width / self.head_dim, self.head_dim / 2, 2))?;
                rope(&pairs.transpose(2, 3)?.contiguous()?.reshape((rows, width))?, positions, &self.table)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    /// The products of rotated heads, from the formula with complex numbers.
    #[test]
    fn products_are_those_of_the_formula_in_both_layouts() {
        let (theta, positions) = (50.0, Arc::new(vec![3, 7]));
        let heads = [[0.3, -1.2, 0.7, 2.0], [1.1, 0.4, -0.6, 0.9]];
        let x = Tensor::new(&heads, &Device::Cpu).unwrap();
        for (rotation, pairs) in
            [(Rotation::Halves { theta }, [(0, 2), (1, 3)]), (Rotation::Interleaved { theta }, [(0, 1), (2, 3)])]
        {
            let rotated = Rotary::new(rotation, 4).apply(&x, &positions).unwrap().to_vec2::<f64>().unwrap();
            let found: f64 = rotated[0].iter().zip(&rotated[1]).map(|(q, k)| q * k).sum();
            let distance = 4.0;
            let product = |(pair, (real, imaginary)): (usize, (usize, usize))| {
                let angle: f64 = distance * f64::powf(theta, -(pair as f64) / 2.0);
                let (q, k) = ((heads[0][real], heads[0][imaginary]), (heads[1][real], heads[1][imaginary]));
                (q.0 * k.0 + q.1 * k.1) * angle.cos() + (q.1 * k.0 - q.0 * k.1) * angle.sin()
            };
            let expected: f64 = pairs.into_iter().enumerate().map(product).sum();
            assert!((found - expected).abs() < 1e-12, "{rotation:?}: {found} against {expected}");
        }
    }
}
