//! Random words: sequences of elements, by number.

use haltbench_sdk::random::Draws;

/// Number of elements that name a word's problem. Two elements of a group of order 60 start 3600 words.
pub const START: usize = 2;

/// A word.
pub struct Word {
    /// The elements.
    pub elements: Vec<usize>,
    /// For every place the number of elements up to and with it, without identities that only pad the word.
    pub counts: Vec<u32>,
}

impl Word {
    /// Draws `size` elements out of `order`, all equally likely. With a length, the elements differ from the identity
    /// and stand at random places, all equally likely, among identities that fill up the word.
    pub fn draw(size: usize, length: Option<usize>, order: usize, draws: &mut Draws) -> Self {
        let places = length.unwrap_or(size);
        let mut word = Self { elements: Vec::with_capacity(places), counts: Vec::with_capacity(places) };
        let mut count = 0;
        for place in 0..places {
            let element = match length {
                None => draws.below(order),
                Some(length) if draws.below(length - place) < size - count => 1 + draws.below(order - 1),
                Some(_) => 0,
            };
            count += usize::from(length.is_none() || element != 0);
            word.elements.push(element);
            word.counts.push(count as u32);
        }
        word
    }

    /// Number of places up to and with the last element that names the problem.
    pub fn start(&self) -> usize {
        self.counts.partition_point(|count| *count < START as u32) + 1
    }
}
