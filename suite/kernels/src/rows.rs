//! Rows of a matrix taken out and put back.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, InplaceOp2, Layout, Result, Shape, Tensor};

use super::cpu::{self, Real, dispatch};
use crate::operands;

/// The rows `rows` of `x` `[total, width]`, in that order: `[rows.len(), width]`. No row may be listed twice.
///
/// # Errors
/// If a row does not exist or is listed twice.
pub fn gather_rows(x: &Tensor, rows: &Arc<[u32]>) -> Result<Tensor> {
    check(rows, total("x of gather_rows", x)?)?;
    if cpu::fused(x) && x.rank() == 2 {
        return x.contiguous()?.apply_op1(Gather { rows: rows.clone() });
    }
    let shape = [&[rows.len()], &x.dims()[1..]].concat();
    operands::unless_empty(x, shape, || {
        x.contiguous()?.index_select(&Tensor::from_slice(rows, rows.len(), x.device())?, 0)
    })
}

/// `base` `[total, width]` with its rows `rows` replaced by those of `new` `[rows.len(), width]`, in that order. No row
/// may be listed twice.
///
/// # Errors
/// If shapes or types do not agree, or a row does not exist or is listed twice.
pub fn replace_rows(base: &Tensor, rows: &Arc<[u32]>, new: &Tensor) -> Result<Tensor> {
    let total = check_replacement(base, rows, new)?;
    if cpu::fused(base) && base.rank() == 2 {
        return base.contiguous()?.apply_op2(&new.contiguous()?, Replace { rows: rows.clone() });
    }
    if new.elem_count() == 0 {
        return Ok(base.clone());
    }
    let mut places: Vec<u32> = (0..total as u32).collect();
    for (place, row) in rows.iter().enumerate() {
        places[*row as usize] = (total + place) as u32;
    }
    Tensor::cat(&[base, new], 0)?.index_select(&Tensor::from_vec(places, total, base.device())?, 0)
}

/// Like [`replace_rows`], but without gradients it writes into the memory of `base` itself: earlier results that share
/// this memory change with it.
///
/// # Errors
/// Like [`replace_rows`].
pub fn update_rows(base: &Tensor, rows: &Arc<[u32]>, new: &Tensor) -> Result<Tensor> {
    let alone = !base.track_op() && !new.track_op() && base.is_contiguous();
    if !(alone && cpu::fused(base) && base.rank() == 2) {
        return replace_rows(base, rows, new);
    }
    check_replacement(base, rows, new)?;
    if base.elem_count() == 0 {
        return Ok(base.clone());
    }
    base.inplace_op2(&new.contiguous()?, &Replace { rows: rows.clone() })?;
    Ok(base.clone())
}

/// Number of rows of `base`, if those of `new` fit.
fn check_replacement(base: &Tensor, rows: &[u32], new: &Tensor) -> Result<usize> {
    let total = total("base of replace_rows", base)?;
    check(rows, total)?;
    let mut shape = base.dims().to_vec();
    shape[0] = rows.len();
    operands::expect("new rows of replace_rows", new, &shape, base.dtype())?;
    Ok(total)
}

fn total(operand: &str, x: &Tensor) -> Result<usize> {
    x.dims().first().copied().ok_or_else(|| operands::unfit(operand, "rows", "a scalar"))
}

fn check(rows: &[u32], total: usize) -> Result<()> {
    if let Some(row) = rows.iter().find(|row| **row as usize >= total) {
        return Err(operands::unfit("rows", format!("numbers below {total}"), row));
    }
    // Gradients are copied to their rows, so a row listed twice would lose one. Most lists ascend.
    if rows.windows(2).all(|pair| pair[0] < pair[1]) {
        return Ok(());
    }
    let mut named = vec![false; total];
    match rows.iter().find(|row| std::mem::replace(&mut named[**row as usize], true)) {
        Some(row) => Err(operands::unfit("rows", "each row once", format!("{row} twice"))),
        None => Ok(()),
    }
}

/// The rows of `values` in each of `ranges`, which ascend and do not overlap; rows have `width` numbers.
pub(super) fn split<T>(values: &mut [T], ranges: impl Iterator<Item = Range<usize>>, width: usize) -> Vec<&mut [T]> {
    let (mut rest, mut taken) = (values, 0);
    let mut parts = Vec::new();
    for range in ranges {
        let (_, from_here) = rest.split_at_mut((range.start - taken) * width);
        let (part, others) = from_here.split_at_mut(range.len() * width);
        (rest, taken) = (others, range.end);
        parts.push(part);
    }
    parts
}

/// The `rows` of `values`; each has `width` numbers.
pub(super) fn gathered<T: Real>(values: &[T], rows: &[u32], width: usize) -> Vec<T> {
    let mut result = Vec::with_capacity(rows.len() * width);
    for row in rows {
        result.extend_from_slice(&values[*row as usize * width..][..width]);
    }
    result
}

/// Overwrites the `rows` of `values`.
pub(super) fn scatter<T: Real>(values: &mut [T], rows: &[u32], new: &[T], width: usize) {
    if width > 0 {
        for (row, new) in rows.iter().zip(new.chunks_exact(width)) {
            values[*row as usize * width..][..width].copy_from_slice(new);
        }
    }
}

struct Gather {
    rows: Arc<[u32]>,
}

impl CustomOp1 for Gather {
    fn name(&self) -> &'static str {
        "gather-rows"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = layout.dims()[1];
        dispatch!("gather-rows", candle_core::backend::BackendStorage::dtype(storage), T => {
            let rows = gathered(cpu::slice::<T>(storage, layout)?, &self.rows, width);
            Ok(cpu::stored(rows, (self.rows.len(), width)))
        })
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let width = x.dim(1)?;
        dispatch!("gather-rows", x.dtype(), T => {
            let mut dx = vec![0 as T; x.elem_count()];
            cpu::with::<T, _>(grad, |grad| {
                scatter(&mut dx, &self.rows, grad, width);
                Ok(())
            })?;
            cpu::gradient(dx, x)
        })
    }
}

struct Replace {
    rows: Arc<[u32]>,
}

impl CustomOp2 for Replace {
    fn name(&self) -> &'static str {
        "replace-rows"
    }

    fn cpu_fwd(&self, b: &CpuStorage, bl: &Layout, n: &CpuStorage, nl: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = bl.dims()[1];
        dispatch!("replace-rows", candle_core::backend::BackendStorage::dtype(b), T => {
            let mut result = cpu::slice::<T>(b, bl)?.to_vec();
            scatter(&mut result, &self.rows, cpu::slice::<T>(n, nl)?, width);
            Ok(cpu::stored(result, bl.shape().clone()))
        })
    }

    fn bwd(&self, base: &Tensor, new: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let width = base.dim(1)?;
        dispatch!("replace-rows", base.dtype(), T => {
            let (dbase, dnew) = cpu::with::<T, _>(grad, |grad| {
                let mut dbase = grad.to_vec();
                self.rows.iter().for_each(|row| dbase[*row as usize * width..][..width].fill(0 as T));
                Ok((dbase, gathered(grad, &self.rows, width)))
            })?;
            Ok((cpu::gradient(dbase, base)?, cpu::gradient(dnew, new)?))
        })
    }
}

impl InplaceOp2 for Replace {
    fn name(&self) -> &'static str {
        "update-rows"
    }

    fn cpu_fwd(&self, b: &mut CpuStorage, bl: &Layout, n: &CpuStorage, nl: &Layout) -> Result<()> {
        let width = bl.dims()[1];
        dispatch!("update-rows", candle_core::backend::BackendStorage::dtype(n), T => {
            scatter(cpu::slice_mut::<T>(b, bl)?, &self.rows, cpu::slice::<T>(n, nl)?, width);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candle_core::{Device, Tensor};

    use super::{gather_rows, replace_rows, update_rows};
    use crate::testing::{agree, values};

    #[test]
    fn taking_out_and_putting_back_equal_their_compositions() {
        let rows: Arc<[u32]> = Arc::new([4, 0, 2]);
        let index = Tensor::new(&[4u32, 0, 2], &Device::Cpu).unwrap();
        agree(&[values(&[5, 3], 1)], |x| gather_rows(&x[0], &rows), |x| x[0].index_select(&index, 0));
        let places = Tensor::new(&[6u32, 1, 7, 3, 5], &Device::Cpu).unwrap();
        agree(
            &[values(&[5, 3], 1), values(&[3, 3], 2)],
            |x| replace_rows(&x[0], &rows, &x[1]),
            |x| Tensor::cat(&[&x[0], &x[1]], 0)?.index_select(&places, 0),
        );
        let (base, new) = (values(&[5, 3], 1), values(&[3, 3], 2));
        let expected = replace_rows(&base, &rows, &new).unwrap().to_vec2::<f64>().unwrap();
        assert_eq!(update_rows(&base, &rows, &new).unwrap().to_vec2::<f64>().unwrap(), expected);
        assert_eq!(base.to_vec2::<f64>().unwrap(), expected);
        assert!(gather_rows(&base, &Arc::from([5u32])).is_err());
    }
}
