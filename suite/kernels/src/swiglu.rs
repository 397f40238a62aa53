//! SwiGLU: silu(gate) · up (Shazeer 2020), with silu(x) = x / (1 + e^-x).

use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor};

use super::cpu::{self, LANES, Real, dispatch, number, sigmoid};
use crate::instructions::{Instructions, with_instructions};
use crate::operands;
use crate::threads;

struct SwiGlu;

/// silu(gate) · up for `x` `[rows, 2 * width]`, whose rows hold gate and up side by side: `[rows, width]`.
///
/// # Errors
/// If the rows cannot be halved.
pub fn swiglu(x: &Tensor) -> Result<Tensor> {
    let (rows, width) = operands::matrix("x of swiglu", x)?;
    if !width.is_multiple_of(2) {
        return Err(operands::unfit("x of swiglu", "rows of gate and up side by side, an even width", width));
    }
    if cpu::fused(x) {
        return x.contiguous()?.apply_op1(SwiGlu);
    }
    operands::unless_empty(x, (rows, width / 2), || composed(x))
}

fn composed(x: &Tensor) -> Result<Tensor> {
    let width = x.dim(1)? / 2;
    x.narrow(D::Minus1, 0, width)?.silu()? * x.narrow(D::Minus1, width, width)?
}

/// Rows of a chunk: few enough for the core's L1 cache.
const ROWS: usize = 8;

/// The forward pass over rows of `2 * width` numbers, into rows of `width`.
pub(super) fn forward<T: Real>(y: &mut [T], x: &[T], width: usize) {
    // Empty rows cannot be divided into chunks.
    let width = width.max(1);
    let chunks = y.chunks_mut(ROWS * width).zip(x.chunks(ROWS * 2 * width)).collect();
    with_instructions!(instructions => threads::for_each_with(
        instructions,
        chunks,
        #[inline(always)]
        |(y, x): (&mut [T], &[T])| {
            for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(2 * width)) {
                let (gate, up) = x.split_at(width);
                for ((y, gate), up) in y.iter_mut().zip(gate).zip(up) {
                    *y = *gate * sigmoid(instructions, *gate) * *up;
                }
            }
        },
    ));
}

/// Turns `x` into its gradient, and the gradient of the result into the result of the forward pass.
pub(super) fn backward<T: Real>(x: &mut [T], grad: &mut [T], width: usize) {
    let width = width.max(1);
    let chunks = x.chunks_mut(ROWS * 2 * width).zip(grad.chunks_mut(ROWS * width)).collect();
    with_instructions!(instructions => threads::for_each_with(
        instructions,
        chunks,
        #[inline(always)]
        |(x, grad): (&mut [T], &mut [T])| {
            for (x, grad) in x.chunks_exact_mut(2 * width).zip(grad.chunks_exact_mut(width)) {
                let (gate, up) = x.split_at_mut(width);
                let ((gates, gate_rest), (ups, up_rest)) = (gate.as_chunks_mut(), up.as_chunks_mut());
                let (grads, grad_rest) = grad.as_chunks_mut();
                for ((gates, ups), grads) in gates.iter_mut().zip(ups).zip(grads) {
                    (*gates, *ups, *grads) = backward_of::<_, LANES>(instructions, *gates, *ups, *grads);
                }
                for ((gate, up), grad) in gate_rest.iter_mut().zip(up_rest).zip(grad_rest) {
                    ([*gate], [*up], [*grad]) = backward_of::<_, 1>(instructions, [*gate], [*up], [*grad]);
                }
            }
        },
    ));
}

/// Gradients of gate and up, and the result, for numbers passed by value, so that the compiler need not assume
/// aliasing.
#[inline(always)]
fn backward_of<T: Real, const N: usize>(
    instructions: impl Instructions,
    gates: [T; N],
    ups: [T; N],
    grads: [T; N],
) -> ([T; N], [T; N], [T; N]) {
    let (mut dgates, mut dups, mut results) = (gates, ups, grads);
    for lane in 0..N {
        let (gate, up, grad) = (gates[lane], ups[lane], grads[lane]);
        let sigmoid = sigmoid(instructions, gate);
        let silu = gate * sigmoid;
        results[lane] = silu * up;
        dups[lane] = grad * silu;
        dgates[lane] = grad * up * (sigmoid + silu * (number::<T>(1.0) - sigmoid));
    }
    (dgates, dups, results)
}

impl CustomOp1 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = (layout.dims()[0], layout.dims()[1] / 2);
        dispatch!("swiglu", candle_core::backend::BackendStorage::dtype(storage), T => {
            let mut y = vec![0 as T; rows * width];
            forward(&mut y, cpu::slice::<T>(storage, layout)?, width);
            Ok(cpu::stored(y, (rows, width)))
        })
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let width = x.dim(1)? / 2;
        dispatch!("swiglu", x.dtype(), T => {
            let dx = cpu::with_all::<T, _, 2>([x, grad], |[x, grad]| {
                let mut dx = x.to_vec();
                backward(&mut dx, &mut grad.to_vec(), width);
                Ok(dx)
            })?;
            cpu::gradient(dx, x)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{composed, swiglu};
    use crate::testing::{agree, values};

    #[test]
    fn equals_its_composition_and_finite_differences() {
        for (rows, width) in [(1, 1), (3, 5), (70, 66)] {
            let inputs = [values(&[rows, 2 * width], 3)];
            agree(&inputs, |x| swiglu(&x[0]), |x| composed(&x[0]));
        }
        assert!(swiglu(&values(&[2, 3], 1)).is_err());
    }
}
