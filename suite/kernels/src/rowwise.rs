//! Row-wise operations, from a row to a number, which other crates can implement.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::cpu::{self, Float, ROWS, Real, dispatch};
use crate::instructions::{Instructions, with_instructions};
use crate::operands;
use crate::threads;

/// An operation that maps each row to a number. It gets contiguous chunks of rows, and is compiled for every processor
/// family if its functions are `#[inline(always)]`.
pub trait RowOperation: Send + Sync + 'static {
    /// Name for error messages.
    const NAME: &'static str;

    /// Writes the results of rows of `width` numbers.
    fn forward<T: Float>(&self, instructions: impl Instructions, width: usize, rows: &[T], results: &mut [T]);

    /// Writes the gradients of the rows, from the gradients of their results.
    fn backward<T: Float>(
        &self,
        instructions: impl Instructions,
        width: usize,
        rows: &[T],
        gradients: &[T],
        of_rows: &mut [T],
    );

    /// The operation on all rows as a composition of candle's operations, for other devices and types.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn composed(&self, rows: &Tensor) -> Result<Tensor>;
}

/// Applies `operation` to the rows of `x`: `[rows, width]` to `[rows]`.
///
/// # Errors
/// If `x` is not a matrix.
pub fn rowwise<O: RowOperation>(x: &Tensor, operation: O) -> Result<Tensor> {
    let (rows, _) = operands::matrix(&format!("x of {}", O::NAME), x)?;
    if cpu::fused(x) {
        return x.contiguous()?.apply_op1(Rowwise(operation));
    }
    operands::unless_empty(x, rows, || operation.composed(x))
}

struct Rowwise<O>(O);

impl<O: RowOperation> Rowwise<O> {
    fn forward<T: Real>(&self, x: &[T], (rows, width): (usize, usize)) -> Vec<T> {
        let mut results = vec![T::zero(); rows];
        let chunks = results.chunks_mut(ROWS).zip(x.chunks(ROWS * width.max(1))).collect();
        with_instructions!(instructions => threads::for_each_with(
            instructions,
            chunks,
            #[inline(always)]
            |(results, x): (&mut [T], &[T])| self.0.forward(instructions, width, x, results),
        ));
        results
    }

    fn backward<T: Real>(&self, x: &[T], grad: &[T], width: usize) -> Vec<T> {
        let mut result = vec![T::zero(); x.len()];
        let length = ROWS * width.max(1);
        let chunks = result.chunks_mut(length).zip(x.chunks(length).zip(grad.chunks(ROWS))).collect();
        with_instructions!(instructions => threads::for_each_with(
            instructions,
            chunks,
            #[inline(always)]
            |(result, (x, grad)): (&mut [T], (&[T], &[T]))| self.0.backward(instructions, width, x, grad, result),
        ));
        result
    }
}

impl<O: RowOperation> CustomOp1 for Rowwise<O> {
    fn name(&self) -> &'static str {
        O::NAME
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = layout.shape().dims2()?;
        dispatch!(O::NAME, storage.dtype(), T => {
            Ok(cpu::stored(self.forward(cpu::slice::<T>(storage, layout)?, (rows, width)), rows))
        })
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let width = x.dim(1)?;
        dispatch!(O::NAME, x.dtype(), T => {
            let result = cpu::with_all::<T, _, 2>([x, grad], |[x, grad]| Ok(self.backward(x, grad, width)))?;
            cpu::gradient(result, x)
        })
    }
}
