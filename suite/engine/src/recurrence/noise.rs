//! The random numbers of one training step.

use haltbench_sdk::policy::{Phase, Progress};
use haltbench_sdk::random::Stream;

use crate::Result;
use crate::model::Model;

/// The random numbers of one training step.
#[derive(Debug, Clone)]
pub enum Noise {
    /// Drawn from the seeded stream of this training step.
    Seeded(u64),
    /// Given row by row: D Gumbel numbers for early policies, one uniform number for online ones.
    Given(Vec<f64>),
    /// No noise: every row halts at its given depth. Soft gates are computed with noise 0.
    Forced(Vec<u32>),
}

impl Noise {
    pub(super) fn draw(
        &self,
        model: &Model,
        purpose: &str,
        count: usize,
        draw: fn(&mut Stream) -> f64,
    ) -> Result<Vec<f64>> {
        match self {
            Self::Seeded(step) => {
                let mut stream = Stream::new(model.seed, purpose, &[*step]);
                Ok((0..count).map(|_| draw(&mut stream)).collect())
            }
            Self::Given(values) if values.len() == count => Ok(values.clone()),
            Self::Forced(_) => Ok(vec![0.0; count]),
            Self::Given(values) => {
                Err(crate::Error::Usage(format!("noise: expected {count} numbers, found {}", values.len())))
            }
        }
    }

    pub(super) fn phase(&self, model: &Model) -> Phase {
        let step = match self {
            Self::Seeded(step) => *step,
            Self::Given(_) | Self::Forced(_) => 0,
        };
        Phase::Training(Progress { step, total: model.training_steps })
    }

    pub(super) fn forced(&self) -> Option<&[u32]> {
        match self {
            Self::Forced(depths) => Some(depths),
            _ => None,
        }
    }
}
