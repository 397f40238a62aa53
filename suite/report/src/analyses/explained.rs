//! Depth as the target of regressions on the features of tokens.

use haltbench_analysis::measures::Depth;
use haltbench_analysis::regression::{Feature, Parts, Regression, Values};
use haltbench_analysis::{Filter, Population, Reason, Split, TokenTable, Tokens};

use crate::evidence::Evidence;

/// The group of the size as categories.
pub(super) const SIZE: &str = "size";
/// The group of features that can be counted from the prompt or the position.
pub(super) const STATIC: &str = "static";
/// The group of features that need the algorithm to be run.
pub(super) const STATE: &str = "state";

/// A feature must be defined for this share of the answers that have the headline complexity; answers without it are left
/// out.
const DEFINED: f64 = 0.75;

/// The depth that is explained: the expected one if the policy has a distribution, else its steps.
pub(super) fn target(row: &Evidence) -> Depth {
    if row.has_depth(Depth::Expected) { Depth::Expected } else { Depth::Steps }
}

/// The answer tokens of one seed, or of several.
#[derive(Default)]
struct Seed {
    target: Vec<f64>,
    /// One column for each feature, in the order of [`Explained::features`].
    values: Vec<Vec<f32>>,
    sizes: Vec<u32>,
    problems: Vec<u64>,
}

/// Depths and features of a policy's answer tokens at trained sizes that have the headline complexity: ends of answers and
/// other formalities have none.
pub(super) struct Explained {
    /// Names of the features with their groups.
    features: Vec<(String, &'static str)>,
    /// Features that too few answers have.
    pub undefined: Vec<String>,
    seeds: Vec<Seed>,
    parts: Parts,
}

impl Explained {
    /// [`Reason::Empty`] without answers, [`Reason::NoFeatures`] without features.
    pub fn of(row: &Evidence, target: Depth, population: Population) -> Result<Self, Reason> {
        let filter = Filter { split: Some(Split::InRange), tokens: Tokens::Answer, population };
        let headline = row.results.first().map(|result| result.headline.as_str()).unwrap_or_default();
        let rows: Vec<Vec<usize>> = row.tables.iter().map(|table| with_headline(table, headline, filter)).collect();
        let total: usize = rows.iter().map(Vec::len).sum();
        if total == 0 {
            return Err(Reason::Empty);
        }
        let kinds = row.results.first().map(|result| result.static_features.clone()).unwrap_or_default();
        let first = row.tables.first().ok_or(Reason::Empty)?;
        let (mut features, mut undefined) = (Vec::new(), Vec::new());
        for name in first.columns().features.keys().filter(|name| name.as_str() != SIZE) {
            let defined: usize = row.tables.iter().zip(&rows).map(|(table, rows)| defined(table, name, rows)).sum();
            if (defined as f64) < DEFINED * total as f64 {
                undefined.push(name.clone());
            } else {
                features.push((name.clone(), if kinds.contains(name) { STATIC } else { STATE }));
            }
        }
        if features.is_empty() {
            return Err(Reason::NoFeatures);
        }
        let seeds = row.tables.iter().zip(&rows).map(|(table, rows)| seed(table, rows, &features, target));
        let seeds: Vec<Seed> = seeds.collect();
        let parts = Parts::of(TokenTable::common_problems(&row.tables)?)?;
        Ok(Self { features, undefined, seeds, parts })
    }

    /// Number of answers, over all seeds.
    pub fn rows(&self) -> usize {
        self.seeds.iter().map(|seed| seed.target.len()).sum()
    }

    /// Group of a feature.
    pub fn kind(&self, feature: &str) -> &'static str {
        self.features.iter().find(|(name, _)| name == feature).map_or(SIZE, |(_, group)| group)
    }

    /// One regression for each seed, on the features that `keep` selects, and on the size as categories if `by_size`.
    pub fn regressions(&self, keep: impl Fn(&str) -> bool, by_size: bool) -> Result<Vec<Regression>, Reason> {
        self.seeds.iter().map(|seed| self.regression(seed, &keep, by_size)).collect()
    }

    /// One regression of all seeds, on the same.
    pub fn pooled(&self, keep: impl Fn(&str) -> bool, by_size: bool) -> Result<Regression, Reason> {
        let mut all = Seed { values: vec![Vec::new(); self.features.len()], ..Seed::default() };
        for seed in &self.seeds {
            all.target.extend(&seed.target);
            all.sizes.extend(&seed.sizes);
            all.problems.extend(&seed.problems);
            all.values.iter_mut().zip(&seed.values).for_each(|(all, values)| all.extend(values));
        }
        self.regression(&all, &keep, by_size)
    }

    fn regression(&self, seed: &Seed, keep: &impl Fn(&str) -> bool, by_size: bool) -> Result<Regression, Reason> {
        let mut features: Vec<Feature> = (self.features.iter().zip(&seed.values))
            .filter(|((name, _), _)| keep(name))
            .map(|((name, group), values)| Feature { name, group, values: Values::Single(values) })
            .collect();
        if by_size {
            features.push(Feature { name: SIZE, group: SIZE, values: Values::Categorical(&seed.sizes) });
        }
        Regression::of(&features, Values::Numeric(&seed.target), &seed.problems, &self.parts)
    }
}

/// The selected rows that have the headline complexity.
fn with_headline(table: &TokenTable, headline: &str, filter: Filter) -> Vec<usize> {
    let values = table.columns().complexities.get(headline);
    table.rows(filter).into_iter().filter(|row| values.is_none_or(|values| values[*row].is_some())).collect()
}

/// The number of `rows` for which the feature is defined.
fn defined(table: &TokenTable, name: &str, rows: &[usize]) -> usize {
    let Some(values) = table.columns().features.get(name) else { return 0 };
    rows.iter().filter(|row| values[**row].is_some()).count()
}

/// The answers of one seed that have all features and the target.
fn seed(table: &TokenTable, rows: &[usize], features: &[(String, &'static str)], target: Depth) -> Seed {
    let columns = table.columns();
    let mut seed = Seed { values: vec![Vec::new(); features.len()], ..Seed::default() };
    for &row in rows {
        let value = |(name, _): &(String, &str)| columns.features.get(name).and_then(|values| values[row]);
        let own: Option<Vec<f32>> = features.iter().map(value).collect();
        let (Some(own), Some(depth)) = (own, target.of(columns, row)) else { continue };
        seed.values.iter_mut().zip(own).for_each(|(values, value)| values.push(value));
        seed.target.push(depth);
        seed.sizes.push(columns.size[row]);
        seed.problems.push(columns.problem[row]);
    }
    seed
}
