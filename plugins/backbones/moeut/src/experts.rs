//! Selection of experts by the sigmoid, and sums over the selected ones. Only selected experts are computed.

use std::sync::Arc;

use haltbench_sdk::candle_nn::ops::sigmoid;
use haltbench_sdk::ops::{gather_rows, linear};
use haltbench_sdk::prelude::*;

/// The experts of some rows.
pub struct Selected {
    /// Sigmoids of all experts, `[rows, experts]`.
    weights: Tensor,
    /// The rows that selected each expert.
    rows: Vec<Arc<[u32]>>,
}

impl Selected {
    /// The `count` experts of each row with the largest `logits`, `[rows, experts]`; the first of equal ones.
    pub fn largest(logits: &Tensor, count: usize) -> Result<Self> {
        // candle cannot take the numbers of a tensor without rows.
        let values: Vec<Vec<f64>> = match logits.dim(0)? {
            0 => Vec::new(),
            _ => logits.to_dtype(DType::F64)?.to_device(&Device::Cpu)?.to_vec2()?,
        };
        let mut rows = vec![Vec::new(); logits.dim(1)?];
        for (row, values) in values.iter().enumerate() {
            let mut order: Vec<usize> = (0..values.len()).collect();
            order.sort_by(|left, right| values[*right].total_cmp(&values[*left]));
            order[..count].iter().for_each(|expert| rows[*expert].push(row as u32));
        }
        Ok(Self { weights: sigmoid(logits)?, rows: rows.into_iter().map(Arc::from).collect() })
    }

    /// The sum over the selected experts of their sigmoid times `expert(number, its rows of x)`; zeros where there are no rows.
    ///
    /// The experts of a row are added in their order, so a row's sum does not depend on the other rows.
    pub fn sum(&self, x: &Tensor, width: usize, expert: impl Fn(usize, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let mut sum = Tensor::zeros((x.dim(0)?, width), x.dtype(), x.device())?;
        for (number, rows) in self.rows.iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            let weights = self.weights.narrow(1, number, 1)?.contiguous()?;
            let result = expert(number, &gather_rows(x, rows)?)?.broadcast_mul(&gather_rows(&weights, rows)?)?;
            sum = sum.index_add(&Tensor::new(&**rows, x.device())?, &result, 0)?;
        }
        Ok(sum)
    }
}

/// `x` times the matrix number `number` of those that `weight` holds below each other, with `outputs` rows each.
pub fn expert(weight: &Tensor, number: usize, outputs: usize, x: &Tensor) -> Result<Tensor> {
    Ok(linear(x, &weight.narrow(0, number * outputs, outputs)?.contiguous()?, None)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two of three experts, the first of equal ones, not normalised again.
    #[test]
    fn selected_experts_are_weighted_by_their_sigmoids() {
        let logits = Tensor::new(&[[0.0, 1.0, -1.0], [2.0, 0.5, 0.5]], &Device::Cpu).unwrap();
        let x = Tensor::new(&[[1.0], [10.0]], &Device::Cpu).unwrap();
        let sum =
            Selected::largest(&logits, 2).unwrap().sum(&x, 1, |number, x| Ok((x * (number + 1) as f64)?)).unwrap();
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let expected = [sigmoid(0.0) + 2.0 * sigmoid(1.0), 10.0 * sigmoid(2.0) + 20.0 * sigmoid(0.5)];
        let found: Vec<f64> = sum.flatten_all().unwrap().to_vec1().unwrap();
        assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-14), "{found:?}");
    }
}
