//! The arithmetic of causal attention on slices, one sequence and head at a time.
//!
//! A block of queries is processed at once, with the tiles of matrix products. Probabilities are not stored but
//! recomputed in the backward pass.

use std::ops::Range;

use super::plan::AttentionPlan;
use super::softmax::{self, BLOCK, Lanes};
use crate::cpu::{LANES, Real, number};
use crate::instructions::{Instructions, with_instructions};
use crate::product::copy_up_to;
use crate::product::kernel::{Into, Left, Right, by_tiles, column, places};
use crate::scratch::Scratch;
use crate::threads;

/// Limit on the numbers of one query's heads side by side: one head's keys are multiplied with the zeros of the other
/// heads, so wider groups waste work.
const MOST: usize = 256;

/// The work for one sequence: its queries and its keys.
struct Sequence<'a, T> {
    plan: &'a AttentionPlan,
    queries: Range<usize>,
    keys: Range<usize>,
    width: usize,
    heads: usize,
    keys_values: &'a [T],
}

/// Some queries of a sequence.
struct Block<T> {
    /// Their places in the plan.
    places: Range<usize>,
    /// Number of lanes of each head.
    lanes: usize,
    /// For each query, the index of the last key that it sees in the sequence, plus one half. Lanes without a query see
    /// all keys.
    limits: Lanes<T>,
    /// The last key that all of them see.
    all_see: usize,
    /// How many keys the last query sees.
    seen: usize,
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

/// Some columns of rows side by side, from a lane on.
#[inline(always)]
fn to_lanes<T: Real>(rows: &[T], width: usize, head: Range<usize>, first: usize, lanes: &mut [Lanes<T>]) {
    for (group, lanes) in lanes.chunks_mut(LANES).enumerate() {
        let columns = head.start + group * LANES..head.end.min(head.start + (group + 1) * LANES);
        // Products of lanes without a query are finite.
        let mut square = [[T::zero(); LANES]; BLOCK];
        for (some, row) in square[first..].iter_mut().zip(rows.chunks_exact(width)) {
            copy_up_to(some, &row[columns.clone()]);
        }
        for (column, lanes) in lanes.iter_mut().enumerate() {
            *lanes = std::array::from_fn(|lane| square[lane][column]);
        }
    }
}

/// The products of rows, `stride` numbers apart, with the queries of a block.
#[inline(always)]
fn scores_of<T: Real>(
    instructions: impl Instructions,
    (rows, stride): (&[T], usize),
    query: &[Lanes<T>],
    scores: &mut [Lanes<T>],
) {
    let left = Left { values: rows, row_stride: stride, step: 1, tile_stride: None };
    let right = Right { panels: query, inner: query.len(), rows: query.len(), next: None };
    let count = scores.len();
    let places = places(scores.as_flattened_mut());
    let into = Into { places, stride: BLOCK, panel_stride: BLOCK, columns: BLOCK, add: false };
    column(instructions, count, 1, &left, &right, &into);
}

/// Rows of numbers: memory, stride, width.
type Rows<'a, T> = (&'a mut [T], usize, usize);

/// Writes to `rows`, or adds to them, sums of the rows in the `panels` of `right`, weighted by `left`.
#[inline(always)]
fn mix<T: Real, const N: usize>(
    instructions: impl Instructions,
    rows: usize,
    left: Left<T>,
    right: Right<T, N>,
    (into, stride, columns): Rows<T>,
    add: bool,
) {
    for panels in by_tiles(instructions, 0..columns.div_ceil(N)) {
        let first = panels.start * N;
        let right = Right { panels: &right.panels[panels.start * right.rows..], ..right };
        let columns = (columns - first).min(panels.len() * N);
        let into = Into { places: places(&mut into[first..]), stride, panel_stride: N, columns, add };
        column(instructions, rows, panels.len(), &left, &right, &into);
    }
}

/// Numbers of each key as weights of keys, for each query of a block from the lane `first` on.
#[inline(always)]
fn by_query<T: Real>(lanes: &[Lanes<T>], first: usize) -> Left<'_, T> {
    Left { values: &lanes.as_flattened()[first..], row_stride: 1, step: BLOCK, tile_stride: None }
}

/// Numbers of each key as weights of queries.
#[inline(always)]
fn by_key<T: Real>(lanes: &[Lanes<T>], first: usize) -> Left<'_, T> {
    Left { values: &lanes.as_flattened()[first..], row_stride: BLOCK, step: 1, tile_stride: None }
}

impl<T: Real> Sequence<'_, T> {
    fn head_dim(&self) -> usize {
        self.width / self.heads
    }

    /// Number of heads that fit side by side for `queries` queries.
    fn heads_beside(&self, queries: usize) -> usize {
        let fit = (BLOCK / queries.next_power_of_two()).min(MOST / self.head_dim()).min(self.heads).max(1);
        1 << fit.ilog2()
    }

    /// The heads by as many as the last block holds.
    fn head_groups(&self) -> impl Iterator<Item = Range<usize>> + use<T> {
        let (heads, beside) = (self.heads, self.most_beside());
        (0..heads).step_by(beside).map(move |first| first..(first + beside).min(heads))
    }

    /// Heads that the last block holds; all before it are full.
    fn most_beside(&self) -> usize {
        self.heads_beside((self.queries.len() - 1) % BLOCK + 1)
    }

    /// Columns of some heads.
    fn columns(&self, heads: Range<usize>) -> Range<usize> {
        heads.start * self.head_dim()..heads.end * self.head_dim()
    }

    /// Rows of keys and values.
    #[inline(always)]
    fn rows(&self) -> impl ExactSizeIterator<Item = &[T]> {
        let row = 2 * self.width;
        self.keys_values[self.keys.start * row..self.keys.end * row].chunks_exact(row)
    }

    /// Copies some columns of the sequence's keys and values into contiguous memory.
    #[inline(always)]
    fn copy_columns(&self, columns: Range<usize>, into: &mut [T]) {
        for (into, row) in into.chunks_exact_mut(columns.len()).zip(self.rows()) {
            into.copy_from_slice(&row[columns.clone()]);
        }
    }

    fn blocks(&self) -> impl Iterator<Item = Block<T>> {
        self.queries.clone().step_by(BLOCK).map(|start| {
            let places = start..(start + BLOCK).min(self.queries.end);
            let last = self.keys.len() - 1;
            let key = |place: usize| match self.plan.is_whole {
                true => last,
                false => self.plan.rows[place] as usize - self.keys.start,
            };
            let lanes = BLOCK / self.heads_beside(places.len());
            let mut limits = [number(f64::INFINITY); BLOCK];
            for limits in limits.chunks_mut(lanes) {
                for (limit, place) in limits.iter_mut().zip(places.clone()) {
                    *limit = number(key(place) as f64 + 0.5);
                }
            }
            Block { all_see: key(start), seen: key(places.end - 1) + 1, places, lanes, limits }
        })
    }

    /// Turns products of keys with queries into numerators of the softmax over the keys that a query sees; returns 1 /
    /// their sums.
    #[inline(always)]
    fn softmax(
        &self,
        instructions: impl Instructions,
        block: &Block<T>,
        scale: T,
        scores: &mut [Lanes<T>],
    ) -> Lanes<T> {
        // Whole rows of numbers as values, which the compiler keeps in registers.
        let limits = block.limits;
        for (key, scores) in scores.iter_mut().enumerate().skip(block.all_see + 1) {
            let key = number::<T>(key as f64);
            // Infinite, of the sign of the difference: a minimum needs no branch.
            let bounds = limits.map(|limit| (limit - key) * number(f64::INFINITY));
            *scores = softmax::minima(*scores, bounds);
        }
        if self.plan.visible.is_some() {
            self.hide(block, scores);
        }
        softmax::numerators(instructions, scale, scores)
    }

    /// Hides the keys that are not visible; a token still sees itself.
    #[inline(never)]
    fn hide(&self, block: &Block<T>, scores: &mut [Lanes<T>]) {
        for (scores, key) in scores.iter_mut().zip(self.keys.start..) {
            for scores in scores.chunks_mut(block.lanes) {
                for (score, place) in scores.iter_mut().zip(block.places.clone()) {
                    if !self.plan.sees(self.plan.rows[place] as usize, key) {
                        *score = number(f64::NEG_INFINITY);
                    }
                }
            }
        }
    }

    fn scale(&self) -> T {
        number((self.head_dim() as f64).sqrt().recip())
    }

    /// Memory for the keys or values of a group of heads as rows and as panels.
    fn group_memory<const N: usize>(&self) -> [Scratch<T>; 2] {
        let (count, head_dim) = (self.keys.len() * self.most_beside(), self.head_dim());
        [count * head_dim, head_dim.div_ceil(N) * count * N].map(Scratch::of)
    }

    /// Lays the numbers of some heads in `rows`, one for each query of the block, side by side: each head has lanes of its own.
    #[inline(always)]
    fn lay_heads(&self, block: &Block<T>, heads: Range<usize>, rows: &[T], into: &mut [Lanes<T>]) {
        for ((head, lane), into) in block.first_lanes(heads).zip(into.chunks_mut(self.head_dim())) {
            to_lanes(rows, self.width, self.columns(head..head + 1), lane, into);
        }
    }

    /// `result` are the rows of the sequence's queries.
    #[inline(always)]
    fn forward<const N: usize>(&self, instructions: impl Instructions, q: &[T], result: &mut [T]) {
        let (width, head_dim, scale, count) = (self.width, self.head_dim(), self.scale(), self.keys.len());
        let [mut keys, mut values] = self.group_memory::<N>();
        let values: &mut [[T; N]] = values.as_chunks_mut().0;
        let panels = head_dim.div_ceil(N) * count;
        let mut query = Scratch::of(self.most_beside() * head_dim * BLOCK);
        let query: &mut [Lanes<T>] = query.as_chunks_mut().0;
        let mut scores = Scratch::of(count * BLOCK);
        for group in self.head_groups() {
            let stride = self.columns(group.clone()).len();
            self.copy_columns(self.columns(group.clone()), &mut keys[..count * stride]);
            for (head, values) in group.clone().zip(values.chunks_mut(panels)) {
                let columns = self.columns(head..head + 1);
                pack_rows::<T, N>(self.rows(), width + columns.start..width + columns.end, values);
            }
            for block in self.blocks() {
                let scores = &mut scores.as_chunks_mut().0[..block.seen];
                let q = &q[block.places.start * width..block.places.end * width];
                for heads in block.heads(group.clone()) {
                    let query = &mut query[..heads.len() * head_dim];
                    self.lay_heads(&block, heads.clone(), q, query);
                    let first = heads.start - group.start;
                    scores_of(instructions, (&keys[first * head_dim..], stride), query, scores);
                    let inverses = self.softmax(instructions, &block, scale, scores);
                    for (head, lane) in block.first_lanes(heads) {
                        let from = (block.places.start - self.queries.start) * width + head * head_dim;
                        let result = &mut result[from..];
                        let panels = &values[(head - group.start) * panels..][..panels];
                        let values = Right { panels, inner: block.seen, rows: count, next: None };
                        let into = (&mut *result, width, head_dim);
                        mix::<T, N>(instructions, block.places.len(), by_query(scores, lane), values, into, false);
                        for (row, inverse) in result.chunks_mut(width).zip(&inverses[lane..][..block.places.len()]) {
                            for value in &mut row[..head_dim] {
                                *value *= *inverse;
                            }
                        }
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
        let (width, head_dim, scale, count) = (self.width, self.head_dim(), self.scale(), self.keys.len());
        let [mut keys, mut key_panels] = self.group_memory::<N>();
        let mut values = Scratch::of(keys.len());
        let key_panels: &mut [[T; N]] = key_panels.as_chunks_mut().0;
        let panels = head_dim.div_ceil(N) * count;
        let [mut query, mut slope] = [(); 2].map(|()| Scratch::of(self.most_beside() * head_dim * BLOCK));
        let [query, slope]: [&mut [Lanes<T>]; 2] = [&mut query, &mut slope].map(|lanes| lanes.as_chunks_mut().0);
        let [mut query_rows, mut grad_rows] = [(); 2].map(|()| Scratch::of(head_dim.div_ceil(N) * BLOCK * N));
        let (query_rows, grad_rows) = (query_rows.as_chunks_mut().0, grad_rows.as_chunks_mut().0);
        let [mut scores, mut slopes] = [(); 2].map(|()| Scratch::of(count * BLOCK));
        for group in self.head_groups() {
            let columns = self.columns(group.clone());
            let stride = columns.len();
            self.copy_columns(columns.clone(), &mut keys[..count * stride]);
            self.copy_columns(width + columns.start..width + columns.end, &mut values[..count * stride]);
            for (head, panels) in group.clone().zip(key_panels.chunks_mut(panels)) {
                pack_rows::<T, N>(self.rows(), self.columns(head..head + 1), panels);
            }
            for block in self.blocks() {
                let queries = block.places.len();
                let scores = &mut scores.as_chunks_mut().0[..block.seen];
                let slopes = &mut slopes.as_chunks_mut().0[..block.seen];
                let some = block.places.start * width..block.places.end * width;
                let (q, grad) = (&q[some.clone()], &grad[some]);
                for heads in block.heads(group.clone()) {
                    let (query, slope) = (&mut query[..heads.len() * head_dim], &mut slope[..heads.len() * head_dim]);
                    self.lay_heads(&block, heads.clone(), q, query);
                    self.lay_heads(&block, heads.clone(), grad, slope);
                    let first = (heads.start - group.start) * head_dim;
                    scores_of(instructions, (&keys[first..], stride), query, scores);
                    // dp_j = <grad, v_j>
                    scores_of(instructions, (&values[first..], stride), slope, slopes);
                    let inverses = self.softmax(instructions, &block, scale, scores);
                    softmax::slopes_of_scores(scores, slopes, &inverses, scale);
                    for (head, lane) in block.first_lanes(heads) {
                        let own = self.columns(head..head + 1);
                        pack_rows::<T, N>(q.chunks_exact(width), own.clone(), query_rows);
                        pack_rows::<T, N>(grad.chunks_exact(width), own.clone(), grad_rows);
                        let dq = &mut dq[(block.places.start - self.queries.start) * width + own.start..];
                        let panels = &key_panels[(head - group.start) * panels..][..panels];
                        let keys = Right { panels, inner: block.seen, rows: count, next: None };
                        let into = (dq, width, head_dim);
                        mix::<T, N>(instructions, queries, by_query(slopes, lane), keys, into, false);
                        let rows = Right { panels: query_rows, inner: queries, rows: queries, next: None };
                        let into = (&mut dkv[own.start..], 2 * width, head_dim);
                        mix::<T, N>(instructions, block.seen, by_key(slopes, lane), rows, into, true);
                        let rows = Right { panels: grad_rows, ..rows };
                        let into = (&mut dkv[width + own.start..], 2 * width, head_dim);
                        mix::<T, N>(instructions, block.seen, by_key(scores, lane), rows, into, true);
                    }
                }
            }
        }
    }
}

impl<T> Block<T> {
    /// The heads of a group by as many as the block holds.
    fn heads(&self, group: Range<usize>) -> impl Iterator<Item = Range<usize>> + use<T> {
        let beside = BLOCK / self.lanes;
        group.clone().step_by(beside).map(move |first| first..(first + beside).min(group.end))
    }

    /// Heads that the block holds at once, with the first lane of each.
    fn first_lanes(&self, heads: Range<usize>) -> impl Iterator<Item = (usize, usize)> + use<T> {
        heads.zip((0..).step_by(self.lanes))
    }
}

/// Evaluates an expression with the best instructions and the panel width of a head.
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
pub fn forward<T: Real>(result: &mut [T], plan: &AttentionPlan, heads: usize, (q, kv): (&[T], &[T]), width: usize) {
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

/// Writes the gradient of `q`, from the gradient of the attended values, to `dq`. Adds the gradients of keys and values
/// to `dkv`, whose first row belongs to `first_key`.
pub fn backward<T: Real>(
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
