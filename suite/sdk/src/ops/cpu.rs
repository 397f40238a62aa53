//! Access to the numbers of CPU tensors for fused operations.

use candle_core::{CpuStorage, DType, Layout, Result, Shape, Storage, Tensor, WithDType, bail};

/// The floating-point types that fused operations are written for.
pub(super) trait Real:
    WithDType
    + std::ops::AddAssign
    + std::ops::MulAssign
    + std::ops::Neg<Output = Self>
    + std::iter::Sum
    + PartialOrd
    + Send
    + Sync
{
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn sqrt(self) -> Self;
}

impl Real for f32 {
    fn exp(self) -> Self {
        f32::exp(self)
    }
    fn ln(self) -> Self {
        f32::ln(self)
    }
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }
}

impl Real for f64 {
    fn exp(self) -> Self {
        f64::exp(self)
    }
    fn ln(self) -> Self {
        f64::ln(self)
    }
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
}

/// Runs a fused function for the element type at hand.
macro_rules! dispatch {
    ($name:literal, $dtype:expr, $type:ident => $body:expr) => {
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

/// Whether the fused version of an operation applies.
pub(super) fn fused(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && matches!(tensor.dtype(), DType::F32 | DType::F64)
}

/// The contiguous numbers of a storage.
pub(super) fn slice<'a, T: Real>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<T>()?[start..end]),
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

/// A result of the forward pass.
pub(super) fn stored<T: Real>(values: Vec<T>, shape: impl Into<Shape>) -> (CpuStorage, Shape) {
    (T::to_cpu_storage_owned(values), shape.into())
}

/// A gradient of the shape of `like`.
pub(super) fn gradient<T: Real>(values: Vec<T>, like: &Tensor) -> Result<Option<Tensor>> {
    Ok(Some(Tensor::from_vec(values, like.shape(), like.device())?))
}

/// Rows are worked on in chunks of this many, whatever the number of threads.
pub(super) const ROWS: usize = 64;

/// A number of the type at hand.
pub(super) fn number<T: Real>(value: f64) -> T {
    T::from_f64(value)
}
