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
    /// As [`Interleaved`](Self::Interleaved); besides, queries are multiplied by s_i^(position / length) and keys by its
    /// inverse, with s_i = (2i + 0.4 head_dim) / (1.4 head_dim): xPos (Sun et al. 2022, arXiv 2212.10554). Products
    /// depend on distances alone and fall with them.
    Decaying {
        /// Base of the angles.
        theta: f64,
        /// Distance over which a product falls by the factor s_i.
        length: f64,
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
        let (Rotation::Halves { theta } | Rotation::Interleaved { theta } | Rotation::Decaying { theta, .. }) =
            rotation
        else {
            return Self { rotation, head_dim, table: Arc::new(RopeTable::new(head_dim, 1.0)) };
        };
        Self { rotation, head_dim, table: Arc::new(RopeTable::new(head_dim, theta)) }
    }

    /// The angles, for operations that take them as an operand.
    pub(super) fn table(&self) -> &Arc<RopeTable> {
        &self.table
    }

    /// Queries `x`, `[rows, heads * head_dim]`, at the positions of their rows.
    ///
    /// # Errors
    /// If the rows are not whole heads or there are not as many positions.
    pub fn queries(&self, x: &Tensor, positions: &Arc<Vec<u32>>) -> Result<Tensor> {
        self.scaled(&self.apply(x, positions)?, positions, 1.0)
    }

    /// Keys `x`, `[rows, heads * head_dim]`, at the positions of their rows.
    ///
    /// # Errors
    /// If the rows are not whole heads or there are not as many positions.
    pub fn keys(&self, x: &Tensor, positions: &Arc<Vec<u32>>) -> Result<Tensor> {
        self.scaled(&self.apply(x, positions)?, positions, -1.0)
    }

    /// The factors of queries (`sign` 1) or keys (`sign` -1), where the rotation has any.
    fn scaled(&self, x: &Tensor, positions: &[u32], sign: f64) -> Result<Tensor> {
        let Rotation::Decaying { length, .. } = self.rotation else { return Ok(x.clone()) };
        let (rows, width) = x.dims2()?;
        let (head_dim, half) = (self.head_dim as f64, self.head_dim / 2);
        let scales: Vec<f64> = (0..half).map(|pair| (2.0 * pair as f64 + 0.4 * head_dim) / (1.4 * head_dim)).collect();
        let factor = |position: u32, place: usize| scales[place % half].powf(sign * f64::from(position) / length);
        let factors: Vec<f64> = (positions.iter())
            .flat_map(|position| (0..self.head_dim).map(move |place| (*position, place)))
            .map(|(position, place)| factor(position, place))
            .collect();
        let factors = Tensor::from_vec(factors, (rows, 1, self.head_dim), x.device())?.to_dtype(x.dtype())?;
        x.reshape((rows, width / self.head_dim, self.head_dim))?.broadcast_mul(&factors)?.reshape((rows, width))
    }

    /// Rotates every head of `x` `[rows, heads * head_dim]` by the positions of the rows.
    ///
    /// Interleaved pairs are moved to the two halves and stay there: queries and keys are reordered in the same way, so
    /// their products do not change.
    ///
    /// # Errors
    /// If the rows are not whole heads or there are not as many positions.
    fn apply(&self, x: &Tensor, positions: &Arc<Vec<u32>>) -> Result<Tensor> {
        match self.rotation {
            Rotation::None => Ok(x.clone()),
            Rotation::Halves { .. } => rope(x, positions, &self.table),
            Rotation::Interleaved { .. } | Rotation::Decaying { .. } => {
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
        let (halves, interleaved) = ([(0, 2), (1, 3)], [(0, 1), (2, 3)]);
        for (rotation, pairs, decays) in [
            (Rotation::Halves { theta }, halves, [1.0, 1.0]),
            (Rotation::Interleaved { theta }, interleaved, [1.0, 1.0]),
            // (2i + 1.6) / 5.6
            (Rotation::Decaying { theta, length: 8.0 }, interleaved, [2.0 / 7.0, 9.0 / 14.0]),
        ] {
            let rotary = Rotary::new(rotation, 4);
            let [queries, keys] = [rotary.queries(&x, &positions), rotary.keys(&x, &positions)]
                .map(|rotated| rotated.unwrap().to_vec2::<f64>().unwrap());
            let found: f64 = queries[0].iter().zip(&keys[1]).map(|(q, k)| q * k).sum();
            let distance = 4.0;
            let product = |(pair, (real, imaginary)): (usize, (usize, usize))| {
                let angle: f64 = distance * f64::powf(theta, -(pair as f64) / 2.0);
                // The query stands four positions before the key.
                let decay = f64::powf(decays[pair], -distance / 8.0);
                let (q, k) = ((heads[0][real], heads[0][imaginary]), (heads[1][real], heads[1][imaginary]));
                decay * ((q.0 * k.0 + q.1 * k.1) * angle.cos() + (q.1 * k.0 - q.0 * k.1) * angle.sin())
            };
            let expected: f64 = pairs.into_iter().enumerate().map(product).sum();
            assert!((found - expected).abs() < 1e-12, "{rotation:?}: {found} against {expected}");
        }
    }
}
