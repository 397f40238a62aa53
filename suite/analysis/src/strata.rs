//! Rank correlation within strata, such as problem sizes.
//!
//! A pooled correlation is open to Simpson's paradox: a policy that only reads the size of the problem scores high.

use crate::crosstable::CrossTable;
use crate::ranks::Levels;
use crate::reason::Reason;

/// Average of a correlation over strata.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WithinStratum {
    /// Average over the strata where the correlation is defined, weighted by their numbers of observations.
    pub value: f64,
    /// Number of strata where it is defined.
    pub defined: usize,
    /// Number of strata where it is undefined: one observation, or a constant variable.
    pub undefined: usize,
    /// Number of observations in the strata where it is defined.
    pub count: usize,
}

/// Two variables, split into strata by a third one.
#[derive(Debug, Clone)]
pub struct Strata {
    parts: Vec<(Vec<usize>, CrossTable)>,
}

impl Strata {
    /// One stratum per distinct value of `stratum`. [`Reason::Mismatched`] if the lengths differ, [`Reason::NotFinite`]
    /// if a value is infinite or NaN.
    pub fn of(x: &[f64], y: &[f64], stratum: &[f64]) -> Result<Self, Reason> {
        if x.len() != y.len() || x.len() != stratum.len() {
            return Err(Reason::Mismatched);
        }
        let levels = Levels::of(stratum)?;
        let mut rows: Vec<Vec<usize>> = vec![Vec::new(); levels.count()];
        for (row, &code) in levels.codes().iter().enumerate() {
            if let Some(part) = rows.get_mut(code) {
                part.push(row);
            }
        }
        let pick = |values: &[f64], part: &[usize]| -> Vec<f64> {
            part.iter().filter_map(|&row| values.get(row).copied()).collect()
        };
        let parts = rows
            .into_iter()
            .map(|part| Ok((part.clone(), CrossTable::of(&pick(x, &part), &pick(y, &part))?)))
            .collect::<Result<_, Reason>>()?;
        Ok(Strata { parts })
    }

    /// Numbers of strata where Spearman's correlation is defined and undefined, with every observation counted once.
    pub fn counts(&self) -> (usize, usize) {
        let defined = self.parts.iter().filter(|(_, table)| table.spearman(&table.tally(|_| 1)).is_ok()).count();
        (defined, self.parts.len() - defined)
    }

    /// Average Spearman correlation if observation i occurs `weight(i)` times.
    ///
    /// If it is undefined in all strata, the error is the one that all strata share, or [`Reason::Constant`] if they
    /// differ; [`Reason::Empty`] without observations. Strata without observations are ignored.
    pub fn spearman(&self, weight: impl Fn(usize) -> u32) -> Result<WithinStratum, Reason> {
        let (mut sum, mut count, mut defined) = (0.0, 0, 0);
        let mut failures = Vec::new();
        for (rows, table) in &self.parts {
            let tally = table.tally(|i| rows.get(i).map_or(0, |&row| weight(row)));
            match table.spearman(&tally) {
                Ok(value) => {
                    let n: u64 = tally.iter().sum();
                    sum += value * n as f64;
                    count += n as usize;
                    defined += 1;
                }
                Err(Reason::Empty) => {}
                Err(reason) => failures.push(reason),
            }
        }
        if defined > 0 {
            return Ok(WithinStratum { value: sum / count as f64, defined, undefined: failures.len(), count });
        }
        match failures.as_slice() {
            [] => Err(Reason::Empty),
            [first, rest @ ..] if rest.iter().all(|other| other == first) => Err(*first),
            _ => Err(Reason::Constant),
        }
    }
}
