//! Tiles of a matrix product: few rows times few columns, in registers.
//!
//! Every result is the sum over the inner dimension in its order, however large the matrices are and wherever in them a
//! row stands.

use std::cell::UnsafeCell;
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
    pub places: &'a [Place<T>],
    pub stride: usize,
    pub columns: usize,
    /// Whether to add to what is there, which then must be initialised.
    pub add: bool,
}

/// Memory of a number, initialised or not. Threads that share a matrix may hold all of its places, as long as each reads
/// and writes columns of its own.
#[repr(transparent)]
pub(in crate::ops) struct Place<T>(#[allow(dead_code, reason = "accessed by pointer")] UnsafeCell<MaybeUninit<T>>);

// SAFETY: tiles alone touch what is behind a place, and the products that are computed at the same time have rows or
// columns of their own.
unsafe impl<T: Send> Sync for Place<T> {}

/// The places of numbers that are all initialised. Nothing but numbers is ever written to a place.
#[inline(always)]
pub(in crate::ops) fn places<T: Real>(values: &mut [T]) -> &[Place<T>] {
    // SAFETY: both types have the same layout, and the exclusive reference ends no sooner than the shared one.
    unsafe { &*(std::ptr::from_mut(values) as *const [Place<T>]) }
}

/// The places of numbers that need not be initialised.
#[inline(always)]
pub(in crate::ops) fn places_of_memory<T: Real>(memory: &mut [MaybeUninit<T>]) -> &[Place<T>] {
    // SAFETY: as above.
    unsafe { &*(std::ptr::from_mut(memory) as *const [Place<T>]) }
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
            // SAFETY: numbers that are added to are initialised, and no other thread touches these.
            copy_up_to(results, unsafe { (*numbers(into.places, start, into.columns)).assume_init_ref() });
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
        // SAFETY: no other thread touches these places.
        let values = unsafe { &mut *numbers(into.places, start, into.columns) };
        match <&mut [MaybeUninit<T>; N]>::try_from(&mut *values) {
            Ok(values) => *values = results.map(MaybeUninit::new),
            Err(_) => write_some(values, &results[..into.columns]),
        }
    }
}

/// Memory of some places that follow each other.
#[inline(always)]
fn numbers<T>(places: &[Place<T>], start: usize, count: usize) -> *mut [MaybeUninit<T>] {
    let places = &places[start..start + count];
    // A place is its memory, and its cell allows writing through a shared reference.
    std::ptr::slice_from_raw_parts_mut(places.as_ptr().cast_mut().cast(), count)
}

/// Out of line, so that a whole row of a tile stays a few instructions: the compiler would make one call of both.
#[cold]
#[inline(never)]
fn write_some<T: Copy>(to: &mut [MaybeUninit<T>], from: &[T]) {
    to.write_copy_of_slice(from);
}
