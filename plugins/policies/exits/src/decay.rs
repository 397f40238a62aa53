//! Thresholds that fall with the position.

use haltbench_sdk::parameters::Value;
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

    /// Both laws at the positions 0, N / 4, N / 2 and N, for the length N.
    pub const EXAMPLE: Example = Example {
        title: "threshold .9 at 0, 1/4, 1/2 and all of the length: paper and t5x",
        run: || {
            let thresholds = |law: &str| -> Result<String> {
                let given = [
                    ("decay", Value::Text(law.to_owned())),
                    ("temperature", Value::Real(4.0)),
                    ("length", Value::Integer(4)),
                ];
                let parameters = given.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                let decay = Self::new(&parameters)?;
                Ok(format!("{:.6?}", [0, 1, 2, 4].map(|position| decay.threshold(0.9, position))))
            };
            Ok(format!("{} and {}", thresholds("paper")?, thresholds("t5x")?))
        },
        expect: "[0.910000, 0.846788, 0.823534, 0.811832] and [0.900000, 0.843109, 0.822180, 0.811648]",
    };

    /// The decay from `parameters`.
    pub fn new(parameters: &Parameters) -> Result<Self> {
        let law = match parameters.text("decay")? {
            "paper" => Law::Paper,
            "t5x" => Law::T5x,
            _ => Law::None,
        };
        let length = parameters.integer("length")? as f64;
        Ok(Self { law, temperature: parameters.real("temperature")?, length })
    }

    /// The threshold at `position` for `lambda`. A `lambda` above 1 disables the exit and does not decay.
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

    /// Expected numbers from another program, for the equation of the paper and of its code.
    #[test]
    fn thresholds_fall_as_published() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/published/fixtures/calm_ltt");
        let json: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(format!("{file}.json")).unwrap()).unwrap();
        let bytes = std::fs::read(format!("{file}.safetensors")).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let list = |name: &str| -> Vec<f64> { serde_json::from_value(json["config"]["decay"][name].clone()).unwrap() };
        let length = json["config"]["decay"]["N"].as_f64().unwrap();
        for (i, lambda) in list("lambda_").iter().enumerate() {
            for (j, temperature) in list("tau").into_iter().enumerate() {
                for (law, name) in [(Law::Paper, "paper"), (Law::T5x, "t5x")] {
                    let decay = Decay { law, temperature, length };
                    let expected = tensors.tensor(&format!("expected.decay.{name}.{i}.{j}")).unwrap();
                    let numbers = expected.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
                    for (position, expected) in numbers.enumerate() {
                        assert!((decay.threshold(*lambda, position) - expected).abs() < 1e-9, "{name} {i} {j}");
                    }
                }
            }
        }
    }
}
