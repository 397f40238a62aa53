//! Which sequences every seed was evaluated on.

use std::collections::BTreeSet;

/// The design of an evaluation: the sequences of every seed, each known among all of them.
///
/// Seeds that were evaluated on the same sequences are *crossed* with them: what is hard about a sequence is shared by
/// all seeds and does not average out over them. Sequences that only some seeds have are allowed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Design {
    /// Per seed, the place of each of its clusters among all sequences.
    places: Vec<Vec<usize>>,
    /// Number of distinct sequences.
    sequences: usize,
}

impl Design {
    /// From the sequences of every seed, in the order of its clusters. Equal numbers are one sequence.
    pub fn of(instances: &[Vec<u64>]) -> Self {
        let distinct: BTreeSet<u64> = instances.iter().flatten().copied().collect();
        let distinct: Vec<u64> = distinct.into_iter().collect();
        let places = |seed: &Vec<u64>| seed.iter().filter_map(|number| distinct.binary_search(number).ok()).collect();
        Design { places: instances.iter().map(places).collect(), sequences: distinct.len() }
    }

    /// Every seed was evaluated on the same `sequences`, in the same order.
    pub fn crossed(seeds: usize, sequences: usize) -> Self {
        Design { places: vec![(0..sequences).collect(); seeds], sequences }
    }

    /// Number of seeds.
    pub fn seeds(&self) -> usize {
        self.places.len()
    }

    /// Number of distinct sequences.
    pub fn sequences(&self) -> usize {
        self.sequences
    }

    /// How many clusters every seed has.
    pub fn shape(&self) -> Vec<usize> {
        self.places.iter().map(Vec::len).collect()
    }

    /// Number of clusters over all seeds.
    pub fn clusters(&self) -> usize {
        self.places.iter().map(Vec::len).sum()
    }

    /// The place of each cluster of a seed among all sequences; empty for a seed that does not exist.
    pub fn places(&self, seed: usize) -> &[usize] {
        self.places.get(seed).map_or(&[], Vec::as_slice)
    }
}
