//! Seeded weights: each variable is initialised from its own stream, keyed by its name, so that adding a variable, or
//! requesting variables in another order, does not change the others.
//!
//! A name with braces, such as `self_attn.{q_proj,k_proj,v_proj}.weight`, requests one variable that stacks several
//! weights by rows: one matrix product instead of three. Each part keeps its own name and stream.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::init::{FanInOut, NormalOrUniform};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

use crate::error::Result;
use crate::random::Stream;

/// The weights of a model by name, created on first request.
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

    /// A builder that requests variables from this store, for candle's own layers too.
    pub fn builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), self.dtype, self.device.clone())
    }

    /// A builder that hands out the same weights as constants, so that computing with them builds no graph.
    pub fn constants(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(Constants(self.clone())), self.dtype, self.device.clone())
    }

    /// All variables in the order of their names.
    pub fn all(&self) -> Vec<(String, Var)> {
        self.lock().iter().map(|(name, variable)| (name.clone(), variable.clone())).collect()
    }

    /// All weights by name, as constants that share the variables' memory. A variable that stacks several weights gives
    /// one entry for each.
    ///
    /// # Errors
    /// If a variable cannot be taken apart.
    pub fn weights(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut weights = BTreeMap::new();
        for (name, variable) in self.all() {
            weights.extend(parts_of(&name, &variable.as_detached_tensor())?);
        }
        Ok(weights)
    }

    /// Number of weights.
    pub fn parameters(&self) -> usize {
        self.lock().values().map(|variable| variable.elem_count()).sum()
    }

    /// The gradients of all weights that have one, by name.
    ///
    /// # Errors
    /// If a gradient cannot be taken apart.
    pub fn gradients(&self, gradients: &GradStore) -> Result<BTreeMap<String, Tensor>> {
        let mut found = BTreeMap::new();
        for (name, variable) in self.all() {
            if let Some(gradient) = gradients.get(&variable) {
                found.extend(parts_of(&name, gradient)?);
            }
        }
        Ok(found)
    }

    /// Overwrites the weight `name`, or the whole variable of that name.
    ///
    /// # Errors
    /// If there is none of that name, or of another shape or type.
    pub fn set(&self, name: &str, value: &Tensor) -> Result<()> {
        let value = value.to_dtype(self.dtype)?.to_device(&self.device)?.contiguous()?;
        for (stored, variable) in self.lock().iter() {
            if stored == name {
                return Ok(variable.set(&value)?);
            }
            if let Some(part) = part_names(stored).iter().position(|part| part == name) {
                let rows = variable.dim(0)? / part_names(stored).len();
                if value.dim(0)? != rows {
                    return Err(crate::Error::invalid(name, format!("{rows} rows"), value.dim(0)?));
                }
                return Ok(variable.slice_set(&value, 0, part * rows)?);
            }
        }
        Err(crate::Error::unknown("variable", name, []))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Var>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn request(&self, shape: &Shape, name: &str, init: Init) -> candle_core::Result<Var> {
        let mut entries = self.lock();
        if let Some(variable) = entries.get(name) {
            if variable.shape() != shape {
                candle_core::bail!("variable {name}: expected shape {shape:?}, found {:?}", variable.shape());
            }
            return Ok(variable.clone());
        }
        let names = part_names(name);
        let value = if names.len() == 1 {
            self.initial(name, shape, init)?
        } else {
            let mut dimensions = shape.dims().to_vec();
            if dimensions.first().is_none_or(|rows| !rows.is_multiple_of(names.len())) {
                candle_core::bail!("variable {name}: {shape:?} cannot be {} weights of one shape", names.len());
            }
            dimensions[0] /= names.len();
            let part = Shape::from(dimensions);
            let parts = names.iter().map(|name| self.initial(name, &part, init));
            Tensor::cat(&parts.collect::<candle_core::Result<Vec<Tensor>>>()?, 0)?
        };
        let variable = Var::from_tensor(&value)?;
        entries.insert(name.to_owned(), variable.clone());
        Ok(variable)
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

/// The names of the weights that a variable holds: `a.{b,c}.d` holds `a.b.d` and `a.c.d`.
fn part_names(name: &str) -> Vec<String> {
    let Some((before, rest)) = name.split_once('{') else { return vec![name.to_owned()] };
    let Some((parts, after)) = rest.split_once('}') else { return vec![name.to_owned()] };
    parts.split(',').map(|part| format!("{before}{part}{after}")).collect()
}

/// `tensor`, which belongs to the variable `name`, taken apart.
fn parts_of(name: &str, tensor: &Tensor) -> Result<Vec<(String, Tensor)>> {
    let names = part_names(name);
    if names.len() == 1 {
        return Ok(vec![(name.to_owned(), tensor.clone())]);
    }
    Ok(names.iter().cloned().zip(tensor.chunk(names.len(), 0)?).collect())
}

impl SimpleBackend for Variables {
    fn get(&self, shape: Shape, name: &str, init: Init, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        Ok(self.request(&shape, name, init)?.as_tensor().clone())
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

struct Constants(Variables);

impl SimpleBackend for Constants {
    fn get(&self, shape: Shape, name: &str, init: Init, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        Ok(self.0.request(&shape, name, init)?.as_detached_tensor())
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        Ok(self.0.get_unchecked(name, dtype, device)?.detach())
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.contains_tensor(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_the_weight_it_would_be_alone() {
        let init = Init::Randn { mean: 0.0, stdev: 1.0 };
        let (together, apart) =
            (Variables::new(5, DType::F64, &Device::Cpu), Variables::new(5, DType::F64, &Device::Cpu));
        let both = together.builder().pp("a").get_with_hints((4, 3), "{b,c}.weight", init).unwrap();
        assert_eq!(both.dims(), [4, 3]);
        apart.builder().pp("a").get_with_hints((2, 3), "b.weight", init).unwrap();
        apart.builder().pp("a").get_with_hints((2, 3), "c.weight", init).unwrap();
        let numbers = |variables: &Variables| -> Vec<(String, Vec<Vec<f64>>)> {
            let weights = variables.weights().unwrap();
            weights.into_iter().map(|(name, tensor)| (name, tensor.to_vec2().unwrap())).collect()
        };
        assert_eq!(numbers(&together), numbers(&apart));
        let new = Tensor::ones((2, 3), DType::F64, &Device::Cpu).unwrap();
        together.set("a.c.weight", &new).unwrap();
        apart.set("a.c.weight", &new).unwrap();
        assert_eq!(numbers(&together), numbers(&apart));
        assert!(together.set("a.c.weight", &both).is_err());
        assert!(together.set("a.d.weight", &new).is_err());
        together.set("a.{b,c}.weight", &Tensor::ones((4, 3), DType::F64, &Device::Cpu).unwrap()).unwrap();
        assert_eq!(numbers(&together)[0].1, [[1.0; 3]; 2]);
    }

    #[test]
    fn constants_are_the_same_numbers_without_a_graph() {
        let variables = Variables::new(5, DType::F32, &Device::Cpu);
        let init = Init::Const(1.0);
        let variable = variables.builder().get_with_hints(2, "w", init).unwrap();
        let constant = variables.constants().get_with_hints(2, "w", init).unwrap();
        variables.set("w", &Tensor::new(&[3f32, 4.0], &Device::Cpu).unwrap()).unwrap();
        assert_eq!(constant.to_vec1::<f32>().unwrap(), [3.0, 4.0]);
        assert!(variable.track_op() && !constant.track_op());
    }
}
