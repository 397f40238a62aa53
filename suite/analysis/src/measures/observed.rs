//! The tokens of one table that carry a named complexity, as columns of numbers.

use crate::reason::Reason;
use crate::table::{Filter, TokenTable};

/// Observations of one seed. Entry i of every vector belongs to token i.
pub(crate) struct Observed {
    pub complexity: Vec<f64>,
    pub depth: Vec<f64>,
    pub size: Vec<f64>,
    pub position: Vec<f64>,
    /// `None` on prompt tokens.
    pub correct: Vec<Option<bool>>,
    /// Index of the sequence among all of the split, whether or not a token of it is observed.
    pub cluster: Vec<usize>,
    /// Number of sequences of the split.
    pub clusters: usize,
    /// Tokens that the filter lets through, but for which the task defines no such complexity.
    pub excluded: usize,
}

impl Observed {
    /// [`Reason::NotApplicable`] if the table has no complexity of that name.
    pub fn of(table: &TokenTable, complexity: &str, filter: Filter) -> Result<Self, Reason> {
        let columns = table.columns();
        let values = columns.complexities.get(complexity).ok_or(Reason::NotApplicable)?;
        let instances = table.instances(filter.split);
        let rows = table.rows(filter);
        let kept: Vec<usize> = rows.iter().copied().filter(|&row| values[row].is_some()).collect();
        let column = |value: &dyn Fn(usize) -> f64| kept.iter().map(|&row| value(row)).collect();
        Ok(Observed {
            complexity: kept.iter().filter_map(|&row| values[row]).map(f64::from).collect(),
            depth: column(&|row| f64::from(columns.depth[row])),
            size: column(&|row| f64::from(columns.size[row])),
            position: column(&|row| f64::from(columns.position[row])),
            correct: kept.iter().map(|&row| columns.correct[row]).collect(),
            // Every row of the split is of one of its instances.
            cluster: kept.iter().filter_map(|&row| instances.binary_search(&columns.instance[row]).ok()).collect(),
            clusters: instances.len(),
            excluded: rows.len() - kept.len(),
        })
    }

    /// Observations of every table; an error of one is the error of all.
    pub fn of_all(tables: &[TokenTable], complexity: &str, filter: Filter) -> Result<Vec<Self>, Reason> {
        tables.iter().map(|table| Observed::of(table, complexity, filter)).collect()
    }
}
