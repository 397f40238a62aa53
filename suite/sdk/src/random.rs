//! Seeded streams: every random draw of the suite comes from a ChaCha stream keyed by (seed, purpose, index).
//!
//! The key says what the draw is for, so a draw never depends on the order of computation, on the batch around a token,
//! or on the number of threads.

mod draws;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::host::Host;

pub use draws::Draws;

/// What a stream of problems is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemStream {
    /// Drawing an instance.
    Instance,
    /// Choosing the sizes of training instances.
    TrainingSize,
}

impl ProblemStream {
    const ALL: [Self; 2] = [Self::Instance, Self::TrainingSize];

    fn purpose(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::TrainingSize => "training-size",
        }
    }
}

/// One stream of random numbers.
pub struct Stream {
    generator: ChaCha8Rng,
    /// Whether the lower half of the current 64 bits has been used.
    is_begun: bool,
}

impl Stream {
    /// The stream of `purpose` at `index` under `seed`. Equal keys give equal streams, in every version.
    ///
    /// The key is the blake3 hash of all three: an index has up to four numbers, more than ChaCha's stream number can
    /// hold. No such stream is one that problems are drawn from, whatever its purpose.
    pub fn new(seed: u64, purpose: &str, index: &[u64]) -> Self {
        match ProblemStream::ALL.iter().find(|problems| problems.purpose() == purpose) {
            Some(problems) => Self::keyed(seed, &format!("{} of a plugin", problems.purpose()), index),
            None => Self::keyed(seed, purpose, index),
        }
    }

    /// The stream that the program draws problems from: a task is handed one, and a policy that had it would know the
    /// labels.
    pub fn of_problems(_: &Host, seed: u64, purpose: ProblemStream, index: &[u64]) -> Self {
        Self::keyed(seed, purpose.purpose(), index)
    }

    fn keyed(seed: u64, purpose: &str, index: &[u64]) -> Self {
        Self { generator: ChaCha8Rng::from_seed(key(seed, purpose, index)), is_begun: false }
    }

    /// A uniform 64-bit integer. [`Draws`] always consumes both halves.
    #[inline]
    pub fn integer(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// The next half of 64 bits: the lower one, or the upper one if the lower one [has been used](Self::is_begun).
    #[inline]
    fn half(&mut self) -> u32 {
        self.is_begun = !self.is_begun;
        self.generator.next_u32()
    }

    /// Whether the lower half of the current 64 bits has been used.
    #[inline]
    fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// A uniform integer in `0..bound`, without bias. `bound` 0 counts as 1.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        let bound = bound.max(1);
        // Lemire's method: reject draws that would make some results more likely. The remainder is smaller than the
        // bound, so most draws do not need it.
        let product = u128::from(self.integer()) * u128::from(bound);
        let product = if (product as u64) < bound { self.fair(product, bound) } else { product };
        (product >> 64) as u64
    }

    /// `product`, a draw times `bound`, or the product of the first later draw that is not rejected.
    #[cold]
    #[inline(never)]
    fn fair(&mut self, mut product: u128, bound: u64) -> u128 {
        let threshold = bound.wrapping_neg() % bound;
        while (product as u64) < threshold {
            product = u128::from(self.integer()) * u128::from(bound);
        }
        product
    }

    /// A uniform element of `items`, which must not be empty.
    pub fn choose<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// A uniform number in the open interval (0, 1).
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        ((self.integer() >> 12) as f64 + 0.5) * 2f64.powi(-52)
    }

    /// A standard normal number (Box-Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// A standard Gumbel number, -ln(-ln u).
    pub fn gumbel(&mut self) -> f64 {
        -(-self.uniform().ln()).ln()
    }

    /// Shuffles `items` uniformly (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

/// The hash of a key: the seed, the length of the purpose, the purpose and the numbers of the index.
fn key(seed: u64, purpose: &str, index: &[u64]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(&(purpose.len() as u64).to_le_bytes()).update(purpose.as_bytes());
    index.iter().for_each(|number| {
        hasher.update(&number.to_le_bytes());
    });
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::{ProblemStream, Stream};

    /// From ChaCha with eight rounds in Python, written from its specification, with keys hashed by the Python package
    /// blake3. Instances and weights depend on these numbers, so they must never change.
    #[test]
    fn numbers_are_those_of_the_specification() {
        let first = |seed, purpose, index: &[u64]| Stream::new(seed, purpose, index).integer();
        assert_eq!(first(3, "a", &[5]), 0xb403_1076_6f1e_8235);
        assert_eq!(first(1, "halting", &[]), 0xedb9_d761_ff1c_8d07);
        let mut instance = Stream::keyed(0, "instance", &[4, 0, 0]);
        assert_eq!(instance.integer(), 0x6758_3172_bb5d_87a7);
        // The first number of the fifth block of 64 bytes.
        for _ in 1..32 {
            instance.integer();
        }
        assert_eq!(instance.integer(), 0x108c_6092_6ef1_6acc);
    }

    #[test]
    fn a_plugin_cannot_open_a_stream_of_problems() {
        for (purpose, problems) in
            [("instance", ProblemStream::Instance), ("training-size", ProblemStream::TrainingSize)]
        {
            assert_eq!(problems.purpose(), purpose);
            let of_a_plugin = Stream::new(7, purpose, &[1, 2]).integer();
            assert_ne!(of_a_plugin, Stream::keyed(7, purpose, &[1, 2]).integer());
        }
    }

    #[test]
    fn a_key_names_one_stream() {
        let draw = |seed, purpose, index: &[u64]| Stream::new(seed, purpose, index).integer();
        assert_eq!(draw(1, "a", &[2]), draw(1, "a", &[2]));
        let others = [draw(2, "a", &[2]), draw(1, "b", &[2]), draw(1, "a", &[3]), draw(1, "a", &[2, 0])];
        assert!(others.iter().all(|other| *other != draw(1, "a", &[2])));
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut stream = Stream::new(7, "moments", &[]);
        let count = 200_000;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let uniform: Vec<f64> = (0..count).map(|_| stream.uniform()).collect();
        let normal: Vec<f64> = (0..count).map(|_| stream.normal()).collect();
        let gumbel: Vec<f64> = (0..count).map(|_| stream.gumbel()).collect();
        let below: Vec<f64> = (0..count).map(|_| stream.below(7) as f64).collect();
        assert!((mean(&uniform) - 0.5).abs() < 0.004);
        assert!(mean(&normal).abs() < 0.01);
        assert!((mean(&normal.iter().map(|x| x * x).collect::<Vec<_>>()) - 1.0).abs() < 0.02);
        assert!((mean(&gumbel) - 0.577_215_664_9).abs() < 0.015);
        assert!((mean(&below) - 3.0).abs() < 0.02);
    }
}
