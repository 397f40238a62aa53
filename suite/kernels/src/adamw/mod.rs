//! AdamW's element-wise arithmetic (Loshchilov & Hutter 2019, algorithm 2), in place.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, DType, Device, InplaceOp2, Layout, Result, Tensor};

use super::cpu::{self, Real, dispatch, number};
use crate::operands;
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
    /// Share of a weight that this step subtracts: learning rate times weight decay.
    pub decay: f64,
    /// 1 - beta1^t
    pub correction1: f64,
    /// 1 - beta2^t
    pub correction2: f64,
    /// Factor on gradients, from clipping.
    pub scale: f64,
}

/// First and second moments of all weights of a model, in the order of the weights, together with the weights.
pub struct Moments {
    weights: Vec<Tensor>,
    memory: Memory,
}

enum Memory {
    F32(Flat<f32>),
    F64(Flat<f64>),
    /// A pair for each weight, for devices, types or weights that the fused step does not support.
    Tensors(Vec<[Tensor; 2]>),
}

/// The moments of all weights, one weight after the other.
struct Flat<T> {
    first: Vec<T>,
    second: Vec<T>,
}

impl Moments {
    /// Moments that are zero.
    ///
    /// # Errors
    /// If the device refuses the memory.
    pub fn new(weights: Vec<Tensor>) -> Result<Self> {
        let count = weights.iter().map(Tensor::elem_count).sum();
        let all = |dtype| {
            let is_fit = |weight: &Tensor| cpu::fused(weight) && weight.is_contiguous() && weight.dtype() == dtype;
            weights.iter().all(is_fit)
        };
        let memory = if all(DType::F32) {
            Memory::F32(Flat::new(count))
        } else if all(DType::F64) {
            Memory::F64(Flat::new(count))
        } else {
            let pair = |weight: &Tensor| Ok([weight.zeros_like()?, weight.zeros_like()?]);
            Memory::Tensors(weights.iter().map(pair).collect::<Result<_>>()?)
        };
        Ok(Self { weights, memory })
    }

    /// Copies of the first and the second moments of weight number `which`, in its shape.
    ///
    /// # Errors
    /// If the device refuses the memory.
    pub fn get(&self, which: usize) -> Result<[Tensor; 2]> {
        match &self.memory {
            Memory::F32(flat) => flat.get(&self.weights, which),
            Memory::F64(flat) => flat.get(&self.weights, which),
            Memory::Tensors(pairs) => Ok([pairs[which][0].copy()?, pairs[which][1].copy()?]),
        }
    }

    /// Overwrites the first and the second moment of weight number `which`.
    ///
    /// # Errors
    /// If their shape or type is not the weight's.
    pub fn set(&mut self, which: usize, [first, second]: [&Tensor; 2]) -> Result<()> {
        let weight = &self.weights[which];
        for (operand, moment) in [("first of adamw", first), ("second of adamw", second)] {
            operands::expect(operand, moment, weight.dims(), weight.dtype())?;
        }
        match &mut self.memory {
            Memory::F32(flat) => flat.set(&self.weights, which, [first, second]),
            Memory::F64(flat) => flat.set(&self.weights, which, [first, second]),
            Memory::Tensors(pairs) => {
                pairs[which] = [first.to_device(weight.device())?.copy()?, second.to_device(weight.device())?.copy()?];
                Ok(())
            }
        }
    }

    /// Updates all weights and their moments in place, each with the settings from `step_of`. A missing gradient counts
    /// as zero.
    ///
    /// # Errors
    /// If the numbers of gradients and weights differ, or a gradient does not have the shape and type of its weight.
    pub fn step(&mut self, gradients: &[Option<&Tensor>], step_of: impl Fn(&Tensor) -> AdamWStep) -> Result<()> {
        let weights = &self.weights;
        if gradients.len() != weights.len() {
            let expected = format!("one for each of {} weights", weights.len());
            return Err(operands::unfit("gradients of adamw", expected, gradients.len()));
        }
        for (weight, gradient) in weights.iter().zip(gradients) {
            if let Some(gradient) = gradient {
                operands::expect("gradient of adamw", gradient, weight.dims(), weight.dtype())?;
            }
        }
        let steps = weights.iter().zip(gradients).map(|(weight, gradient)| (weight, *gradient, step_of(weight)));
        match &mut self.memory {
            Memory::F32(flat) => flat.step(steps),
            Memory::F64(flat) => flat.step(steps),
            Memory::Tensors(pairs) => {
                for ((weight, gradient, step), moments) in steps.zip(pairs) {
                    composed(weight, moments, gradient, &step)?;
                }
                Ok(())
            }
        }
    }
}

impl<T: Real> Flat<T> {
    fn new(count: usize) -> Self {
        Self { first: vec![T::zero(); count], second: vec![T::zero(); count] }
    }

    /// Where the moments of a weight are.
    fn range(weights: &[Tensor], which: usize) -> Range<usize> {
        let start = weights[..which].iter().map(Tensor::elem_count).sum();
        start..start + weights[which].elem_count()
    }

    fn get(&self, weights: &[Tensor], which: usize) -> Result<[Tensor; 2]> {
        let (range, weight) = (Self::range(weights, which), &weights[which]);
        let copy = |moments: &[T]| Tensor::from_slice(&moments[range.clone()], weight.shape(), weight.device());
        Ok([copy(&self.first)?, copy(&self.second)?])
    }

    fn set(&mut self, weights: &[Tensor], which: usize, moments: [&Tensor; 2]) -> Result<()> {
        let range = Self::range(weights, which);
        for (flat, moment) in [&mut self.first, &mut self.second].into_iter().zip(moments) {
            cpu::with::<T, _>(&moment.to_device(&Device::Cpu)?, |moment| {
                flat[range.clone()].copy_from_slice(moment);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn step<'w>(&mut self, steps: impl Iterator<Item = (&'w Tensor, Option<&'w Tensor>, AdamWStep)>) -> Result<()> {
        let (mut first, mut second) = (self.first.as_mut_slice(), self.second.as_mut_slice());
        for (weight, gradient, step) in steps {
            let (own_first, others_first) = first.split_at_mut(weight.elem_count());
            let (own_second, others_second) = second.split_at_mut(weight.elem_count());
            (first, second) = (others_first, others_second);
            if weight.elem_count() > 0 {
                let moments = Mutex::new([own_first, own_second]);
                weight.inplace_op2(&numbers_of(gradient, weight)?, &Move { moments, step })?;
            }
        }
        Ok(())
    }
}

/// A gradient in one piece of memory.
fn numbers_of(gradient: Option<&Tensor>, weight: &Tensor) -> Result<Tensor> {
    match gradient {
        Some(gradient) => gradient.detach().contiguous(),
        None => weight.detach().contiguous()?.zeros_like(),
    }
}

fn composed(weight: &Tensor, moments: &mut [Tensor; 2], gradient: Option<&Tensor>, step: &AdamWStep) -> Result<()> {
    if weight.elem_count() == 0 {
        return Ok(());
    }
    let gradient = (numbers_of(gradient, weight)? * step.scale)?;
    let [first, second] = moments;
    *first = ((&*first * step.beta1)? + (&gradient * (1.0 - step.beta1))?)?;
    *second = ((&*second * step.beta2)? + (gradient.sqr()? * (1.0 - step.beta2))?)?;
    let root = ((&*second / step.correction2)?.sqrt()? + step.epsilon)?;
    let change = (((&*first / step.correction1)? / root)? * step.rate)?;
    let moved = ((weight.detach() * (1.0 - step.decay))? - change)?;
    // In place, so that every holder of the weight sees the update.
    if cpu::fused(weight) {
        return weight.inplace_op2(&moved.contiguous()?, &Overwrite);
    }
    // As a vector, because a scalar has no dimension to slice; a contiguous weight shares its memory.
    if !weight.is_contiguous() {
        return Err(operands::unfit("weight of adamw", "contiguous memory", format!("strides {:?}", weight.stride())));
    }
    weight.flatten_all()?.slice_set(&moved.flatten_all()?, 0, 0)
}

/// Sums of the squares of the numbers of some tensors on one device.
///
/// # Errors
/// If a tensor operation fails.
pub fn square_sums(tensors: &[&Tensor]) -> Result<Vec<f64>> {
    if tensors.iter().all(|x| cpu::fused(x)) {
        return tensors.iter().map(|x| square_sum(x)).collect();
    }
    let sum = |x: &&Tensor| {
        let squares = operands::unless_empty(x, 1, || x.detach().sqr()?.sum_all()?.reshape(1))?;
        squares.to_dtype(DType::F64)
    };
    // In one copy, because each copy waits until the device is idle.
    let sums = tensors.iter().map(sum).collect::<Result<Vec<Tensor>>>()?;
    Tensor::cat(&sums, 0)?.to_device(&Device::Cpu)?.to_vec1()
}

fn square_sum(x: &Tensor) -> Result<f64> {
    if x.elem_count() == 0 {
        return Ok(0.0);
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

/// Updates a weight and its moments in one pass, while they are in the cache.
struct Move<'m, T> {
    /// First and second moments. In a mutex, because an operation has only a shared reference to itself.
    moments: Mutex<[&'m mut [T]; 2]>,
    step: AdamWStep,
}

impl<T: Real> InplaceOp2 for Move<'_, T> {
    fn name(&self) -> &'static str {
        "adamw-move"
    }

    fn cpu_fwd(&self, weight: &mut CpuStorage, wl: &Layout, gradient: &CpuStorage, gl: &Layout) -> Result<()> {
        let AdamWStep { rate, beta1, beta2, epsilon, decay, correction1, correction2, scale } = self.step;
        let (scale, kept, epsilon): (T, T, T) = (number(scale), number(1.0 - decay), number(epsilon));
        let (rate, unbias): (T, T) = (number(rate / correction1), number(1.0 / correction2));
        let (beta1, rest1): (T, T) = (number(beta1), number(1.0 - beta1));
        let (beta2, rest2): (T, T) = (number(beta2), number(1.0 - beta2));
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        let [first, second] = &mut *moments;
        let (weight, gradient) = (cpu::slice_mut::<T>(weight, wl)?, cpu::slice::<T>(gradient, gl)?);
        let chunks = weight.chunks_mut(CHUNK).zip(gradient.chunks(CHUNK));
        let chunks = chunks.zip(first.chunks_mut(CHUNK).zip(second.chunks_mut(CHUNK))).collect();
        type Chunk<'c, T> = ((&'c mut [T], &'c [T]), (&'c mut [T], &'c mut [T]));
        threads::for_each(
            chunks,
            #[inline(always)]
            |((weight, gradient), (first, second)): Chunk<T>| {
                let moments = first.iter_mut().zip(second);
                for ((weight, gradient), (first, second)) in weight.iter_mut().zip(gradient).zip(moments) {
                    let gradient = *gradient * scale;
                    *first = *first * beta1 + gradient * rest1;
                    *second = *second * beta2 + gradient * gradient * rest2;
                    *weight = *weight * kept - rate * *first / ((*second * unbias).sqrt() + epsilon);
                }
            },
        );
        Ok(())
    }
}

/// Overwrites a tensor with any memory layout.
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

#[cfg(test)]
mod tests;
