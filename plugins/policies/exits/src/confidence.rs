//! What exits compare: confidences of a prediction or of a state, and thresholds that decay.

use haltbench_sdk::prelude::*;

/// The differences of the two largest entries of the softmax of each row of `logits` `[rows, vocabulary]`; NaN where there
/// is no softmax. With a vocabulary of one token the second is 0.
pub fn differences(logits: &Tensor) -> Result<Vec<f64>> {
    Ok(logits.to_dtype(DType::F64)?.to_vec2::<f64>()?.iter().map(|logits| difference(logits)).collect())
}

fn difference(logits: &[f64]) -> f64 {
    let (mut first, mut second) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    for logit in logits {
        if *logit > first {
            (first, second) = (*logit, first);
        } else if *logit > second {
            second = *logit;
        }
    }
    let total: f64 = logits.iter().map(|logit| (logit - first).exp()).sum();
    (1.0 - (second - first).exp()) / total
}

/// The cosine of each row of two tensors `[rows, d_model]`; NaN where a row is 0.
pub fn cosines(a: &Tensor, b: &Tensor) -> Result<Vec<f64>> {
    let (a, b) = (a.to_dtype(DType::F64)?, b.to_dtype(DType::F64)?);
    let norms = (a.sqr()?.sum(1)?.sqrt()? * b.sqr()?.sum(1)?.sqrt()?)?;
    Ok(((a * b)?.sum(1)? / norms)?.to_vec1()?)
}

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
    /// The parameters that choose it.
    pub const PARAMETERS: [ParameterSpec; 3] = [
        ParameterSpec::choice("decay", "none", &["none", "paper", "t5x"], "how the threshold falls with the position")
            .knob(Trend::None),
        ParameterSpec::real("temperature", 4.0, (0.0, 1e3), "how fast the threshold falls").knob(Trend::None),
        ParameterSpec::integer("length", 64, (1, 1 << 20), "positions over which it falls: the longest answer")
            .knob(Trend::None),
    ];

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

    #[test]
    fn confidences_of_small_cases() {
        assert!((difference(&[0.1f64.ln(), 0.7f64.ln(), 0.2f64.ln()]) - 0.5).abs() < 1e-12);
        assert_eq!(difference(&[3.0]), 1.0);
        assert!(difference(&[f64::NAN, 1.0]).is_nan());
        let row = |values: [f64; 2]| Tensor::new(&[values], &Device::Cpu).unwrap();
        assert!((cosines(&row([1.0, 0.0]), &row([1.0, 1.0])).unwrap()[0] - 0.5f64.sqrt()).abs() < 1e-15);
    }
}
