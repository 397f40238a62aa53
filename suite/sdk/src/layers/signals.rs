//! Signals of numbers, such as positions and steps, that are added to states.

use std::sync::{PoisonError, RwLock};

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use crate::error::{Error, Result};

/// The signal that is added to a state for a number.
pub enum Signal {
    /// Nothing.
    None,
    /// Sinusoids, of any number.
    Sinusoid(Sinusoid),
    /// A row of a table times √width, as Tensor2Tensor learns it (`get_layer_timing_signal_learned_1d`).
    Learned(Tensor),
}

impl Signal {
    /// Names of the kinds, for a parameter.
    pub const NAMES: &'static [&'static str] = &["sinusoid", "learned", "none"];

    /// The signal of this kind and width. A learned one has a table for the numbers below `count`, requested from
    /// `variables` with variance 1 / width.
    ///
    /// # Errors
    /// If there is no such kind or a stored table has another shape.
    pub fn named(name: &str, width: usize, count: usize, variables: VarBuilder) -> Result<Self> {
        let normal = Init::Randn { mean: 0.0, stdev: (width.max(1) as f64).sqrt().recip() };
        match name {
            "sinusoid" => Ok(Self::Sinusoid(Sinusoid::new(width))),
            "learned" => Ok(Self::Learned(variables.get_with_hints((count, width), "weight", normal)?)),
            "none" => Ok(Self::None),
            other => Err(Error::unknown("signal", other, Self::NAMES.iter().copied())),
        }
    }

    /// Whether nothing is added.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The states `[rows, width]` with the signals of their `numbers`: one for each row, or one for all.
    ///
    /// # Errors
    /// If a number is beyond what was learned.
    pub fn add(&self, states: &Tensor, numbers: &[u32]) -> Result<Tensor> {
        let signals = match self {
            Self::None => return Ok(states.clone()),
            Self::Sinusoid(sinusoid) => sinusoid.of(numbers, states)?,
            Self::Learned(table) => {
                let (count, width) = table.dims2()?;
                if let Some(number) = numbers.iter().find(|number| **number as usize >= count) {
                    return Err(Error::invalid(
                        "position or step of a learned signal",
                        format!("a number below {count}, the rows of its table"),
                        number,
                    ));
                }
                let index = Tensor::from_slice(numbers, numbers.len(), states.device())?;
                (table.index_select(&index, 0)? * (width as f64).sqrt())?
            }
        };
        Ok(states.broadcast_add(&signals)?)
    }
}

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
        Ok(self.table(most, like)?.index_select(&index, 0)?)
    }

    /// Signals of the numbers 0 to `most` or more, cached between calls.
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
