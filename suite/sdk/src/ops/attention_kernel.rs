//! The arithmetic of causal attention on slices, one sequence and head at a time.
//!
//! Queries, keys and values of a head are copied together first, as arrays whose width the compiler knows; narrower heads
//! are padded with zeros. Probabilities are never stored but computed again in the backward pass.

use std::ops::Range;

use super::attention::AttentionPlan;
use super::cpu::{self, Real, number};
use crate::threads;

/// Keys are worked on in blocks of this many.
const LANES: usize = 8;

/// Evaluates an expression with a constant that is at least `$value`.
macro_rules! with_width {
    ($value:expr, $width:ident => $body:expr) => {
        with_width!(@arms $value, $width => $body, 8, 16, 32, 64, 128)
    };
    (@arms $value:expr, $width:ident => $body:expr, $($known:literal),*) => {
        match $value {
            $(value if value <= $known => {
                const $width: usize = $known;
                $body
            })*
            _ => {
                const $width: usize = super::attention::WIDEST_HEAD;
                $body
            }
        }
    };
}

/// A sequence's part of the work: its queries and its keys.
struct Sequence<'a, T> {
    plan: &'a AttentionPlan,
    queries: Range<usize>,
    keys: Range<usize>,
    width: usize,
    keys_values: &'a [T],
}

/// Columns of some rows, padded to `W` numbers each.
#[inline(always)]
fn columns<'a, T: Real, const W: usize>(
    rows: impl Iterator<Item = &'a [T]>,
    columns: Range<usize>,
    into: &mut [[T; W]],
) {
    for (into, row) in into.iter_mut().zip(rows) {
        into[..columns.len()].copy_from_slice(&row[columns.clone()]);
    }
}

/// Rows of `W` numbers as blocks of `LANES` columns: `blocks[b][c][l]` is number c of row b · LANES + l.
#[inline(always)]
fn transpose<T: Real, const W: usize>(rows: &[[T; W]], blocks: &mut [[[T; LANES]; W]]) {
    for (block, rows) in blocks.iter_mut().zip(rows.chunks(LANES)) {
        for (lane, row) in rows.iter().enumerate() {
            for (column, value) in block.iter_mut().zip(row) {
                column[lane] = *value;
            }
        }
    }
}

/// Products of `row` with the rows that `blocks` holds, times `factor`.
#[inline(always)]
fn products<T: Real, const W: usize>(row: &[T; W], factor: T, blocks: &[[[T; LANES]; W]], into: &mut [[T; LANES]]) {
    for (into, block) in into.iter_mut().zip(blocks) {
        let mut sums = [T::zero(); LANES];
        for (value, column) in row.iter().zip(block) {
            for (sum, other) in sums.iter_mut().zip(column) {
                *sum += *value * *other;
            }
        }
        for (into, sum) in into.iter_mut().zip(sums) {
            *into = sum * factor;
        }
    }
}

/// The sum of `rows` weighted by `weights`.
#[inline(always)]
fn mixture<T: Real, const W: usize>(weights: &[[T; LANES]], rows: &[[T; W]]) -> [T; W] {
    let mut sums = [T::zero(); W];
    for (weight, row) in weights.as_flattened().iter().zip(rows) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += *weight * *value;
        }
    }
    sums
}

/// Adds `row` times each weight to the rows of `into`.
#[inline(always)]
fn spread<T: Real, const W: usize>(weights: &[[T; LANES]], row: &[T; W], into: &mut [[T; W]]) {
    for (weight, into) in weights.as_flattened().iter().zip(into) {
        for (into, value) in into.iter_mut().zip(row) {
            *into += *weight * *value;
        }
    }
}

impl<T: Real> Sequence<'_, T> {
    fn blocks(&self) -> usize {
        self.keys.len().div_ceil(LANES)
    }

    /// Rows of keys and values.
    #[inline(always)]
    fn memory(&self) -> impl Iterator<Item = &[T]> {
        let row = 2 * self.width;
        self.keys_values[self.keys.start * row..self.keys.end * row].chunks_exact(row)
    }

    #[inline(always)]
    fn rows<'b>(&self, of_queries: &'b [T]) -> impl Iterator<Item = &'b [T]> {
        of_queries[self.queries.start * self.width..self.queries.end * self.width].chunks_exact(self.width)
    }

    /// Turns scores into numerators of the softmax over the keys that the query at `row` sees; one over their sum.
    #[inline(always)]
    fn softmax(&self, row: usize, scores: &mut [[T; LANES]]) -> T {
        let hidden = number::<T>(f64::NEG_INFINITY);
        let seen = row + 1 - self.keys.start;
        scores.as_flattened_mut()[seen..].fill(hidden);
        if self.plan.visible.is_some() {
            for (score, key) in scores.as_flattened_mut().iter_mut().zip(self.keys.start..row) {
                if !self.plan.sees(row, key) {
                    *score = hidden;
                }
            }
        }
        let mut largest = [hidden; LANES];
        for scores in scores.iter() {
            for (largest, score) in largest.iter_mut().zip(scores) {
                *largest = if *score > *largest { *score } else { *largest };
            }
        }
        let largest = largest.into_iter().fold(hidden, |left, right| if right > left { right } else { left });
        let mut sums = [T::zero(); LANES];
        for scores in scores.iter_mut() {
            for (sum, score) in sums.iter_mut().zip(scores) {
                *score = (*score - largest).exp();
                *sum += *score;
            }
        }
        number::<T>(1.0) / sums.into_iter().sum::<T>()
    }

    fn visible_blocks(&self, row: usize) -> usize {
        (row + 1 - self.keys.start).div_ceil(LANES)
    }

    #[inline(always)]
    fn forward<const W: usize>(&self, heads: usize, q: &[T], result: &mut [T]) {
        let head_dim = self.width / heads;
        let scale = number::<T>((head_dim as f64).sqrt().recip());
        let mut queries = vec![[T::zero(); W]; self.queries.len()];
        let (mut keys, mut values) = (vec![[T::zero(); W]; self.keys.len()], vec![[T::zero(); W]; self.keys.len()]);
        let mut blocks = vec![[[T::zero(); LANES]; W]; self.blocks()];
        let mut scores = vec![[T::zero(); LANES]; self.blocks()];
        for head in (0..heads).map(|head| head * head_dim..(head + 1) * head_dim) {
            columns(self.rows(q), head.clone(), &mut queries);
            columns(self.memory(), head.clone(), &mut keys);
            columns(self.memory(), self.width + head.start..self.width + head.end, &mut values);
            transpose(&keys, &mut blocks);
            let rows = self.plan.rows[self.queries.clone()].iter().zip(result.chunks_exact_mut(self.width));
            for (query, (row, result)) in queries.iter().zip(rows) {
                let row = *row as usize;
                let scores = &mut scores[..self.visible_blocks(row)];
                products(query, scale, &blocks, scores);
                let inverse = self.softmax(row, scores);
                let mixed = mixture(scores, &values);
                for (result, mixed) in result[head.clone()].iter_mut().zip(mixed) {
                    *result = mixed * inverse;
                }
            }
        }
    }

    /// `dq` are the rows of the sequence's queries, `dkv` those of its keys and values.
    #[inline(always)]
    fn backward<const W: usize>(&self, heads: usize, q: &[T], grad: &[T], dq: &mut [T], dkv: &mut [T]) {
        let (width, head_dim) = (self.width, self.width / heads);
        let scale = number::<T>((head_dim as f64).sqrt().recip());
        let mut queries = vec![[T::zero(); W]; self.queries.len()];
        let mut grads = queries.clone();
        let (mut keys, mut values) = (vec![[T::zero(); W]; self.keys.len()], vec![[T::zero(); W]; self.keys.len()]);
        let mut key_blocks = vec![[[T::zero(); LANES]; W]; self.blocks()];
        let mut value_blocks = key_blocks.clone();
        let mut scores = vec![[T::zero(); LANES]; self.blocks()];
        let mut slopes = scores.clone();
        let (mut dkeys, mut dvalues) = (keys.clone(), values.clone());
        for head in (0..heads).map(|head| head * head_dim..(head + 1) * head_dim) {
            let second = width + head.start..width + head.end;
            columns(self.rows(q), head.clone(), &mut queries);
            columns(self.rows(grad), head.clone(), &mut grads);
            columns(self.memory(), head.clone(), &mut keys);
            columns(self.memory(), second.clone(), &mut values);
            transpose(&keys, &mut key_blocks);
            transpose(&values, &mut value_blocks);
            dkeys.fill([T::zero(); W]);
            dvalues.fill([T::zero(); W]);
            let rows = self.plan.rows[self.queries.clone()].iter().zip(dq.chunks_exact_mut(width));
            for ((query, grad), (row, dq)) in queries.iter().zip(&grads).zip(rows) {
                let row = *row as usize;
                let visible = self.visible_blocks(row);
                let (scores, slopes) = (&mut scores[..visible], &mut slopes[..visible]);
                products(query, scale, &key_blocks, scores);
                let inverse = self.softmax(row, scores);
                for score in scores.as_flattened_mut() {
                    *score *= inverse;
                }
                // dp_j = <grad, v_j>; ds_j = p_j (dp_j - sum_i p_i dp_i)
                products(grad, number(1.0), &value_blocks, slopes);
                let mean = cpu::dot(scores.as_flattened(), slopes.as_flattened());
                for (slope, score) in slopes.as_flattened_mut().iter_mut().zip(scores.as_flattened()) {
                    *slope = *score * (*slope - mean) * scale;
                }
                let mixed = mixture(slopes, &keys);
                for (dq, mixed) in dq[head.clone()].iter_mut().zip(mixed) {
                    *dq = mixed;
                }
                spread(slopes, query, &mut dkeys);
                spread(scores, grad, &mut dvalues);
            }
            for (row, (dkey, dvalue)) in dkv.chunks_exact_mut(2 * width).zip(dkeys.iter().zip(&dvalues)) {
                row[head.clone()].copy_from_slice(&dkey[..head_dim]);
                row[second.clone()].copy_from_slice(&dvalue[..head_dim]);
            }
        }
    }
}

/// The attended values of every query, `[queries, width]`, from `q` like it and `kv` `[rows, 2 * width]`.
pub(super) fn forward<T: Real>(plan: &AttentionPlan, heads: usize, q: &[T], kv: &[T], width: usize) -> Vec<T> {
    let mut result = vec![T::zero(); q.len()];
    let mut rest = result.as_mut_slice();
    let mut work = Vec::with_capacity(plan.groups.len());
    for (queries, keys) in &plan.groups {
        let (mine, others) = rest.split_at_mut(queries.len() * width);
        rest = others;
        let (queries, keys) = (queries.clone(), keys.clone());
        work.push((Sequence { plan, queries, keys, width, keys_values: kv }, mine));
    }
    threads::for_each(
        work,
        #[inline(always)]
        |(sequence, result): (Sequence<T>, &mut [T])| with_width!(width / heads, W => sequence.forward::<W>(heads, q, result)),
    );
    result
}

/// Gradient of `q` from that of the attended values; the gradients of the keys and values that queries see are written to
/// `dkv`, whose first row is that of `first_key`.
pub(super) fn backward<T: Real>(
    plan: &AttentionPlan,
    heads: usize,
    (q, kv, grad): (&[T], &[T], &[T]),
    (dkv, first_key): (&mut [T], usize),
    width: usize,
) -> Vec<T> {
    let mut dq = vec![T::zero(); q.len()];
    let (mut rest_q, mut rest_kv) = (dq.as_mut_slice(), dkv);
    let mut taken = first_key;
    let mut work = Vec::with_capacity(plan.groups.len());
    for (queries, keys) in &plan.groups {
        let (mine_q, others_q) = rest_q.split_at_mut(queries.len() * width);
        let (_, from_here) = rest_kv.split_at_mut((keys.start - taken) * 2 * width);
        let (mine_kv, others_kv) = from_here.split_at_mut(keys.len() * 2 * width);
        (rest_q, rest_kv, taken) = (others_q, others_kv, keys.end);
        let (queries, keys) = (queries.clone(), keys.clone());
        work.push((Sequence { plan, queries, keys, width, keys_values: kv }, mine_q, mine_kv));
    }
    threads::for_each(
        work,
        #[inline(always)]
        |(sequence, dq, dkv): (Sequence<T>, &mut [T], &mut [T])| with_width!(width / heads, W => sequence.backward::<W>(heads, q, grad, dq, dkv)),
    );
    dq
}
