//! LayerNorm: y = (x - mean) / sqrt(variance + epsilon) · w + b (Ba et al. 2016, eq. 4).

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor};

use super::cpu::{self, ROWS, Real, dispatch, number};
use crate::operands;
use crate::threads;

struct LayerNorm {
    epsilon: f64,
}

/// LayerNorm of `x` `[rows, width]` with the weight and the bias `[width]`.
///
/// # Errors
/// If shapes or types do not agree.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    let (_, width) = operands::matrix("x of layer_norm", x)?;
    for (operand, vector) in [("weight of layer_norm", weight), ("bias of layer_norm", bias)] {
        operands::expect(operand, vector, &[width], x.dtype())?;
    }
    if cpu::fused(x) {
        return x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, LayerNorm { epsilon });
    }
    operands::unless_empty(x, x.shape(), || composed(x, weight, bias, epsilon))
}

fn composed(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + epsilon)?.sqrt()?;
    centred.broadcast_div(&deviation)?.broadcast_mul(weight)?.broadcast_add(bias)
}

/// Writes (x - mean) / deviation to `normed` and returns 1 / deviation. `ones` is as long as `x`.
#[inline(always)]
fn normalise<T: Real>(x: &[T], ones: &[T], normed: &mut [T], epsilon: T) -> T {
    let width = number::<T>(x.len() as f64);
    let mean = cpu::dot(x, ones) / width;
    for (normed, x) in normed.iter_mut().zip(x) {
        *normed = *x - mean;
    }
    let inverse = number::<T>(1.0) / (cpu::dot(normed, normed) / width + epsilon).sqrt();
    for normed in normed.iter_mut() {
        *normed *= inverse;
    }
    inverse
}

/// LayerNorm of the rows of `x`, as wide as `w`.
pub(super) fn forward<T: Real>(x: &[T], w: &[T], b: &[T], epsilon: T) -> Vec<T> {
    // Empty rows cannot be divided into chunks.
    let width = w.len().max(1);
    let mut y = vec![T::zero(); x.len()];
    let ones = vec![T::one(); width];
    let chunks = y.chunks_mut(ROWS * width).zip(x.chunks(ROWS * width)).collect();
    threads::for_each(
        chunks,
        #[inline(always)]
        |(y, x): (&mut [T], &[T])| {
            for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                normalise(x, &ones, y, epsilon);
                for ((y, w), b) in y.iter_mut().zip(w).zip(b) {
                    *y = *y * *w + *b;
                }
            }
        },
    );
    y
}

/// Gradients of x, weight and bias.
pub(super) fn backward<T: Real>(x: &[T], w: &[T], grad: &[T], epsilon: T) -> [Vec<T>; 3] {
    let width = w.len().max(1);
    let mut dx = vec![T::zero(); x.len()];
    let ones = vec![T::one(); width];
    // Each chunk sums its own part of dw and db; the parts are added in the order of the chunks.
    let mut shares = vec![T::zero(); x.len().div_ceil(ROWS * width) * 2 * width];
    let chunks: Vec<_> = dx
        .chunks_mut(ROWS * width)
        .zip(shares.chunks_mut(2 * width))
        .zip(x.chunks(ROWS * width).zip(grad.chunks(ROWS * width)))
        .collect();
    threads::for_each(
        chunks,
        #[inline(always)]
        |((dx, share), (x, grad))| {
            let (dw, db) = share.split_at_mut(width);
            let (mut normed, mut weighted) = (vec![T::zero(); width], vec![T::zero(); width]);
            for ((dx, x), grad) in dx.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(grad.chunks_exact(width)) {
                let inverse = normalise(x, &ones, &mut normed, epsilon);
                for ((weighted, grad), w) in weighted.iter_mut().zip(grad).zip(w) {
                    *weighted = *grad * *w;
                }
                let count = number::<T>(width as f64);
                let (mean, slope) = (cpu::dot(&weighted, &ones) / count, cpu::dot(&weighted, &normed) / count);
                for ((dx, weighted), normed) in dx.iter_mut().zip(&weighted).zip(&normed) {
                    *dx = (*weighted - mean - *normed * slope) * inverse;
                }
                for ((dw, db), (grad, normed)) in dw.iter_mut().zip(db.iter_mut()).zip(grad.iter().zip(&normed)) {
                    *dw += *grad * *normed;
                    *db += *grad;
                }
            }
        },
    );
    let mut both = vec![T::zero(); 2 * width];
    for share in shares.chunks(2 * width) {
        for (total, part) in both.iter_mut().zip(share) {
            *total += *part;
        }
    }
    let mut db = both.split_off(width);
    both.truncate(w.len());
    db.truncate(w.len());
    [dx, both, db]
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
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
        dispatch!("layer-norm", x.dtype(), T => {
            let (w, b) = (cpu::slice::<T>(w, wl)?, cpu::slice::<T>(b, bl)?);
            let y = forward(cpu::slice::<T>(x, xl)?, w, b, self.epsilon as T);
            Ok(cpu::stored(y, xl.shape().clone()))
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
        dispatch!("layer-norm", x.dtype(), T => {
            let [dx, dw, db] = cpu::with_all::<T, _, 3>([x, w, grad], |[x, w, grad]| {
                Ok(backward(x, w, grad, self.epsilon as T))
            })?;
            Ok((cpu::gradient(dx, x)?, cpu::gradient(dw, w)?, cpu::gradient(db, b)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{composed, layer_norm};
    use crate::testing::{agree, values};

    #[test]
    fn equals_its_composition_and_finite_differences() {
        for (rows, width) in [(1, 2), (3, 5), (130, 18)] {
            let inputs = [values(&[rows, width], 1), values(&[width], 2), values(&[width], 3)];
            agree(&inputs, |x| layer_norm(&x[0], &x[1], &x[2], 1e-5), |x| composed(&x[0], &x[1], &x[2], 1e-5));
        }
    }
}
