//! What an operation demands of its operands.

use candle_core::{DType, Result, Shape, Tensor};

/// An operand that does not fit.
#[derive(Debug, thiserror::Error)]
#[error("{operand}: expected {expected}, found {found}")]
struct Unfit {
    operand: String,
    expected: String,
    found: String,
}

/// The error for an operand that does not fit: fused operations walk over plain memory, where a wrong shape would be a
/// wrong result and not a refusal.
pub(crate) fn unfit(operand: &str, expected: impl Into<String>, found: impl ToString) -> candle_core::Error {
    let (operand, expected) = (operand.to_owned(), expected.into());
    candle_core::Error::wrap(Unfit { operand, expected, found: found.to_string() })
}

/// Demands a shape and a type of an operand.
pub(crate) fn expect(operand: &str, found: &Tensor, shape: &[usize], dtype: DType) -> Result<()> {
    if found.dims() == shape && found.dtype() == dtype {
        return Ok(());
    }
    let described = |shape: &[usize], dtype: DType| format!("{shape:?} of {}", dtype.as_str());
    Err(unfit(operand, described(shape, dtype), described(found.dims(), found.dtype())))
}

/// What `compose` makes of `operand`, of shape `shape`; zeros where one of both has no elements, since a GPU launches no
/// kernel over nothing, and a sum over nothing is zero.
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

/// Rows and columns of an operand that must be a matrix.
pub(crate) fn matrix(operand: &str, found: &Tensor) -> Result<(usize, usize)> {
    match found.dims() {
        [rows, columns] => Ok((*rows, *columns)),
        other => Err(unfit(operand, "rows and columns", format!("{other:?}"))),
    }
}
