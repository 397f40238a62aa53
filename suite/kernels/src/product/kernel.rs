//! Tiles of a matrix product: few rows times few columns, in registers.
//!
//! Every result is summed over the inner dimension in order, for any matrix size and any place of the row.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::copy::copy_up_to;
use crate::cpu::Real;
use crate::instructions::Instructions;

/// Rows of the largest tile.
pub(crate) const TALL: usize = 6;

/// Rows of a tile of one panel if registers are as wide as a panel: enough independent sums to hide latency.
const TALLEST: usize = 8;

/// Columns of the widest tile: two registers of eight f32 each, so that six rows of sums fill twelve of sixteen.
pub(crate) const WIDE: usize = 16;

/// Most panels of a tile with 32 registers as wide as a panel: six rows of sums fill 24 of them.
pub(crate) const BROAD: usize = 4;

/// The left operand of a column of tiles: number `k` of row `r` is `values[r * row_stride + k * step]`, unless the rows of the
/// next tile, of [`TALL`] rows each then, begin `tile_stride` after those of one.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a, T> {
    pub values: &'a [T],
    pub row_stride: usize,
    pub step: usize,
    pub tile_stride: Option<usize>,
}

/// The right operand of a product: the first `inner` rows of panels `[panel][row][N]`, each of `rows` rows.
#[derive(Clone, Copy)]
pub(crate) struct Right<'a, T, const N: usize> {
    pub panels: &'a [[T; N]],
    pub inner: usize,
    pub rows: usize,
    /// The `panels` of the next product, if known: they are prefetched.
    pub next: Option<&'a [[T; N]]>,
}

/// Where the results go: `columns` of each row, rows `stride` apart; the columns of a panel follow each other, and those of
/// the next begin `panel_stride` after.
#[derive(Clone, Copy)]
pub(crate) struct Into<'a, T> {
    pub places: &'a [Place<T>],
    pub stride: usize,
    pub panel_stride: usize,
    pub columns: usize,
    /// Whether to add to what is there, which then must be initialised.
    pub add: bool,
}

/// Memory of a number, initialised or not. Threads that share a matrix may hold all of its places, as long as each reads
/// and writes columns of its own.
#[repr(transparent)]
pub(crate) struct Place<T>(#[allow(dead_code, reason = "accessed by pointer")] UnsafeCell<MaybeUninit<T>>);

// SAFETY: tiles alone touch what is behind a place, and the products that are computed at the same time have rows or
// columns of their own.
unsafe impl<T: Send> Sync for Place<T> {}

/// The places of numbers that are all initialised. Nothing but numbers is ever written to a place.
#[inline(always)]
pub(crate) fn places<T: Real>(values: &mut [T]) -> &[Place<T>] {
    // SAFETY: both types have the same layout, and the exclusive reference ends no sooner than the shared one.
    unsafe { &*(std::ptr::from_mut(values) as *const [Place<T>]) }
}

/// `panels` by tiles: as many at a time as a tile spans. Every number is a case of its own in the program, so not all are.
#[inline(always)]
pub(crate) fn by_tiles<I: Instructions>(_: I, mut panels: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    std::iter::from_fn(move || {
        let start = panels.start;
        panels.start += match panels.len() {
            0 => return None,
            BROAD.. if I::REGISTERS_OF_512_BITS => BROAD,
            2.. if I::REGISTERS_OF_512_BITS => 2,
            _ => 1,
        };
        Some(start..panels.start)
    })
}

/// The products of `rows` rows, tile by tile, with `panels` panels, as many as [`by_tiles`] gives. Not inlined: there
/// are many products, and each would contain the code of all tile sizes.
#[inline(never)]
pub(crate) fn column<T: Real, I: Instructions, const N: usize>(
    instructions: I,
    rows: usize,
    panels: usize,
    left: &Left<T>,
    right: &Right<T, N>,
    into: &Into<T>,
) {
    instructions.run(
        #[inline(always)]
        || match panels {
            BROAD if I::REGISTERS_OF_512_BITS => tiles::<T, I, N, BROAD, TALL>(instructions, rows, left, right, into),
            2 if I::REGISTERS_OF_512_BITS => tiles::<T, I, N, 2, TALL>(instructions, rows, left, right, into),
            _ if I::REGISTERS_OF_512_BITS && left.tile_stride.is_none() => {
                tiles::<T, I, N, 1, TALLEST>(instructions, rows, left, right, into);
            }
            _ => tiles::<T, I, N, 1, TALL>(instructions, rows, left, right, into),
        },
    );
}

#[inline(always)]
fn tiles<T: Real, I: Instructions, const N: usize, const P: usize, const R: usize>(
    instructions: I,
    rows: usize,
    left: &Left<T>,
    right: &Right<T, N>,
    into: &Into<T>,
) {
    let (mut left, right, mut into) = (*left, *right, *into);
    // Each tile fetches a panel.
    let mut next = right.next.into_iter().flat_map(|next| next.chunks(right.rows)).take(P);
    for _ in 0..rows / R {
        let right = Right { next: next.next(), ..right };
        sized::<T, I, N, P, R>(instructions, left, right, into);
        left.values = left.values.get(left.tile_stride.unwrap_or(R * left.row_stride)..).unwrap_or_default();
        into.places = into.places.get(R * into.stride..).unwrap_or_default();
    }
    match rows % R {
        0 => {}
        1 => sized::<T, I, N, P, 1>(instructions, left, right, into),
        2 => sized::<T, I, N, P, 2>(instructions, left, right, into),
        3 => sized::<T, I, N, P, 3>(instructions, left, right, into),
        4 => sized::<T, I, N, P, 4>(instructions, left, right, into),
        5 => sized::<T, I, N, P, 5>(instructions, left, right, into),
        6 if R > TALL => sized::<T, I, N, P, 6>(instructions, left, right, into),
        _ if R > TALL => sized::<T, I, N, P, 7>(instructions, left, right, into),
        _ => unreachable!("fewer rows are left than a tile has"),
    }
}

#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "constant ranges are unrolled, iterators over rows are not always")]
fn sized<T: Real, I: Instructions, const N: usize, const P: usize, const R: usize>(
    instructions: I,
    left: Left<T>,
    right: Right<T, N>,
    into: Into<T>,
) {
    let Left { values, row_stride, step, .. } = left;
    let Right { panels, inner, rows, next } = right;
    let next = next.unwrap_or(panels).as_ptr();
    let last = (R - 1) * row_stride + inner.saturating_sub(1) * step;
    assert!(inner == 0 || (last < values.len() && (P - 1) * rows + inner <= panels.len()));
    // A whole tile goes from memory to registers and back. Only a part of one, whose width the compiler does not know, is
    // laid out in between.
    let whole = into.columns == P * N;
    let mut sums = [[[T::zero(); N]; P]; R];
    if into.add {
        if whole {
            for row in 0..R {
                for panel in 0..P {
                    let numbers = numbers(into.places, row * into.stride + panel * into.panel_stride, N);
                    // SAFETY: `numbers` are N; those that are added to are initialised, and no other thread touches them.
                    sums[row][panel] = unsafe { *numbers.cast::<[T; N]>() };
                }
            }
        } else {
            // A copy: numbers that are referred to would not live in registers. The same goes for `into`.
            let copy = into;
            let found = some_numbers(&copy);
            sums = found;
        }
    }
    for k in 0..inner {
        prefetch(next.wrapping_add(k));
        for row in 0..R {
            // SAFETY: row < R and k < inner, so the index is at most `last`, which the assertion above holds inside.
            let value = unsafe { *values.get_unchecked(row * row_stride + k * step) };
            for panel in 0..P {
                // SAFETY: panel < P and k < inner: the assertion above holds the index inside.
                let others = unsafe { panels.get_unchecked(panel * rows + k) };
                value.add_products(instructions, others, &mut sums[row][panel]);
            }
        }
    }
    if whole {
        for row in 0..R {
            for panel in 0..P {
                let numbers = numbers(into.places, row * into.stride + panel * into.panel_stride, N);
                // SAFETY: `numbers` are N, and no other thread touches them.
                unsafe { *numbers.cast::<[T; N]>() = sums[row][panel] };
            }
        }
    } else {
        // Copies, as above.
        let (sums, copy) = (sums, into);
        write_some(&copy, sums.as_flattened());
    }
}

/// Prefetches memory that will be read soon. Any address is allowed, because nothing is read.
#[inline(always)]
fn prefetch<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint that may name any address, and that every processor of the family takes.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// The existing numbers of a tile, zeros elsewhere.
#[inline(never)]
fn some_numbers<T: Real, const N: usize, const P: usize, const R: usize>(into: &Into<T>) -> [[[T; N]; P]; R] {
    let mut found = [[[T::zero(); N]; P]; R];
    for (row, found) in found.iter_mut().enumerate() {
        for (panel, found) in found.iter_mut().enumerate() {
            let columns = (into.columns - panel * N).min(N);
            let numbers = numbers(into.places, row * into.stride + panel * into.panel_stride, columns);
            // SAFETY: numbers that are added to are initialised, and no other thread touches these.
            copy_up_to(found, unsafe { (*numbers).assume_init_ref() });
        }
    }
    found
}

/// Writes the numbers of a tile that lie inside the result.
#[inline(never)]
fn write_some<T: Real, const N: usize>(into: &Into<T>, sums: &[[T; N]]) {
    for (row, sums) in sums.chunks_exact(into.columns.div_ceil(N)).enumerate() {
        for (panel, sums) in sums.iter().enumerate() {
            let columns = (into.columns - panel * N).min(N);
            let numbers = numbers(into.places, row * into.stride + panel * into.panel_stride, columns);
            // SAFETY: no other thread touches these places.
            unsafe { (*numbers).write_copy_of_slice(&sums[..columns]) };
        }
    }
}

/// Memory of consecutive places.
#[inline(always)]
fn numbers<T>(places: &[Place<T>], start: usize, count: usize) -> *mut [MaybeUninit<T>] {
    let places = &places[start..start + count];
    // A place is its memory, and its cell allows writing through a shared reference.
    std::ptr::slice_from_raw_parts_mut(places.as_ptr().cast_mut().cast(), count)
}
