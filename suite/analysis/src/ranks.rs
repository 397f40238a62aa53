//! Ranks with ties.

use crate::reason::Reason;

/// Values replaced by the index of their level: equal values have the same index, and a larger value has a larger one.
///
/// Everything that depends on order alone can be computed from levels, for any subset of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    codes: Vec<usize>,
    count: usize,
}

impl Levels {
    /// Levels of the values, in their order. [`Reason::NotFinite`] if one is infinite or NaN; 0 and -0 are equal.
    pub fn of(values: &[f64]) -> Result<Self, Reason> {
        if values.iter().any(|x| !x.is_finite()) {
            return Err(Reason::NotFinite);
        }
        let mut order: Vec<(f64, usize)> = values.iter().copied().zip(0..).collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut codes = vec![0; values.len()];
        let mut count = 0;
        let mut previous = None;
        for (value, row) in order {
            if previous != Some(value) {
                count += 1;
                previous = Some(value);
            }
            if let Some(code) = codes.get_mut(row) {
                *code = count - 1;
            }
        }
        Ok(Levels { codes, count })
    }

    /// Level of every value, 0-based.
    pub fn codes(&self) -> &[usize] {
        &self.codes
    }

    /// Number of levels.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }
}

/// Twice the average rank of every level, centred: 2 rank - (n + 1), an exact integer. `tally` has the number of
/// observations at each level, n in total. The average rank of a level is the mean of the ranks of its ties.
pub fn centred_ranks(tally: &[u64]) -> Vec<i64> {
    let total: u64 = tally.iter().sum();
    let mut below = 0;
    tally
        .iter()
        .map(|&here| {
            let twice = 2 * below + here;
            below += here;
            twice as i64 - total as i64
        })
        .collect()
}

/// Average ranks, 1-based: tied values share the mean of the ranks that they occupy. [`Reason::NotFinite`] if a value
/// is infinite or NaN.
pub fn average_ranks(values: &[f64]) -> Result<Vec<f64>, Reason> {
    let levels = Levels::of(values)?;
    let mut tally = vec![0; levels.count()];
    for &code in levels.codes() {
        if let Some(n) = tally.get_mut(code) {
            *n += 1;
        }
    }
    let ranks = centred_ranks(&tally);
    let middle = (values.len() as f64 + 1.0) / 2.0;
    Ok(levels.codes().iter().filter_map(|&code| ranks.get(code)).map(|&r| r as f64 / 2.0 + middle).collect())
}
