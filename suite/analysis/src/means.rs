//! Contribution of one problem to a mean.

/// Sum and count of the observations of one problem. A mean over tokens is a ratio: the problems' sums added up,
/// divided by their counts added up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ClusterSum {
    /// Sum over the observations of the problem.
    pub sum: f64,
    /// Number of observations of the problem, 0 allowed; for a ratio, the denominator.
    pub count: f64,
}

impl ClusterSum {
    /// Adds one observation.
    pub fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }
}
