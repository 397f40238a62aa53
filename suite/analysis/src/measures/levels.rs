//! Accuracy and mean depth per level of complexity.

use serde::{Deserialize, Serialize};

use crate::bootstrap::{Bootstrap, Draw, for_each_resample, interval_method, original, with_interval};
use crate::estimate::Estimate;
use crate::measures::observed::Observed;
use crate::ranks::Levels;
use crate::reason::Reason;
use crate::table::{Filter, Split, TokenTable};

/// The answer tokens of one level of complexity, over all seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// The complexity, in the task's units.
    pub level: f64,
    /// Number of answer tokens.
    pub count: usize,
    /// Share of them that are right.
    pub accuracy: Estimate,
    /// Their mean number of steps.
    pub depth: Estimate,
}

/// Accuracy and mean depth of answer tokens per distinct value of the named complexity, ascending, with intervals
/// over sequences or over seeds and sequences. A level that few sequences contain is missing from so many resamples
/// that it has no interval.
///
/// [`Reason::NotApplicable`] if a table lacks the complexity, [`Reason::Empty`] if no answer token of the split has
/// it, [`Reason::NotFinite`] if a value is infinite or NaN.
pub fn by_level(
    tables: &[TokenTable],
    complexity: &str,
    split: Option<Split>,
    bootstrap: Bootstrap,
) -> Result<Vec<Level>, Reason> {
    let seeds = Observed::of_all(tables, complexity, Filter { split, ..Filter::default() })?;
    let design = TokenTable::design(tables, split);
    let mut groups = group(&seeds)?;
    if interval_method(&design).is_ok() {
        for_each_resample(&design, bootstrap, |draws| groups.iter_mut().for_each(|group| group.resample(draws)));
    }
    let whole = original(&design);
    let level = |group: &Group| {
        let sums = group.sums(&whole);
        let count = sums.tokens as usize;
        let estimate = |point, replicates: &[Option<f64>]| {
            with_interval(Estimate::from_result(point, count), replicates, &design, bootstrap)
        };
        Level {
            level: group.level,
            count,
            accuracy: estimate(sums.accuracy(), &group.accuracies),
            depth: estimate(sums.mean_depth(), &group.depths),
        }
    };
    Ok(groups.iter().map(level).collect())
}

/// The tokens of one level.
struct Group {
    level: f64,
    /// Per seed, the clusters that have some, with what they contribute.
    seeds: Vec<Vec<(usize, Sums)>>,
    /// Replicates of the accuracy.
    accuracies: Vec<Option<f64>>,
    /// Replicates of the mean depth.
    depths: Vec<Option<f64>>,
}

/// Sums over tokens.
#[derive(Clone, Copy, Default)]
struct Sums {
    tokens: u64,
    correct: u64,
    depth: f64,
}

impl Sums {
    fn add(&mut self, other: Sums, times: u32) {
        self.tokens += other.tokens * u64::from(times);
        self.correct += other.correct * u64::from(times);
        self.depth += other.depth * f64::from(times);
    }

    fn accuracy(&self) -> Result<f64, Reason> {
        if self.tokens > 0 { Ok(self.correct as f64 / self.tokens as f64) } else { Err(Reason::Empty) }
    }

    fn mean_depth(&self) -> Result<f64, Reason> {
        if self.tokens > 0 { Ok(self.depth / self.tokens as f64) } else { Err(Reason::Empty) }
    }
}

impl Group {
    fn new(seeds: usize) -> Self {
        Group { level: 0.0, seeds: vec![Vec::new(); seeds], accuracies: Vec::new(), depths: Vec::new() }
    }

    fn resample(&mut self, draws: &[Draw]) {
        let sums = self.sums(draws);
        self.accuracies.push(sums.accuracy().ok());
        self.depths.push(sums.mean_depth().ok());
    }

    fn sums(&self, draws: &[Draw]) -> Sums {
        let mut total = Sums::default();
        for draw in draws {
            for &(cluster, sums) in self.seeds.get(draw.seed).into_iter().flatten() {
                total.add(sums, draw.weights.get(cluster).copied().unwrap_or(0));
            }
        }
        total
    }
}

/// One group per level, ascending. The clusters of a group come in the order of the rows, so that the sums do too.
fn group(seeds: &[Observed]) -> Result<Vec<Group>, Reason> {
    let values: Vec<f64> = seeds.iter().flat_map(|seed| &seed.complexity).copied().collect();
    let levels = Levels::of(&values)?;
    if levels.is_empty() {
        return Err(Reason::Empty);
    }
    let mut groups: Vec<Group> = (0..levels.count()).map(|_| Group::new(seeds.len())).collect();
    let mut codes = levels.codes().iter().zip(&values);
    for (s, seed) in seeds.iter().enumerate() {
        for ((row, &cluster), (&code, &value)) in seed.cluster.iter().enumerate().zip(codes.by_ref()) {
            let token = Sums { tokens: 1, correct: u64::from(seed.correct[row] == Some(true)), depth: seed.depth[row] };
            let group = &mut groups[code];
            group.level = value;
            match group.seeds[s].last_mut() {
                Some((last, sums)) if *last == cluster => sums.add(token, 1),
                _ => group.seeds[s].push((cluster, token)),
            }
        }
    }
    Ok(groups)
}
