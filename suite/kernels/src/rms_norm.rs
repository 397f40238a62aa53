//! RMSNorm: y = x / sqrt(mean(x²) + epsilon) · w (Zhang & Sennrich 2019, eq. 4).

use candle_core::{CpuStorage, CustomOp2, D, Layout, Result, Shape, Tensor};

use super::cpu::{self, ROWS, Real, dispatch, number};
use crate::operands;
use crate::threads;

struct RmsNorm {
    epsilon: f64,
}

/// RMSNorm of `x` `[rows, width]` with the weight `[width]`.
///
/// # Errors
/// If shapes or types do not agree.
pub fn rms_norm(x: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    let (_, width) = operands::matrix("x of rms_norm", x)?;
    operands::expect("weight of rms_norm", weight, &[width], x.dtype())?;
    if cpu::fused(x) {
        return x.contiguous()?.apply_op2(&weight.contiguous()?, RmsNorm { epsilon });
    }
    operands::unless_empty(x, x.shape(), || composed(x, weight, epsilon))
}

fn composed(x: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    let scale = (x.sqr()?.mean_keepdim(D::Minus1)? + epsilon)?.sqrt()?;
    x.broadcast_div(&scale)?.broadcast_mul(weight)
}

#[inline(always)]
fn inverse_root<T: Real>(row: &[T], epsilon: T) -> T {
    number::<T>(1.0) / (cpu::dot(row, row) / number(row.len() as f64) + epsilon).sqrt()
}

/// Writes the RMSNorm of the rows of `x`, as wide as `w`, to `y`.
pub(super) fn forward<T: Real>(y: &mut [T], x: &[T], w: &[T], epsilon: T) {
    // Empty rows cannot be divided into chunks.
    let width = w.len().max(1);
    let chunks = y.chunks_mut(ROWS * width).zip(x.chunks(ROWS * width)).collect();
    threads::for_each(
        chunks,
        #[inline(always)]
        |(y, x): (&mut [T], &[T])| {
            for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                let scale = inverse_root(x, epsilon);
                for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
                    *y = *x * scale * *w;
                }
            }
        },
    );
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, w: &CpuStorage, wl: &Layout) -> Result<(CpuStorage, Shape)> {
        dispatch!("rms-norm", candle_core::backend::BackendStorage::dtype(x), T => {
            let x = cpu::slice::<T>(x, xl)?;
            let mut y = vec![0 as T; x.len()];
            forward(&mut y, x, cpu::slice::<T>(w, wl)?, self.epsilon as T);
            Ok(cpu::stored(y, xl.shape().clone()))
        })
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        dispatch!("rms-norm", x.dtype(), T => {
            let mut dw = vec![0 as T; w.elem_count()];
            let dx = cpu::with_all::<T, _, 3>([x, w, grad], |[x, w, grad]| {
                let mut dx = vec![0 as T; x.len()];
                backward_onto(&mut dx, &mut dw, x, w, grad, self.epsilon as T);
                Ok(dx)
            })?;
            Ok((cpu::gradient(dx, x)?, cpu::gradient(dw, w)?))
        })
    }
}

/// Adds the gradients of [`forward`] to `dx` and `dw`.
pub(super) fn backward_onto<T: Real>(dx: &mut [T], dw: &mut [T], x: &[T], w: &[T], grad: &[T], epsilon: T) {
    let width = w.len().max(1);
    // Each chunk sums its own part of dw; the parts are added in the order of the chunks.
    let mut shares = vec![T::zero(); x.len().div_ceil(ROWS * width) * width];
    let chunks: Vec<_> = dx
        .chunks_mut(ROWS * width)
        .zip(shares.chunks_mut(width))
        .zip(x.chunks(ROWS * width).zip(grad.chunks(ROWS * width)))
        .collect();
    threads::for_each(
        chunks,
        #[inline(always)]
        |((dx, dw), (x, grad))| {
            let mut weighted = vec![T::zero(); width];
            for ((dx, x), grad) in dx.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(grad.chunks_exact(width)) {
                let scale = inverse_root(x, epsilon);
                for ((weighted, grad), w) in weighted.iter_mut().zip(grad).zip(w) {
                    *weighted = *grad * *w;
                }
                let correction = cpu::dot(x, &weighted) * scale * scale * scale / number(width as f64);
                for ((dx, weighted), x) in dx.iter_mut().zip(&weighted).zip(x) {
                    *dx += *weighted * scale - *x * correction;
                }
                for ((dw, grad), x) in dw.iter_mut().zip(grad).zip(x) {
                    *dw += *grad * *x * scale;
                }
            }
        },
    );
    for share in shares.chunks(width) {
        for (total, part) in dw.iter_mut().zip(share) {
            *total += *part;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{composed, rms_norm};
    use crate::testing::{agree, values};

    #[test]
    fn equals_its_composition_and_finite_differences() {
        for (rows, width) in [(1, 1), (3, 5), (130, 16)] {
            let inputs = [values(&[rows, width], 1), values(&[width], 2)];
            agree(&inputs, |x| rms_norm(&x[0], &x[1], 1e-5), |x| composed(&x[0], &x[1], 1e-5));
        }
    }
}
