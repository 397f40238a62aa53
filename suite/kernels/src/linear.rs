//! Linear layers: y = x wᵀ + b.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use super::cpu::{self, ROWS, Real, dispatch};
use super::product::{OuterProducts, Panels, Term, add_outer_products, multiply};
use crate::operands;
use crate::threads;

/// x wᵀ + b: `x` `[rows, inputs]`, `weight` `[outputs, inputs]`, `bias` `[outputs]`. A row's result does not depend on how
/// many rows there are.
///
/// # Errors
/// If shapes or types do not agree.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let ((_, inputs), (outputs, _)) =
        (operands::matrix("x of linear", x)?, operands::matrix("weight of linear", weight)?);
    operands::expect("weight of linear", weight, &[outputs, inputs], x.dtype())?;
    if let Some(bias) = bias {
        operands::expect("bias of linear", bias, &[outputs], x.dtype())?;
    }
    if !cpu::fused(x) {
        return composed(x, weight, bias);
    }
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    match bias {
        Some(bias) => x.apply_op3(&weight, &bias.contiguous()?, Linear),
        None => x.apply_op2(&weight, Linear),
    }
}

fn composed(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    // A GPU's matrix product needs contiguous operands.
    let products = || x.contiguous()?.matmul(&weight.contiguous()?.t()?);
    let y = operands::unless_empty(x, (x.dim(0)?, weight.dim(0)?), products)?;
    match bias.filter(|_| y.elem_count() > 0) {
        Some(bias) => y.broadcast_add(bias),
        None => Ok(y),
    }
}

struct Linear;

/// Rows, inputs and outputs.
type Sizes = (usize, usize, usize);

/// `rows` is needed because x is empty without inputs; the sums are then zero.
fn forward<T: Real>(x: &[T], weight: &[T], bias: Option<&[T]>, (rows, inputs, outputs): Sizes) -> Vec<T> {
    let mut y = threads::zeros(rows * outputs);
    if inputs > 0 && outputs > 0 {
        multiply(&mut y, x, &Panels::of_transposed(weight, inputs), false);
    }
    if let Some(bias) = bias.filter(|bias| !bias.is_empty()) {
        for row in y.chunks_exact_mut(bias.len()) {
            for (y, bias) in row.iter_mut().zip(bias) {
                *y += *bias;
            }
        }
    }
    y
}

/// Gradients of x and weight.
fn backward(x: &Tensor, weight: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
    let (outputs, inputs) = weight.dims2()?;
    if grad.elem_count() == 0 || inputs == 0 {
        // Empty sums.
        return Ok((Some(x.zeros_like()?), Some(weight.zeros_like()?)));
    }
    dispatch!("linear", x.dtype(), T => {
        let (dx, dweight) = cpu::with_all::<T, _, 3>([x, weight, grad], |[x, weight, grad]| {
            let mut dweight = vec![0 as T; weight.len()];
            let chunks = grad.chunks((ROWS * outputs).max(1)).zip(x.chunks((ROWS * inputs).max(1)));
            let mut operands: Vec<Option<_>> = chunks.clone().map(|_| None).collect();
            let parts = operands.iter_mut().zip(chunks).collect();
            threads::for_each(parts, |(operands, (grad, x)): (&mut Option<_>, (&[T], &[T]))| {
                *operands = Some((Panels::of(grad, outputs), Panels::of(x, inputs)));
            });
            let terms = operands.iter().flatten().map(|(left, right)| Term { left, right }).collect();
            add_outer_products(vec![OuterProducts { into: &mut dweight, terms }]);
            let mut dx = threads::zeros(x.len());
            multiply(&mut dx, grad, &Panels::of(weight, inputs), false);
            Ok((dx, dweight))
        })?;
        Ok((cpu::gradient(dx, x)?, cpu::gradient(dweight, weight)?))
    })
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, w: &CpuStorage, wl: &Layout) -> Result<(CpuStorage, Shape)> {
        let ((rows, inputs), outputs) = (xl.shape().dims2()?, wl.dims()[0]);
        dispatch!("linear", x.dtype(), T => {
            let y = forward(cpu::slice::<T>(x, xl)?, cpu::slice::<T>(w, wl)?, None, (rows, inputs, outputs));
            Ok(cpu::stored(y, (rows, outputs)))
        })
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        backward(x, w, grad)
    }
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        w: &CpuStorage,
        wl: &Layout,
        b: &CpuStorage,
        bl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((rows, inputs), outputs) = (xl.shape().dims2()?, wl.dims()[0]);
        dispatch!("linear", x.dtype(), T => {
            let bias = cpu::slice::<T>(b, bl)?;
            let y = forward(cpu::slice::<T>(x, xl)?, cpu::slice::<T>(w, wl)?, Some(bias), (rows, inputs, outputs));
            Ok(cpu::stored(y, (rows, outputs)))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dweight) = backward(x, w, grad)?;
        dispatch!("linear", x.dtype(), T => {
            let mut dbias = vec![0 as T; b.elem_count()];
            cpu::with::<T, _>(grad, |grad| {
                for row in grad.chunks_exact(dbias.len().max(1)) {
                    for (sum, grad) in dbias.iter_mut().zip(row) {
                        *sum += *grad;
                    }
                }
                Ok(())
            })?;
            Ok((dx, dweight, cpu::gradient(dbias, b)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{composed, linear};
    use crate::testing::{agree, values};

    #[test]
    fn equals_its_composition_and_finite_differences() {
        for (rows, inputs, outputs) in [(1, 1, 1), (5, 3, 4), (70, 9, 3)] {
            let inputs = [values(&[rows, inputs], 1), values(&[outputs, inputs], 2), values(&[outputs], 3)];
            agree(&inputs, |x| linear(&x[0], &x[1], Some(&x[2])), |x| composed(&x[0], &x[1], Some(&x[2])));
            agree(&inputs[..2], |x| linear(&x[0], &x[1], None), |x| composed(&x[0], &x[1], None));
        }
        assert!(linear(&values(&[2, 3], 1), &values(&[2, 4], 2), None).is_err());
    }
}
