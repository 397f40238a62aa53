//! Matrix products whose result for a row does not depend on how many rows there are.

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};

/// Fewest rows for which candle's CPU matrix product (gemm 0.19) takes the same path as for any larger number.
///
/// Products of at most 256 results use a dot-product kernel, and those of at most 64 rows and columns block the
/// inner dimension differently; both round otherwise. Operands with fewer rows are padded, so that a token's state
/// never depends on how many other tokens still run.
fn fewest_rows(outputs: usize) -> usize {
    let beyond_dot_products = 256 / outputs.max(1) + 1;
    if outputs <= 64 { beyond_dot_products.max(65) } else { beyond_dot_products.max(8) }
}

/// x wᵀ: `x` `[rows, inputs]`, `weight` `[outputs, inputs]`.
///
/// # Errors
/// If shapes or types do not agree.
pub fn project(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let (rows, inputs) = x.dims2()?;
    let needed = fewest_rows(weight.dim(0)?);
    if rows >= needed || rows == 0 || !x.device().is_cpu() {
        return x.matmul(&weight.t()?);
    }
    let padding = Tensor::zeros((needed - rows, inputs), x.dtype(), x.device())?;
    Tensor::cat(&[x, &padding], 0)?.matmul(&weight.t()?)?.narrow(0, 0, rows)
}

/// A linear layer.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// A layer without bias; weights are normal with variance 1 / inputs.
    ///
    /// # Errors
    /// If a stored weight has another shape.
    pub fn new(inputs: usize, outputs: usize, variables: VarBuilder) -> Result<Self> {
        let stdev = (inputs.max(1) as f64).sqrt().recip();
        let weight = variables.get_with_hints((outputs, inputs), "weight", Init::Randn { mean: 0.0, stdev })?;
        Ok(Self { weight, bias: None })
    }

    /// A layer with a bias that starts at zero.
    ///
    /// # Errors
    /// If a stored weight has another shape.
    pub fn with_bias(inputs: usize, outputs: usize, variables: VarBuilder) -> Result<Self> {
        let bias = variables.get_with_hints(outputs, "bias", Init::Const(0.0))?;
        Ok(Self { bias: Some(bias), ..Self::new(inputs, outputs, variables)? })
    }

    /// `[rows, inputs]` to `[rows, outputs]`.
    ///
    /// # Errors
    /// If shapes or types do not agree.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = project(x, &self.weight)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::project;
    use crate::random::Stream;

    /// Invariant 7: batch composition never changes a row.
    #[test]
    fn invariant_7_a_row_does_not_depend_on_how_many_rows_there_are() {
        let mut stream = Stream::new(3, "test", &[]);
        let mut values = |count: usize| (0..count).map(|_| stream.normal() as f32).collect::<Vec<_>>();
        for (inputs, outputs) in
            [(32, 32), (32, 128), (128, 32), (256, 1664), (1664, 256), (1664, 14), (256, 14), (64, 1)]
        {
            let weight = Tensor::from_vec(values(inputs * outputs), (outputs, inputs), &Device::Cpu).unwrap();
            let x = Tensor::from_vec(values(300 * inputs), (300, inputs), &Device::Cpu).unwrap();
            let all = project(&x, &weight).unwrap().to_vec2::<f32>().unwrap();
            for rows in [1, 2, 3, 5, 8, 9, 17, 64, 65, 200, 257, 299] {
                let some = project(&x.narrow(0, 300 - rows, rows).unwrap(), &weight).unwrap();
                assert_eq!(some.to_vec2::<f32>().unwrap(), all[300 - rows..], "{rows} rows of {inputs}x{outputs}");
            }
        }
    }
}
