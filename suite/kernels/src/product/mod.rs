//! Matrix products on slices. A row of a product depends neither on how many rows there are nor on how many threads.

mod copy;
pub(super) mod kernel;
mod panels;

use std::ops::Range;
use std::sync::Arc;

pub(super) use self::copy::copy_up_to;
pub(super) use self::kernel::TALL;
use self::kernel::{Into, Left, Place, WIDE, by_tiles, column, places};
pub(super) use self::panels::Panels;
use super::cpu::Real;
use super::scratch::Scratch;
use crate::instructions::{Instructions, with_instructions};
use crate::threads;

/// Rows of a product that one thread works on at a time.
const ROWS: usize = 192;

/// Fewest multiplications of a product of few rows that is worth sharing among threads.
const WORTH_SHARING: usize = 1 << 17;

/// Panels of a share of such a product.
const SHARE: usize = 4;

/// Fewer rows than this are put into tiles of nearly the same height.
const FEW: usize = 4 * TALL;

/// Numbers of the inner dimension that are worked on at once: as many rows of the widest tile's panels stay in the cache
/// nearest to the core.
const DEEP: usize = 128;

/// Some columns of a product: `left`, rows of as many numbers as `right` has, times some panels of `right`.
struct Product<'a, T> {
    left: &'a [T],
    right: &'a Panels<T>,
    panels: Range<usize>,
    /// Rows of the whole product: where to write, or to add, to numbers then.
    into: &'a [Place<T>],
    add: bool,
}

impl<T: Real> Product<'_, T> {
    #[inline(always)]
    fn compute(self, instructions: impl Instructions) {
        let Panels { inner, columns, .. } = *self.right;
        let rows = self.into.len() / columns.max(1);
        let tiles = rows.div_ceil(TALL);
        // By depths, each of which goes on with the sums of the one before, in the same order: what is read again for every
        // panel or tile then stays in the cache.
        for depth in (0..inner).step_by(DEEP) {
            let add = self.add || depth > 0;
            for panels in by_tiles(instructions, self.panels.clone()) {
                let first = panels.start * WIDE;
                let right = self.right.from(panels.start, panels.len(), depth, DEEP);
                let some = (columns - first).min(panels.len() * WIDE);
                let compute = |rows: Range<usize>| {
                    let values = &self.left[rows.start * inner + depth..];
                    let left = Left { values, row_stride: inner, step: 1, tile_stride: None };
                    let places = &self.into[rows.start * columns + first..];
                    let into = Into { places, stride: columns, panel_stride: WIDE, columns: some, add };
                    column(instructions, rows.len(), panels.len(), &left, &right, &into);
                };
                match rows {
                    // A tile of a single row would wait for each of its sums.
                    0..FEW => (0..tiles).for_each(|tile| compute(rows * tile / tiles..rows * (tile + 1) / tiles)),
                    _ => compute(0..rows),
                }
            }
        }
    }
}

/// `into` = left · right, or += if `add`; `left` are rows of as many numbers as `right` has.
pub(super) fn multiply<T: Real>(into: &mut [T], left: &[T], right: &Panels<T>, add: bool) {
    if right.inner == 0 && !add {
        into.fill(T::zero());
    }
    let into = places(into);
    let Panels { inner, columns, .. } = *right;
    let rows = into.len() / columns.max(1);
    assert!(into.len() == rows * columns && left.len() == rows * inner);
    if rows == 0 || columns == 0 || inner == 0 {
        return;
    }
    let panels = columns.div_ceil(WIDE);
    let by_columns = rows < ROWS && rows * inner * columns >= WORTH_SHARING && threads::would_share();
    let share = if by_columns { SHARE } else { panels };
    let mut products = Vec::new();
    for (into, left) in into.chunks(ROWS * columns).zip(left.chunks(ROWS * inner)) {
        for from in (0..panels).step_by(share) {
            products.push(Product { left, right, panels: from..(from + share).min(panels), into, add });
        }
    }
    compute(products);
}

fn compute<T: Real>(products: Vec<Product<T>>) {
    with_instructions!(instructions => threads::for_each_with(
        instructions,
        products,
        #[inline(always)]
        |product: Product<T>| product.compute(instructions),
    ));
}

/// left · right for a moment.
pub(super) fn multiplied<T: Real>(left: &[T], right: &Panels<T>) -> Scratch<T> {
    let mut result = Scratch::of(left.len() / right.inner.max(1) * right.columns);
    multiply(&mut result, left, right, false);
    result
}

/// Panels of the left operands that one thread works on at a time: rows of the sums.
const BLOCK: usize = 8;

/// Panels of the right operands that are worked on until all parts are added, so that their sums stay in the cache.
const ACROSS: usize = 8;

/// The operands of an outer product: panels of as many rows.
pub(super) struct Term<'a, T> {
    pub left: &'a Panels<T, TALL>,
    pub right: &'a Panels<T>,
}

/// Sums of outer products, each over the parts of a batch in their order: `into` += Σ leftᵀ · right.
pub(super) struct OuterProducts<'a, T> {
    /// Where to add, row-major, as wide as the right operands.
    pub into: &'a mut [T],
    /// The operands of each part.
    pub terms: Vec<Term<'a, T>>,
}

struct Block<'a, T> {
    into: &'a mut [T],
    columns: usize,
    /// The panels of the left operands that belong to this block.
    panels: Range<usize>,
    terms: Arc<Vec<Term<'a, T>>>,
}

impl<T: Real> Block<'_, T> {
    #[inline(always)]
    fn compute(self, instructions: impl Instructions) {
        let (columns, rows) = (self.columns, self.into.len() / self.columns);
        let panels = columns.div_ceil(WIDE);
        // Sums of some columns, side by side: in place, their rows are far apart, each in a page of its own.
        let mut sums = Scratch::of(ACROSS.min(panels) * rows * WIDE);
        let sums = sums.as_chunks_mut::<WIDE>().0;
        for first in (0..panels).step_by(ACROSS) {
            let some = first..(first + ACROSS).min(panels);
            let ranges = some.clone().map(|panel| panel * WIDE..(panel * WIDE + WIDE).min(columns));
            for (range, sums) in ranges.clone().zip(sums.chunks_exact_mut(rows)) {
                for (sum, row) in sums.iter_mut().zip(self.into.chunks_exact(columns)) {
                    // Columns that are not there are computed with the others, and then left out.
                    sum[range.len()..].fill(T::zero());
                    copy_up_to(sum, &row[range.clone()]);
                }
            }
            for Term { left, right } in self.terms.iter() {
                for panels in by_tiles(instructions, some.clone()) {
                    let right = right.from(panels.start, panels.len(), 0, right.inner);
                    let values = left.panels(self.panels.clone());
                    let left = Left { values, row_stride: 1, step: TALL, tile_stride: Some(TALL * right.inner) };
                    let places = places(sums[(panels.start - some.start) * rows..].as_flattened_mut());
                    let columns = panels.len() * WIDE;
                    let into = Into { places, stride: WIDE, panel_stride: rows * WIDE, columns, add: true };
                    column(instructions, rows, panels.len(), &left, &right, &into);
                }
            }
            for (range, sums) in ranges.zip(sums.chunks_exact(rows)) {
                for (sum, row) in sums.iter().zip(self.into.chunks_exact_mut(columns)) {
                    row[range.clone()].copy_from_slice(&sum[..range.len()]);
                }
            }
        }
    }
}

/// Adds all the sums, in parallel over blocks of their rows.
pub(super) fn add_outer_products<T: Real>(sums: Vec<OuterProducts<T>>) {
    let mut blocks = Vec::new();
    for OuterProducts { into, mut terms } in sums {
        terms.retain(|term| term.right.inner > 0 && term.right.columns > 0);
        let Some(columns) = terms.first().map(|term| term.right.columns) else { continue };
        assert!(terms.iter().all(|Term { left, right }| {
            left.inner == right.inner && left.columns * columns == into.len() && right.columns == columns
        }));
        let terms = Arc::new(terms);
        for (number, into) in into.chunks_mut(BLOCK * TALL * columns).enumerate() {
            let panels = number * BLOCK..number * BLOCK + (into.len() / columns).div_ceil(TALL);
            blocks.push(Block { into, columns, panels, terms: terms.clone() });
        }
    }
    with_instructions!(instructions => threads::for_each_with(
        instructions,
        blocks,
        #[inline(always)]
        |block: Block<T>| block.compute(instructions),
    ));
}

#[cfg(test)]
mod tests;
