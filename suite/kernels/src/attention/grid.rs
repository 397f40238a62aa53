//! Attention as a composition: over a padded grid `[sequences, heads, queries, keys]`.

use candle_core::{D, DType, Device, Result, Tensor};

use super::plan::AttentionPlan;

/// Marks a missing key: it comes after every query.
const NO_KEY: u32 = u32::MAX;

/// Lines of the grid, one for each sequence.
struct Lines {
    most: usize,
    /// Packed row at each place, line by line; an arbitrary row where a line is shorter.
    index: Vec<u32>,
}

impl Lines {
    /// Lines of these lengths, all of which start at the packed row `first`.
    fn new(lines: impl Iterator<Item = (usize, usize)> + Clone) -> Self {
        let most = lines.clone().map(|(_, length)| length).max().unwrap_or(0);
        let places =
            |(first, length)| (0..most).map(move |place| if place < length { (first + place) as u32 } else { 0 });
        Self { most, index: lines.flat_map(places).collect() }
    }

    /// Whether the packed rows are the grid already.
    fn is_packed(&self, rows: usize) -> bool {
        self.index.len() == rows && self.index.iter().zip(0..).all(|(row, place)| *row == place)
    }

    /// The packed rows of `x` as a grid, `[lines, heads, most, head_dim]`.
    fn spread(&self, x: &Tensor, heads: usize) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let rows = match self.is_packed(rows) {
            true => x.clone(),
            false => x.index_select(&Tensor::from_slice(&self.index, self.index.len(), x.device())?, 0)?,
        };
        rows.reshape((self.index.len() / self.most, self.most, heads, width / heads))?.transpose(1, 2)?.contiguous()
    }
}

/// What `causal_attention` computes.
pub(super) fn composed(q: &Tensor, keys_values: &Tensor, heads: usize, plan: &AttentionPlan) -> Result<Tensor> {
    let width = q.dim(1)?;
    if plan.groups.is_empty() {
        return Ok(q.clone());
    }
    let queries = Lines::new(plan.groups.iter().map(|(queries, _)| (queries.start, queries.len())));
    let keys = Lines::new(plan.groups.iter().map(|(_, keys)| (keys.start, keys.len())));
    let half = |first: usize| keys.spread(&keys_values.narrow(1, first, width)?.contiguous()?, heads);
    let (k, v) = (half(0)?, half(width)?);
    let scale = ((width / heads) as f64).sqrt().recip();
    let scores = (queries.spread(q, heads)?.matmul(&k.t()?)? * scale)?;
    let scores = scores.broadcast_add(&hidden(plan, &queries, &keys, q.dtype(), q.device())?)?;
    let mixed = candle_nn::ops::softmax(&scores, D::Minus1)?.matmul(&v)?;
    let flat = mixed.transpose(1, 2)?.reshape((queries.index.len(), width))?;
    if queries.is_packed(plan.queries()) {
        return Ok(flat);
    }
    let lines = plan.groups.iter().enumerate();
    let back =
        lines.flat_map(|(line, (mine, _))| (0..mine.len()).map(move |place| (line * queries.most + place) as u32));
    flat.index_select(&Tensor::from_iter(back, flat.device())?, 0)
}

/// A large negative number for every pair of the grid whose query does not see its key, `[sequences, 1, queries, keys]`.
///
/// Computed on the device from the rows: copying so many numbers would wait until the device is idle.
fn hidden(plan: &AttentionPlan, queries: &Lines, keys: &Lines, dtype: DType, device: &Device) -> Result<Tensor> {
    let lines = plan.groups.len();
    let rows = queries.index.iter().map(|query| plan.rows[*query as usize]);
    let own_rows = Tensor::from_iter(rows.clone(), device)?.reshape((lines, 1, queries.most, 1))?;
    // A query that sees the keys after it stands behind all of them.
    let query_rows = rows.map(|row| if plan.is_whole { NO_KEY - 1 } else { row });
    let query_rows = Tensor::from_iter(query_rows, device)?.reshape((lines, 1, queries.most, 1))?;
    let places = plan
        .groups
        .iter()
        .flat_map(|(_, own)| (0..keys.most).map(|place| (place < own.len()).then(|| own.start + place)));
    let key_rows = |rows: &dyn Fn(usize) -> u32| {
        let rows = places.clone().map(|row| row.map_or(NO_KEY, rows));
        Tensor::from_iter(rows, device)?.reshape((lines, 1, 1, keys.most))
    };
    let all = key_rows(&|row| row as u32)?;
    let seen = match &plan.visible {
        None => query_rows.broadcast_ge(&all)?.to_dtype(dtype)?,
        Some(visible) => {
            let visible = key_rows(&|row| if visible[row] { row as u32 } else { NO_KEY })?;
            let (earlier, own) = (query_rows.broadcast_ge(&visible)?, own_rows.broadcast_eq(&all)?);
            earlier.to_dtype(dtype)?.maximum(&own.to_dtype(dtype)?)?
        }
    };
    // 0 where a key is seen.
    seen.affine(1e30, -1e30)
}
