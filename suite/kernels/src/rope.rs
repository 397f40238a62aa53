//! Rotary position embedding in the rotate-half layout of Llama (Su et al. 2021, eq. 34, with pairs (i, i + half)).

use std::sync::{Arc, PoisonError, RwLock};

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor};

use super::cpu::{self, ROWS, Real, dispatch, number};
use crate::operands;
use crate::threads;

/// Cosines and sines of the angles position · theta^(-2i / head_dim), computed on demand for more positions.
#[derive(Debug)]
pub struct RopeTable {
    head_dim: usize,
    theta: f64,
    rows: RwLock<Arc<Angles>>,
    copied: RwLock<Option<Copied>>,
}

/// For each position, head_dim / 2 pairs of cosine and sine.
type Angles = Vec<(f64, f64)>;

/// Cosines and sines `[positions, head_dim / 2]` on a device.
type Copied = [Tensor; 2];

impl RopeTable {
    /// Angles for heads of `head_dim` with the base `theta`.
    pub fn new(head_dim: usize, theta: f64) -> Self {
        Self { head_dim, theta, rows: RwLock::default(), copied: RwLock::default() }
    }

    /// Angles for every position in `positions`.
    pub(super) fn rotation(&self, positions: &[u32]) -> Rotation {
        Rotation { angles: self.angles(most(positions)), head_dim: self.head_dim }
    }

    fn angles(&self, positions: usize) -> Arc<Angles> {
        let half = self.head_dim / 2;
        let known = self.rows.read().unwrap_or_else(PoisonError::into_inner).clone();
        if known.len() >= positions * half {
            return known;
        }
        let angle = |position: usize, pair: usize| {
            let angle = position as f64 * self.theta.powf(-2.0 * pair as f64 / self.head_dim as f64);
            (angle.cos(), angle.sin())
        };
        let positions = positions.next_power_of_two();
        let made: Angles =
            (0..positions).flat_map(|position| (0..half).map(move |pair| angle(position, pair))).collect();
        let made = Arc::new(made);
        *self.rows.write().unwrap_or_else(PoisonError::into_inner) = made.clone();
        made
    }

    /// The angles of `positions` positions on `device`. They stay there, because a copy waits until the device is idle.
    fn copied(&self, positions: usize, dtype: DType, device: &Device) -> Result<Copied> {
        let fits = |[cosines, _]: &Copied| {
            cosines.dim(0).is_ok_and(|known| known >= positions)
                && cosines.dtype() == dtype
                && cosines.device().same_device(device)
        };
        let known = self.copied.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(fits) {
            return Ok(known);
        }
        let (angles, half) = (self.angles(positions), self.head_dim / 2);
        let copy = |numbers: Vec<f64>| Tensor::from_vec(numbers, (angles.len() / half, half), device)?.to_dtype(dtype);
        let (cosines, sines) = angles.iter().copied().unzip();
        let made = [copy(cosines)?, copy(sines)?];
        *self.copied.write().unwrap_or_else(PoisonError::into_inner) = Some(made.clone());
        Ok(made)
    }
}

/// One more than the largest position.
fn most(positions: &[u32]) -> usize {
    positions.iter().max().map_or(0, |most| *most as usize + 1)
}

/// Rotates every head of `x` `[rows, heads * head_dim]` by the angles of `positions` `[rows]`.
///
/// # Errors
/// If there are not as many positions as rows, or the rows are not whole heads of an even width.
pub fn rope(x: &Tensor, positions: &Arc<Vec<u32>>, table: &RopeTable) -> Result<Tensor> {
    let (rows, width) = operands::matrix("x of rope", x)?;
    let head_dim = table.head_dim;
    if head_dim == 0 || !head_dim.is_multiple_of(2) {
        return Err(operands::unfit("table of rope", "heads of an even width", head_dim));
    }
    if !width.is_multiple_of(head_dim) {
        return Err(operands::unfit("x of rope", format!("rows of whole heads of {head_dim} numbers"), width));
    }
    if positions.len() != rows {
        return Err(operands::unfit("positions of rope", format!("one for each of {rows} rows"), positions.len()));
    }
    if cpu::fused(x) {
        let rotation = table.rotation(positions);
        return x.contiguous()?.apply_op1(Rope { positions: positions.clone(), rotation });
    }
    operands::unless_empty(x, x.shape(), || composed(x, positions, table))
}

fn composed(x: &Tensor, positions: &[u32], table: &RopeTable) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    let (head_dim, half) = (table.head_dim, table.head_dim / 2);
    let angles = table.copied(most(positions), x.dtype(), x.device())?;
    let index = Tensor::from_slice(positions, rows, x.device())?;
    let pick = |angles: &Tensor| angles.index_select(&index, 0)?.unsqueeze(1);
    let (cosine, sine) = (pick(&angles[0])?, pick(&angles[1])?);
    let heads = x.reshape((rows, width / head_dim, head_dim))?;
    let (low, high) = (heads.narrow(2, 0, half)?, heads.narrow(2, half, half)?);
    let rotated_low = (low.broadcast_mul(&cosine)? - high.broadcast_mul(&sine)?)?;
    let rotated_high = (high.broadcast_mul(&cosine)? + low.broadcast_mul(&sine)?)?;
    Tensor::cat(&[rotated_low, rotated_high], 2)?.reshape((rows, width))
}

/// Which way the heads are turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Forward,
    /// The transpose of the rotation, which is its gradient.
    Backward,
}

/// Rotates the heads in the first `width` numbers of every row of `x` in place; rows are `stride` numbers apart.
pub(super) fn rotate<T: Real>(
    x: &mut [T],
    (stride, width): (usize, usize),
    positions: &[u32],
    rotation: &Rotation,
    turn: Turn,
) {
    let half = rotation.head_dim / 2;
    let sign = if turn == Turn::Forward { 1.0 } else { -1.0 };
    let chunks: Vec<_> = x.chunks_mut(ROWS * stride).zip(positions.chunks(ROWS)).collect();
    threads::for_each(
        chunks,
        #[inline(always)]
        |(x, positions): (&mut [T], &[u32])| {
            let (mut cosines, mut sines) = (vec![T::zero(); half], vec![T::zero(); half]);
            for (row, position) in x.chunks_exact_mut(stride).zip(positions) {
                let angles = &rotation.angles[*position as usize * half..][..half];
                for ((cosine, sine), angle) in cosines.iter_mut().zip(&mut sines).zip(angles) {
                    (*cosine, *sine) = (number(angle.0), number(angle.1 * sign));
                }
                // Special cases for short loops, where the compiler knows the length.
                let (row, angles) = (&mut row[..width], (&*cosines, &*sines));
                match half {
                    4 => rotate_heads(row, 4, angles),
                    8 => rotate_heads(row, 8, angles),
                    16 => rotate_heads(row, 16, angles),
                    _ => rotate_heads(row, half, angles),
                }
            }
        },
    );
}

/// Rotates the heads of a row, of twice `half` numbers.
#[inline(always)]
fn rotate_heads<T: Real>(row: &mut [T], half: usize, (cosines, sines): (&[T], &[T])) {
    let (cosines, sines) = (&cosines[..half], &sines[..half]);
    for head in row.chunks_exact_mut(2 * half) {
        let (low, high) = head.split_at_mut(half);
        for ((low, high), (cosine, sine)) in low.iter_mut().zip(high).zip(cosines.iter().zip(sines)) {
            let (x, y) = (*low, *high);
            *low = x * *cosine - y * *sine;
            *high = y * *cosine + x * *sine;
        }
    }
}

/// Angles for positions up to some bound.
#[derive(Debug, Clone)]
pub(super) struct Rotation {
    angles: Arc<Angles>,
    head_dim: usize,
}

struct Rope {
    positions: Arc<Vec<u32>>,
    rotation: Rotation,
}

impl Rope {
    fn turned<T: Real>(&self, x: &[T], turn: Turn) -> Vec<T> {
        let width = x.len() / self.positions.len().max(1);
        let mut y = x.to_vec();
        if width > 0 {
            rotate(&mut y, (width, width), &self.positions, &self.rotation, turn);
        }
        y
    }
}

impl CustomOp1 for Rope {
    fn name(&self) -> &'static str {
        "rope"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        dispatch!("rope", candle_core::backend::BackendStorage::dtype(storage), T => {
            let y = self.turned(cpu::slice::<T>(storage, layout)?, Turn::Forward);
            Ok(cpu::stored(y, layout.shape().clone()))
        })
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        dispatch!("rope", x.dtype(), T => {
            let rotated = cpu::with::<T, _>(grad, |grad| Ok(self.turned(grad, Turn::Backward)))?;
            cpu::gradient(rotated, x)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{RopeTable, composed, rope};
    use crate::testing::{agree, values};

    #[test]
    fn equals_its_composition_and_finite_differences() {
        let table = RopeTable::new(6, 10_000.0);
        let positions = Arc::new(vec![0, 3, 1, 7]);
        agree(&[values(&[4, 12], 12)], |x| rope(&x[0], &positions, &table), |x| composed(&x[0], &positions, &table));
    }

    #[test]
    fn products_depend_on_the_distance_alone() {
        let table = RopeTable::new(8, 10_000.0);
        let (q, k) = (values(&[1, 8], 1), values(&[1, 8], 2));
        let product = |at: u32, to: u32| -> f64 {
            let rotate = |x, position| rope(x, &Arc::new(vec![position]), &table).unwrap();
            (rotate(&q, at) * rotate(&k, to)).unwrap().sum_all().unwrap().to_scalar().unwrap()
        };
        assert!((product(5, 2) - product(13, 10)).abs() < 1e-12);
        assert!((product(5, 2) - product(5, 3)).abs() > 1e-6);
    }
}
