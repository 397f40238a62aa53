//! Contribution of one problem to a mean.

/// Sum and number of the observations of one problem. A mean over tokens is a ratio: the sum over problems of what
/// they add up to, by the sum of how many tokens they have.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ClusterSum {
    /// Sum over the observations of the problem.
    pub sum: f64,
    /// Number of observations of the problem, 0 allowed; or, of a ratio, what the sum is compared with.
    pub count: f64,
}

impl ClusterSum {
    /// Adds one observation.
    pub fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }
}
