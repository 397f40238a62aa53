//! Keys and values of one layer in a cache: entries that are written once and never move.

use std::any::Any;

use candle_core::{DType, Device, Result, Tensor};

use super::cpu::{self, LANES, Real, dispatch};
use super::replace_rows;
use crate::operands;

/// Marks a position without an entry: attention does not see it.
pub const NO_ENTRY: u32 = u32::MAX;

/// Entries are allocated this many at a time.
const SEGMENT: usize = 256;

/// Keys and values of one layer, by number of their entry. On the CPU they lie in segments, which are never copied, and
/// element i of head h is at index i · heads + h, so that all heads are processed at once for any width.
pub struct KeyValueEntries {
    heads: usize,
    width: usize,
    dtype: DType,
    capacity: usize,
    memory: Memory,
}

enum Memory {
    /// A `Vec<Vec<T>>` of segments with the heads interleaved.
    Segments(Box<dyn Any + Send + Sync>),
    /// `[capacity, 2 * width]`, as the layer projected them.
    Tensor(Tensor),
}

impl KeyValueEntries {
    /// No entries of `width` numbers in `heads` heads.
    ///
    /// # Errors
    /// If the heads do not divide the width.
    pub fn new(heads: usize, width: usize, dtype: DType, device: &Device) -> Result<Self> {
        if heads == 0 || !width.is_multiple_of(heads) {
            let expected = format!("a number that divides the width {width}");
            return Err(operands::unfit("heads of cached keys and values", expected, heads));
        }
        let memory = match (device.is_cpu(), dtype) {
            (true, DType::F32) => Memory::Segments(Box::new(Vec::<Vec<f32>>::new())),
            (true, DType::F64) => Memory::Segments(Box::new(Vec::<Vec<f64>>::new())),
            _ => Memory::Tensor(Tensor::zeros((0, 2 * width), dtype, device)?),
        };
        Ok(Self { heads, width, dtype, capacity: 0, memory })
    }

    /// Attention heads.
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// Numbers in a key.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Type of the numbers.
    pub(super) fn dtype(&self) -> DType {
        self.dtype
    }

    /// Number of entries with memory; higher entry numbers have never been written.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes that one entry takes.
    pub fn entry_bytes(&self) -> usize {
        let width = if matches!(self.memory, Memory::Segments(_)) { self.padded() } else { self.width };
        2 * width * self.dtype.size_in_bytes()
    }

    /// Bytes allocated for entries, used or not.
    pub fn allocated_bytes(&self) -> usize {
        self.capacity * self.entry_bytes()
    }

    /// Numbers in a key, padded.
    pub(super) fn padded(&self) -> usize {
        self.width.next_multiple_of(LANES)
    }

    /// Stores keys and values side by side, `[entries.len(), 2 * width]`, as the entries with these numbers; rows for
    /// [`NO_ENTRY`] are skipped.
    ///
    /// # Errors
    /// If shapes or types do not agree.
    pub fn write(&mut self, entries: &[u32], keys_values: &Tensor) -> Result<()> {
        operands::expect("cached keys and values", keys_values, &[entries.len(), 2 * self.width], self.dtype)?;
        let stored = || entries.iter().copied().zip(0u32..).filter(|(entry, _)| *entry != NO_ENTRY);
        let Some(most) = stored().map(|(entry, _)| entry as usize + 1).max() else { return Ok(()) };
        let missing = most.saturating_sub(self.capacity).div_ceil(SEGMENT);
        let (heads, padded) = (self.heads, self.padded());
        match &mut self.memory {
            Memory::Segments(memory) => dispatch!("cached keys and values", self.dtype, T => {
                let Some(segments) = memory.downcast_mut::<Vec<Vec<T>>>() else {
                    candle_core::bail!("cached keys and values: the entries have another type");
                };
                segments.extend((0..missing).map(|_| vec![0 as T; SEGMENT * 2 * padded]));
                cpu::with::<T, _>(keys_values, |rows| {
                    for (entry, row) in stored() {
                        let row = &rows[row as usize * 2 * self.width..][..2 * self.width];
                        let (segment, place) = (entry as usize / SEGMENT, entry as usize % SEGMENT);
                        let into = &mut segments[segment][place * 2 * padded..][..2 * padded];
                        let (keys, values) = into.split_at_mut(padded);
                        interleave(&row[..self.width], heads, keys);
                        interleave(&row[self.width..], heads, values);
                    }
                    Ok(())
                })?;
            }),
            Memory::Tensor(memory) => {
                if missing > 0 {
                    // Doubling: each entry is copied only a few times, however many entries there will be.
                    let more = (missing * SEGMENT).max(self.capacity);
                    let room = Tensor::zeros((more, 2 * self.width), self.dtype, keys_values.device())?;
                    *memory = if self.capacity == 0 { room } else { Tensor::cat(&[&*memory, &room], 0)? };
                    self.capacity += more;
                }
                let (entries, rows): (Vec<u32>, Vec<u32>) = stored().unzip();
                let rows = Tensor::from_vec(rows, entries.len(), keys_values.device())?;
                let new = keys_values.detach().index_select(&rows, 0)?;
                *memory = replace_rows(memory, &entries.into(), &new)?;
                return Ok(());
            }
        }
        self.capacity += missing * SEGMENT;
        Ok(())
    }

    /// The segments, if they hold this type.
    pub(super) fn segments<T: Real>(&self) -> Option<Rows<'_, T>> {
        match &self.memory {
            Memory::Segments(memory) => {
                let segments = memory.downcast_ref::<Vec<Vec<T>>>()?;
                Some(Rows { segments, row: 2 * self.padded() })
            }
            Memory::Tensor(_) => None,
        }
    }

    /// The entries `numbers` as the layer projected them, `[numbers.len(), 2 * width]`.
    pub(super) fn gathered(&self, numbers: Vec<u32>) -> Result<Tensor> {
        let count = numbers.len();
        let Memory::Tensor(memory) = &self.memory else { return self.gathered_from_segments(&numbers) };
        memory.index_select(&Tensor::from_vec(numbers, count, memory.device())?, 0)
    }

    fn gathered_from_segments(&self, numbers: &[u32]) -> Result<Tensor> {
        dispatch!("cached keys and values", self.dtype, T => {
            let Some(rows) = self.segments::<T>() else {
                candle_core::bail!("cached keys and values: the entries have another type");
            };
            let mut plain = vec![0 as T; numbers.len() * 2 * self.width];
            for (into, number) in plain.chunks_exact_mut(2 * self.width).zip(numbers) {
                let (keys, values) = rows.entry(*number).split_at(self.padded());
                separate(keys, self.heads, &mut into[..self.width]);
                separate(values, self.heads, &mut into[self.width..]);
            }
            Tensor::from_vec(plain, (numbers.len(), 2 * self.width), &Device::Cpu)
        })
    }
}

/// Entries in segments.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, T> {
    segments: &'a [Vec<T>],
    row: usize,
}

impl<'a, T> Rows<'a, T> {
    /// Keys and values of an entry, side by side.
    #[inline(always)]
    pub fn entry(&self, number: u32) -> &'a [T] {
        let (segment, place) = (number as usize / SEGMENT, number as usize % SEGMENT);
        &self.segments[segment][place * self.row..][..self.row]
    }
}

/// Writes `row`, which stores head after head, to `into` with interleaved heads; the rest of `into` does not change.
#[inline(always)]
pub(super) fn interleave<T: Copy>(row: &[T], heads: usize, into: &mut [T]) {
    let head_dim = (row.len() / heads).max(1);
    for (head, numbers) in row.chunks_exact(head_dim).enumerate() {
        for (into, number) in into[head..].iter_mut().step_by(heads).zip(numbers) {
            *into = *number;
        }
    }
}

/// The inverse of [`interleave`].
#[inline(always)]
pub(super) fn separate<T: Copy>(row: &[T], heads: usize, into: &mut [T]) {
    let head_dim = into.len() / heads;
    for (head, into) in into.chunks_exact_mut(head_dim).enumerate() {
        for (into, number) in into.iter_mut().zip(row[head..].iter().step_by(heads)) {
            *into = *number;
        }
    }
}
