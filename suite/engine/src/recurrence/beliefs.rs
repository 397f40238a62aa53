//! What a policy believes about depths.

/// Distributions over depths.
pub struct Beliefs {
    /// Expected depth per row.
    pub expected: Vec<f64>,
    /// For each row probabilities of the depths 1..=D; of policies that mix, weights of the states after 0..=D steps.
    /// An online policy is asked no more once it has halted a token: its last halting probability then stands for the
    /// rest.
    pub distributions: Vec<Vec<f32>>,
}

impl Beliefs {
    /// Of distributions over the depths 1..=D.
    pub(super) fn new(distributions: &[Vec<f64>]) -> Self {
        let mean = |q: &Vec<f64>| q.iter().zip(1..).map(|(mass, depth)| mass * f64::from(depth)).sum();
        let narrow = |q: &Vec<f64>| q.iter().map(|mass| *mass as f32).collect();
        Self {
            expected: distributions.iter().map(mean).collect(),
            distributions: distributions.iter().map(narrow).collect(),
        }
    }
}
