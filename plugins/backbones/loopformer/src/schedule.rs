//! Step sizes, which sum to one, and their embedding.

use haltbench_sdk::layers::Linear;
use haltbench_sdk::ops::silu;
use haltbench_sdk::prelude::*;

/// Numbers of a time before its perceptron, as in DiT.
const FEATURES: usize = 256;
/// Largest wavelength divided by 2π.
const LONGEST: f64 = 10_000.0;

/// When each step of a pass begins and how long it is.
pub struct Schedule {
    /// Step sizes of a pass of as many steps; empty for equal steps.
    sizes: Vec<f64>,
}

/// Where a step stands between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// Where it begins.
    pub time: f64,
    /// How long it is.
    pub size: f64,
}

impl Schedule {
    /// `uniform`, or step sizes with spaces between them.
    pub fn parse(text: &str) -> Result<Self> {
        if text == "uniform" {
            return Ok(Self { sizes: Vec::new() });
        }
        let wrong = || {
            Error::invalid("schedule", "`uniform`, or positive step sizes that sum to 1, such as `0.5 0.2 0.3`", text)
        };
        let sizes: Vec<f64> =
            text.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>().map_err(|_| wrong())?;
        let legal = sizes.iter().all(|size| *size > 0.0) && (sizes.iter().sum::<f64>() - 1.0).abs() < 1e-6;
        if legal { Ok(Self { sizes }) } else { Err(wrong()) }
    }

    /// Refuses step sizes for another number of steps than D.
    pub fn check(&self, max_depth: usize) -> Result<()> {
        if self.sizes.is_empty() || self.sizes.len() == max_depth {
            return Ok(());
        }
        Err(Error::invalid(
            "schedule",
            format!("a size for each of D = {max_depth} steps"),
            format!("{} sizes", self.sizes.len()),
        ))
    }

    /// Step `step`, from 1, of a pass of `steps` steps.
    pub fn moment(&self, step: usize, steps: usize) -> Moment {
        if self.sizes.len() == steps {
            return Moment { time: self.sizes[..step - 1].iter().sum(), size: self.sizes[step - 1] };
        }
        Moment { time: (step - 1) as f64 / steps as f64, size: 1.0 / steps as f64 }
    }
}

/// Embedding of a number in 0..=1: sinusoids, then a perceptron with SiLU.
pub struct TimeEmbedding {
    first: Linear,
    second: Linear,
}

impl TimeEmbedding {
    pub fn new(d_model: usize, variables: &haltbench_sdk::candle_nn::VarBuilder) -> Result<Self> {
        Ok(Self {
            first: Linear::with_bias(FEATURES, d_model, variables.pp("mlp").pp(0))?,
            second: Linear::with_bias(d_model, d_model, variables.pp("mlp").pp(2))?,
        })
    }

    /// `[times.len(), d_model]`, of the type of `like` and where it is.
    pub fn of(&self, times: &[f64], like: &Tensor) -> Result<Tensor> {
        let features: Vec<f64> = times.iter().flat_map(|time| features(*time)).collect();
        let features = Tensor::from_vec(features, (times.len(), FEATURES), like.device())?.to_dtype(like.dtype())?;
        Ok(self.second.forward(&silu(&self.first.forward(&features)?)?)?)
    }
}

/// Cosines, then sines, of t · 10000^(-i / 128).
pub fn features(time: f64) -> impl Iterator<Item = f64> {
    let half = FEATURES / 2;
    let angle = move |pair: usize| time * LONGEST.powf(-(pair as f64) / half as f64);
    (0..half).map(move |pair| angle(pair).cos()).chain((0..half).map(move |pair| angle(pair).sin()))
}
