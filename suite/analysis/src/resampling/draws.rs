//! Random numbers of a seed.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// What random numbers are for. Each purpose has its own stream, so that two methods with one seed are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Resamples of the bootstrap.
    Bootstrap,
    /// Signs of a paired permutation test.
    SignFlip,
    /// Permutations within strata.
    Permutation,
}

/// A stream of random numbers: ChaCha with 8 rounds, which is the same on every machine and in every release.
#[derive(Debug, Clone)]
pub struct Draws(ChaCha8Rng);

impl Draws {
    /// The stream of a seed for a purpose.
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        stream.set_stream(match purpose {
            Purpose::Bootstrap => 1,
            Purpose::SignFlip => 2,
            Purpose::Permutation => 3,
        });
        Draws(stream)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `end`, all equally likely (Lemire, ACM Transactions on Modeling and Computer Simulation 29 (2019)
    /// 3:1-3:12); 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = end as u64;
        let mut product = u128::from(self.bits()) * u128::from(end);
        if (product as u64) < end {
            let least = end.wrapping_neg() % end.max(1);
            while (product as u64) < least {
                product = u128::from(self.bits()) * u128::from(end);
            }
        }
        (product >> 64) as usize
    }

    /// Puts the items in random order, all orders equally likely (Fisher and Yates; Durstenfeld 1964).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for place in (1..items.len()).rev() {
            items.swap(place, self.below(place + 1));
        }
    }
}
