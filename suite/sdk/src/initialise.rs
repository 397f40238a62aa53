//! Seeded weights: each variable is initialised from its own stream, keyed by its name, so that adding a variable
//! or asking for them in another order changes no other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::init::{FanInOut, NormalOrUniform};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

use crate::error::Result;
use crate::random::Stream;

/// The weights of a model by name, made on first request.
#[derive(Clone)]
pub struct Variables {
    entries: Arc<Mutex<BTreeMap<String, Var>>>,
    seed: u64,
    dtype: DType,
    device: Device,
}

impl Variables {
    /// No variables yet; those requested later are initialised under `seed`.
    pub fn new(seed: u64, dtype: DType, device: &Device) -> Self {
        Self { entries: Arc::default(), seed, dtype, device: device.clone() }
    }

    /// A builder that requests variables from this store, as candle's own layers expect it.
    pub fn builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), self.dtype, self.device.clone())
    }

    /// All variables in the order of their names.
    pub fn all(&self) -> Vec<(String, Var)> {
        self.lock().iter().map(|(name, variable)| (name.clone(), variable.clone())).collect()
    }

    /// Number of weights.
    pub fn parameters(&self) -> usize {
        self.lock().values().map(|variable| variable.elem_count()).sum()
    }

    /// The gradients of all variables that have one, by name.
    ///
    /// # Errors
    /// If the device refuses the memory.
    pub fn gradients(&self, gradients: &GradStore) -> Result<BTreeMap<String, Tensor>> {
        let found = |(name, variable): (String, Var)| gradients.get(&variable).map(|gradient| (name, gradient.clone()));
        Ok(self.all().into_iter().filter_map(found).collect())
    }

    /// Overwrites the variable `name`.
    ///
    /// # Errors
    /// If there is none of that name, or of another shape or type.
    pub fn set(&self, name: &str, value: &Tensor) -> Result<()> {
        match self.lock().get(name) {
            Some(variable) => Ok(variable.set(&value.to_dtype(self.dtype)?.to_device(&self.device)?)?),
            None => Err(crate::Error::unknown("variable", name, [])),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Var>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn initial(&self, name: &str, shape: &Shape, init: Init) -> candle_core::Result<Tensor> {
        let mut stream = Stream::new(self.seed, "initialise", &[]);
        let key = stream.integer();
        let mut stream = Stream::new(key, name, &[]);
        let (normal, location, scale) = match init {
            Init::Const(value) => (false, value, 0.0),
            Init::Randn { mean, stdev } => (true, mean, stdev),
            Init::Uniform { lo, up } => (false, (lo + up) / 2.0, (up - lo) / 2.0),
            Init::Kaiming { dist, fan, non_linearity } => {
                let dimensions = shape.dims();
                let receptive: usize = dimensions.iter().skip(2).product();
                let fan = match fan {
                    FanInOut::FanIn => dimensions.get(1).copied().unwrap_or(1) * receptive,
                    FanInOut::FanOut => dimensions.first().copied().unwrap_or(1) * receptive,
                };
                let deviation = non_linearity.gain() / (fan.max(1) as f64).sqrt();
                match dist {
                    NormalOrUniform::Normal => (true, 0.0, deviation),
                    NormalOrUniform::Uniform => (false, 0.0, 3f64.sqrt() * deviation),
                }
            }
        };
        let draw = |_| {
            let unit = if normal { stream.normal() } else { 2.0 * stream.uniform() - 1.0 };
            location + scale * unit
        };
        let values: Vec<f64> = (0..shape.elem_count()).map(draw).collect();
        Tensor::from_vec(values, shape.clone(), &Device::Cpu)?.to_dtype(self.dtype)?.to_device(&self.device)
    }
}

impl SimpleBackend for Variables {
    fn get(&self, shape: Shape, name: &str, init: Init, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        let mut entries = self.lock();
        if let Some(variable) = entries.get(name) {
            if variable.shape() != &shape {
                candle_core::bail!("variable {name}: expected shape {:?}, found {shape:?}", variable.shape());
            }
            return Ok(variable.as_tensor().clone());
        }
        let variable = Var::from_tensor(&self.initial(name, &shape, init)?)?;
        entries.insert(name.to_owned(), variable.clone());
        Ok(variable.as_tensor().clone())
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        match self.lock().get(name) {
            Some(variable) => Ok(variable.as_tensor().clone()),
            None => candle_core::bail!("variable {name} has no known shape"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }
}
