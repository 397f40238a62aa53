//! AdamW with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2), whose whole state can be saved.

use std::collections::BTreeMap;

use haltbench_sdk::candle_core::backprop::GradStore;
use haltbench_sdk::candle_core::{Tensor, Var};
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::ops::{AdamWStep, adamw, square_sum};

use crate::error::{Error, Result};
use crate::plan::TrainingSettings;

/// The optimiser with its moments, in the order of the variables' names.
pub struct AdamW {
    settings: TrainingSettings,
    entries: Vec<Entry>,
    step: u64,
}

struct Entry {
    name: String,
    variable: Var,
    first: Tensor,
    second: Tensor,
}

impl AdamW {
    /// An optimiser with zero moments.
    ///
    /// # Errors
    /// If the device refuses the memory.
    pub fn new(variables: &Variables, settings: &TrainingSettings) -> Result<Self> {
        let entry = |(name, variable): (String, Var)| -> Result<Entry> {
            Ok(Entry { first: variable.zeros_like()?, second: variable.zeros_like()?, name, variable })
        };
        let entries = variables.all().into_iter().map(entry).collect::<Result<_>>()?;
        Ok(Self { settings: settings.clone(), entries, step: 0 })
    }

    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// The learning rate of step `step`, 1-based: linear warm-up, then constant.
    pub fn rate(settings: &TrainingSettings, step: u64) -> f64 {
        let warm = if settings.warmup_steps == 0 { 1.0 } else { step as f64 / settings.warmup_steps as f64 };
        settings.learning_rate * warm.min(1.0)
    }

    /// Moves every variable and returns the gradient's Euclidean norm before clipping.
    ///
    /// # Errors
    /// [`Error::Cell`] naming the variable if a gradient is not finite.
    pub fn step(&mut self, gradients: &GradStore) -> Result<f64> {
        let mut squares = 0.0;
        for entry in &self.entries {
            if let Some(gradient) = gradients.get(&entry.variable) {
                let square = square_sum(gradient)?;
                if !square.is_finite() {
                    return Err(Error::Cell(format!("the gradient of {} is not finite", entry.name)));
                }
                squares += square;
            }
        }
        let norm = squares.sqrt();
        let TrainingSettings { beta1, beta2, epsilon, weight_decay, clip, .. } = self.settings;
        self.step += 1;
        let rate = Self::rate(&self.settings, self.step);
        let step = AdamWStep {
            rate,
            beta1,
            beta2,
            epsilon,
            decay: 0.0,
            correction1: 1.0 - beta1.powf(self.step as f64),
            correction2: 1.0 - beta2.powf(self.step as f64),
            scale: if clip > 0.0 && norm > clip { clip / norm } else { 1.0 },
        };
        for Entry { variable, first, second, .. } in &mut self.entries {
            let decay = if variable.rank() >= 2 { rate * weight_decay } else { 0.0 };
            let gradient = gradients.get(variable);
            adamw(variable.as_tensor(), first, second, gradient, &AdamWStep { decay, ..step })?;
        }
        Ok(norm)
    }

    /// The moments by name, `first.NAME` and `second.NAME`.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let moments = |entry: &Entry| {
            [
                (format!("first.{}", entry.name), entry.first.clone()),
                (format!("second.{}", entry.name), entry.second.clone()),
            ]
        };
        self.entries.iter().flat_map(moments).collect()
    }

    /// Puts back what [`state`](Self::state) returned after `step` steps.
    ///
    /// # Errors
    /// [`Error::Cell`] naming a moment that is missing or of another shape.
    pub fn restore(&mut self, step: u64, state: &BTreeMap<String, Tensor>) -> Result<()> {
        for entry in &mut self.entries {
            for (kind, moment) in [("first", &mut entry.first), ("second", &mut entry.second)] {
                let name = format!("{kind}.{}", entry.name);
                match state.get(&name) {
                    // A copy, since moments are moved in place.
                    Some(stored) if stored.dims() == moment.dims() => {
                        *moment = stored.to_device(moment.device())?.copy()?;
                    }
                    _ => return Err(Error::Cell(format!("the checkpoint lacks {name}"))),
                }
            }
        }
        self.step = step;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use haltbench_sdk::candle_core::{DType, Device};
    use haltbench_sdk::candle_nn::Init;
    use haltbench_sdk::initialise::Variables;

    use super::AdamW;
    use crate::plan::TrainingSettings;

    /// Two steps on L = w²/2 from w = 1 (so the gradient is w), worked out by hand with the algorithm's equations.
    #[test]
    fn two_steps_worked_out_by_hand() {
        let variables = Variables::new(0, DType::F64, &Device::Cpu);
        let weight = variables.builder().get_with_hints((1, 1), "w", Init::Const(1.0)).unwrap();
        let settings = TrainingSettings {
            learning_rate: 0.1,
            warmup_steps: 2,
            weight_decay: 0.5,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            clip: 0.5,
            ..TrainingSettings::default()
        };
        let mut optimiser = AdamW::new(&variables, &settings).unwrap();
        let (mut w, mut m, mut v) = (1.0f64, 0.0f64, 0.0f64);
        for step in 1..=2 {
            let norm = optimiser.step(&(weight.sqr().unwrap() * 0.5).unwrap().backward().unwrap()).unwrap();
            assert!((norm - w).abs() < 1e-12);
            let g = if w > 0.5 { 0.5 } else { w };
            m = 0.9 * m + 0.1 * g;
            v = 0.99 * v + 0.01 * g * g;
            let rate = 0.1 * f64::from(step) / 2.0;
            let unbiased = (m / (1.0 - 0.9f64.powi(step)), v / (1.0 - 0.99f64.powi(step)));
            w = w * (1.0 - rate * 0.5) - rate * unbiased.0 / (unbiased.1.sqrt() + 1e-8);
            assert!((weight.to_vec2::<f64>().unwrap()[0][0] - w).abs() < 1e-12);
        }
    }
}
