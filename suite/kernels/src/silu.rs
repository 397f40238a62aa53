//! SiLU: x / (1 + e^-x).

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::cpu::{self, Real, dispatch, number, sigmoid};
use crate::instructions::with_instructions;
use crate::operands;
use crate::threads;

struct Silu;

/// x / (1 + e^-x), element by element.
///
/// # Errors
/// If the type is not a floating-point one.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    if cpu::fused(x) {
        return x.contiguous()?.apply_op1(Silu);
    }
    operands::unless_empty(x, x.shape(), || x.silu())
}

/// Numbers of a chunk: few enough for the core's L1 cache.
const CHUNK: usize = 4096;

impl CustomOp1 for Silu {
    fn name(&self) -> &'static str {
        "silu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        dispatch!("silu", x.dtype(), T => {
            let mut y = cpu::slice::<T>(x, layout)?.to_vec();
            with_instructions!(instructions => threads::for_each_with(
        instructions,y.chunks_mut(CHUNK).collect(), #[inline(always)] |y: &mut [T]| {
                for y in y {
                    *y *= sigmoid(instructions, *y);
                }
            }));
            Ok(cpu::stored(y, layout.shape().clone()))
        })
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        dispatch!("silu", x.dtype(), T => {
            let dx = cpu::with_all::<T, _, 2>([x, grad], |[x, grad]| Ok(backward(x, grad)))?;
            cpu::gradient(dx, x)
        })
    }
}

fn backward<T: Real>(x: &[T], grad: &[T]) -> Vec<T> {
    let mut dx = grad.to_vec();
    let chunks = dx.chunks_mut(CHUNK).zip(x.chunks(CHUNK)).collect();
    with_instructions!(instructions => threads::for_each_with(
        instructions,
        chunks,
        #[inline(always)]
        |(dx, x): (&mut [T], &[T])| {
            for (dx, x) in dx.iter_mut().zip(x) {
                let sigmoid = sigmoid(instructions, *x);
                *dx *= sigmoid + *x * sigmoid * (number::<T>(1.0) - sigmoid);
            }
        },
    ));
    dx
}

#[cfg(test)]
mod tests {
    use super::silu;
    use crate::testing::{agree, values};

    #[test]
    fn equals_candles_and_finite_differences() {
        for shape in [&[1, 1][..], &[3, 5], &[70, 66]] {
            agree(&[values(shape, 3)], |x| silu(&x[0]), |x| x[0].silu());
        }
    }
}
