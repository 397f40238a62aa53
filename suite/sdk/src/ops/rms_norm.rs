//! RMSNorm: y = x / sqrt(mean(x²) + epsilon) · w (Zhang & Sennrich 2019, eq. 4).

use candle_core::{CpuStorage, CustomOp2, D, Layout, Result, Shape, Tensor};

use super::cpu::{self, ROWS, Real, dispatch, number};
use crate::threads;

struct RmsNorm {
    epsilon: f64,
}

/// RMSNorm of `x` `[rows, width]` with the weight `[width]`.
///
/// # Errors
/// If shapes or types do not agree.
pub fn rms_norm(x: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    if cpu::fused(x) {
        return x.contiguous()?.apply_op2(weight, RmsNorm { epsilon });
    }
    composed(x, weight, epsilon)
}

fn composed(x: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    let scale = (x.sqr()?.mean_keepdim(D::Minus1)? + epsilon)?.sqrt()?;
    x.broadcast_div(&scale)?.broadcast_mul(weight)
}

fn inverse_root<T: Real>(row: &[T], epsilon: T) -> T {
    let squares: T = row.iter().map(|x| *x * *x).sum();
    number::<T>(1.0) / (squares / number(row.len() as f64) + epsilon).sqrt()
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, w: &CpuStorage, wl: &Layout) -> Result<(CpuStorage, Shape)> {
        dispatch!("rms-norm", candle_core::backend::BackendStorage::dtype(x), T => {
            let (x, w) = (cpu::slice::<T>(x, xl)?, cpu::slice::<T>(w, wl)?);
            let width = w.len();
            let mut y = vec![0 as T; x.len()];
            let chunks = y.chunks_mut(ROWS * width).zip(x.chunks(ROWS * width)).collect();
            threads::for_each(chunks, |(y, x): (&mut [T], &[T])| {
                for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                    let scale = inverse_root(x, self.epsilon as T);
                    for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
                        *y = *x * scale * *w;
                    }
                }
            });
            Ok(cpu::stored(y, xl.shape().clone()))
        })
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        dispatch!("rms-norm", x.dtype(), T => {
            let (dx, dw) = cpu::with::<T, _>(x, |xs| cpu::with::<T, _>(w, |ws| cpu::with::<T, _>(grad, |gs| {
                Ok(backward(xs, ws, gs, self.epsilon as T))
            })))?;
            Ok((cpu::gradient(dx, x)?, cpu::gradient(dw, w)?))
        })
    }
}

fn backward<T: Real>(x: &[T], w: &[T], grad: &[T], epsilon: T) -> (Vec<T>, Vec<T>) {
    let width = w.len();
    let mut dx = vec![T::zero(); x.len()];
    // Each chunk sums its own share of dw; the shares are added in the order of the chunks.
    let mut shares = vec![T::zero(); x.len().div_ceil(ROWS * width) * width];
    let chunks: Vec<_> = dx
        .chunks_mut(ROWS * width)
        .zip(shares.chunks_mut(width))
        .zip(x.chunks(ROWS * width).zip(grad.chunks(ROWS * width)))
        .collect();
    threads::for_each(chunks, |((dx, dw), (x, grad))| {
        for ((dx, x), grad) in dx.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(grad.chunks_exact(width)) {
            let scale = inverse_root(x, epsilon);
            let dot: T = x.iter().zip(grad).zip(w).map(|((x, g), w)| *x * *g * *w).sum();
            let correction = dot * scale * scale * scale / number(width as f64);
            for index in 0..width {
                dx[index] = grad[index] * w[index] * scale - x[index] * correction;
                dw[index] += grad[index] * x[index] * scale;
            }
        }
    });
    let mut dw = vec![T::zero(); width];
    for share in shares.chunks(width) {
        for (total, part) in dw.iter_mut().zip(share) {
            *total += *part;
        }
    }
    (dx, dw)
}

#[cfg(test)]
mod tests {
    use super::{composed, rms_norm};
    use crate::ops::tests::{agree, values};

    #[test]
    fn equals_its_composition_and_finite_differences() {
        for (rows, width) in [(1, 1), (3, 5), (130, 16)] {
            let inputs = [values(&[rows, width], 1), values(&[width], 2)];
            agree(&inputs, |x| rms_norm(&x[0], &x[1], 1e-5), |x| composed(&x[0], &x[1], 1e-5));
        }
    }
}
