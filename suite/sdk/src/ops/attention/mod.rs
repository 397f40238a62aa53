//! Causal attention of any subset of queries over packed sequences.

mod grid;
pub(super) mod kernel;
mod softmax;

use std::ops::Range;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use self::grid::composed;
use self::kernel::{backward, forward};
use super::cpu::{self, dispatch};
use crate::layout::{RowSet, TokenLayout};

/// Who attends to whom: the queries of each sequence and the keys they may see.
#[derive(Debug)]
pub struct AttentionPlan {
    /// Row of each query, ascending.
    pub(super) rows: Vec<u32>,
    /// Queries and keys of each sequence that has queries.
    pub(super) groups: Vec<(Range<usize>, Range<usize>)>,
    /// Keys that may be seen; `None` means all. A row always sees itself.
    pub(super) visible: Option<Arc<Vec<bool>>>,
    total: usize,
}

/// Some sequences of a plan, to be worked on alone.
pub(super) struct Part {
    /// The plan of these sequences, with queries numbered from 0.
    pub plan: AttentionPlan,
    /// Their queries in the whole plan.
    pub queries: Range<usize>,
    /// The rows from the first of their keys to the last.
    pub keys: Range<usize>,
}

impl AttentionPlan {
    /// The queries `rows` of a packed batch, each over the tokens of its sequence up to itself that are `visible`.
    pub fn new(layout: &TokenLayout, rows: &RowSet, visible: Option<&Arc<Vec<bool>>>) -> Arc<Self> {
        let mut groups: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        for (query, row) in rows.iter().enumerate() {
            let keys = layout.rows_of(layout.sequence(row));
            match groups.last_mut() {
                Some((queries, last)) if *last == keys => queries.end = query + 1,
                _ => groups.push((query..query + 1, keys)),
            }
        }
        Arc::new(Self { rows: rows.as_slice().to_vec(), groups, visible: visible.cloned(), total: layout.rows() })
    }

    /// The row of every query with the number of keys that it sees: what attention costs.
    pub fn visible_keys(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.groups.iter().flat_map(move |(queries, keys)| {
            self.rows[queries.clone()].iter().map(|row| *row as usize).map(move |row| match &self.visible {
                None => (row, row + 1 - keys.start),
                Some(_) => (row, (keys.start..=row).filter(|key| self.sees(row, *key)).count()),
            })
        })
    }

    /// Number of (query, visible key) pairs.
    pub fn pairs(&self) -> usize {
        self.visible_keys().map(|(_, keys)| keys).sum()
    }

    /// Number of queries.
    pub(super) fn queries(&self) -> usize {
        self.rows.len()
    }

    /// Number of tokens in the batch.
    pub(super) fn rows(&self) -> usize {
        self.total
    }

    /// The plan in parts of whole sequences with at least `rows` queries each, if there are as many.
    pub(super) fn parts(&self, rows: usize) -> Vec<Part> {
        self.parts_that_end(|queries| queries.len() >= rows)
    }

    /// The plan in up to `count` parts of whole sequences with about as many queries each.
    pub(super) fn even_parts(&self, count: usize) -> Vec<Part> {
        let mut ended = 0;
        self.parts_that_end(|queries| {
            let reached = queries.end * count / self.queries().max(1);
            std::mem::replace(&mut ended, reached) < reached
        })
    }

    /// The plan in parts of whole sequences. `ends` is told of the queries of a part so far, sequence by sequence.
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
                total: self.total,
            };
            parts.push(Part { plan, queries, keys: self.groups[first].1.start..self.groups[last].1.end });
            first = last + 1;
        }
        parts
    }

    /// The plan of some of its queries, given by their places, ascending.
    pub(super) fn subset(&self, queries: &[u32]) -> Self {
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
        Self { rows, groups, visible: self.visible.clone(), total: self.total }
    }

    pub(super) fn sees(&self, row: usize, key: usize) -> bool {
        key == row || self.visible.as_ref().is_none_or(|visible| visible[key])
    }
}

/// softmax(q kᵀ / sqrt(head_dim)) v per head. `q` is `[queries, heads * head_dim]`; `keys_values` holds keys and values
/// side by side for all tokens of the batch, `[rows, 2 * heads * head_dim]`; the result is like `q`.
///
/// # Errors
/// If shapes or types do not agree with each other and the plan.
pub fn causal_attention(q: &Tensor, keys_values: &Tensor, heads: usize, plan: &Arc<AttentionPlan>) -> Result<Tensor> {
    let (queries, width) = super::matrix("q of causal_attention", q)?;
    if queries != plan.rows.len() {
        let expected = format!("a row for each of the plan's {} queries", plan.rows.len());
        return Err(super::unfit("q of causal_attention", expected, queries));
    }
    super::expect("keys_values of causal_attention", keys_values, &[plan.total, 2 * width], q.dtype())?;
    if heads == 0 || !width.is_multiple_of(heads) {
        return Err(super::unfit(
            "heads of causal_attention",
            format!("a number that divides the width {width}"),
            heads,
        ));
    }
    if let Some(visible) = plan.visible.as_ref().filter(|visible| visible.len() != plan.total) {
        let expected = format!("one for each of {} rows", plan.total);
        return Err(super::unfit("visible of causal_attention", expected, visible.len()));
    }
    if width == 0 {
        return Ok(q.clone());
    }
    if cpu::fused(q) {
        let attention = Attention { plan: plan.clone(), heads };
        return q.contiguous()?.apply_op2(&keys_values.contiguous()?, attention);
    }
    composed(q, keys_values, heads, plan)
}

struct Attention {
    plan: Arc<AttentionPlan>,
    heads: usize,
}

impl CustomOp2 for Attention {
    fn name(&self) -> &'static str {
        "causal-attention"
    }

    fn cpu_fwd(&self, q: &CpuStorage, ql: &Layout, kv: &CpuStorage, kvl: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = ql.dims()[1];
        dispatch!("causal-attention", candle_core::backend::BackendStorage::dtype(q), T => {
            let (q, kv) = (cpu::slice::<T>(q, ql)?, cpu::slice::<T>(kv, kvl)?);
            let mut result = vec![0 as T; q.len()];
            forward(&mut result, &self.plan, self.heads, (q, kv), width);
            Ok(cpu::stored(result, ql.shape().clone()))
        })
    }

    fn bwd(&self, q: &Tensor, kv: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let width = q.dim(1)?;
        dispatch!("causal-attention", q.dtype(), T => {
            let (dq, dkv) = cpu::with_all::<T, _, 3>([q, kv, grad], |[q, kv, grad]| {
                let (mut dq, mut dkv) = (vec![0 as T; q.len()], vec![0 as T; kv.len()]);
                backward(&mut dq, &self.plan, self.heads, (q, kv, grad), (&mut dkv, 0), width);
                Ok((dq, dkv))
            })?;
            Ok((cpu::gradient(dq, q)?, cpu::gradient(dkv, kv)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{AttentionPlan, causal_attention, composed};
    use crate::layout::{RowSet, TokenLayout};
    use crate::ops::tests::{agree, agree_without_differences, values};

    #[test]
    fn equals_its_composition_and_finite_differences() {
        let layout = TokenLayout::new(&[3, 1, 5], &[0, 1, 2]).unwrap();
        let some = RowSet::from_mask(&[false, true, true, false, true, false, false, true, true]);
        let hidden = Arc::new(vec![true, false, true, true, false, true, false, true, false]);
        for (rows, visible) in [
            (RowSet::all(9), None),
            (some.clone(), None),
            (some, Some(&hidden)),
            (RowSet::from_mask(&[false; 9].map(|_| false)), None),
        ] {
            let plan = AttentionPlan::new(&layout, &rows, visible);
            if rows.is_empty() {
                assert_eq!(plan.pairs(), 0);
                continue;
            }
            let inputs = [values(&[rows.len(), 8], 20), values(&[9, 16], 21)];
            agree(&inputs, |x| causal_attention(&x[0], &x[1], 2, &plan), |x| composed(&x[0], &x[1], 2, &plan));
        }
    }

    #[test]
    fn long_sequences_and_wide_heads_equal_the_composition() {
        for (length, width, heads) in
            [(37, 16, 2), (70, 32, 2), (20, 64, 2), (9, 128, 2), (33, 6, 1), (10, 300, 2), (10, 300, 1)]
        {
            let layout = TokenLayout::new(&[length, 3], &[0, 1]).unwrap();
            let plan = AttentionPlan::new(&layout, &RowSet::all(length + 3), None);
            let inputs = [values(&[length + 3, width], 23), values(&[length + 3, 2 * width], 24)];
            agree_without_differences(
                &inputs,
                |x| causal_attention(&x[0], &x[1], heads, &plan),
                |x| composed(&x[0], &x[1], heads, &plan),
            );
        }
    }

    /// Sequences of one to seventeen queries hold as many heads side by side as fit, and what is left of them; some keys are
    /// hidden.
    #[test]
    fn few_queries_of_several_heads_equal_the_composition() {
        let layout = TokenLayout::new(&[1, 2, 3, 5, 9, 17, 30], &[0, 1, 2, 3, 4, 5, 6]).unwrap();
        let rows = RowSet::from_mask(&(0..67).map(|row| row < 37 || row % 7 == 0).collect::<Vec<bool>>());
        let hidden = Arc::new((0..67).map(|row| row % 5 != 1).collect::<Vec<bool>>());
        for (heads, head_dim) in [(1, 8), (3, 10), (6, 4), (7, 16), (8, 8), (12, 2), (5, 33), (2, 130), (3, 300)] {
            for visible in [None, Some(&hidden)] {
                let plan = AttentionPlan::new(&layout, &rows, visible);
                let width = heads * head_dim;
                agree_without_differences(
                    &[values(&[rows.len(), width], 25), values(&[67, 2 * width], 26)],
                    |x| causal_attention(&x[0], &x[1], heads, &plan),
                    |x| composed(&x[0], &x[1], heads, &plan),
                );
            }
        }
    }

    #[test]
    fn a_subset_of_its_queries_is_the_plan_of_their_rows() {
        let layout = TokenLayout::new(&[3, 1, 5], &[0, 1, 2]).unwrap();
        let all = AttentionPlan::new(&layout, &RowSet::all(9), None);
        for mask in [0b101010101u32, 0b111000000, 0b000000111, 0, 0b111111111] {
            let rows = RowSet::from_mask(&(0..9).map(|row| mask >> row & 1 == 1).collect::<Vec<bool>>());
            let (subset, direct) = (all.subset(rows.as_slice()), AttentionPlan::new(&layout, &rows, None));
            assert_eq!((&subset.rows, &subset.groups), (&direct.rows, &direct.groups));
        }
    }

    #[test]
    fn parts_are_whole_sequences() {
        let layout = TokenLayout::new(&[3; 8], &[0, 1, 2, 3, 4, 5, 6, 7]).unwrap();
        let plan = AttentionPlan::new(&layout, &RowSet::all(24), None);
        let lengths = |parts: Vec<super::Part>| parts.iter().map(|part| part.queries.len()).collect::<Vec<usize>>();
        assert_eq!(lengths(plan.parts(4)), [6, 6, 6, 6]);
        assert_eq!(lengths(plan.parts(7)), [9, 9, 6]);
        assert_eq!(lengths(plan.even_parts(3)), [9, 9, 6]);
        assert_eq!(lengths(plan.even_parts(4)), [6, 6, 6, 6]);
        // Not three of nine and a rest, as those of at least five would be.
        assert_eq!(lengths(plan.even_parts(5)), [6, 6, 3, 6, 3]);
        assert_eq!(lengths(plan.even_parts(100)), [3; 8]);
        assert!(AttentionPlan::new(&layout, &RowSet::from_mask(&[false; 24]), None).even_parts(2).is_empty());
    }

    #[test]
    fn counts_the_pairs_it_works_on() {
        let layout = TokenLayout::new(&[3, 2], &[0, 1]).unwrap();
        assert_eq!(AttentionPlan::new(&layout, &RowSet::all(5), None).pairs(), 6 + 3);
        let rows = RowSet::from_mask(&[false, false, true, false, true]);
        let visible = Arc::new(vec![false, true, false, true, false]);
        assert_eq!(AttentionPlan::new(&layout, &rows, Some(&visible)).pairs(), 2 + 2);
    }
}
