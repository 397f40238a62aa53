//! Draws of expressions of a size, which is their height or their dependency depth.

use haltbench_sdk::random::Stream;
use haltbench_sdk::{Error, Result};

use crate::alphabet::Operators;
use crate::law::{Law, pick, total};
use crate::tree::Tree;

/// Expressions drawn for a dependency depth before it counts as impossible.
const ATTEMPTS: u32 = 20_000;

/// What the size of an expression is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Its height.
    Height,
    /// Its dependency depth.
    DependencyDepth,
}

/// The law of expressions, by size.
#[derive(Debug, Clone)]
pub struct Sampler {
    /// The operators in use.
    pub operators: Operators,
    /// What sizes are.
    pub measure: Measure,
    /// Fewest and most tokens of an expression.
    lengths: [usize; 2],
    law: Law,
    /// Heights, from 0 to the largest, with the probability that an expression has them and one of these lengths.
    heights: Vec<(usize, f64)>,
}

impl Sampler {
    /// Expressions of these lengths, from the first to the second number of tokens, and of heights up to that of the law.
    pub fn new(law: Law, lengths: [usize; 2], operators: Operators, measure: Measure) -> Self {
        let [shortest, longest] = lengths;
        let probability = |height| (shortest..=longest).map(|tokens| law.probability(height, tokens)).sum();
        let heights = (0..=law.largest()).map(|height| (height, probability(height))).collect();
        Self { operators, measure, lengths, law, heights }
    }

    /// Probability that an expression has this height and one of the lengths; 0 if it is too small for exact draws.
    pub fn probability(&self, height: usize) -> f64 {
        self.heights
            .get(height)
            .map_or(0.0, |(_, probability)| if probability.is_normal() { *probability } else { 0.0 })
    }

    /// Draws an expression of a size. One of a dependency depth is the first of that depth among expressions of all
    /// heights that are large enough.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the task `owner` if hardly any expression has this dependency depth.
    pub fn draw(&self, owner: &str, size: u32, stream: &mut Stream) -> Result<Tree> {
        let size = size as usize;
        if self.measure == Measure::Height {
            return Ok(Tree::grow(size, self.lengths, &self.law, &self.operators, stream));
        }
        let heights = || self.heights.iter().skip(size).copied();
        let all = total(heights());
        for _ in 0..ATTEMPTS {
            let height = pick(stream, all, heights()).unwrap_or(size);
            let tree = Tree::grow(height, self.lengths, &self.law, &self.operators, stream);
            if usize::from(tree.root().dependency) == size {
                return Ok(tree);
            }
        }
        let expected = format!("a dependency depth that one in {ATTEMPTS} expressions of these parameters has");
        Err(Error::invalid(format!("size of {owner}"), expected, size))
    }
}
