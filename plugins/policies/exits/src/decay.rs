//! Thresholds that fall with the position.

use haltbench_sdk::prelude::*;

/// How a threshold lambda falls with the position t (CALM, eq. 5, and the authors' code).
pub struct Decay {
    law: Law,
    temperature: f64,
    length: f64,
}

enum Law {
    None,
    /// .9 lambda + .1 e^(-temperature t / length), within [0, 1].
    Paper,
    /// .9 lambda + .1 lambda e^(-temperature t / length).
    T5x,
}

impl Decay {
    /// Which law.
    pub const LAW: ParameterSpec =
        ParameterSpec::choice("decay", "none", &["none", "paper", "t5x"], "how the threshold falls with the position")
            .knob(Trend::None);
    /// The temperature.
    pub const TEMPERATURE: ParameterSpec =
        ParameterSpec::real("temperature", 4.0, (0.0, 1e3), "how fast the threshold falls").knob(Trend::None);
    /// The length.
    pub const LENGTH: ParameterSpec =
        ParameterSpec::integer("length", 64, (1, 1 << 20), "positions over which it falls: the longest answer")
            .knob(Trend::None);

    /// The decay that `parameters` choose.
    pub fn new(parameters: &Parameters) -> Result<Self> {
        let law = match parameters.text("decay")? {
            "paper" => Law::Paper,
            "t5x" => Law::T5x,
            _ => Law::None,
        };
        let length = parameters.integer("length")? as f64;
        Ok(Self { law, temperature: parameters.real("temperature")?, length })
    }

    /// The threshold that `lambda` comes to at `position`. Above 1, which means never, it stays as it is.
    pub fn threshold(&self, lambda: f64, position: usize) -> f64 {
        let fall = 0.1 * (-self.temperature * position as f64 / self.length).exp();
        match self.law {
            Law::Paper if lambda <= 1.0 => (0.9 * lambda + fall).clamp(0.0, 1.0),
            Law::T5x if lambda <= 1.0 => 0.9 * lambda + lambda * fall,
            _ => lambda,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// lambda = .9, temperature 4, a quarter and a half of the length: computed from both formulas by hand.
    #[test]
    fn thresholds_fall_as_published() {
        let at = |law, position| Decay { law, temperature: 4.0, length: 4.0 }.threshold(0.9, position);
        for (position, paper, t5x) in
            [(0, 0.91, 0.9), (1, 0.846788, 0.843109), (2, 0.823534, 0.822180), (4, 0.811832, 0.811648)]
        {
            assert!((at(Law::Paper, position) - paper).abs() < 1e-6 && (at(Law::T5x, position) - t5x).abs() < 1e-6);
        }
    }
}
