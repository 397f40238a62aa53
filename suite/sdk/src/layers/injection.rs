//! How the input of a recurrence joins the state at every step.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use super::Linear;
use crate::error::{Error, Result};
use crate::ops::log_sigmoid;

/// How the input e joins the state h before the core's first layer.
pub enum Injection {
    /// The core reads h alone.
    None,
    /// The core reads h + e.
    Add,
    /// The core reads an adapter of [h; e].
    Concat(Linear),
    /// The core reads exp(-Δ A) h + Δ (e Bᵀ).
    Diagonal(Diagonal),
}

/// A stable linear recurrence in the state (Parcae, arXiv 2604.12946): exp(-Δ A) h + Δ (e Bᵀ) with A = exp(a) and Δ =
/// softplus(b) of every column, and a matrix B that starts at the identity. All factors of h are below 1, so the state
/// does not grow by the injection. With a and b starting at zero, half of the state stays.
pub struct Diagonal {
    log_decay: Tensor,
    step_bias: Tensor,
    /// B minus the identity.
    change: Linear,
}

impl Diagonal {
    fn new(d_model: usize, variables: VarBuilder) -> Result<Self> {
        let zeros = |name: &str| variables.get_with_hints(d_model, name, Init::Const(0.0));
        Ok(Self {
            log_decay: zeros("log_decay")?,
            step_bias: zeros("step_bias")?,
            change: Linear::spread(d_model, d_model, Some(0.0), variables.pp("input"))?,
        })
    }

    fn join(&self, states: &Tensor, input: &Tensor) -> Result<Tensor> {
        let step = softplus(&self.step_bias)?;
        let kept = (&step * self.log_decay.exp()?)?.neg()?.exp()?;
        let added = (input + self.change.forward(input)?)?;
        Ok((states.broadcast_mul(&kept)? + added.broadcast_mul(&step)?)?)
    }
}

/// ln(1 + exp(x)) = -log_sigmoid(-x).
fn softplus(x: &Tensor) -> Result<Tensor> {
    Ok(log_sigmoid(&x.neg()?)?.neg()?)
}

impl Injection {
    /// The names that [`named`](Self::named) knows, for a parameter.
    pub const NAMES: &'static [&'static str] = &["concat", "add", "diagonal", "none"];

    /// The injection called `name`; an adapter requests `core.adapter.weight` from a backbone's `variables`, with the
    /// standard deviation `deviation` at the start; the diagonal injection requests `core.injection.log_decay`,
    /// `core.injection.step_bias` and `core.injection.input.weight`, which is B minus the identity.
    ///
    /// # Errors
    /// If a stored weight has another shape.
    pub fn named(name: &str, d_model: usize, deviation: Option<f64>, variables: &VarBuilder) -> Result<Self> {
        let adapter = || Linear::spread(2 * d_model, d_model, deviation, variables.pp("core").pp("adapter"));
        Ok(match name {
            "concat" => Self::Concat(adapter()?),
            "add" => Self::Add,
            "diagonal" => Self::Diagonal(Diagonal::new(d_model, variables.pp("core").pp("injection"))?),
            _ => Self::None,
        })
    }

    /// Whether the core reads the state alone.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// What the core reads, `[rows, d_model]`, of states and inputs of the same rows.
    ///
    /// # Errors
    /// If there is no input where one joins the state.
    pub fn join(&self, states: &Tensor, input: Option<&Tensor>) -> Result<Tensor> {
        match (self, input) {
            (Self::None, _) => Ok(states.clone()),
            (Self::Add, Some(input)) => Ok((states + input)?),
            (Self::Concat(adapter), Some(input)) => Ok(adapter.forward(&Tensor::cat(&[states, input], 1)?)?),
            (Self::Diagonal(diagonal), Some(input)) => diagonal.join(states, input),
            (_, None) => Err(Error::invalid("input of a step", "what the recurrence began with", "nothing")),
        }
    }

    /// Floating-point operations of one row.
    pub fn flops(&self, d_model: usize) -> f64 {
        let d_model = d_model as f64;
        match self {
            Self::None => 0.0,
            Self::Add => d_model,
            Self::Concat(_) => 4.0 * d_model * d_model,
            Self::Diagonal(_) => 2.0 * d_model * d_model + 4.0 * d_model,
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::initialise::Variables;

    /// Number by number, with weights other than the initial ones.
    #[test]
    fn the_diagonal_injection_is_that_of_the_formula() {
        let variables = Variables::new(0, DType::F64, &Device::Cpu);
        let injection = Injection::named("diagonal", 2, None, &variables.builder()).unwrap();
        let tensor = |values: &[f64]| Tensor::new(values, &Device::Cpu).unwrap();
        let row = |values: &[f64]| tensor(values).unsqueeze(0).unwrap();
        let joined = |states: &[f64], input: &[f64]| -> Vec<f64> {
            injection.join(&row(states), Some(&row(input))).unwrap().flatten_all().unwrap().to_vec1().unwrap()
        };
        let near = |found: &[f64], expected: &[f64]| {
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-14), "{found:?} against {expected:?}");
        };
        let half = 2f64.ln();
        near(&joined(&[1.0, -2.0], &[3.0, 0.5]), &[0.5 + 3.0 * half, -1.0 + 0.5 * half]);
        variables.set("core.injection.log_decay", &tensor(&[0.3, -1.0])).unwrap();
        variables.set("core.injection.step_bias", &tensor(&[-0.7, 2.0])).unwrap();
        let change = Tensor::new(&[[0.1, 0.2], [-0.4, 0.8]], &Device::Cpu).unwrap();
        variables.set("core.injection.input.weight", &change).unwrap();
        let steps = [(1.0 + (-0.7f64).exp()).ln(), (1.0 + 2f64.exp()).ln()];
        let kept = [(-steps[0] * 0.3f64.exp()).exp(), (-steps[1] * (-1f64).exp()).exp()];
        let expected =
            [kept[0] * 1.0 + steps[0] * (1.1 * 3.0 + 0.2 * 0.5), -2.0 * kept[1] + steps[1] * (-0.4 * 3.0 + 1.8 * 0.5)];
        near(&joined(&[1.0, -2.0], &[3.0, 0.5]), &expected);
        assert!(joined(&[1e9, 1e9], &[0.0, 0.0]).iter().all(|number| *number < 1e9));
    }
}
