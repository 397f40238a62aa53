//! Attention of single queries over entries of a cache, forward only.
//!
//! Each query lists the entries that it sees, in any place of the cache. Heads are interleaved: each lane belongs to
//! one head, so products of a query with a key are summed lane by lane, never across lanes.

use candle_core::{D, Result, Tensor};

use super::cpu::{self, LANES, dispatch, number};
use super::entries::{KeyValueEntries, NO_ENTRY, Rows, interleave, separate};
use super::lane_sums::{LaneSums, Sums};
use crate::instructions::{Instructions, with_instructions};
use crate::operands;
use crate::threads;

/// Number of queries in a chunk, for any number of threads.
const QUERIES: usize = 8;

/// softmax(q kᵀ / sqrt(head_dim)) v per head, for queries `[queries, width]` over the entries that each of them sees. A query
/// must see at least one. The result carries no gradient.
///
/// # Errors
/// If shapes or types do not agree, or a query sees nothing.
pub fn cached_attention(q: &Tensor, entries: &KeyValueEntries, seen: &[&[u32]]) -> Result<Tensor> {
    operands::expect("q of cached_attention", q, &[seen.len(), entries.width()], entries.dtype())?;
    for (query, seen) in seen.iter().enumerate() {
        let mut known = seen.iter().filter(|entry| **entry != NO_ENTRY).peekable();
        if known.peek().is_none() {
            return Err(operands::unfit(
                "seen of cached_attention",
                "an entry for every query",
                format!("query {query} sees no entry"),
            ));
        }
        if let Some(entry) = known.find(|entry| **entry as usize >= entries.capacity()) {
            let expected = format!("numbers of entries below {}", entries.capacity());
            return Err(operands::unfit("seen of cached_attention", expected, format!("{entry} of query {query}")));
        }
    }
    if entries.width() == 0 {
        return Ok(q.detach());
    }
    if !cpu::fused(q) || seen.is_empty() {
        return composed(q, entries, seen);
    }
    dispatch!("cached attention", q.dtype(), T => {
        let attended = cpu::with::<T, _>(q, |q| forward(q, entries, seen))?;
        Tensor::from_vec(attended, q.shape(), q.device())
    })
}

/// Attention over a padded grid `[queries, heads, 1, keys]`.
fn composed(q: &Tensor, entries: &KeyValueEntries, seen: &[&[u32]]) -> Result<Tensor> {
    let (queries, width) = q.dims2()?;
    let (heads, most) = (entries.heads(), seen.iter().map(|seen| seen.len()).max().unwrap_or(0));
    if queries == 0 {
        return Ok(q.detach());
    }
    let mut numbers = Vec::with_capacity(queries * most);
    let mut mask = vec![-1e30f32; queries * most];
    for (query, seen) in seen.iter().enumerate() {
        let known = seen.iter().copied().find(|entry| *entry != NO_ENTRY).unwrap_or(0);
        for (place, entry) in seen.iter().enumerate().filter(|(_, entry)| **entry != NO_ENTRY) {
            numbers.resize(query * most + place, known);
            numbers.push(*entry);
            mask[query * most + place] = 0.0;
        }
        numbers.resize((query + 1) * most, known);
    }
    let rows = entries.gathered(numbers)?;
    let grid = |first: usize| {
        let half = rows.narrow(1, first, width)?.reshape((queries, most, heads, width / heads))?;
        half.transpose(1, 2)?.contiguous()
    };
    let (k, v) = (grid(0)?, grid(width)?);
    let mask = Tensor::from_vec(mask, (queries, 1, 1, most), q.device())?.to_dtype(q.dtype())?;
    let q = q.detach().reshape((queries, heads, 1, width / heads))?;
    let scale = ((width / heads) as f64).sqrt().recip();
    let scores = (q.matmul(&k.t()?)? * scale)?.broadcast_add(&mask)?;
    candle_nn::ops::softmax(&scores, D::Minus1)?.matmul(&v)?.reshape((queries, width))
}

/// Greatest common divisor.
fn common(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common(b, a % b) }
}

/// Shared by the queries of one layer.
struct Heads {
    heads: usize,
    width: usize,
    /// Period, in groups of lanes, with which lanes belong to the same heads again.
    period: usize,
}

/// Some of the queries.
struct Chunk<'a, T> {
    result: &'a mut [T],
    q: &'a [T],
    seen: &'a [&'a [u32]],
}

/// Memory for one query's work, reused for the next query.
struct Room<'a, T> {
    query: Vec<[T; LANES]>,
    /// For each key, `period` groups of lanes.
    scores: Vec<[T; LANES]>,
    keys: Vec<&'a [T]>,
    mixed: Vec<[T; LANES]>,
}

/// The attended values of every query, from `q` `[queries, width]`.
pub(super) fn forward<T: LaneSums>(q: &[T], entries: &KeyValueEntries, seen: &[&[u32]]) -> Result<Vec<T>> {
    Ok(attend(q, rows_of(entries)?, entries, seen))
}

/// The rows of entries of this type.
pub(super) fn rows_of<T: LaneSums>(entries: &KeyValueEntries) -> Result<Rows<'_, T>> {
    match entries.segments::<T>() {
        Some(rows) => Ok(rows),
        None => candle_core::bail!("cached attention: the entries have another type than the queries"),
    }
}

/// [`forward`] with the rows of the entries.
pub(super) fn attend<T: LaneSums>(q: &[T], rows: Rows<T>, entries: &KeyValueEntries, seen: &[&[u32]]) -> Vec<T> {
    let (heads, width, padded) = (entries.heads(), entries.width(), entries.padded());
    let shape = Heads { heads, width, period: heads / common(heads, LANES) };
    let mut result = vec![T::zero(); q.len()];
    let chunks = result.chunks_mut(QUERIES * width).zip(q.chunks(QUERIES * width)).zip(seen.chunks(QUERIES));
    let chunks: Vec<_> = chunks.map(|((result, q), seen)| Chunk { result, q, seen }).collect();
    with_instructions!(instructions => threads::for_each_with(
        instructions,
        chunks,
        #[inline(always)]
        |Chunk { result, q, seen }| {
            let zeros = || vec![[T::zero(); LANES]; padded / LANES];
            let mut room = Room { query: zeros(), scores: Vec::new(), keys: Vec::new(), mixed: zeros() };
            for ((result, q), seen) in result.chunks_exact_mut(width).zip(q.chunks_exact(width)).zip(seen) {
                shape.attend(instructions, q, rows, seen, &mut room, result);
            }
        },
    ));
    result
}

impl Heads {
    #[inline(always)]
    fn attend<'a, T: LaneSums>(
        &self,
        instructions: impl Instructions,
        q: &[T],
        rows: Rows<'a, T>,
        seen: &[u32],
        room: &mut Room<'a, T>,
        result: &mut [T],
    ) {
        let Room { query, scores, keys, mixed } = room;
        let scale = number::<T>(((self.width / self.heads) as f64).sqrt().recip());
        interleave(q, self.heads, query.as_flattened_mut());
        keys.clear();
        keys.extend(seen.iter().filter(|entry| **entry != NO_ENTRY).map(|entry| rows.entry(*entry)));
        scores.clear();
        scores.resize(keys.len() * self.period, [T::zero(); LANES]);
        T::products(Sums { rows: keys, period: self.period }, query, scores);
        if self.period * LANES > self.heads {
            self.fold(scores);
        }
        let inverse = self.softmax(instructions, scores, scale);
        T::mixture(Sums { rows: keys, period: self.period }, scores, mixed);
        for (mixed, inverse) in mixed.chunks_mut(self.period).flat_map(|groups| groups.iter_mut().zip(&inverse)) {
            for (mixed, inverse) in mixed.iter_mut().zip(inverse) {
                *mixed *= *inverse;
            }
        }
        separate(mixed.as_flattened(), self.heads, result);
    }

    /// If several lanes belong to one head, sets each of them to their sum.
    #[inline(always)]
    fn fold<T: LaneSums>(&self, scores: &mut [[T; LANES]]) {
        let lanes = self.period * LANES;
        for scores in scores.chunks_exact_mut(self.period) {
            let scores = scores.as_flattened_mut();
            for head in 0..self.heads {
                let mut sum = T::zero();
                for lane in (head..lanes).step_by(self.heads) {
                    sum += scores[lane];
                }
                for lane in (head..lanes).step_by(self.heads) {
                    scores[lane] = sum;
                }
            }
        }
    }

    /// Turns scores into numerators of the softmax; returns 1 / their sums.
    #[inline(always)]
    fn softmax<T: LaneSums>(
        &self,
        instructions: impl Instructions,
        scores: &mut [[T; LANES]],
        scale: T,
    ) -> Vec<[T; LANES]> {
        let mut inverse = vec![[T::zero(); LANES]; self.period];
        for phase in 0..self.period {
            let mut largest = [number::<T>(f64::NEG_INFINITY); LANES];
            for scores in scores.iter().skip(phase).step_by(self.period) {
                for (largest, score) in largest.iter_mut().zip(scores) {
                    *largest = if *score > *largest { *score } else { *largest };
                }
            }
            for scores in scores.iter_mut().skip(phase).step_by(self.period) {
                for (score, largest) in scores.iter_mut().zip(&largest) {
                    *score = (*score - *largest) * scale;
                }
            }
        }
        // One loop over all numbers, so that exponentials are vectorised.
        for score in scores.as_flattened_mut() {
            *score = score.exp(instructions);
        }
        for (phase, inverse) in inverse.iter_mut().enumerate() {
            let mut sums = [T::zero(); LANES];
            for scores in scores.iter().skip(phase).step_by(self.period) {
                for (sum, score) in sums.iter_mut().zip(scores) {
                    *sum += *score;
                }
            }
            for (inverse, sum) in inverse.iter_mut().zip(sums) {
                *inverse = number::<T>(1.0) / sum;
            }
        }
        inverse
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::{KeyValueEntries, NO_ENTRY, cached_attention, composed};
    use crate::testing::{rows_where, values};
    use crate::{AttentionPlan, causal_attention};

    fn close(found: &Tensor, expected: &Tensor, tolerance: f64) {
        assert_eq!(found.dims(), expected.dims());
        let difference = (found - expected).unwrap().abs().unwrap().to_dtype(DType::F64).unwrap();
        let largest = difference.flatten_all().unwrap().max(0).unwrap().to_scalar::<f64>().unwrap();
        assert!(largest <= tolerance, "{largest}");
    }

    /// Numbers of heads that divide the number of lanes, are a multiple of it, or neither; padded rows; more entries
    /// than a segment.
    #[test]
    fn equals_its_composition_and_attention_over_rows_that_lie_together() {
        for (heads, head_dim) in [(1, 6), (2, 8), (4, 8), (8, 8), (8, 32), (16, 4), (12, 4), (3, 10), (6, 4), (8, 2)] {
            let (width, rows) = (heads * head_dim, 300);
            for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 3e-6)] {
                let x = values(&[rows, 2 * width], 3).to_dtype(dtype).unwrap();
                let q = values(&[rows, width], 4).to_dtype(dtype).unwrap();
                let mut entries = KeyValueEntries::new(heads, width, dtype, &Device::Cpu).unwrap();
                // The entry of row r has the number 7 r mod 331, so that neighbours are far apart.
                let numbers: Vec<u32> = (0..rows as u32).map(|row| row * 7 % 331).collect();
                entries.write(&numbers[..100], &x.narrow(0, 0, 100).unwrap()).unwrap();
                entries.write(&numbers[100..], &x.narrow(0, 100, 200).unwrap()).unwrap();
                let some = rows_where((0..rows).map(|row| row % 29 == 0 || row > 290));
                let seen: Vec<&[u32]> = some.iter().map(|row| &numbers[..=*row as usize]).collect();
                let queries = crate::gather_rows(&q, &some.clone().into()).unwrap();
                let found = cached_attention(&queries, &entries, &seen).unwrap();
                close(&found, &composed(&queries, &entries, &seen).unwrap(), tolerance);
                let plan = AttentionPlan::new(&[0, rows as u32][..], &some, None);
                close(&found, &causal_attention(&queries, &x, heads, &plan).unwrap(), tolerance);
            }
        }
    }

    #[test]
    fn what_has_no_entry_is_not_seen() {
        let (x, q) = (values(&[4, 32], 5), values(&[2, 16], 6));
        let mut entries = KeyValueEntries::new(2, 16, DType::F64, &Device::Cpu).unwrap();
        entries.write(&[0, 1, 2, 3], &x).unwrap();
        let holes: [&[u32]; 2] = [&[NO_ENTRY, 2, NO_ENTRY, 1], &[3, NO_ENTRY]];
        let found = cached_attention(&q, &entries, &holes).unwrap();
        let without: [&[u32]; 2] = [&[2, 1], &[3]];
        close(&found, &cached_attention(&q, &entries, &without).unwrap(), 0.0);
        close(&composed(&q, &entries, &holes).unwrap(), &found, 1e-12);
        entries.write(&[NO_ENTRY, 0, NO_ENTRY, NO_ENTRY], &x).unwrap();
        let moved: [&[u32]; 2] = [&[0], &[3]];
        let second: [&[u32]; 2] = [&[1], &[3]];
        close(&cached_attention(&q, &entries, &moved).unwrap(), &cached_attention(&q, &entries, &second).unwrap(), 0.0);
        let error = cached_attention(&q, &entries, &[&[1], &[NO_ENTRY]]).unwrap_err();
        assert!(error.to_string().contains("query 1 sees no entry"), "{error}");
        assert!(cached_attention(&q, &entries, &[&[1]]).is_err());
        assert!(entries.write(&[0], &x).unwrap_err().to_string().contains("expected [1, 32]"));
    }
}
