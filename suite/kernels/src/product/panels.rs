//! Matrices laid out for the products that they are used in.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::copy::copy_up_to;
use super::kernel::{Right, WIDE};
use crate::cpu::Real;
use crate::lines::Lines;

/// An operand of a product, `inner` times `columns`, in panels of `N` columns: `[panel][inner][N]`. On the right they are
/// [`WIDE`], which is a cache line of f32; the left operand of an outer product has panels as wide as a tile is tall.
pub(crate) struct Panels<T, const N: usize = WIDE> {
    values: Lines<T>,
    pub(super) inner: usize,
    pub(super) columns: usize,
}

impl<T: Real, const N: usize> Panels<T, N> {
    /// `values` as rows of `columns` numbers.
    pub fn of(values: &[T], columns: usize) -> Self {
        let inner = values.len() / columns.max(1);
        let write = |places: &mut [MaybeUninit<T>]| {
            // Memory is written in its order: what is read is still in the cache, and this is not.
            let (whole, rest) = places.split_at_mut(columns / N * inner * N);
            let rows = || values.chunks_exact(columns.max(1));
            for (panel, places) in whole.as_chunks_mut::<N>().0.chunks_exact_mut(inner.max(1)).enumerate() {
                for (place, row) in places.iter_mut().zip(rows()) {
                    if let Some(group) = row[panel * N..].first_chunk::<N>() {
                        *place = group.map(MaybeUninit::new);
                    }
                }
            }
            for (place, row) in rest.as_chunks_mut::<N>().0.iter_mut().zip(rows()) {
                let mut group = [T::zero(); N];
                copy_up_to(&mut group, &row[columns / N * N..]);
                *place = group.map(MaybeUninit::new);
            }
        };
        // SAFETY: each of the panels has as many groups as there are rows, and all are written.
        let values = unsafe { Lines::written(columns.div_ceil(N) * inner * N, write) };
        Self { values, inner, columns }
    }

    /// The transpose of `values`, which are rows of `inner` numbers.
    pub fn of_transposed(values: &[T], inner: usize) -> Self {
        let columns = values.len() / inner.max(1);
        let mut panels = Lines::zeros(columns.div_ceil(N) * inner * N);
        let groups = panels.as_chunks_mut::<N>().0;
        for (panel, rows) in groups.chunks_mut(inner.max(1)).zip(values.chunks(N * inner.max(1))) {
            for (lane, row) in rows.chunks_exact(inner.max(1)).enumerate() {
                for (group, value) in panel.iter_mut().zip(row) {
                    group[lane] = *value;
                }
            }
        }
        Self { values: panels, inner, columns }
    }

    pub(super) fn groups(&self) -> &[[T; N]] {
        self.values.as_chunks().0
    }

    /// The panels from `panel` on as the right operand of a product, at most `depth` of their rows from `first` on. Those of
    /// `span` panels later, or of deeper rows, are next.
    pub(super) fn from(&self, panel: usize, span: usize, first: usize, depth: usize) -> Right<'_, T, N> {
        let groups = self.groups();
        let start = panel * self.inner + first;
        let next = groups.get(start + span * self.inner..).filter(|next| !next.is_empty());
        let next = next.or_else(|| groups.get(first + depth..));
        Right { panels: &groups[start..], inner: depth.min(self.inner - first), rows: self.inner, next }
    }

    /// The numbers of some panels.
    pub(super) fn panels(&self, which: Range<usize>) -> &[T] {
        &self.values[which.start * self.inner * N..which.end * self.inner * N]
    }
}
