//! Matrices laid out for the products that they are used in.

use std::ops::Range;

use super::kernel::WIDE;
use crate::ops::cpu::Real;

/// Copies `from`, at most `N` numbers, to the start of `to`. A whole array is a few instructions, not a call.
#[inline(always)]
pub(in crate::ops) fn copy_up_to<T: Copy, const N: usize>(to: &mut [T; N], from: &[T]) {
    match <&[T; N]>::try_from(from) {
        Ok(from) => *to = *from,
        Err(_) => to[..from.len()].copy_from_slice(from),
    }
}

/// The right operand of a product, `inner` times `columns`, in panels of [`WIDE`] columns: `[panel][inner][WIDE]`.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Panels<T> {
    values: Vec<[T; WIDE]>,
    pub(super) inner: usize,
    pub(super) columns: usize,
}

impl<T: Real> Panels<T> {
    /// `values` as rows of `columns` numbers.
    pub fn of(values: &[T], columns: usize) -> Self {
        let inner = values.len() / columns.max(1);
        let mut panels = vec![[T::zero(); WIDE]; columns.div_ceil(WIDE) * inner];
        for (k, row) in values.chunks_exact(columns.max(1)).enumerate() {
            for (panel, some) in row.chunks(WIDE).enumerate() {
                copy_up_to(&mut panels[panel * inner + k], some);
            }
        }
        Self { values: panels, inner, columns }
    }

    /// The transpose of `values`, which are rows of `inner` numbers.
    pub fn of_transposed(values: &[T], inner: usize) -> Self {
        let columns = values.len() / inner.max(1);
        let mut panels = vec![[T::zero(); WIDE]; columns.div_ceil(WIDE) * inner];
        for (panel, rows) in panels.chunks_mut(inner.max(1)).zip(values.chunks(WIDE * inner.max(1))) {
            for (lane, row) in rows.chunks_exact(inner.max(1)).enumerate() {
                for (panel, value) in panel.iter_mut().zip(row) {
                    panel[lane] = *value;
                }
            }
        }
        Self { values: panels, inner, columns }
    }

    /// The columns that some panels hold.
    pub(super) fn columns_of(&self, panels: &Range<usize>) -> Range<usize> {
        panels.start * WIDE..(panels.end * WIDE).min(self.columns)
    }

    /// Some panels, each with the place of its first column among theirs.
    pub(super) fn panels(&self, which: Range<usize>) -> impl Iterator<Item = (usize, &[[T; WIDE]])> {
        let some = &self.values[which.start * self.inner..which.end * self.inner];
        some.chunks(self.inner.max(1)).enumerate().map(|(number, panel)| (number * WIDE, panel))
    }
}
