//! The arithmetic of causal attention on slices, one sequence and head at a time.
//!
//! A block of queries is worked on at once, by the tiles that matrix products are made of. Probabilities are never stored
//! but computed again in the backward pass.

use std::ops::Range;

use super::attention::AttentionPlan;
use super::cpu::{self, LANES, Real, number};
use super::product::copy_up_to;
use super::product::kernel::{Into, Left, Right, TALL, WIDE, by_tiles, column, places};
use super::scratch::Scratch;
use crate::instructions::{Instructions, with_instructions};
use crate::threads;

/// Queries that are worked on at once: those of a block compute the scores of all keys that the last of them sees.
const BLOCK: usize = 4 * TALL;

/// A sequence's part of the work: its queries and its keys.
struct Sequence<'a, T> {
    plan: &'a AttentionPlan,
    queries: Range<usize>,
    keys: Range<usize>,
    width: usize,
    heads: usize,
    keys_values: &'a [T],
}

/// Some rows of numbers as the right operand of a product: `[panel][row][N]` for as many columns as `head` has.
#[inline(always)]
fn pack_rows<'a, T: Real, const N: usize>(
    rows: impl ExactSizeIterator<Item = &'a [T]>,
    head: Range<usize>,
    into: &mut [[T; N]],
) {
    let count = rows.len();
    for (place, row) in rows.enumerate() {
        let (whole, rest) = row[head.clone()].as_chunks::<N>();
        for (panel, some) in whole.iter().enumerate() {
            into[panel * count + place] = *some;
        }
        if !rest.is_empty() {
            let mut group = [T::zero(); N];
            copy_up_to(&mut group, rest);
            into[whole.len() * count + place] = group;
        }
    }
}

/// The transpose of some rows as the right operand of a product: `[panel][column of head][WIDE rows]`.
#[inline(always)]
fn pack_columns<T: Real>((rows, row_length): (&[T], usize), head: Range<usize>, into: &mut [[T; WIDE]]) {
    let rows = rows.chunks(WIDE * row_length.max(1));
    for (panel, rows) in into.chunks_exact_mut(head.len()).zip(rows) {
        let count = rows.len() / row_length;
        for (lane, row) in rows.chunks_exact(row_length).enumerate() {
            for (column, value) in panel.iter_mut().zip(&row[head.clone()]) {
                column[lane] = *value;
            }
        }
        if count < WIDE {
            // Keys that are not there have products that are finite.
            panel.iter_mut().for_each(|column| column[count..].fill(T::zero()));
        }
    }
}

/// Products of rows with panels of `columns` columns, `into` rows that are `stride` apart.
#[inline(always)]
fn products<T: Real, const N: usize>(
    instructions: impl Instructions,
    rows: usize,
    left: Left<T>,
    right: Right<T, N>,
    (into, stride, columns): (&mut [T], usize, usize),
    add: bool,
) {
    for panels in by_tiles(instructions, 0..columns.div_ceil(N)) {
        let first = panels.start * N;
        let right = Right { panels: &right.panels[panels.start * right.rows..], ..right };
        let columns = (columns - first).min(panels.len() * N);
        let into = Into { places: places(&mut into[first..]), stride, panel_stride: N, columns, add };
        column(instructions, rows, panels.len(), left, right, into);
    }
}

/// Rows of numbers that begin `stride` apart as the left operand of a product.
#[inline(always)]
fn operand<T>(values: &[T], stride: usize) -> Left<'_, T> {
    Left { values, row_stride: stride, step: 1, tile_stride: TALL * stride }
}

impl<T: Real> Sequence<'_, T> {
    /// Keys and values, and the length of their rows.
    #[inline(always)]
    fn memory(&self) -> (&[T], usize) {
        let row = 2 * self.width;
        (&self.keys_values[self.keys.start * row..self.keys.end * row], row)
    }

    /// Rows of keys and values.
    #[inline(always)]
    fn rows(&self) -> impl ExactSizeIterator<Item = &[T]> {
        let (rows, length) = self.memory();
        rows.chunks_exact(length)
    }

    /// Memory for columns of one head's keys or values, and for its rows.
    fn panels<const N: usize>(&self) -> [Scratch<T>; 2] {
        let (count, head_dim) = (self.keys.len(), self.width / self.heads);
        [count.div_ceil(WIDE) * head_dim * WIDE, head_dim.div_ceil(N) * count * N].map(Scratch::of)
    }

    /// Columns of each head.
    fn head_columns(&self) -> impl Iterator<Item = Range<usize>> + use<T> {
        let head_dim = self.width / self.heads;
        (0..self.heads).map(move |head| head * head_dim..(head + 1) * head_dim)
    }

    /// Places of the queries, block by block, each with the keys that its last query sees.
    fn blocks(&self) -> impl Iterator<Item = (Range<usize>, usize)> {
        self.queries.clone().step_by(BLOCK).map(|start| {
            let end = (start + BLOCK).min(self.queries.end);
            (start..end, self.plan.rows[end - 1] as usize + 1 - self.keys.start)
        })
    }

    /// Numbers between the scores of one query and those of the next.
    fn stride(&self) -> usize {
        self.keys.len().next_multiple_of(WIDE)
    }

    /// Turns products with keys into numerators of the softmax over the keys that the query at `row` sees; one over
    /// their sum.
    #[inline(always)]
    fn softmax(&self, instructions: impl Instructions, row: usize, scale: T, scores: &mut [T]) -> T {
        let hidden = number::<T>(f64::NEG_INFINITY);
        let (lanes, _) = scores.as_chunks_mut::<LANES>();
        for lane in lanes.as_flattened_mut() {
            *lane *= scale;
        }
        lanes.as_flattened_mut()[row + 1 - self.keys.start..].fill(hidden);
        if self.plan.visible.is_some() {
            for (score, key) in lanes.as_flattened_mut().iter_mut().zip(self.keys.start..row) {
                if !self.plan.sees(row, key) {
                    *score = hidden;
                }
            }
        }
        let mut largest = [hidden; LANES];
        for scores in lanes.iter() {
            for (largest, score) in largest.iter_mut().zip(scores) {
                *largest = if *score > *largest { *score } else { *largest };
            }
        }
        let largest = largest.into_iter().fold(hidden, |left, right| if right > left { right } else { left });
        let mut sums = [T::zero(); LANES];
        for scores in lanes.iter_mut() {
            for (sum, score) in sums.iter_mut().zip(scores) {
                *score = (*score - largest).exp(instructions);
                *sum += *score;
            }
        }
        number::<T>(1.0) / sums.into_iter().sum::<T>()
    }

    fn scale(&self) -> T {
        number(((self.width / self.heads) as f64).sqrt().recip())
    }

    /// `result` are the rows of the sequence's queries.
    #[inline(always)]
    fn forward<const N: usize>(&self, instructions: impl Instructions, q: &[T], result: &mut [T]) {
        let (width, stride, count, scale) = (self.width, self.stride(), self.keys.len(), self.scale());
        let [mut keys, mut values] = self.panels::<N>();
        let (keys, values) = (keys.as_chunks_mut().0, values.as_chunks_mut().0);
        let mut scores = Scratch::of(BLOCK * stride);
        for head in self.head_columns() {
            pack_columns(self.memory(), head.clone(), keys);
            pack_rows::<T, N>(self.rows(), width + head.start..width + head.end, values);
            for (block, seen) in self.blocks() {
                let padded = seen.next_multiple_of(WIDE);
                let queries = operand(&q[block.start * width + head.start..], width);
                let panels = Right { panels: keys, inner: head.len(), rows: head.len(), next: None };
                products::<T, WIDE>(instructions, block.len(), queries, panels, (&mut scores, stride, padded), false);
                let mut inverses = [T::zero(); BLOCK];
                for ((place, scores), inverse) in block.clone().zip(scores.chunks_mut(stride)).zip(&mut inverses) {
                    *inverse = self.softmax(instructions, self.plan.rows[place] as usize, scale, &mut scores[..padded]);
                }
                let result = &mut result[(block.start - self.queries.start) * width + head.start..];
                let weights = operand(&scores, stride);
                let values = Right { panels: values, inner: seen, rows: count, next: None };
                let into = (&mut *result, width, head.len());
                products::<T, N>(instructions, block.len(), weights, values, into, false);
                for (row, inverse) in result.chunks_mut(width).zip(&inverses[..block.len()]) {
                    for value in &mut row[..head.len()] {
                        *value *= *inverse;
                    }
                }
            }
        }
    }

    /// `dq` are the rows of the sequence's queries, `dkv` those of its keys and values.
    #[inline(always)]
    fn backward<const N: usize>(
        &self,
        instructions: impl Instructions,
        [q, grad]: [&[T]; 2],
        [dq, dkv]: [&mut [T]; 2],
    ) {
        let (width, stride, count, scale) = (self.width, self.stride(), self.keys.len(), self.scale());
        let [mut key_columns, mut key_rows] = self.panels::<N>();
        let mut value_columns = Scratch::of(key_columns.len());
        let rows = || Scratch::of((width / self.heads).div_ceil(N) * BLOCK * N);
        let (mut query_rows, mut grad_rows) = (rows(), rows());
        let (query_rows, grad_rows) = (query_rows.as_chunks_mut().0, grad_rows.as_chunks_mut().0);
        let (key_columns, value_columns) = (key_columns.as_chunks_mut().0, value_columns.as_chunks_mut().0);
        let key_rows = key_rows.as_chunks_mut().0;
        let (mut scores, mut slopes) = (Scratch::of(BLOCK * stride), Scratch::of(BLOCK * stride));
        for head in self.head_columns() {
            let second = width + head.start..width + head.end;
            pack_columns(self.memory(), head.clone(), key_columns);
            pack_columns(self.memory(), second.clone(), value_columns);
            pack_rows::<T, N>(self.rows(), head.clone(), key_rows);
            for (block, seen) in self.blocks() {
                let (padded, some) = (seen.next_multiple_of(WIDE), block.start * width..block.end * width);
                pack_rows::<T, N>(q[some.clone()].chunks_exact(width), head.clone(), query_rows);
                pack_rows::<T, N>(grad[some].chunks_exact(width), head.clone(), grad_rows);
                let start = block.start * width + head.start;
                let keys = Right { panels: key_columns, inner: head.len(), rows: head.len(), next: None };
                let into = (&mut *scores, stride, padded);
                products::<T, WIDE>(instructions, block.len(), operand(&q[start..], width), keys, into, false);
                // dp_j = <grad, v_j>
                let values = Right { panels: value_columns, ..keys };
                let into = (&mut *slopes, stride, padded);
                products::<T, WIDE>(instructions, block.len(), operand(&grad[start..], width), values, into, false);
                let rows = scores.chunks_mut(stride).zip(slopes.chunks_mut(stride));
                for (place, (scores, slopes)) in block.clone().zip(rows) {
                    let (scores, slopes) = (&mut scores[..padded], &mut slopes[..padded]);
                    let inverse = self.softmax(instructions, self.plan.rows[place] as usize, scale, scores);
                    for score in scores.iter_mut() {
                        *score *= inverse;
                    }
                    // ds_j = p_j (dp_j - sum_i p_i dp_i)
                    let mean = cpu::dot(scores, slopes);
                    for (slope, score) in slopes.iter_mut().zip(scores.iter()) {
                        *slope = *score * (*slope - mean) * scale;
                    }
                }
                let dq = &mut dq[(block.start - self.queries.start) * width + head.start..];
                let weights = operand(&slopes, stride);
                let keys = Right { panels: key_rows, inner: seen, rows: count, next: None };
                products::<T, N>(instructions, block.len(), weights, keys, (dq, width, head.len()), false);
                let transposed = |values| Left { values, row_stride: 1, step: stride, tile_stride: TALL };
                let row = 2 * width;
                let into = (&mut dkv[head.start..], row, head.len());
                let queries = Right { panels: query_rows, inner: block.len(), rows: block.len(), next: None };
                products::<T, N>(instructions, seen, transposed(&slopes), queries, into, true);
                let into = (&mut dkv[second.start..], row, head.len());
                let grads = Right { panels: grad_rows, ..queries };
                products::<T, N>(instructions, seen, transposed(&scores), grads, into, true);
            }
        }
    }
}

/// Evaluates an expression with the best instructions and with how wide the panels of a head are.
macro_rules! with_constants {
    ($head_dim:expr, $instructions:ident, $narrow:ident => $body:expr) => {
        match $head_dim {
            ..=8 => {
                const $narrow: usize = 8;
                with_instructions!($instructions => $body)
            }
            _ => {
                const $narrow: usize = 16;
                with_instructions!($instructions => $body)
            }
        }
    };
}

/// Writes the attended values of every query, `[queries, width]`, from `q` like it and `kv` `[rows, 2 * width]`.
pub(super) fn forward<T: Real>(
    result: &mut [T],
    plan: &AttentionPlan,
    heads: usize,
    (q, kv): (&[T], &[T]),
    width: usize,
) {
    let mut rest = result;
    let mut work = Vec::with_capacity(plan.groups.len());
    for (queries, keys) in &plan.groups {
        let (mine, others) = rest.split_at_mut(queries.len() * width);
        rest = others;
        let (queries, keys) = (queries.clone(), keys.clone());
        work.push((Sequence { plan, queries, keys, width, heads, keys_values: kv }, mine));
    }
    with_constants!(width / heads, instructions, N => threads::for_each_with(
        instructions,
        work,
        #[inline(always)]
        |(sequence, result): (Sequence<T>, &mut [T])| sequence.forward::<N>(instructions, q, result),
    ));
}

/// Writes the gradient of `q`, from that of the attended values, to `dq`; the gradients of the keys and values that queries
/// see are added to `dkv`, whose first row is that of `first_key`.
pub(super) fn backward<T: Real>(
    dq: &mut [T],
    plan: &AttentionPlan,
    heads: usize,
    (q, kv, grad): (&[T], &[T], &[T]),
    (dkv, first_key): (&mut [T], usize),
    width: usize,
) {
    let (mut rest_q, mut rest_kv) = (dq, dkv);
    let mut taken = first_key;
    let mut work = Vec::with_capacity(plan.groups.len());
    for (queries, keys) in &plan.groups {
        let (mine_q, others_q) = rest_q.split_at_mut(queries.len() * width);
        let (_, from_here) = rest_kv.split_at_mut((keys.start - taken) * 2 * width);
        let (mine_kv, others_kv) = from_here.split_at_mut(keys.len() * 2 * width);
        (rest_q, rest_kv, taken) = (others_q, others_kv, keys.end);
        let (queries, keys) = (queries.clone(), keys.clone());
        work.push((Sequence { plan, queries, keys, width, heads, keys_values: kv }, mine_q, mine_kv));
    }
    with_constants!(width / heads, instructions, N => threads::for_each_with(
        instructions,
        work,
        #[inline(always)]
        |(sequence, dq, dkv): (Sequence<T>, &mut [T], &mut [T])| sequence.backward::<N>(instructions, [q, grad], [dq, dkv]),
    ));
}
