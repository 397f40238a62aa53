//! Analysis of variance of a complete table of seeds by problems.

/// Mean squares of a two-way table y\[seed\]\[problem\] of S seeds and N problems with one value per cell.
///
/// Under y = μ + seed + problem + rest, all independent with variances σa², σb² and σe², their expectations are
/// σe² + N σa², σe² + S σb² and σe² (Searle, Casella and McCulloch, Variance Components, 1992, section 4.5).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanSquares {
    /// Number of seeds.
    pub seeds: usize,
    /// Number of problems.
    pub problems: usize,
    /// N Σ (mean of the seed - mean)² / (S - 1); 0 with one seed.
    pub between_seeds: f64,
    /// S Σ (mean of the problem - mean)² / (N - 1).
    pub between_problems: f64,
    /// Σ (residual)² / ((S - 1)(N - 1)); 0 with one seed.
    pub rest: f64,
}

impl MeanSquares {
    /// Mean squares of rows of equal length; `None` below two problems or without seeds.
    pub fn of(values: &[Vec<f64>]) -> Option<Self> {
        let (seeds, problems) = (values.len(), values.first()?.len());
        if problems < 2 {
            return None;
        }
        let (s, n) = (seeds as f64, problems as f64);
        let of_seeds: Vec<f64> = values.iter().map(|seed| seed.iter().sum::<f64>() / n).collect();
        let mut of_problems = vec![0.0; problems];
        for seed in values {
            of_problems.iter_mut().zip(seed).for_each(|(sum, value)| *sum += value / s);
        }
        let mean = of_seeds.iter().sum::<f64>() / s;
        let squares = |means: &[f64]| means.iter().map(|own| (own - mean) * (own - mean)).sum::<f64>();
        let mut rest = 0.0;
        for (seed, of_seed) in values.iter().zip(&of_seeds) {
            for (value, of_problem) in seed.iter().zip(&of_problems) {
                let left = value - of_seed - of_problem + mean;
                rest += left * left;
            }
        }
        let ratio = |sum: f64, by: f64| if by > 0.0 { sum / by } else { 0.0 };
        Some(MeanSquares {
            seeds,
            problems,
            between_seeds: ratio(n * squares(&of_seeds), s - 1.0),
            between_problems: s * squares(&of_problems) / (n - 1.0),
            rest: ratio(rest, (s - 1.0) * (n - 1.0)),
        })
    }

    /// Variance that seeds add to the table's mean, including the residual one: the mean square between seeds divided
    /// by S N. It has S - 1 degrees of freedom. 0 with one seed.
    pub fn variance_of_seeds(&self) -> f64 {
        self.between_seeds / self.cells()
    }

    /// Variance that problems add to the table's mean: the mean square between problems minus the residual one, divided
    /// by S N, and at least 0. It has N - 1 degrees of freedom.
    pub fn variance_of_problems(&self) -> f64 {
        (self.between_problems - self.rest).max(0.0) / self.cells()
    }

    fn cells(&self) -> f64 {
        (self.seeds * self.problems) as f64
    }
}
