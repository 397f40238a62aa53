//! Checks of operands.

use candle_core::{DType, Result, Shape, Tensor};

/// A wrong operand.
#[derive(Debug, thiserror::Error)]
#[error("{operand}: expected {expected}, found {found}")]
struct Unfit {
    operand: String,
    expected: String,
    found: String,
}

/// The error for a wrong operand: fused operations read plain memory, where a wrong shape would give a wrong result
/// instead of an error.
pub(crate) fn unfit(operand: &str, expected: impl Into<String>, found: impl ToString) -> candle_core::Error {
    let (operand, expected) = (operand.to_owned(), expected.into());
    candle_core::Error::wrap(Unfit { operand, expected, found: found.to_string() })
}

/// Checks shape and type of an operand.
pub(crate) fn expect(operand: &str, found: &Tensor, shape: &[usize], dtype: DType) -> Result<()> {
    if found.dims() == shape && found.dtype() == dtype {
        return Ok(());
    }
    let described = |shape: &[usize], dtype: DType| format!("{shape:?} of {}", dtype.as_str());
    Err(unfit(operand, described(shape, dtype), described(found.dims(), found.dtype())))
}

/// `compose(operand)`, of shape `shape`; zeros if one of them has no elements: a GPU cannot launch an empty kernel, and
/// an empty sum is zero.
pub(crate) fn unless_empty(
    operand: &Tensor,
    shape: impl Into<Shape>,
    compose: impl FnOnce() -> Result<Tensor>,
) -> Result<Tensor> {
    let shape = shape.into();
    if operand.elem_count() == 0 || shape.elem_count() == 0 {
        return Tensor::zeros(shape, operand.dtype(), operand.device());
    }
    compose()
}

/// Rows and columns of an operand, which must be a matrix.
pub(crate) fn matrix(operand: &str, found: &Tensor) -> Result<(usize, usize)> {
    match found.dims() {
        [rows, columns] => Ok((*rows, *columns)),
        other => Err(unfit(operand, "rows and columns", format!("{other:?}"))),
    }
}
