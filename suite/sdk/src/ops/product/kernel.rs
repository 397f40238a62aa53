//! Tiles of a matrix product: few rows times few columns, in registers.
//!
//! Every result is the sum over the inner dimension in its order, however large the matrices are and wherever in them a
//! row stands.

use std::mem::MaybeUninit;

use super::panels::copy_up_to;
use crate::ops::cpu::Real;

/// Rows of the largest tile.
pub(in crate::ops) const TALL: usize = 6;

/// Columns of the widest tile: two registers of eight f32 each, so that six rows of sums fill twelve of sixteen.
pub(in crate::ops) const WIDE: usize = 16;

/// The left operand of a tile: number `k` of row `r` is `values[r * row_stride + k * step]`.
#[derive(Clone, Copy)]
pub(in crate::ops) struct Left<'a, T> {
    pub values: &'a [T],
    pub row_stride: usize,
    pub step: usize,
}

/// Where a tile's results go: `columns` of each row, rows `stride` apart.
pub(in crate::ops) struct Into<'a, T> {
    pub values: &'a mut [MaybeUninit<T>],
    pub stride: usize,
    pub columns: usize,
    /// Whether to add to what is there, which then must be initialised.
    pub add: bool,
}

/// Numbers as memory for [`Into`]. Whoever takes it must write nothing but numbers, as tiles do.
#[inline(always)]
pub(in crate::ops) fn memory<T: Real>(values: &mut [T]) -> &mut [MaybeUninit<T>] {
    // SAFETY: both types have the same layout; every caller hands the result to tiles or to a product, which write numbers
    // alone, so that `values` never holds anything else.
    unsafe { &mut *(std::ptr::from_mut(values) as *mut [MaybeUninit<T>]) }
}

/// The products of `rows` rows, at most [`TALL`], with a panel `[inner][N]`. `FUSED` says that the processor multiplies
/// and adds in one instruction.
#[inline(always)]
pub(in crate::ops) fn tile<T: Real, const FUSED: bool, const N: usize>(
    rows: usize,
    left: Left<T>,
    panel: &[[T; N]],
    into: Into<T>,
) {
    match rows {
        1 => sized::<T, FUSED, N, 1>(left, panel, into),
        2 => sized::<T, FUSED, N, 2>(left, panel, into),
        3 => sized::<T, FUSED, N, 3>(left, panel, into),
        4 => sized::<T, FUSED, N, 4>(left, panel, into),
        5 => sized::<T, FUSED, N, 5>(left, panel, into),
        _ => sized::<T, FUSED, N, TALL>(left, panel, into),
    }
}

#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "constant ranges are unrolled, iterators over rows are not always")]
fn sized<T: Real, const FUSED: bool, const N: usize, const R: usize>(left: Left<T>, panel: &[[T; N]], into: Into<T>) {
    let Left { values, row_stride, step } = left;
    let last = (R - 1) * row_stride + panel.len().saturating_sub(1) * step;
    assert!(panel.is_empty() || last < values.len());
    let mut results = [[T::zero(); N]; R];
    if into.add {
        for (row, results) in results.iter_mut().enumerate() {
            let start = row * into.stride;
            // SAFETY: numbers that are added to are initialised.
            copy_up_to(results, unsafe { into.values[start..start + into.columns].assume_init_ref() });
        }
    }
    // A copy that nothing else refers to, so that it lives in registers.
    let mut sums = results;
    for (k, others) in panel.iter().enumerate() {
        let (others, _) = others.as_chunks();
        for row in 0..R {
            // SAFETY: row < R and k < panel.len(), so the index is at most `last`, which the assertion above holds inside.
            let value = unsafe { *values.get_unchecked(row * row_stride + k * step) };
            for (sums, others) in sums[row].as_chunks_mut().0.iter_mut().zip(others) {
                value.add_products::<FUSED>(others, sums);
            }
        }
    }
    results = sums;
    for (row, results) in results.iter().enumerate() {
        let start = row * into.stride;
        let values = &mut into.values[start..start + into.columns];
        match <&mut [MaybeUninit<T>; N]>::try_from(&mut *values) {
            Ok(values) => *values = results.map(MaybeUninit::new),
            Err(_) => write_some(values, &results[..into.columns]),
        }
    }
}

/// Out of line, so that a whole row of a tile stays a few instructions: the compiler would make one call of both.
#[cold]
#[inline(never)]
fn write_some<T: Copy>(to: &mut [MaybeUninit<T>], from: &[T]) {
    to.write_copy_of_slice(from);
}
