//! Signals of numbers, such as positions and steps, that are added to states.

use std::sync::{PoisonError, RwLock};

use candle_core::{Result, Tensor};

/// Largest wavelength divided by 2π; the smallest is 1.
const LONGEST: f64 = 10_000.0;

/// Sinusoids as Tensor2Tensor adds them (`get_timing_signal_1d`): with m = width / 2 and f_i = 10000^(-i / (m - 1)), the
/// signal of t is sin(t f_0), ..., sin(t f_(m-1)), cos(t f_0), ..., cos(t f_(m-1)), and 0 at the end of an odd width. The
/// halves are not interleaved, and the exponent divides by m - 1, not by m.
pub struct Sinusoid {
    width: usize,
    known: RwLock<Option<Tensor>>,
}

impl Sinusoid {
    /// Signals of `width` numbers.
    pub fn new(width: usize) -> Self {
        Self { width, known: RwLock::default() }
    }

    /// The signals of `numbers`, `[numbers.len(), width]`, of the type of `like` and where it is.
    ///
    /// # Errors
    /// If the device refuses the memory.
    pub fn of(&self, numbers: &[u32], like: &Tensor) -> Result<Tensor> {
        let most = numbers.iter().max().map_or(1, |most| *most as usize + 1);
        let index = Tensor::from_slice(numbers, numbers.len(), like.device())?;
        self.table(most, like)?.index_select(&index, 0)
    }

    /// The signals of 0 and of at least so many numbers after it, kept from call to call.
    fn table(&self, most: usize, like: &Tensor) -> Result<Tensor> {
        let fits = |table: &Tensor| {
            table.dim(0).is_ok_and(|rows| rows >= most)
                && table.dtype() == like.dtype()
                && table.device().same_device(like.device())
        };
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(fits) {
            return Ok(known);
        }
        let (rows, half) = (most.next_power_of_two(), self.width / 2);
        let slowest = half.saturating_sub(1).max(1) as f64;
        let angle = |number: usize, pair: usize| number as f64 * LONGEST.powf(-(pair as f64) / slowest);
        let entry = |number: usize, place: usize| match place {
            sine if sine < half => angle(number, sine).sin(),
            cosine if cosine < 2 * half => angle(number, cosine - half).cos(),
            _ => 0.0,
        };
        let values: Vec<f64> =
            (0..rows).flat_map(|number| (0..self.width).map(move |place| entry(number, place))).collect();
        let table = Tensor::from_vec(values, (rows, self.width), like.device())?.to_dtype(like.dtype())?;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(table.clone());
        Ok(table)
    }
}
