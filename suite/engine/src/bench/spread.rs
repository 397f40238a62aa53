//! Repeated timings of one piece of work.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::Result;

/// Quantiles of repeated timings, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Half of the repetitions took at most this.
    pub median_ms: f64,
    /// A quarter took at most this.
    pub lower_quartile_ms: f64,
    /// Three quarters took at most this.
    pub upper_quartile_ms: f64,
    /// The fastest.
    pub fastest_ms: f64,
    /// Number of repetitions.
    pub repetitions: usize,
}

impl Spread {
    /// Times `work` `repetitions` times, after one warm-up repetition.
    ///
    /// # Errors
    /// What `work` reports.
    pub fn of(repetitions: usize, mut work: impl FnMut() -> Result<()>) -> Result<Self> {
        work()?;
        let mut times = Vec::with_capacity(repetitions);
        for _ in 0..repetitions.max(1) {
            let started = Instant::now();
            work()?;
            times.push(started.elapsed());
        }
        Ok(Self::from_times(times))
    }

    /// Times two pieces of work alternately, `repetitions` times each, so that other load on the machine affects both.
    ///
    /// # Errors
    /// What `work` reports.
    pub fn of_both<W: Copy>(
        repetitions: usize,
        both: [W; 2],
        mut work: impl FnMut(W) -> Result<()>,
    ) -> Result<[Self; 2]> {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..repetitions.max(1) {
            for (times, which) in times.iter_mut().zip(both) {
                let started = Instant::now();
                work(which)?;
                times.push(started.elapsed());
            }
        }
        Ok(times.map(Self::from_times))
    }

    /// Quantiles of `times`, which must not be empty.
    fn from_times(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |share: f64| {
            let place = (share * (times.len().saturating_sub(1)) as f64).round() as usize;
            times.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
        };
        Self {
            median_ms: at(0.5),
            lower_quartile_ms: at(0.25),
            upper_quartile_ms: at(0.75),
            fastest_ms: at(0.0),
            repetitions: times.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_five_known_times() {
        let spread = Spread::from_times([5, 1, 4, 2, 3].map(Duration::from_millis).to_vec());
        assert_eq!((spread.fastest_ms, spread.median_ms, spread.upper_quartile_ms), (1.0, 3.0, 4.0));
        assert_eq!((spread.lower_quartile_ms, spread.repetitions), (2.0, 5));
    }
}
