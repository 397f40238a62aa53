//! SwiGLU: silu(gate) · up (Shazeer 2020), with silu(x) = x / (1 + e^-x).

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::cpu::{self, ROWS, Real, dispatch, number};
use crate::threads;

struct SwiGlu;

/// silu(gate) · up, element by element.
///
/// # Errors
/// If shapes or types do not agree.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    if cpu::fused(gate) {
        return gate.contiguous()?.apply_op2(&up.contiguous()?, SwiGlu);
    }
    composed(gate, up)
}

fn composed(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.silu()? * up
}

const CHUNK: usize = ROWS * 64;

fn sigmoid<T: Real>(x: T) -> T {
    number::<T>(1.0) / (number::<T>(1.0) + (-x).exp())
}

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(&self, g: &CpuStorage, gl: &Layout, u: &CpuStorage, ul: &Layout) -> Result<(CpuStorage, Shape)> {
        dispatch!("swiglu", candle_core::backend::BackendStorage::dtype(g), T => {
            let (gate, up) = (cpu::slice::<T>(g, gl)?, cpu::slice::<T>(u, ul)?);
            let mut y = vec![0 as T; gate.len()];
            let chunks = y.chunks_mut(CHUNK).zip(gate.chunks(CHUNK).zip(up.chunks(CHUNK))).collect();
            threads::for_each(chunks, |(y, (gate, up)): (&mut [T], (&[T], &[T]))| {
                for ((y, gate), up) in y.iter_mut().zip(gate).zip(up) {
                    *y = *gate * sigmoid(*gate) * *up;
                }
            });
            Ok(cpu::stored(y, gl.shape().clone()))
        })
    }

    fn bwd(&self, g: &Tensor, u: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        dispatch!("swiglu", g.dtype(), T => {
            let (dg, du) = cpu::with::<T, _>(g, |gs| cpu::with::<T, _>(u, |us| cpu::with::<T, _>(grad, |grads| {
                Ok(backward(gs, us, grads))
            })))?;
            Ok((cpu::gradient(dg, g)?, cpu::gradient(du, u)?))
        })
    }
}

fn backward<T: Real>(gate: &[T], up: &[T], grad: &[T]) -> (Vec<T>, Vec<T>) {
    let mut dgate = vec![T::zero(); gate.len()];
    let mut dup = vec![T::zero(); gate.len()];
    let chunks: Vec<_> = dgate
        .chunks_mut(CHUNK)
        .zip(dup.chunks_mut(CHUNK))
        .zip(gate.chunks(CHUNK).zip(up.chunks(CHUNK)).zip(grad.chunks(CHUNK)))
        .collect();
    threads::for_each(chunks, |((dgate, dup), ((gate, up), grad))| {
        for index in 0..gate.len() {
            let sigmoid = sigmoid(gate[index]);
            let silu = gate[index] * sigmoid;
            dup[index] = grad[index] * silu;
            dgate[index] = grad[index] * up[index] * (sigmoid + silu * (number::<T>(1.0) - sigmoid));
        }
    });
    (dgate, dup)
}

#[cfg(test)]
mod tests {
    use super::{composed, swiglu};
    use crate::ops::tests::{agree, values};

    #[test]
    fn equals_its_composition_and_finite_differences() {
        for (rows, width) in [(1, 1), (3, 5), (70, 66)] {
            let inputs = [values(&[rows, width], 3), values(&[rows, width], 4)];
            agree(&inputs, |x| swiglu(&x[0], &x[1]), |x| composed(&x[0], &x[1]));
        }
    }
}
