//! What explains the target of a regression.

use crate::reason::Reason;

/// Values of a feature, one per row.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// Numbers. An infinite value or NaN counts as missing.
    Numeric(&'a [f64]),
    /// Numbers in the precision of `tokens.parquet`. An infinite value or NaN counts as missing.
    Single(&'a [f32]),
    /// Categories, named by numbers without order. Each category but the lowest has a column of zeros and ones.
    Categorical(&'a [u32]),
}

impl Values<'_> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Values::Numeric(values) => values.len(),
            Values::Single(values) => values.len(),
            Values::Categorical(values) => values.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Value of a row; a category is its number.
    pub(super) fn at(&self, row: usize) -> f64 {
        match self {
            Values::Numeric(values) => values[row],
            Values::Single(values) => f64::from(values[row]),
            Values::Categorical(values) => f64::from(values[row]),
        }
    }
}

/// A feature of a regression.
#[derive(Debug, Clone, Copy)]
pub struct Feature<'a> {
    /// Its name, which no other feature has.
    pub name: &'a str,
    /// The group that it belongs to, such as `static` or `state`. Groups compete for shares of the explained variance.
    pub group: &'a str,
    /// Its values.
    pub values: Values<'a>,
}

/// Range of the finite values, and the number of others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub low: f64,
    pub high: f64,
    pub missing: usize,
}

impl Range {
    /// [`Reason::Empty`] without values.
    pub fn of(values: &Values) -> Result<Self, Reason> {
        if values.is_empty() {
            return Err(Reason::Empty);
        }
        let mut range = Range { low: f64::INFINITY, high: f64::NEG_INFINITY, missing: 0 };
        for value in (0..values.len()).map(|row| values.at(row)) {
            if value.is_finite() {
                range.low = range.low.min(value);
                range.high = range.high.max(value);
            } else {
                range.missing += 1;
            }
        }
        Ok(range)
    }

    pub fn is_constant(&self) -> bool {
        self.low >= self.high
    }
}
