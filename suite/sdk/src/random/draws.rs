//! Bounded draws from 32 bits each: a stream gives 64 at a time, and a division is needed only once in a while.

use super::Stream;

/// Small uniform integers from a stream.
pub struct Draws<'a> {
    stream: &'a mut Stream,
    /// The upper half of the last 64 bits, until it is used.
    rest: Option<u32>,
}

impl<'a> Draws<'a> {
    /// Draws from `stream`.
    #[inline]
    pub fn new(stream: &'a mut Stream) -> Self {
        Self { stream, rest: None }
    }

    /// A uniform integer in `0..bound`, without bias. `bound` 0 counts as 1.
    #[inline]
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = bound.max(1) as u32;
        let mut product = u64::from(self.bits()) * u64::from(bound);
        // Lemire's method. The remainder is smaller than the bound, so most draws never need it.
        if (product as u32) < bound {
            let threshold = bound.wrapping_neg() % bound;
            while (product as u32) < threshold {
                product = u64::from(self.bits()) * u64::from(bound);
            }
        }
        (product >> 32) as usize
    }

    /// A uniform number in the open interval (0, 1).
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        self.stream.uniform()
    }

    /// Puts `items` in a uniformly random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    #[inline]
    fn bits(&mut self) -> u32 {
        if let Some(bits) = self.rest.take() {
            return bits;
        }
        let bits = self.stream.integer();
        self.rest = Some((bits >> 32) as u32);
        bits as u32
    }
}
