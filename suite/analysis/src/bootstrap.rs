//! The cluster bootstrap: resampling of sequences, or of seeds and sequences.
//!
//! Seeds are evaluated on the same sequences, so the two are crossed: a sequence that is hard for one seed is hard for
//! all, and its effect does not average out over them. One resample therefore draws as many seeds as there are, with
//! replacement (with one seed, nothing is drawn), and as many sequences as there are, with replacement, **once**: a
//! sequence has the same weight in every drawn seed. This is the pigeonhole bootstrap of Owen, The pigeonhole
//! bootstrap, Annals of Applied Statistics 1 (2007) 386-411. It holds for designs with gaps too: sequences that only
//! some of the seeds have are drawn among all, and count where they occur.
//!
//! Only the [`Design`] enters the draws. Two data sets of one design, such as two policies evaluated on the same
//! sequences with the same seeds, therefore get the same resamples from the same [`Bootstrap`], which makes every
//! comparison of replicate r with replicate r a paired one.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::design::Design;
use crate::estimate::{Estimate, IntervalMethod};
use crate::reason::Reason;

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// How many resamples to draw; 0 asks for values without intervals.
    pub resamples: usize,
    /// Key of the random stream. Resample r is a function of this seed, of r and of the design of the data only.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// 1000 resamples, seed 0.
    fn default() -> Self {
        Bootstrap { resamples: 1000, seed: 0 }
    }
}

/// One drawn seed of a resample, with how often each of its clusters was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// Index of the seed.
    pub seed: usize,
    /// How often each cluster of that seed was drawn: as often as its sequence, in every seed that has it.
    pub weights: Vec<u32>,
}

/// The data itself as a resample: every seed once, every cluster once.
pub fn original(design: &Design) -> Vec<Draw> {
    (0..design.seeds()).map(|seed| Draw { seed, weights: vec![1; design.places(seed).len()] }).collect()
}

/// Calls `visit` with every resample of data of a design, in order.
///
/// Resample r reads the ChaCha8 stream r of the key that `seed_from_u64` makes of the seed: the seeds first, then the
/// sequences. An index below n is drawn from 64 bits by Lemire's multiplication with rejection, so that it is exactly
/// uniform.
pub fn for_each_resample(design: &Design, bootstrap: Bootstrap, mut visit: impl FnMut(&[Draw])) {
    let key = ChaCha8Rng::seed_from_u64(bootstrap.seed);
    let (seeds, sequences) = (design.seeds(), design.sequences());
    let mut draws = original(design);
    let mut weights = vec![0; sequences];
    for resample in 0..bootstrap.resamples {
        let mut rng = key.clone();
        rng.set_stream(resample as u64);
        if seeds > 1 {
            draws.iter_mut().for_each(|draw| draw.seed = index_below(&mut rng, seeds));
        }
        weights.fill(0);
        for _ in 0..sequences {
            if let Some(weight) = weights.get_mut(index_below(&mut rng, sequences)) {
                *weight += 1;
            }
        }
        for draw in &mut draws {
            draw.weights.clear();
            draw.weights.extend(design.places(draw.seed).iter().filter_map(|&place| weights.get(place)));
        }
        visit(&draws);
    }
}

/// A uniform index below `n` (Lemire 2019, "Fast random integer generation in an interval"); 0 if `n` is 0.
fn index_below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    let n = n as u64;
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(n);
        let (high, low) = ((product >> 64) as u64, product as u64);
        if low >= n || low >= n.wrapping_neg().checked_rem(n).unwrap_or(0) {
            return high as usize;
        }
    }
}

/// What an interval over data of this design accounts for, or why there can be none: a seed with fewer than two
/// clusters would give an interval that is too narrow ([`Reason::TooFew`]); no seed, [`Reason::Empty`].
pub fn interval_method(design: &Design) -> Result<IntervalMethod, Reason> {
    match (design.seeds(), design.shape().iter().min()) {
        (_, None) => Err(Reason::Empty),
        (_, Some(&found)) if found < 2 => Err(Reason::TooFew { needed: 2, found }),
        (1, _) => Ok(IntervalMethod::BootstrapSequences),
        _ => Ok(IntervalMethod::BootstrapSeedsAndSequences),
    }
}

/// Estimate of a statistic of (seed, cluster) multisets, with its bootstrap interval.
///
/// The value is the statistic of the [`original`] data; `count` is the number of clusters. The statistic may fail in some resamples; see
/// [`percentile_interval`](crate::interval::percentile_interval) for what that does to the interval.
pub fn cluster_bootstrap(
    design: &Design,
    bootstrap: Bootstrap,
    mut statistic: impl FnMut(&[Draw]) -> Result<f64, Reason>,
) -> Estimate {
    let point = statistic(&original(design));
    let mut replicates = Vec::with_capacity(bootstrap.resamples);
    if point.is_ok() && interval_method(design).is_ok() {
        for_each_resample(design, bootstrap, |draws| replicates.push(statistic(draws).ok()));
    }
    let estimate = Estimate::from_result(point, design.clusters());
    with_interval(estimate, &replicates, design, bootstrap)
}

/// The estimate with the interval of its replicates, or with the reason why data of this design have none.
pub(crate) fn with_interval(
    estimate: Estimate,
    replicates: &[Option<f64>],
    design: &Design,
    bootstrap: Bootstrap,
) -> Estimate {
    match interval_method(design) {
        _ if bootstrap.resamples == 0 => estimate,
        Ok(method) => estimate.with_replicates(replicates, method),
        Err(reason) => estimate.without_interval(reason),
    }
}

/// Mean over the drawn seeds of a statistic of one seed's cluster weights, every draw counting the same.
///
/// It is undefined as soon as it is undefined for one of them: leaving that seed out would be a silent skip.
pub fn mean_over_draws(
    draws: &[Draw],
    mut statistic: impl FnMut(usize, &[u32]) -> Result<f64, Reason>,
) -> Result<f64, Reason> {
    let mut sum = 0.0;
    for draw in draws {
        sum += statistic(draw.seed, &draw.weights)?;
    }
    if draws.is_empty() { Err(Reason::Empty) } else { Ok(sum / draws.len() as f64) }
}
