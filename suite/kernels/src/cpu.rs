//! Access to the numbers of CPU tensors for fused operations.

use std::ops::Range;

use candle_core::{CpuStorage, DType, Layout, Result, Shape, Storage, Tensor, WithDType, bail};

use super::scratch::Pooled;
use crate::instructions::Instructions;

/// Numbers in a group that is processed at once.
pub(super) const LANES: usize = 8;

/// The floating-point types that fused operations are written for.
pub trait Float:
    WithDType
    + std::ops::AddAssign
    + std::ops::MulAssign
    + std::ops::Neg<Output = Self>
    + std::iter::Sum
    + PartialOrd
    + Send
    + Sync
{
    /// e^self, in arithmetic that vectorises.
    fn exp(self, instructions: impl Instructions) -> Self;
}

/// Further operations that this crate needs.
pub(super) trait Real: Float + Pooled {
    fn ln(self) -> Self;
    fn sqrt(self) -> Self;
    /// self · factor + addend, rounded once if the instructions are fused and twice otherwise.
    fn times_plus<I: Instructions>(self, _: I, factor: Self, addend: Self) -> Self;
    /// Adds the products of this number with `N` others (a multiple of eight) to `N` sums, each like
    /// [`times_plus`](Self::times_plus), in registers. A plain loop would not always be vectorised, depending on its
    /// context.
    fn add_products<I: Instructions, const N: usize>(self, instructions: I, factors: &[Self; N], sums: &mut [Self; N]);
    /// The numbers of a storage of this type, mutable.
    fn numbers(storage: &mut CpuStorage) -> Result<&mut [Self]>;
}

impl Float for f32 {
    /// Range reduction to |r| <= ln 2 / 2 and the polynomial of Cephes' expf (S. Moshier); 0 below the smallest normal
    /// number, no infinity: the largest result is about 2^127. Relative error at most 2e-7.
    #[inline(always)]
    fn exp(self, instructions: impl Instructions) -> Self {
        const LOWEST: f32 = -87.336_54;
        const HIGHEST: f32 = 88.0;
        // Adding 1.5 * 2^23 rounds to a whole number, which then is in the lowest bits of the sum.
        const ROUNDING: f32 = 12_582_912.0;
        // Comparisons instead of min and max, which would drop a NaN.
        let x = if self > HIGHEST { HIGHEST } else { self };
        let x = if x < LOWEST { LOWEST } else { x };
        let shifted = x.times_plus(instructions, std::f32::consts::LOG2_E, ROUNDING);
        let whole = shifted - ROUNDING;
        let r = whole.times_plus(instructions, 2.121_944_4e-4, whole.times_plus(instructions, -0.693_359_4, x));
        let mut p = 1.987_569_1e-4f32;
        for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1] {
            p = p.times_plus(instructions, r, coefficient);
        }
        let fraction = p.times_plus(instructions, r * r, r + 1.0);
        let power = f32::from_bits(shifted.to_bits().wrapping_sub(ROUNDING.to_bits()).wrapping_add(127) << 23);
        if self < LOWEST { 0.0 } else { fraction * power }
    }
}

impl Float for f64 {
    fn exp(self, _: impl Instructions) -> Self {
        f64::exp(self)
    }
}

impl Real for f32 {
    fn numbers(storage: &mut CpuStorage) -> Result<&mut [Self]> {
        match storage {
            CpuStorage::F32(numbers) => Ok(numbers),
            _ => bail!("a fused operation found another type than f32"),
        }
    }
    fn ln(self) -> Self {
        f32::ln(self)
    }
    #[inline(always)]
    fn times_plus<I: Instructions>(self, _: I, factor: Self, addend: Self) -> Self {
        if I::FUSED { self.mul_add(factor, addend) } else { self * factor + addend }
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }
    #[inline(always)]
    fn add_products<I: Instructions, const N: usize>(self, instructions: I, factors: &[Self; N], sums: &mut [Self; N]) {
        #[cfg(target_arch = "x86_64")]
        if I::FUSED {
            use std::arch::x86_64::{
                _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
                _mm512_set1_ps, _mm512_storeu_ps,
            };
            if I::REGISTERS_OF_512_BITS && N == 2 * LANES {
                // SAFETY: a value of `I` shows that the processor has the instructions; both arrays are as long as the
                // register, and these loads and stores need no alignment.
                unsafe {
                    let (factors, before) = (_mm512_loadu_ps(factors.as_ptr()), _mm512_loadu_ps(sums.as_ptr()));
                    _mm512_storeu_ps(sums.as_mut_ptr(), _mm512_fmadd_ps(_mm512_set1_ps(self), factors, before));
                }
                return;
            }
            for (factors, sums) in factors.as_chunks::<LANES>().0.iter().zip(sums.as_chunks_mut::<LANES>().0) {
                // SAFETY: as above.
                unsafe {
                    let (factors, before) = (_mm256_loadu_ps(factors.as_ptr()), _mm256_loadu_ps(sums.as_ptr()));
                    _mm256_storeu_ps(sums.as_mut_ptr(), _mm256_fmadd_ps(_mm256_set1_ps(self), factors, before));
                }
            }
            return;
        }
        for (sum, factor) in sums.iter_mut().zip(factors) {
            *sum = self.times_plus(instructions, *factor, *sum);
        }
    }
}

impl Real for f64 {
    fn numbers(storage: &mut CpuStorage) -> Result<&mut [Self]> {
        match storage {
            CpuStorage::F64(numbers) => Ok(numbers),
            _ => bail!("a fused operation found another type than f64"),
        }
    }
    fn ln(self) -> Self {
        f64::ln(self)
    }
    #[inline(always)]
    fn times_plus<I: Instructions>(self, _: I, factor: Self, addend: Self) -> Self {
        if I::FUSED { self.mul_add(factor, addend) } else { self * factor + addend }
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn add_products<I: Instructions, const N: usize>(self, instructions: I, factors: &[Self; N], sums: &mut [Self; N]) {
        for (sum, factor) in sums.iter_mut().zip(factors) {
            *sum = self.times_plus(instructions, *factor, *sum);
        }
    }
}

/// Runs a fused function for the operand's element type.
macro_rules! dispatch {
    ($name:expr, $dtype:expr, $type:ident => $body:expr) => {
        match $dtype {
            candle_core::DType::F32 => {
                type $type = f32;
                $body
            }
            candle_core::DType::F64 => {
                type $type = f64;
                $body
            }
            other => candle_core::bail!("{}: expected f32 or f64, found {other:?}", $name),
        }
    };
}
pub(super) use dispatch;

/// Whether the fused version of an operation can run.
pub(super) fn fused(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && matches!(tensor.dtype(), DType::F32 | DType::F64)
}

/// The contiguous numbers of a storage.
pub(super) fn slice<'a, T: Real>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    Ok(&storage.as_slice::<T>()?[range(layout)?])
}

/// The contiguous numbers of a storage, mutable.
pub(super) fn slice_mut<'a, T: Real>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [T]> {
    Ok(&mut T::numbers(storage)?[range(layout)?])
}

fn range(layout: &Layout) -> Result<Range<usize>> {
    match layout.contiguous_offsets() {
        // An empty view may start past the end of its memory.
        Some((start, end)) if start == end => Ok(0..0),
        Some((start, end)) => Ok(start..end),
        None => bail!("a fused operation needs contiguous operands"),
    }
}

/// Calls `work` with the contiguous numbers of a tensor.
pub(super) fn with<T: Real, R>(tensor: &Tensor, work: impl FnOnce(&[T]) -> Result<R>) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => work(slice::<T>(storage, layout)?),
        _ => bail!("a fused operation needs operands on the CPU"),
    }
}

/// Calls `work` with the contiguous numbers of several tensors.
pub(super) fn with_all<T: Real, R, const N: usize>(
    tensors: [&Tensor; N],
    work: impl FnOnce([&[T]; N]) -> Result<R>,
) -> Result<R> {
    let contiguous = tensors.map(Tensor::contiguous);
    let mut operands: Vec<Tensor> = Vec::with_capacity(N);
    for tensor in contiguous {
        operands.push(tensor?);
    }
    let guards: Vec<_> = operands.iter().map(Tensor::storage_and_layout).collect();
    let mut slices: [&[T]; N] = [&[]; N];
    for (place, (storage, layout)) in slices.iter_mut().zip(&guards) {
        *place = match &**storage {
            Storage::Cpu(storage) => slice::<T>(storage, layout)?,
            _ => bail!("a fused operation needs operands on the CPU"),
        };
    }
    work(slices)
}

/// A result of the forward pass.
pub(super) fn stored<T: Real>(values: Vec<T>, shape: impl Into<Shape>) -> (CpuStorage, Shape) {
    (T::to_cpu_storage_owned(values), shape.into())
}

/// A gradient of the shape of `like`.
pub(super) fn gradient<T: Real>(values: Vec<T>, like: &Tensor) -> Result<Option<Tensor>> {
    Ok(Some(Tensor::from_vec(values, like.shape(), like.device())?))
}

/// Rows in a chunk, for any number of threads: enough for efficient products, few enough for the cache of one thread.
pub(super) const ROWS: usize = 64;

/// Fewest rows that one thread processes alone; with fewer, threads share the columns of the weights.
pub(super) const LEAST: usize = 24;

/// Adds `share` to `total`.
pub(super) fn accumulate<T: Real>(total: &mut [T], share: &[T]) {
    for (total, share) in total.iter_mut().zip(share) {
        *total += *share;
    }
}

/// `value` in this type.
#[inline(always)]
pub(super) fn number<T: Real>(value: f64) -> T {
    T::from_f64(value)
}

/// The sum of the products of two rows, in a fixed order that vectorises.
#[inline(always)]
pub(super) fn dot<T: Real>(left: &[T], right: &[T]) -> T {
    const LANES: usize = 16;
    let mut sums = [T::zero(); LANES];
    let (left, right) = (left.chunks_exact(LANES), right.chunks_exact(LANES));
    let mut rest = T::zero();
    for (left, right) in left.remainder().iter().zip(right.remainder()) {
        rest += *left * *right;
    }
    for (left, right) in left.zip(right) {
        for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
            *sum += *left * *right;
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            let other = sums[lane + width];
            sums[lane] += other;
        }
        width /= 2;
    }
    sums[0] + rest
}

/// 1 / (1 + e^-x)
#[inline(always)]
pub(super) fn sigmoid<T: Real>(instructions: impl Instructions, x: T) -> T {
    number::<T>(1.0) / (number::<T>(1.0) + (-x).exp(instructions))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instructions::{Portable, with_instructions};

    /// With fused multiply-add, if the processor has it, and without.
    fn exponentials(x: f32) -> [f32; 2] {
        [with_instructions!(instructions => Float::exp(x, instructions)), Float::exp(x, Portable)]
    }

    #[test]
    fn exponential_is_that_of_the_standard_library() {
        for step in -100_000..=88_000 {
            let x = step as f32 / 1000.0;
            let expected = f64::from(x).exp();
            for found in exponentials(x) {
                assert!((f64::from(found) - expected).abs() <= 2e-7 * expected + 1.2e-38, "{x}: {found} {expected}");
            }
        }
        assert!(exponentials(f32::NAN).into_iter().all(f32::is_nan));
        assert_eq!(exponentials(f32::NEG_INFINITY), [0.0; 2]);
        assert!(exponentials(f32::INFINITY).into_iter().all(|found| found > 1e38));
        assert_eq!(exponentials(0.0), [1.0; 2]);
    }

    #[test]
    fn dot_product_of_every_length() {
        for length in 0..50 {
            let row: Vec<f64> = (0..length).map(f64::from).collect();
            let expected: f64 = row.iter().map(|x| x * x).sum();
            assert_eq!(dot(&row, &row), expected);
        }
    }
}
