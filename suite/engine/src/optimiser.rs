//! AdamW with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2), whose whole state can be saved.

use std::collections::BTreeMap;

use haltbench_sdk::candle_core::backprop::GradStore;
use haltbench_sdk::candle_core::{Tensor, Var};
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::ops::{AdamWStep, Moments, square_sums};
use haltbench_sdk::policy::Trains;

use crate::error::{Error, Result};
use crate::model::POLICY_PREFIX;
use crate::plan::TrainingSettings;

/// The optimiser with its moments, in the order of the variables' names.
pub struct AdamW {
    settings: TrainingSettings,
    variables: Vec<(String, Var)>,
    moments: Moments,
    step: u64,
}

impl AdamW {
    /// An optimiser with zero moments of the variables that a stage trains.
    ///
    /// # Errors
    /// If the device refuses the memory.
    pub fn new(variables: &Variables, settings: &TrainingSettings, trains: Trains) -> Result<Self> {
        let mut variables = variables.all();
        variables.retain(|(name, _)| match trains {
            Trains::All => true,
            Trains::Policy => name.starts_with(POLICY_PREFIX),
            Trains::Backbone => !name.starts_with(POLICY_PREFIX),
        });
        let weights = variables.iter().map(|(_, variable)| variable.as_tensor().clone()).collect();
        Ok(Self { settings: settings.clone(), variables, moments: Moments::new(weights)?, step: 0 })
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

    /// Updates every variable and returns the gradient's Euclidean norm before clipping.
    ///
    /// # Errors
    /// [`Error::Cell`] naming the variable if a gradient is not finite.
    pub fn step(&mut self, gradients: &GradStore) -> Result<f64> {
        let gradients: Vec<Option<&Tensor>> =
            self.variables.iter().map(|(_, variable)| gradients.get(variable)).collect();
        let names = self.variables.iter().map(|(name, _)| name).zip(&gradients);
        let (names, given): (Vec<&String>, Vec<&Tensor>) =
            names.filter_map(|(name, given)| Some((name, (*given)?))).unzip();
        let squares = square_sums(&given)?;
        if let Some((name, _)) = names.iter().zip(&squares).find(|(_, square)| !square.is_finite()) {
            return Err(Error::Cell(format!("the gradient of {name} is not finite")));
        }
        let norm = squares.iter().sum::<f64>().sqrt();
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
        let decay = |weight: &Tensor| if weight.rank() >= 2 { rate * weight_decay } else { 0.0 };
        self.moments.step(&gradients, |weight| AdamWStep { decay: decay(weight), ..step })?;
        Ok(norm)
    }

    /// The moments by name, `first.NAME` and `second.NAME`.
    ///
    /// # Errors
    /// If the device refuses the memory.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut state = BTreeMap::new();
        for (which, (name, _)) in self.variables.iter().enumerate() {
            let [first, second] = self.moments.get(which)?;
            state.insert(format!("first.{name}"), first);
            state.insert(format!("second.{name}"), second);
        }
        Ok(state)
    }

    /// Restores what [`state`](Self::state) returned after `step` steps.
    ///
    /// # Errors
    /// [`Error::Cell`] naming a moment that is missing or of another shape.
    pub fn restore(&mut self, step: u64, state: &BTreeMap<String, Tensor>) -> Result<()> {
        for (which, (name, variable)) in self.variables.iter().enumerate() {
            let stored = |kind: &str| {
                let name = format!("{kind}.{name}");
                let stored = state.get(&name).filter(|stored| stored.dims() == variable.dims());
                stored.ok_or_else(|| Error::Cell(format!("the checkpoint lacks {name}")))
            };
            self.moments.set(which, [stored("first")?, stored("second")?])?;
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
    use haltbench_sdk::policy::Trains;

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
        let mut optimiser = AdamW::new(&variables, &settings, Trains::All).unwrap();
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
