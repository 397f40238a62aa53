//! Columns of the design matrix.

use std::collections::BTreeSet;

use super::dropped::{Cause, Dropped};
use super::feature::{Feature, Range, Values};
use crate::reason::Reason;

/// Largest number of columns. A factor of 1000 columns takes 8 MB, and there may be 50 of them.
const MOST_COLUMNS: usize = 1000;

/// A column of the design matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Name of the feature, with the category if the feature is categorical: `size=4`.
    pub name: String,
    /// Name of the feature.
    pub feature: String,
    /// Group of the feature.
    pub group: String,
    /// The column holds (value - centre) / spread.
    pub(super) scale: Scale,
    /// Whether it is one of the columns of a categorical feature.
    pub(super) is_category: bool,
}

/// Maps values to [-1, 1], so that no square overflows and a large offset cancels before it is squared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub centre: f64,
    pub spread: f64,
}

impl Scale {
    const NONE: Scale = Scale { centre: 0.0, spread: 1.0 };

    pub fn of(range: &Range) -> Self {
        // Halved first: the difference of two finite numbers may overflow.
        Scale { centre: range.low / 2.0 + range.high / 2.0, spread: range.high / 2.0 - range.low / 2.0 }
    }

    pub fn apply(&self, value: f64) -> f64 {
        (value - self.centre) / self.spread
    }
}

/// Where the values of one or several adjacent columns come from.
#[derive(Debug, Clone)]
pub(super) enum Source<'a> {
    Number { values: Values<'a>, scale: Scale },
    Categories { codes: &'a [u32], levels: Vec<u32> },
}

impl Source<'_> {
    /// Number of columns.
    pub fn width(&self) -> usize {
        match self {
            Source::Number { .. } => 1,
            Source::Categories { levels, .. } => levels.len(),
        }
    }

    /// Writes the columns for some rows into a block. The first one starts at `start`, and columns are `stride` apart.
    pub fn write(&self, rows: &[u32], block: &mut [f64], stride: usize, start: usize) {
        match self {
            Source::Number { values, scale } => {
                for (target, &row) in block[start..].iter_mut().zip(rows) {
                    *target = scale.apply(values.at(row as usize));
                }
            }
            // The block is zero so far.
            Source::Categories { codes, levels } => {
                for (offset, &row) in rows.iter().enumerate() {
                    if let Ok(level) = levels.binary_search(&codes[row as usize]) {
                        block[start + level * stride + offset] = 1.0;
                    }
                }
            }
        }
    }
}

/// The columns of all usable features, in the order of features.
#[derive(Debug, Clone)]
pub(super) struct Columns<'a> {
    pub columns: Vec<Column>,
    pub sources: Vec<Source<'a>>,
    pub dropped: Vec<Dropped>,
}

impl<'a> Columns<'a> {
    /// Features that are constant, or that miss values, are dropped.
    pub fn of(features: &[Feature<'a>], rows: usize) -> Result<Self, Reason> {
        let mut all = Columns { columns: Vec::new(), sources: Vec::new(), dropped: Vec::new() };
        for feature in features {
            if feature.values.len() != rows {
                return Err(Reason::Mismatched);
            }
            let range = Range::of(&feature.values)?;
            let cause = match range {
                Range { missing: 1.., .. } => Some(Cause::Missing { rows: range.missing }),
                range if range.is_constant() => Some(Cause::Constant),
                _ => None,
            };
            if let Some(cause) = cause {
                all.dropped.push(Dropped { name: feature.name.to_owned(), cause });
                continue;
            }
            match feature.values {
                Values::Categorical(codes) => all.add_categories(feature, codes)?,
                values => all.add_number(feature, values, Scale::of(&range)),
            }
            if all.columns.len() > MOST_COLUMNS {
                return Err(Reason::TooMany { limit: MOST_COLUMNS, found: all.columns.len() });
            }
        }
        Ok(all)
    }

    fn add_number(&mut self, feature: &Feature<'a>, values: Values<'a>, scale: Scale) {
        self.add_column(feature, feature.name.to_owned(), scale, false);
        self.sources.push(Source::Number { values, scale });
    }

    fn add_categories(&mut self, feature: &Feature<'a>, codes: &'a [u32]) -> Result<(), Reason> {
        let mut found = BTreeSet::new();
        let mut last = None;
        for &code in codes {
            if last != Some(code) && found.insert(code) && found.len() > MOST_COLUMNS + 1 {
                return Err(Reason::TooMany { limit: MOST_COLUMNS, found: found.len() - 1 });
            }
            last = Some(code);
        }
        let levels: Vec<u32> = found.into_iter().skip(1).collect();
        for level in &levels {
            self.add_column(feature, format!("{}={level}", feature.name), Scale::NONE, true);
        }
        self.sources.push(Source::Categories { codes, levels });
        Ok(())
    }

    fn add_column(&mut self, feature: &Feature, name: String, scale: Scale, is_category: bool) {
        let (feature, group) = (feature.name.to_owned(), feature.group.to_owned());
        self.columns.push(Column { name, feature, group, scale, is_category });
    }
}
