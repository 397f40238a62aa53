//! Matrices laid out for the products that they are used in.

use std::ops::Range;

use super::kernel::{Right, WIDE};
use crate::ops::cpu::Real;

/// Copies `from`, at most `N` numbers, to the start of `to`.
#[inline(always)]
pub(in crate::ops) fn copy_up_to<T: Copy, const N: usize>(to: &mut [T; N], from: &[T]) {
    match <&[T; N]>::try_from(from) {
        Ok(from) => *to = *from,
        Err(_) => copy_some(to, from),
    }
}

/// Copies `from` to the start of `to`. Out of line, so that copying a whole array stays a few instructions: the compiler
/// would make one call of both.
#[cold]
#[inline(never)]
fn copy_some<T: Copy>(to: &mut [T], from: &[T]) {
    to[..from.len()].copy_from_slice(from);
}

/// An operand of a product, `inner` times `columns`, in panels of `N` columns: `[panel][inner][N]`. On the right they are
/// [`WIDE`]; the left operand of an outer product has panels as wide as a tile is tall.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Panels<T, const N: usize = WIDE> {
    pub(super) values: Vec<[T; N]>,
    pub(super) inner: usize,
    pub(super) columns: usize,
}

impl<T: Real, const N: usize> Panels<T, N> {
    /// `values` as rows of `columns` numbers.
    pub fn of(values: &[T], columns: usize) -> Self {
        let inner = values.len() / columns.max(1);
        let count = columns.div_ceil(N) * inner;
        let mut panels: Vec<[T; N]> = Vec::with_capacity(count);
        let places = &mut panels.spare_capacity_mut()[..count];
        // Rows are read in their order and groups written far apart: a processor waits for what it reads.
        for (k, row) in values.chunks_exact(columns.max(1)).enumerate() {
            for (panel, some) in row.chunks(N).enumerate() {
                let mut group = [T::zero(); N];
                copy_up_to(&mut group, some);
                places[panel * inner + k].write(group);
            }
        }
        // SAFETY: every one of `inner` rows has written a group to each of the panels.
        unsafe { panels.set_len(count) };
        Self { values: panels, inner, columns }
    }

    /// The transpose of `values`, which are rows of `inner` numbers.
    pub fn of_transposed(values: &[T], inner: usize) -> Self {
        let columns = values.len() / inner.max(1);
        let mut panels = vec![[T::zero(); N]; columns.div_ceil(N) * inner];
        for (panel, rows) in panels.chunks_mut(inner.max(1)).zip(values.chunks(N * inner.max(1))) {
            for (lane, row) in rows.chunks_exact(inner.max(1)).enumerate() {
                for (panel, value) in panel.iter_mut().zip(row) {
                    panel[lane] = *value;
                }
            }
        }
        Self { values: panels, inner, columns }
    }

    /// The panels from `panel` on as the right operand of a product, at most `depth` of their rows from `first` on.
    pub(super) fn from(&self, panel: usize, first: usize, depth: usize) -> Right<'_, T, N> {
        let panels = &self.values[panel * self.inner + first..];
        Right { panels, inner: depth.min(self.inner - first), rows: self.inner }
    }

    /// Some panels, each with the place of its first column among theirs.
    pub(super) fn panels(&self, which: Range<usize>) -> impl Iterator<Item = (usize, &[[T; N]])> {
        let some = &self.values[which.start * self.inner..which.end * self.inner];
        some.chunks(self.inner.max(1)).enumerate().map(|(number, panel)| (number * N, panel))
    }
}
