//! AdamW's element-wise arithmetic (Loshchilov & Hutter 2019, algorithm 2), in place.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, DType, Device, InplaceOp2, InplaceOp3, Layout, Result, Tensor};

use super::cpu::{self, Real, dispatch, number};
use crate::threads;

/// The numbers of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// Learning rate of this step.
    pub rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// What is taken off a weight in this step, as a share of it: learning rate times weight decay.
    pub decay: f64,
    /// 1 - beta1^t
    pub correction1: f64,
    /// 1 - beta2^t
    pub correction2: f64,
    /// Factor on gradients, from clipping.
    pub scale: f64,
}

/// Moves `weight` and both moments in place. `gradient` may be missing, which stands for zero.
///
/// # Errors
/// If shapes or types do not agree.
pub fn adamw(
    weight: &Tensor,
    first: &mut Tensor,
    second: &mut Tensor,
    gradient: Option<&Tensor>,
    step: &AdamWStep,
) -> Result<()> {
    let operands =
        [("first of adamw", Some(&*first)), ("second of adamw", Some(&*second)), ("gradient of adamw", gradient)];
    for (operand, tensor) in operands {
        if let Some(tensor) = tensor {
            super::expect(operand, tensor, weight.dims(), weight.dtype())?;
        }
    }
    if weight.elem_count() == 0 {
        return Ok(());
    }
    let zeros;
    let gradient = match gradient {
        Some(gradient) => gradient.detach().contiguous()?,
        None => {
            zeros = weight.zeros_like()?;
            zeros
        }
    };
    if cpu::fused(weight) && [&*first, &*second, weight].iter().all(|tensor| tensor.is_contiguous()) {
        first.inplace_op2(&gradient, &Moment { decay: step.beta1, scale: step.scale, square: false })?;
        second.inplace_op2(&gradient, &Moment { decay: step.beta2, scale: step.scale, square: true })?;
        return weight.inplace_op3(first, second, &Move(*step));
    }
    let gradient = (gradient * step.scale)?;
    *first = ((&*first * step.beta1)? + (&gradient * (1.0 - step.beta1))?)?;
    *second = ((&*second * step.beta2)? + (gradient.sqr()? * (1.0 - step.beta2))?)?;
    let root = ((&*second / step.correction2)?.sqrt()? + step.epsilon)?;
    let change = (((&*first / step.correction1)? / root)? * step.rate)?;
    let moved = ((weight.detach() * (1.0 - step.decay))? - change)?;
    // In place, since everybody who holds the weight is to see it move.
    if cpu::fused(weight) {
        return weight.inplace_op2(&moved.contiguous()?, &Overwrite);
    }
    // As a vector, since a scalar has no dimension to slice; its memory is the weight's if it is contiguous.
    if !weight.is_contiguous() {
        return Err(super::unfit("weight of adamw", "contiguous memory", format!("strides {:?}", weight.stride())));
    }
    weight.flatten_all()?.slice_set(&moved.flatten_all()?, 0, 0)
}

/// Sum of the squares of a tensor's numbers.
///
/// # Errors
/// If a tensor operation fails.
pub fn square_sum(x: &Tensor) -> Result<f64> {
    if !cpu::fused(x) {
        return x.detach().sqr()?.sum_all()?.to_dtype(DType::F64)?.to_device(&Device::Cpu)?.to_scalar();
    }
    dispatch!("square-sum", x.dtype(), T => cpu::with::<T, _>(x, |x| {
        let mut sums = vec![0.0; x.len().div_ceil(CHUNK)];
        let chunks = sums.iter_mut().zip(x.chunks(CHUNK)).collect();
        threads::for_each(chunks, #[inline(always)] |(sum, x): (&mut f64, &[T])| *sum = candle_core::WithDType::to_f64(cpu::dot(x, x)));
        Ok(sums.iter().sum())
    }))
}

/// Numbers of a chunk, whatever the number of threads.
const CHUNK: usize = 1 << 14;

struct Moment {
    decay: f64,
    scale: f64,
    square: bool,
}

impl InplaceOp2 for Moment {
    fn name(&self) -> &'static str {
        "adamw-moment"
    }

    fn cpu_fwd(&self, moment: &mut CpuStorage, ml: &Layout, gradient: &CpuStorage, gl: &Layout) -> Result<()> {
        dispatch!("adamw-moment", gradient.dtype(), T => {
            let (decay, rest, scale): (T, T, T) = (number(self.decay), number(1.0 - self.decay), number(self.scale));
            let (moment, gradient) = (cpu::slice_mut::<T>(moment, ml)?, cpu::slice::<T>(gradient, gl)?);
            let chunks = moment.chunks_mut(CHUNK).zip(gradient.chunks(CHUNK)).collect();
            threads::for_each(chunks, #[inline(always)] |(moment, gradient): (&mut [T], &[T])| {
                for (moment, gradient) in moment.iter_mut().zip(gradient) {
                    let gradient = *gradient * scale;
                    let new = if self.square { gradient * gradient } else { gradient };
                    *moment = *moment * decay + new * rest;
                }
            });
            Ok(())
        })
    }
}

/// Numbers for a tensor that may lie in memory in any order.
struct Overwrite;

impl InplaceOp2 for Overwrite {
    fn name(&self) -> &'static str {
        "adamw-overwrite"
    }

    fn cpu_fwd(&self, weight: &mut CpuStorage, wl: &Layout, moved: &CpuStorage, ml: &Layout) -> Result<()> {
        let mut places = vec![wl.start_offset()];
        for (count, stride) in wl.dims().iter().zip(wl.stride()) {
            places = places.iter().flat_map(|place| (0..*count).map(move |index| place + index * stride)).collect();
        }
        dispatch!("adamw-overwrite", moved.dtype(), T => {
            let weight = T::numbers(weight)?;
            for (place, moved) in places.into_iter().zip(cpu::slice::<T>(moved, ml)?) {
                weight[place] = *moved;
            }
            Ok(())
        })
    }
}

struct Move(AdamWStep);

impl InplaceOp3 for Move {
    fn name(&self) -> &'static str {
        "adamw-move"
    }

    fn cpu_fwd(
        &self,
        weight: &mut CpuStorage,
        wl: &Layout,
        first: &CpuStorage,
        fl: &Layout,
        second: &CpuStorage,
        sl: &Layout,
    ) -> Result<()> {
        let AdamWStep { rate, epsilon, decay, correction1, correction2, .. } = self.0;
        dispatch!("adamw-move", first.dtype(), T => {
            let (kept, epsilon): (T, T) = (number(1.0 - decay), number(epsilon));
            let (rate, unbias): (T, T) = (number(rate / correction1), number(1.0 / correction2));
            let (first, second) = (cpu::slice::<T>(first, fl)?, cpu::slice::<T>(second, sl)?);
            let weight = cpu::slice_mut::<T>(weight, wl)?;
            let chunks = weight.chunks_mut(CHUNK).zip(first.chunks(CHUNK).zip(second.chunks(CHUNK))).collect();
            threads::for_each(chunks, #[inline(always)] |(weight, (first, second)): (&mut [T], (&[T], &[T]))| {
                for (weight, (first, second)) in weight.iter_mut().zip(first.iter().zip(second)) {
                    *weight = *weight * kept - rate * *first / ((*second * unbias).sqrt() + epsilon);
                }
            });
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::{AdamWStep, adamw, square_sum};
    use crate::ops::tests::values;

    #[test]
    fn a_step_is_that_of_the_equations() {
        let step = AdamWStep {
            rate: 0.1,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            decay: 0.05,
            correction1: 0.19,
            correction2: 0.0199,
            scale: 0.5,
        };
        let (weight, gradient) = (values(&[3, 7], 1), values(&[3, 7], 2));
        let (mut first, mut second) = (values(&[3, 7], 3), values(&[3, 7], 4).sqr().unwrap());
        let flat = |tensor: &candle_core::Tensor| tensor.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let (w, g, m, v) = (flat(&weight), flat(&gradient), flat(&first), flat(&second));
        adamw(&weight, &mut first, &mut second, Some(&gradient), &step).unwrap();
        let moved = (flat(&weight), flat(&first), flat(&second));
        for index in 0..w.len() {
            let g = g[index] * 0.5;
            let (m, v) = (0.9 * m[index] + 0.1 * g, 0.99 * v[index] + 0.01 * g * g);
            let expected = w[index] * 0.95 - 0.1 * (m / 0.19) / ((v / 0.0199).sqrt() + 1e-8);
            for (found, expected) in [(moved.0[index], expected), (moved.1[index], m), (moved.2[index], v)] {
                assert!((found - expected).abs() < 1e-12);
            }
        }
        let sum: f64 = g.iter().map(|g| g * g).sum();
        assert!((square_sum(&gradient).unwrap() - sum).abs() < 1e-12);
        assert!((square_sum(&gradient.to_dtype(DType::F32).unwrap()).unwrap() - sum).abs() < 1e-5);
    }
}
