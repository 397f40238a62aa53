//! Matrix products on slices. A row of a product depends neither on how many rows there are nor on how many threads.

pub(super) mod kernel;
mod panels;

use std::ops::Range;
use std::sync::Arc;

use self::kernel::{Into, Left, TALL, WIDE, tile};
pub(super) use self::panels::{Panels, copy_up_to};
use super::cpu::{Real, with_fused};
use crate::threads;

/// Rows of a product that one thread works on at a time.
const ROWS: usize = 132;

/// Fewest multiplications of a product of few rows that is worth sharing among threads.
const WORTH_SHARING: usize = 1 << 17;

/// Panels of a share of such a product.
const SHARE: usize = 8;

/// Fewer rows than this are put into tiles of nearly the same height.
const FEW: usize = 4 * TALL;

/// Numbers of the inner dimension that are worked on at once.
const DEEP: usize = 384;

/// Some columns of a product: `left`, rows of as many numbers as `right` has, times some panels of `right`.
struct Product<'a, T> {
    left: &'a [T],
    right: &'a Panels<T>,
    panels: Range<usize>,
    /// Rows of the columns of these panels: where to write, or to add.
    into: &'a mut [T],
    add: bool,
}

impl<T: Real> Product<'_, T> {
    #[inline(always)]
    fn compute<const FUSED: bool>(self) {
        let (inner, columns) = (self.right.inner, self.right.columns_of(&self.panels).len());
        let rows = self.into.len() / columns.max(1);
        let tiles = rows.div_ceil(TALL);
        // By depths, each of which goes on with the sums of the one before, in the same order: what is read again for every
        // panel or tile then stays in the cache.
        for depth in (0..inner).step_by(DEEP) {
            let add = self.add || depth > 0;
            for (first, panel) in self.right.panels(self.panels.clone()) {
                let panel = &panel[depth..(depth + DEEP).min(inner)];
                for which in 0..tiles {
                    let (row, end) = match rows {
                        // A tile of a single row would wait for each of its sums.
                        0..FEW => (rows * which / tiles, rows * (which + 1) / tiles),
                        _ => (which * TALL, (which * TALL + TALL).min(rows)),
                    };
                    let left = Left { values: &self.left[row * inner + depth..], row_stride: inner, step: 1 };
                    let values = &mut self.into[row * columns + first..];
                    let into = Into { values, stride: columns, columns: (columns - first).min(WIDE), add };
                    tile::<T, FUSED, WIDE>(end - row, left, panel, into);
                }
            }
        }
    }
}

/// `into` = left · right, or += if `add`; `left` are rows of as many numbers as `right` has.
pub(super) fn multiply<T: Real>(into: &mut [T], left: &[T], right: &Panels<T>, add: bool) {
    let Panels { inner, columns, .. } = *right;
    let rows = into.len() / columns.max(1);
    assert!(into.len() == rows * columns && left.len() == rows * inner);
    if inner == 0 && !add {
        into.fill(T::zero());
    }
    if rows == 0 || columns == 0 || inner == 0 {
        return;
    }
    if rows < ROWS && rows * inner * columns >= WORTH_SHARING && threads::would_share() {
        return multiply_by_columns(into, left, right, add);
    }
    let panels = 0..columns.div_ceil(WIDE);
    let products = into
        .chunks_mut(ROWS * columns)
        .zip(left.chunks(ROWS * inner))
        .map(|(into, left)| Product { left, right, panels: panels.clone(), into, add })
        .collect();
    compute(products);
}

/// The product of few rows, shared among the threads by its columns.
fn multiply_by_columns<T: Real>(into: &mut [T], left: &[T], right: &Panels<T>, add: bool) {
    let panels = right.columns.div_ceil(WIDE);
    let columns = |from: usize| right.columns_of(&(from..(from + SHARE).min(panels)));
    let mut shares: Vec<(usize, Vec<T>)> = (0..panels).step_by(SHARE).map(|from| (from, Vec::new())).collect();
    for (from, share) in &mut shares {
        share.extend(into.chunks_exact(right.columns).flat_map(|row| &row[columns(*from)]));
    }
    compute(
        shares
            .iter_mut()
            .map(|(from, into)| Product {
                left,
                right,
                panels: *from..(*from + SHARE).min(panels),
                into: into.as_mut_slice(),
                add,
            })
            .collect(),
    );
    for (from, share) in &shares {
        let own = columns(*from);
        for (row, share) in into.chunks_exact_mut(right.columns).zip(share.chunks_exact(own.len())) {
            row[own.clone()].copy_from_slice(share);
        }
    }
}

fn compute<T: Real>(products: Vec<Product<T>>) {
    with_fused!(FUSED => threads::for_each(
        products,
        #[inline(always)]
        |product: Product<T>| product.compute::<FUSED>(),
    ));
}

/// left · right as a new vector.
pub(super) fn multiplied<T: Real>(left: &[T], right: &Panels<T>) -> Vec<T> {
    let rows = left.len() / right.inner.max(1);
    let mut result = vec![T::zero(); rows * right.columns];
    multiply(&mut result, left, right, false);
    result
}

/// x wᵀ for `x` `[rows, inputs]` and `weight` `[outputs, inputs]`: `[rows, outputs]`.
pub(super) fn project<T: Real>(x: &[T], weight: &[T], inputs: usize) -> Vec<T> {
    multiplied(x, &Panels::of_transposed(weight, inputs))
}

/// Rows of a sum of products that one thread works on at a time.
const BLOCK: usize = 16 * TALL;

/// The operands of an outer product: as many rows of `width` numbers as the panels have.
pub(super) struct Term<'a, T> {
    pub left: &'a [T],
    pub width: usize,
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
    /// The columns of the left operands that belong to this block.
    rows: Range<usize>,
    terms: Arc<Vec<Term<'a, T>>>,
}

impl<T: Real> Block<'_, T> {
    #[inline(always)]
    fn compute<const FUSED: bool>(self) {
        let mut left: Vec<[T; TALL]> = Vec::new();
        for Term { left: values, width, right } in self.terms.iter() {
            let (inner, columns) = (right.inner, right.columns);
            // The left operand by groups of rows of the result: [group][inner][TALL].
            left.clear();
            left.resize(self.rows.len().div_ceil(TALL) * inner, [T::zero(); TALL]);
            for (k, row) in values.chunks_exact(*width).enumerate() {
                for (group, some) in row[self.rows.clone()].chunks(TALL).enumerate() {
                    copy_up_to(&mut left[group * inner + k], some);
                }
            }
            for (first, panel) in right.panels(0..columns.div_ceil(WIDE)) {
                for (group, left) in left.chunks_exact(inner).enumerate() {
                    let rows = (self.rows.len() - group * TALL).min(TALL);
                    let values = &mut self.into[group * TALL * columns + first..];
                    let into = Into { values, stride: columns, columns: (columns - first).min(WIDE), add: true };
                    tile::<T, FUSED, WIDE>(
                        rows,
                        Left { values: left.as_flattened(), row_stride: 1, step: TALL },
                        panel,
                        into,
                    );
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
        assert!(terms.iter().all(|term| {
            let Term { left, width, right } = term;
            left.len() == right.inner * width && width * columns == into.len() && right.columns == columns
        }));
        let terms = Arc::new(terms);
        for (number, into) in into.chunks_mut(BLOCK * columns).enumerate() {
            let rows = number * BLOCK..number * BLOCK + into.len() / columns;
            blocks.push(Block { into, rows, terms: terms.clone() });
        }
    }
    with_fused!(FUSED => threads::for_each(
        blocks,
        #[inline(always)]
        |block: Block<T>| block.compute::<FUSED>(),
    ));
}

#[cfg(test)]
mod tests;
