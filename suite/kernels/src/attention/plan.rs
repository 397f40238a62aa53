//! Attention plans: which queries attend to which keys.

use std::ops::Range;
use std::sync::Arc;

/// A packed batch: sequences in a row, without padding.
pub trait Sequences {
    /// The first row of each sequence, ascending, followed by the total number of rows.
    fn starts(&self) -> &[u32];
}

impl Sequences for [u32] {
    fn starts(&self) -> &[u32] {
        self
    }
}

impl<S: Sequences + ?Sized> Sequences for Arc<S> {
    fn starts(&self) -> &[u32] {
        (**self).starts()
    }
}

/// The queries of each sequence and the keys that they may see.
#[derive(Debug)]
pub struct AttentionPlan {
    /// Row of each query, ascending.
    pub(crate) rows: Vec<u32>,
    /// Queries and keys of each sequence that has queries.
    pub(crate) groups: Vec<(Range<usize>, Range<usize>)>,
    /// Keys that may be seen; `None` means all. A row always sees itself.
    pub(crate) visible: Option<Arc<Vec<bool>>>,
    /// Whether a query sees the keys after it too.
    pub(crate) is_whole: bool,
    total: usize,
}

/// Some sequences of a plan, processed on their own.
pub(crate) struct Part {
    /// The plan of these sequences, with queries numbered from 0.
    pub plan: AttentionPlan,
    /// Their queries in the whole plan.
    pub queries: Range<usize>,
    /// The rows from the first of their keys to the last.
    pub keys: Range<usize>,
}

impl AttentionPlan {
    /// The queries `rows` of a packed batch, ascending, each over the tokens of its sequence up to itself that are `visible`.
    ///
    /// # Panics
    /// If the starts or the rows are not ascending, or a row is not of the batch.
    pub fn new(
        batch: &(impl Sequences + ?Sized),
        rows: &(impl AsRef<[u32]> + ?Sized),
        visible: Option<&Arc<Vec<bool>>>,
    ) -> Arc<Self> {
        Arc::new(Self::of(batch, rows, visible, false))
    }

    /// The queries `rows` of a packed batch, ascending, each over all tokens of its sequence that are `visible`, those
    /// after it included. A row sees itself in any case.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn whole(
        batch: &(impl Sequences + ?Sized),
        rows: &(impl AsRef<[u32]> + ?Sized),
        visible: Option<&Arc<Vec<bool>>>,
    ) -> Arc<Self> {
        Arc::new(Self::of(batch, rows, visible, true))
    }

    fn of(
        batch: &(impl Sequences + ?Sized),
        rows: &(impl AsRef<[u32]> + ?Sized),
        visible: Option<&Arc<Vec<bool>>>,
        is_whole: bool,
    ) -> Self {
        let (starts, rows) = (batch.starts(), rows.as_ref());
        let total = starts.last().copied().unwrap_or(0);
        assert!(
            starts.is_sorted() && starts.first().is_none_or(|start| *start == 0),
            "starts of sequences: {starts:?}"
        );
        assert!(rows.is_sorted_by(|row, next| row < next) && rows.last().is_none_or(|row| *row < total));
        let mut sequences = starts.iter().zip(starts.iter().skip(1)).map(|(start, end)| *start as usize..*end as usize);
        let mut groups: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        for (query, row) in rows.iter().enumerate() {
            match groups.last_mut() {
                Some((queries, keys)) if keys.contains(&(*row as usize)) => queries.end = query + 1,
                _ => groups.extend(
                    sequences.find(|keys| keys.contains(&(*row as usize))).map(|keys| (query..query + 1, keys)),
                ),
            }
        }
        Self { rows: rows.to_vec(), groups, visible: visible.cloned(), is_whole, total: total as usize }
    }

    /// The row of every query, and the number of keys that it sees.
    pub fn visible_keys(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.groups.iter().flat_map(move |(queries, keys)| {
            self.rows[queries.clone()].iter().map(|row| *row as usize).map(move |row| {
                let end = if self.is_whole { keys.end } else { row + 1 };
                match &self.visible {
                    None => (row, end - keys.start),
                    Some(_) => (row, (keys.start..end).filter(|key| self.sees(row, *key)).count()),
                }
            })
        })
    }

    /// Number of (query, visible key) pairs.
    pub fn pairs(&self) -> usize {
        self.visible_keys().map(|(_, keys)| keys).sum()
    }

    /// Number of queries.
    pub(crate) fn queries(&self) -> usize {
        self.rows.len()
    }

    /// Number of tokens in the batch.
    pub(crate) fn rows(&self) -> usize {
        self.total
    }

    /// Splits the plan into parts of whole sequences with at least `rows` queries each, if there are enough.
    pub(crate) fn parts(&self, rows: usize) -> Vec<Part> {
        self.parts_that_end(|queries| queries.len() >= rows)
    }

    /// Splits the plan into up to `count` parts of whole sequences with about the same number of queries.
    pub(crate) fn even_parts(&self, count: usize) -> Vec<Part> {
        let mut ended = 0;
        self.parts_that_end(|queries| {
            let reached = queries.end * count / self.queries().max(1);
            std::mem::replace(&mut ended, reached) < reached
        })
    }

    /// Splits the plan into parts of whole sequences. `ends` gets the queries of the current part after each sequence,
    /// and says whether the part ends.
    fn parts_that_end(&self, mut ends: impl FnMut(&Range<usize>) -> bool) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut first = 0;
        for last in 0..self.groups.len() {
            let queries = self.groups[first].0.start..self.groups[last].0.end;
            if !ends(&queries) && last + 1 < self.groups.len() {
                continue;
            }
            let groups = &self.groups[first..=last];
            let own = |(mine, keys): &(Range<usize>, Range<usize>)| {
                (mine.start - queries.start..mine.end - queries.start, keys.clone())
            };
            let plan = Self {
                rows: self.rows[queries.clone()].to_vec(),
                groups: groups.iter().map(own).collect(),
                visible: self.visible.clone(),
                is_whole: self.is_whole,
                total: self.total,
            };
            parts.push(Part { plan, queries, keys: self.groups[first].1.start..self.groups[last].1.end });
            first = last + 1;
        }
        parts
    }

    /// The plan restricted to some of its queries, given by their places, ascending.
    pub(crate) fn subset(&self, queries: &[u32]) -> Self {
        let mut groups: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        let mut next = 0;
        for (mine, keys) in &self.groups {
            let first = next;
            while queries.get(next).is_some_and(|query| mine.contains(&(*query as usize))) {
                next += 1;
            }
            if next > first {
                groups.push((first..next, keys.clone()));
            }
        }
        let rows = queries.iter().map(|query| self.rows[*query as usize]).collect();
        Self { rows, groups, visible: self.visible.clone(), is_whole: self.is_whole, total: self.total }
    }

    pub(crate) fn sees(&self, row: usize, key: usize) -> bool {
        key == row || self.visible.as_ref().is_none_or(|visible| visible[key])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{AttentionPlan, Part};
    use crate::testing::{rows_where, starts};

    #[test]
    fn a_subset_of_its_queries_is_the_plan_of_their_rows() {
        let starts = starts(&[3, 1, 5]);
        let all = AttentionPlan::new(&starts[..], &rows_where([true; 9]), None);
        for mask in [0b101010101u32, 0b111000000, 0b000000111, 0, 0b111111111] {
            let rows = rows_where((0..9).map(|row| mask >> row & 1 == 1));
            let (subset, direct) = (all.subset(&rows), AttentionPlan::new(&starts[..], &rows, None));
            assert_eq!((&subset.rows, &subset.groups), (&direct.rows, &direct.groups));
        }
    }

    #[test]
    fn parts_are_whole_sequences() {
        let starts = starts(&[3; 8]);
        let plan = AttentionPlan::new(&starts[..], &rows_where([true; 24]), None);
        let lengths = |parts: Vec<Part>| parts.iter().map(|part| part.queries.len()).collect::<Vec<usize>>();
        assert_eq!(lengths(plan.parts(4)), [6, 6, 6, 6]);
        assert_eq!(lengths(plan.parts(7)), [9, 9, 6]);
        assert_eq!(lengths(plan.even_parts(3)), [9, 9, 6]);
        assert_eq!(lengths(plan.even_parts(4)), [6, 6, 6, 6]);
        // Not three of nine and a rest, as those of at least five would be.
        assert_eq!(lengths(plan.even_parts(5)), [6, 6, 3, 6, 3]);
        assert_eq!(lengths(plan.even_parts(100)), [3; 8]);
        assert!(AttentionPlan::new(&starts[..], &[], None).even_parts(2).is_empty());
    }

    #[test]
    fn counts_the_pairs_it_works_on() {
        let starts = starts(&[3, 2]);
        assert_eq!(AttentionPlan::new(&starts[..], &[0, 1, 2, 3, 4], None).pairs(), 6 + 3);
        let visible = Arc::new(vec![false, true, false, true, false]);
        assert_eq!(AttentionPlan::new(&starts[..], &[2, 4], Some(&visible)).pairs(), 2 + 2);
        assert_eq!(AttentionPlan::whole(&starts[..], &[0, 1, 2, 3, 4], None).pairs(), 9 + 4);
        // A row sees itself, even if it is hidden from the others.
        assert_eq!(AttentionPlan::whole(&starts[..], &[0, 1], Some(&visible)).pairs(), 2 + 1);
    }

    /// Sequences without queries, and one without rows, have no group.
    #[test]
    fn queries_are_grouped_by_sequence() {
        let plan = AttentionPlan::new(&[0, 3, 3, 4, 9][..], &[1, 2, 5, 8], None);
        assert_eq!(plan.groups, [(0..2, 0..3), (2..4, 4..9)]);
        assert_eq!((plan.queries(), plan.rows()), (4, 9));
    }

    #[test]
    fn what_is_no_set_of_rows_is_refused() {
        for (starts, rows) in [(&[0, 3][..], &[1, 1][..]), (&[0, 3], &[2, 1]), (&[0, 3], &[3]), (&[0, 3, 2], &[1])] {
            let made = std::panic::catch_unwind(|| AttentionPlan::new(starts, rows, None));
            assert!(made.is_err(), "{starts:?} {rows:?}");
        }
    }
}
