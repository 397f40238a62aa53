//! Causal attention of any subset of queries over packed sequences.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor};

use super::cpu::{self, Real, dispatch, number};
use crate::layout::{RowSet, TokenLayout};
use crate::threads;

/// Who attends to whom: the queries of each sequence and the keys they may see.
#[derive(Debug)]
pub struct AttentionPlan {
    /// Row of each query, ascending.
    rows: Vec<u32>,
    /// Queries and keys of each sequence that has queries.
    groups: Vec<(Range<usize>, Range<usize>)>,
    /// Keys that may be seen; `None` means all. A row always sees itself.
    visible: Option<Arc<Vec<bool>>>,
    total: usize,
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

    /// Number of (query, visible key) pairs: what attention costs.
    pub fn pairs(&self) -> usize {
        let mut pairs = 0;
        for (queries, keys) in &self.groups {
            for row in self.rows[queries.clone()].iter().map(|row| *row as usize) {
                pairs += match &self.visible {
                    None => row + 1 - keys.start,
                    Some(_) => (keys.start..=row).filter(|key| self.sees(row, *key)).count(),
                };
            }
        }
        pairs
    }

    fn sees(&self, row: usize, key: usize) -> bool {
        key == row || self.visible.as_ref().is_none_or(|visible| visible[key])
    }
}

/// softmax(q kᵀ / sqrt(head_dim)) v per head. `q` is `[queries, heads * head_dim]`, `k` and `v` are
/// `[rows, heads * head_dim]` for all tokens of the batch; the result is like `q`.
///
/// # Errors
/// If shapes or types do not agree with each other and the plan.
pub fn causal_attention(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, plan: &Arc<AttentionPlan>) -> Result<Tensor> {
    let width = q.dim(1)?;
    if q.dim(0)? != plan.rows.len() || k.dims() != [plan.total, width] || v.dims() != k.dims() || width % heads != 0 {
        candle_core::bail!(
            "attention: {} queries of {:?} over keys {:?} and values {:?} of {} rows in {heads} heads",
            plan.rows.len(),
            q.dims(),
            k.dims(),
            v.dims(),
            plan.total
        );
    }
    if cpu::fused(q) {
        let attention = Attention { plan: plan.clone(), heads };
        return q.contiguous()?.apply_op3(&k.contiguous()?, &v.contiguous()?, attention);
    }
    composed(q, k, v, heads, plan)
}

/// Attention over a padded grid `[sequences, heads, queries, keys]`.
fn composed(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, plan: &AttentionPlan) -> Result<Tensor> {
    let width = q.dim(1)?;
    let groups = plan.groups.len();
    let most_queries = plan.groups.iter().map(|(queries, _)| queries.len()).max().unwrap_or(0);
    let most_keys = plan.groups.iter().map(|(_, keys)| keys.len()).max().unwrap_or(0);
    if groups == 0 {
        return Ok(q.clone());
    }
    let mut query_index = vec![0u32; groups * most_queries];
    let mut key_index = vec![0u32; groups * most_keys];
    let mut mask = vec![-1e30f32; groups * most_queries * most_keys];
    let mut back = vec![0u32; plan.rows.len()];
    for (group, (queries, keys)) in plan.groups.iter().enumerate() {
        for (place, key) in keys.clone().enumerate() {
            key_index[group * most_keys + place] = key as u32;
        }
        for (place, query) in queries.clone().enumerate() {
            let slot = group * most_queries + place;
            let row = plan.rows[query] as usize;
            query_index[slot] = query as u32;
            back[query] = slot as u32;
            for key in keys.start..=row {
                if plan.sees(row, key) {
                    mask[slot * most_keys + key - keys.start] = 0.0;
                }
            }
        }
    }
    let grid = |x: &Tensor, index: Vec<u32>, most: usize| {
        let index = Tensor::from_vec(index, groups * most, x.device())?;
        let rows = x.index_select(&index, 0)?;
        rows.reshape((groups, most, heads, width / heads))?.transpose(1, 2)?.contiguous()
    };
    let q = grid(q, query_index, most_queries)?;
    let k = grid(k, key_index.clone(), most_keys)?;
    let v = grid(v, key_index, most_keys)?;
    let mask = Tensor::from_vec(mask, (groups, 1, most_queries, most_keys), q.device())?.to_dtype(q.dtype())?;
    let scale = ((width / heads) as f64).sqrt().recip();
    let scores = (q.matmul(&k.t()?)? * scale)?.broadcast_add(&mask)?;
    let mixed = candle_nn::ops::softmax(&scores, D::Minus1)?.matmul(&v)?;
    let flat = mixed.transpose(1, 2)?.reshape((groups * most_queries, width))?;
    flat.index_select(&Tensor::from_vec(back, plan.rows.len(), flat.device())?, 0)
}

struct Attention {
    plan: Arc<AttentionPlan>,
    heads: usize,
}

impl Attention {
    /// Probabilities of the keys `keys.start..=row` for one head of one query, written to `scores`.
    fn probabilities<T: Real>(
        &self,
        q: &[T],
        k: &[T],
        row: usize,
        start: usize,
        head: Range<usize>,
        scores: &mut Vec<T>,
    ) {
        let width = q.len();
        let scale = number::<T>((head.len() as f64).sqrt().recip());
        let query = &q[head.clone()];
        scores.clear();
        let mut largest = number::<T>(f64::NEG_INFINITY);
        for key in start..=row {
            let score = if self.plan.sees(row, key) {
                let key = &k[(key * width + head.start)..(key * width + head.end)];
                query.iter().zip(key).map(|(q, k)| *q * *k).sum::<T>() * scale
            } else {
                number(f64::NEG_INFINITY)
            };
            if score > largest {
                largest = score;
            }
            scores.push(score);
        }
        let mut total = T::zero();
        for score in scores.iter_mut() {
            *score = (*score - largest).exp();
            total += *score;
        }
        let inverse = number::<T>(1.0) / total;
        for score in scores.iter_mut() {
            *score *= inverse;
        }
    }

    fn forward<T: Real>(&self, q: &[T], k: &[T], v: &[T]) -> Vec<T> {
        let width = q.len() / self.plan.rows.len().max(1);
        let head_dim = width / self.heads;
        let mut result = vec![T::zero(); q.len()];
        let mut rest = result.as_mut_slice();
        let mut work = Vec::with_capacity(self.plan.groups.len());
        for (queries, keys) in &self.plan.groups {
            let (mine, others) = rest.split_at_mut(queries.len() * width);
            rest = others;
            work.push((queries, keys, mine));
        }
        threads::for_each(work, |(queries, keys, result)| {
            let mut scores = Vec::with_capacity(keys.len());
            for (query, result) in queries.clone().zip(result.chunks_exact_mut(width)) {
                let row = self.plan.rows[query] as usize;
                let q = &q[query * width..(query + 1) * width];
                for head in 0..self.heads {
                    let head = head * head_dim..(head + 1) * head_dim;
                    self.probabilities(q, k, row, keys.start, head.clone(), &mut scores);
                    let result = &mut result[head.clone()];
                    for (key, probability) in (keys.start..).zip(&scores) {
                        let value = &v[(key * width + head.start)..(key * width + head.end)];
                        for (result, value) in result.iter_mut().zip(value) {
                            *result += *probability * *value;
                        }
                    }
                }
            }
        });
        result
    }

    fn backward<T: Real>(&self, q: &[T], k: &[T], v: &[T], grad: &[T]) -> [Vec<T>; 3] {
        let width = q.len() / self.plan.rows.len().max(1);
        let head_dim = width / self.heads;
        let scale = number::<T>((head_dim as f64).sqrt().recip());
        let mut dq = vec![T::zero(); q.len()];
        let mut dk = vec![T::zero(); k.len()];
        let mut dv = vec![T::zero(); v.len()];
        let (mut rest_q, mut rest_k, mut rest_v) = (dq.as_mut_slice(), dk.as_mut_slice(), dv.as_mut_slice());
        let mut taken = 0;
        let mut work = Vec::with_capacity(self.plan.groups.len());
        for (queries, keys) in &self.plan.groups {
            let (mine_q, others_q) = rest_q.split_at_mut(queries.len() * width);
            let (_, from_k) = rest_k.split_at_mut((keys.start - taken) * width);
            let (_, from_v) = rest_v.split_at_mut((keys.start - taken) * width);
            let (mine_k, others_k) = from_k.split_at_mut(keys.len() * width);
            let (mine_v, others_v) = from_v.split_at_mut(keys.len() * width);
            (rest_q, rest_k, rest_v, taken) = (others_q, others_k, others_v, keys.end);
            work.push((queries, keys, mine_q, mine_k, mine_v));
        }
        threads::for_each(work, |(queries, keys, dq, dk, dv)| {
            let mut probabilities = Vec::with_capacity(keys.len());
            let mut products = Vec::with_capacity(keys.len());
            for (query, dq) in queries.clone().zip(dq.chunks_exact_mut(width)) {
                let row = self.plan.rows[query] as usize;
                let q = &q[query * width..(query + 1) * width];
                let grad = &grad[query * width..(query + 1) * width];
                for head in 0..self.heads {
                    let head = head * head_dim..(head + 1) * head_dim;
                    self.probabilities(q, k, row, keys.start, head.clone(), &mut probabilities);
                    let (q, grad, dq) = (&q[head.clone()], &grad[head.clone()], &mut dq[head.clone()]);
                    // dp_j = <grad, v_j>; ds_j = p_j (dp_j - sum_i p_i dp_i)
                    products.clear();
                    let mut mean = T::zero();
                    for (key, probability) in (keys.start..).zip(&probabilities) {
                        let value = &v[(key * width + head.start)..(key * width + head.end)];
                        let product: T = grad.iter().zip(value).map(|(g, v)| *g * *v).sum();
                        mean += *probability * product;
                        products.push(product);
                    }
                    for (place, (probability, product)) in probabilities.iter().zip(&products).enumerate() {
                        let slope = *probability * (*product - mean) * scale;
                        let at = place * width + head.start..place * width + head.end;
                        let key = &k[((keys.start + place) * width + head.start)..][..head_dim];
                        for (index, (dk, dv)) in dk[at.clone()].iter_mut().zip(&mut dv[at]).enumerate() {
                            dq[index] += slope * key[index];
                            *dk += slope * q[index];
                            *dv += *probability * grad[index];
                        }
                    }
                }
            }
        });
        [dq, dk, dv]
    }
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "causal-attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        ql: &Layout,
        k: &CpuStorage,
        kl: &Layout,
        v: &CpuStorage,
        vl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        dispatch!("causal-attention", candle_core::backend::BackendStorage::dtype(q), T => {
            let (q, k, v) = (cpu::slice::<T>(q, ql)?, cpu::slice::<T>(k, kl)?, cpu::slice::<T>(v, vl)?);
            Ok(cpu::stored(self.forward(q, k, v), ql.shape().clone()))
        })
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        dispatch!("causal-attention", q.dtype(), T => {
            let [dq, dk, dv] = cpu::with::<T, _>(q, |qs| cpu::with::<T, _>(k, |ks| cpu::with::<T, _>(v, |vs| {
                cpu::with::<T, _>(grad, |gs| Ok(self.backward(qs, ks, vs, gs)))
            })))?;
            Ok((cpu::gradient(dq, q)?, cpu::gradient(dk, k)?, cpu::gradient(dv, v)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{AttentionPlan, causal_attention, composed};
    use crate::layout::{RowSet, TokenLayout};
    use crate::ops::tests::{agree, values};

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
            let inputs = [values(&[rows.len(), 8], 20), values(&[9, 8], 21), values(&[9, 8], 22)];
            agree(
                &inputs,
                |x| causal_attention(&x[0], &x[1], &x[2], 2, &plan),
                |x| composed(&x[0], &x[1], &x[2], 2, &plan),
            );
        }
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
