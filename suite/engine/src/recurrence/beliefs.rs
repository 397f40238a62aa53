//! A policy's distribution over depths.

/// Distributions over depths.
pub struct Beliefs {
    /// Expected depth per row.
    pub expected: Vec<f64>,
    /// For each row, probabilities of the depths 1..=D, or for policies that mix states, weights of the states after
    /// 0..=D steps. An online policy is not asked about halted tokens; its last halting probability is used for all
    /// remaining steps.
    pub distributions: Vec<Vec<f32>>,
}

impl Beliefs {
    /// From masses on the depths `first`, `first + 1`, ....
    pub(super) fn new(masses: &[Vec<f64>], first: u32) -> Self {
        let mean = |q: &Vec<f64>| q.iter().zip(first..).map(|(mass, depth)| mass * f64::from(depth)).sum();
        let narrow = |q: &Vec<f64>| q.iter().map(|mass| *mass as f32).collect();
        Self { expected: masses.iter().map(mean).collect(), distributions: masses.iter().map(narrow).collect() }
    }
}
