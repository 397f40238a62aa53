//! Numbers aligned to cache lines: loading a 512-bit register from two lines takes twice as long.

use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};

/// Numbers of four or eight bytes whose default is zero.
pub(super) trait Number: Copy + Default {}

impl Number for f32 {}
impl Number for f64 {}

/// Numbers of a line of f32, or of two lines of f64.
const NUMBERS: usize = 16;

/// Memory of one cache line of f32, aligned to it.
#[repr(C, align(64))]
struct Line<T>([MaybeUninit<T>; NUMBERS]);

/// Numbers that start at a cache line.
pub(super) struct Lines<T> {
    lines: Vec<Line<T>>,
    length: usize,
}

impl<T: Number> Lines<T> {
    /// `length` numbers that `write` writes.
    ///
    /// # Safety
    /// `write` must write all of them.
    pub unsafe fn written(length: usize, write: impl FnOnce(&mut [MaybeUninit<T>])) -> Self {
        let count = length.div_ceil(NUMBERS);
        let mut lines: Vec<Line<T>> = Vec::with_capacity(count);
        // SAFETY: a line may be uninitialised, and there is room for as many.
        unsafe { lines.set_len(count) };
        let start: *mut MaybeUninit<T> = lines.as_mut_ptr().cast();
        // SAFETY: a line is an array and nothing else: its size, 16 numbers of four or eight bytes, is a multiple of its
        // alignment. So the lines are at least `length` numbers that follow each other.
        write(unsafe { std::slice::from_raw_parts_mut(start, length) });
        Self { lines, length }
    }

    /// `length` zeros.
    pub fn zeros(length: usize) -> Self {
        // SAFETY: all are written.
        unsafe { Self::written(length, |numbers| numbers.fill(MaybeUninit::new(T::default()))) }
    }
}

impl<T: Number> Default for Lines<T> {
    fn default() -> Self {
        Self::zeros(0)
    }
}

impl<T: Number> Deref for Lines<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: as above, and whoever made them has written all.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }
}

impl<T: Number> DerefMut for Lines<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn numbers_start_at_a_line() {
        for length in [0, 1, 15, 16, 17, 100] {
            let (single, double) = (Lines::<f32>::zeros(length), Lines::<f64>::zeros(length));
            assert_eq!((&*single, &*double), (&*vec![0f32; length], &*vec![0f64; length]));
            assert_eq!((single.as_ptr().align_offset(64), double.as_ptr().align_offset(64)), (0, 0));
        }
    }
}
