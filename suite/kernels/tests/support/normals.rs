//! Numbers for tests and benchmarks.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// `count` standard normal numbers (Box-Muller), the same for the same seed and purpose.
pub fn normals(count: usize, seed: u64, purpose: &str) -> Vec<f64> {
    let name = [&seed.to_le_bytes()[..], &(purpose.len() as u64).to_le_bytes(), purpose.as_bytes()].concat();
    let mut generator = ChaCha8Rng::from_seed(*blake3::hash(&name).as_bytes());
    let mut uniform = || ((generator.next_u64() >> 12) as f64 + 0.5) * 2f64.powi(-52);
    let mut normal = || {
        let radius = (-2.0 * uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * uniform()).cos()
    };
    (0..count).map(|_| normal()).collect()
}
