//! Rows reduced to triangular factors.

use rayon::prelude::*;

use super::columns::{Column, Columns, Scale};
use super::dropped::{Cause, Dropped};
use super::factor::{Factor, Solution};
use super::feature::{Feature, Range, Values};
use super::parts::Parts;
use crate::reason::Reason;

/// Rows of a block. With 60 columns it fills 250 kB, which a core's second cache holds.
const BLOCK: usize = 512;

/// The least-squares regression of a target on features, with an intercept, reduced to factors.
#[derive(Debug, Clone, PartialEq)]
pub struct Regression {
    columns: Vec<Column>,
    target: Scale,
    /// One factor and number of rows per part. Columns: the intercept, `columns`, the target.
    parts: Vec<(Factor, usize)>,
    /// The factor of all parts.
    whole: Factor,
    /// Indices of the columns that are used.
    active: Vec<usize>,
    dropped: Vec<Dropped>,
    /// How the clusters were divided.
    division: Parts,
}

impl Regression {
    /// Reads the rows. `clusters` has the id of each row's cluster, and `parts` knows all ids.
    ///
    /// Features that are constant or miss values are dropped. [`Reason::Empty`] without rows, [`Reason::Mismatched`] if
    /// lengths differ or a cluster is unknown, [`Reason::NotFinite`] if a value of the target is infinite or NaN,
    /// [`Reason::TooFew`] with one row, [`Reason::Constant`] if the target is constant, [`Reason::NoFeatures`] if no
    /// feature is left, [`Reason::TooMany`] beyond 1000 columns.
    pub fn of(features: &[Feature], target: Values, clusters: &[u64], parts: &Parts) -> Result<Self, Reason> {
        let rows = target.len();
        if clusters.len() != rows {
            return Err(Reason::Mismatched);
        }
        let range = Range::of(&target)?;
        match range {
            Range { missing: 1.., .. } => return Err(Reason::NotFinite),
            _ if rows < 2 => return Err(Reason::TooFew { needed: 2, found: rows }),
            range if range.is_constant() => return Err(Reason::Constant),
            _ => {}
        }
        let Columns { columns, sources, dropped } = Columns::of(features, rows)?;
        if columns.is_empty() {
            return Err(Reason::NoFeatures);
        }
        let scale = Scale::of(&range);
        let width = columns.len() + 2;
        let reduce = |rows: &Vec<u32>| {
            let mut factor = Factor::empty(width);
            for chunk in rows.chunks(BLOCK) {
                factor.append(chunk.len(), |block, stride| {
                    let mut start = width;
                    block[start..start + chunk.len()].fill(1.0);
                    for source in &sources {
                        start += stride;
                        source.write(chunk, block, stride, start);
                        start += (source.width() - 1) * stride;
                    }
                    start += stride;
                    for (place, &row) in block[start..].iter_mut().zip(chunk) {
                        *place = scale.apply(target.at(row as usize));
                    }
                });
            }
            (factor, rows.len())
        };
        let parts_of_rows = parts.rows(clusters)?;
        let parts_of_rows: Vec<(Factor, usize)> = parts_of_rows.par_iter().map(reduce).collect();
        let active = (0..columns.len()).collect();
        let whole = Factor::merged(width, parts_of_rows.iter().map(|(factor, _)| factor));
        let division = parts.clone();
        Ok(Regression { columns, target: scale, parts: parts_of_rows, whole, active, dropped, division })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.parts.iter().map(|(_, rows)| rows).sum()
    }

    /// Columns that are used.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.active.iter().map(|&column| &self.columns[column])
    }

    /// Features and columns that were left out so far. [`Regression::fit`] adds dependent columns.
    pub fn dropped(&self) -> &[Dropped] {
        &self.dropped
    }

    /// How the clusters were divided.
    pub fn division(&self) -> &Parts {
        &self.division
    }

    /// The same regression with the features that `keep` selects by name. [`Reason::NoFeatures`] if it selects none.
    pub fn select(&self, keep: impl Fn(&str) -> bool) -> Result<Self, Reason> {
        let names = self.features().into_iter().filter(|name| !keep(name));
        let dropped = names.map(|name| Dropped { name: name.to_owned(), cause: Cause::NotSelected }).collect();
        self.without_features(dropped)
    }

    /// The same regression without the rows of a part. Columns may become constant or dependent; every method allows
    /// for this.
    pub fn without_part(&self, part: usize) -> Self {
        let kept = self.parts.iter().enumerate().filter(|(own, _)| *own != part);
        let parts: Vec<(Factor, usize)> = kept.map(|(_, rows)| rows.clone()).collect();
        let whole = Factor::merged(self.whole.width(), parts.iter().map(|(factor, _)| factor));
        Regression { parts, whole, ..self.clone() }
    }

    /// Names of the features with at least one used column, in the order of features.
    pub(super) fn features(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.columns().map(|column| column.feature.as_str()).collect();
        names.dedup();
        names
    }

    /// Names of the groups with at least one used column, in the order of features.
    pub(super) fn groups(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for column in self.columns() {
            if !names.contains(&column.group.as_str()) {
                names.push(&column.group);
            }
        }
        names
    }

    /// Indices of the used columns that satisfy a condition.
    pub(super) fn columns_where(&self, holds: impl Fn(&Column) -> bool) -> Vec<usize> {
        self.active.iter().copied().filter(|&column| holds(&self.columns[column])).collect()
    }

    pub(super) fn column(&self, index: usize) -> &Column {
        &self.columns[index]
    }

    pub(super) fn target(&self) -> Scale {
        self.target
    }

    /// The same regression without these features. [`Reason::NoFeatures`] if none is left.
    pub(super) fn without_features(&self, dropped: Vec<Dropped>) -> Result<Self, Reason> {
        let active = self.columns_where(|column| dropped.iter().all(|gone| gone.name != column.feature));
        if active.is_empty() {
            return Err(Reason::NoFeatures);
        }
        let dropped = self.dropped.iter().cloned().chain(dropped).collect();
        Ok(Regression { active, dropped, ..self.clone() })
    }

    /// Factors and numbers of rows, one per part.
    pub(super) fn parts(&self) -> &[(Factor, usize)] {
        &self.parts
    }

    /// The factor of all rows.
    pub(super) fn whole(&self) -> &Factor {
        &self.whole
    }

    /// The fit to some columns.
    pub(super) fn solve(&self, columns: &[usize]) -> Result<Solution, Reason> {
        Solution::of(&self.whole.centred(), columns)
    }

    /// Share of the target's variance that some columns explain, from 0 to 1.
    pub(super) fn explained(&self, columns: &[usize]) -> Result<f64, Reason> {
        Ok(self.solve(columns)?.explained)
    }
}
