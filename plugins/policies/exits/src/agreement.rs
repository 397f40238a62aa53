//! Checks in a row that agree with the check before.

use haltbench_sdk::prelude::*;

use crate::criterion::consecutive;

/// For each row, how many checks in a row, this one included, have found the prediction of the check before; 0 at the first.
/// `predictions` are tokens, `[rows]`.
///
/// # Errors
/// If a tensor operation fails.
pub fn repetitions(predictions: &Tensor, memory: &mut RowMemory) -> Result<Vec<f64>> {
    let same = match memory.replace("prediction", predictions) {
        Some(before) => predictions.eq(&before)?,
        None => predictions.ne(predictions)?,
    };
    count(&same, memory)
}

/// The same for `numbers` `[rows, width]`, which agree if none of them changes by `tolerance` or more.
///
/// # Errors
/// If a tensor operation fails.
pub fn near_repetitions(numbers: &Tensor, tolerance: f64, memory: &mut RowMemory) -> Result<Vec<f64>> {
    let near = match memory.replace("numbers", numbers) {
        Some(before) => (numbers - before)?.abs()?.max(1)?.lt(tolerance)?,
        None => Tensor::zeros(numbers.dim(0)?, DType::U8, numbers.device())?,
    };
    count(&near, memory)
}

fn count(agrees: &Tensor, memory: &mut RowMemory) -> Result<Vec<f64>> {
    let flags: Vec<bool> = agrees.to_vec1::<u8>()?.iter().map(|agrees| *agrees > 0).collect();
    consecutive("count", &flags, memory, agrees.device())
}
