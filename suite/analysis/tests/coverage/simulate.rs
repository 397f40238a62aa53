//! Synthetic tables of seeds by sequences.

use haltbench_analysis::Crossed;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// Number of sequences in every table.
pub const SEQUENCES: usize = 60;

/// Normal and uniform deviates of a fixed stream.
pub struct Chance(ChaCha8Rng);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Chance(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Uniform in (0, 1).
    pub fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Standard normal (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    pub fn normals(&mut self, number: usize) -> Vec<f64> {
        (0..number).map(|_| self.normal()).collect()
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.uniform() * n as f64) as usize
    }
}

/// y = centre + seed + sequence + rest. Sequence and rest have variance one, and the variance of seeds is `ratio` times
/// the variance of one seed's mean from sequences and rest, 2 / [`SEQUENCES`].
pub fn table(chance: &mut Chance, seeds: usize, ratio: f64, centre: f64) -> Vec<Vec<f64>> {
    let of_sequences = chance.normals(SEQUENCES);
    let deviation = (ratio * 2.0 / SEQUENCES as f64).sqrt();
    (0..seeds)
        .map(|_| {
            let own = centre + deviation * chance.normal();
            of_sequences.iter().map(|effect| own + effect + chance.normal()).collect()
        })
        .collect()
}

/// Converts to a table of the crate.
pub fn crossed(values: Vec<Vec<f64>>) -> Crossed {
    let (units, cells) = (values[0].len(), values.len() * values[0].len());
    Crossed::of_values((0..units as u64).collect(), values, cells, units).unwrap()
}

/// Share of trials in which something holds.
pub fn share(trials: usize, mut holds: impl FnMut() -> bool) -> f64 {
    (0..trials).filter(|_| holds()).count() as f64 / trials as f64
}
