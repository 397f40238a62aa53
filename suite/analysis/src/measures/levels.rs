//! Accuracy and mean depth per level of complexity and per size, and the increase of depth between levels.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::crossed::Crossed;
use crate::estimate::Estimate;
use crate::means::ClusterSum;
use crate::measures::observed::Depth;
use crate::ranks::Levels;
use crate::reason::Reason;
use crate::split::Split;
use crate::table::{Filter, TokenTable};

/// The answer tokens of one level of complexity, over all seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// The complexity, in the task's units.
    pub level: f64,
    /// Number of answer tokens.
    pub count: usize,
    /// Share of these tokens that are correct.
    pub accuracy: Estimate,
    /// Their mean number of steps.
    pub depth: Estimate,
}

/// Increase of depth from one level to the next.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Increment {
    /// The lower level.
    pub from: f64,
    /// The upper level.
    pub to: f64,
    /// Mean steps of answer tokens at the upper level minus mean steps at the lower one. `count` is the number of
    /// problems that have tokens at either.
    pub depth: Estimate,
}

/// The answer tokens of one size, over all seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Size {
    /// Size of the tokens' own problems.
    pub size: u32,
    /// Whether it was trained on.
    pub trained: bool,
    /// Number of answer tokens.
    pub count: usize,
    /// Share of these tokens that are correct.
    pub accuracy: Estimate,
    /// Their mean number of steps.
    pub depth: Estimate,
}

/// Accuracy and mean depth of answer tokens per distinct value of the named complexity, ascending. The units of a
/// level's intervals are the problems that have tokens at this level; with fewer than two there is no interval.
///
/// [`Reason::NotApplicable`] if a table lacks the complexity, [`Reason::Empty`] if no answer token of the split has it,
/// [`Reason::NotFinite`] if a value is infinite or NaN, [`Reason::MissingCells`] if the seeds were not evaluated on the
/// same instances.
pub fn by_level(tables: &[TokenTable], complexity: &str, split: Option<Split>) -> Result<Vec<Level>, Reason> {
    let level = |group: Group| Level {
        level: group.key,
        count: group.depth.count(),
        accuracy: group.accuracy.estimate(),
        depth: group.depth.estimate(),
    };
    Ok(of_levels(tables, complexity, split)?.into_iter().map(level).collect())
}

/// Increments of depth between adjacent levels of the named complexity, ascending, paired by seed and sequence. Each
/// interval holds on its own: without a correction for several intervals, one in twenty misses.
///
/// Errors as for [`by_level`]; a single level has no increments.
pub fn increments(tables: &[TokenTable], complexity: &str, split: Option<Split>) -> Result<Vec<Increment>, Reason> {
    let groups = of_levels(tables, complexity, split)?;
    let increment = |pair: &[Group]| {
        let (below, above) = (&pair[0].depth, &pair[1].depth);
        let mut units: Vec<u64> = below.units().iter().chain(above.units()).copied().collect();
        units.sort_unstable();
        units.dedup();
        let depth = match above.over(&units).minus(&below.over(&units)) {
            Ok(difference) => difference.estimate(),
            Err(reason) => Estimate::missing(reason, units.len()),
        };
        Increment { from: pair[0].key, to: pair[1].key, depth }
    };
    Ok(groups.windows(2).map(increment).collect())
}

/// The tokens that share a value of a feature, over all seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DepthAt {
    /// The value of the feature.
    pub value: f64,
    /// Number of tokens.
    pub count: usize,
    /// Their mean depth.
    pub depth: Estimate,
}

/// Mean `depth` of the selected tokens per distinct value of the named feature, ascending. Tokens without the feature or
/// without this depth are left out.
///
/// [`Reason::NotApplicable`] if a table lacks the feature, [`Reason::Empty`] if no token has both; otherwise as for
/// [`by_level`].
pub fn depth_by(tables: &[TokenTable], feature: &str, depth: Depth, filter: Filter) -> Result<Vec<DepthAt>, Reason> {
    let problems = TokenTable::common_problems(tables)?;
    let mut sums: BTreeMap<u32, Vec<Vec<ClusterSum>>> = BTreeMap::new();
    for (seed, table) in tables.iter().enumerate() {
        let values = table.columns().features.get(feature).ok_or(Reason::NotApplicable)?;
        for row in table.rows(filter) {
            let (Some(value), Some(depth)) = (values[row], depth.of(table.columns(), row)) else { continue };
            if !value.is_finite() {
                return Err(Reason::NotFinite);
            }
            let blank = || vec![vec![ClusterSum::default(); problems.len()]; tables.len()];
            sums.entry(ordered(value)).or_insert_with(blank)[seed][table.place(row)].add(depth);
        }
    }
    if sums.is_empty() {
        return Err(Reason::Empty);
    }
    let level = |(key, sums): (u32, Vec<Vec<ClusterSum>>)| {
        let table = Crossed::of_sums(&problems, &sums)?;
        Ok(DepthAt { value: f64::from(value_of(key)), count: table.count(), depth: table.estimate() })
    };
    sums.into_iter().map(level).collect()
}

/// A key that orders finite numbers as they are ordered; zeros of both signs share one.
fn ordered(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// The number of a key.
fn value_of(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & !(1 << 31) } else { !key })
}

/// Accuracy and mean depth of answer tokens per size of their own problem, ascending, over all splits.
///
/// [`Reason::Empty`] without answer tokens, [`Reason::MissingCells`] if the seeds were not evaluated on the same
/// instances.
pub fn by_size(tables: &[TokenTable]) -> Result<Vec<Size>, Reason> {
    let trained = |size: f64| {
        tables.iter().any(|table| {
            let columns = table.columns();
            let mut rows = columns.own_size.iter().zip(&columns.split);
            rows.any(|(own, split)| f64::from(*own) == size && matches!(split, Split::InRange | Split::Embedded))
        })
    };
    let keys = |table: &TokenTable| {
        let rows = table.rows(Filter::default());
        Ok(rows.into_iter().map(|row| (row, f64::from(table.columns().own_size[row]))).collect())
    };
    let size = |group: Group| Size {
        size: group.key as u32,
        trained: trained(group.key),
        count: group.depth.count(),
        accuracy: group.accuracy.estimate(),
        depth: group.depth.estimate(),
    };
    Ok(groups(tables, keys)?.into_iter().map(size).collect())
}

/// The tokens that share a value of a key.
struct Group {
    key: f64,
    accuracy: Crossed,
    depth: Crossed,
}

fn of_levels(tables: &[TokenTable], complexity: &str, split: Option<Split>) -> Result<Vec<Group>, Reason> {
    groups(tables, |table| {
        let values = table.columns().complexities.get(complexity).ok_or(Reason::NotApplicable)?;
        let rows = table.rows(Filter { split, ..Filter::default() });
        Ok(rows.into_iter().filter_map(|row| Some((row, f64::from(values[row]?)))).collect())
    })
}

/// One group per distinct key of the rows, ascending. `keys` gives the counted rows of a table with their keys.
fn groups(
    tables: &[TokenTable],
    keys: impl Fn(&TokenTable) -> Result<Vec<(usize, f64)>, Reason>,
) -> Result<Vec<Group>, Reason> {
    let problems = TokenTable::common_problems(tables)?;
    let rows = tables.iter().map(keys).collect::<Result<Vec<_>, _>>()?;
    let values: Vec<f64> = rows.iter().flatten().map(|(_, key)| *key).collect();
    let levels = Levels::of(&values)?;
    if levels.is_empty() {
        return Err(Reason::Empty);
    }
    let blank = vec![vec![ClusterSum::default(); problems.len()]; tables.len()];
    let mut sums = vec![(0.0, blank.clone(), blank); levels.count()];
    let mut codes = levels.codes().iter();
    for ((seed, table), rows) in tables.iter().enumerate().zip(&rows) {
        for (&(row, key), &code) in rows.iter().zip(codes.by_ref()) {
            let (own, right, depth) = &mut sums[code];
            *own = key;
            right[seed][table.place(row)].add(f64::from(u8::from(table.columns().correct[row] == Some(true))));
            depth[seed][table.place(row)].add(f64::from(table.columns().depth[row]));
        }
    }
    let group = |(key, right, depth): (f64, Vec<Vec<ClusterSum>>, Vec<Vec<ClusterSum>>)| {
        let accuracy = Crossed::of_sums(&problems, &right)?.within(0.0, 1.0);
        Ok(Group { key, accuracy, depth: Crossed::of_sums(&problems, &depth)? })
    };
    sums.into_iter().map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::{ordered, value_of};

    #[test]
    fn keys_have_the_order_of_numbers() {
        let values = [f32::MIN, -2.5, -1.0, -1e-40, 0.0, 1e-40, 0.5, 1.0, 7.0, f32::MAX];
        assert!(values.windows(2).all(|pair| ordered(pair[0]) < ordered(pair[1])));
        assert!(values.iter().all(|value| value_of(ordered(*value)) == *value));
        assert_eq!(ordered(-0.0), ordered(0.0));
    }
}
