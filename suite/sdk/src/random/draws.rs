//! Bounded draws from 32 bits each: a stream gives 64 at a time, and a division is rarely needed.

use super::Stream;

/// Small uniform integers from a stream.
pub struct Draws<'a> {
    stream: &'a mut Stream,
    /// The unused upper half of 64 bits that were begun before the last uniform number.
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
        // Lemire's method. The remainder is smaller than the bound, so most draws do not need it.
        if (product as u32) < bound {
            let threshold = bound.wrapping_neg() % bound;
            while (product as u32) < threshold {
                product = u64::from(self.bits()) * u64::from(bound);
            }
        }
        (product >> 32) as usize
    }

    /// A uniform number in the open interval (0, 1), from 64 bits of its own.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        if self.stream.is_begun() {
            self.rest = Some(self.stream.half());
        }
        self.stream.uniform()
    }

    /// Shuffles `items` uniformly.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    #[inline]
    fn bits(&mut self) -> u32 {
        match self.rest.take() {
            Some(rest) => rest,
            None => self.stream.half(),
        }
    }
}

impl Drop for Draws<'_> {
    /// Leaves the stream at a multiple of 64 bits.
    fn drop(&mut self) {
        if self.stream.is_begun() {
            self.stream.half();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Draws, Stream};

    /// Every 64 bits of a stream are used in halves, the lower one first; a uniform number takes 64 bits at once.
    #[test]
    fn halves_are_used_in_order() {
        let mut whole = Stream::new(1, "halves", &[]);
        let [first, second, third, fourth] = [(); 4].map(|()| whole.integer());
        let mut halved = Stream::new(1, "halves", &[]);
        let mut draws = Draws::new(&mut halved);
        assert_eq!(draws.bits(), first as u32);
        // Taken from the second 64 bits, although half of the first is unused.
        assert_eq!(draws.uniform(), ((second >> 12) as f64 + 0.5) * 2f64.powi(-52));
        assert_eq!([draws.bits(), draws.bits()], [(first >> 32) as u32, third as u32]);
        drop(draws);
        assert_eq!(halved.integer(), fourth);
    }
}
