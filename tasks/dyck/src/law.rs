//! Distributions of bracket words of a given length that return to depth 0.

/// How likely words are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// All words are equally likely.
    Uniform,
    /// A word is as likely as the walk that opens or closes with equal probability, and has no choice at depth 0 and at
    /// the largest depth.
    Walk,
}

/// A distribution, as the probability of an opening bracket in every state.
#[derive(Debug, Clone)]
pub struct Law {
    /// Largest depth.
    pub depth: usize,
    /// For every number of brackets that are still to come, up to the most, one for each depth.
    open: Vec<Vec<f64>>,
}

impl Law {
    /// The law of words of up to `most` brackets.
    pub fn new(weights: Weights, depth: usize, most: usize) -> Self {
        // Total weight of the ways back to depth 0, relative to the largest in the row.
        let mut ways = vec![0.0; depth + 1];
        ways[0] = 1.0;
        let mut open = vec![vec![0.0; depth + 1]];
        for _ in 0..most {
            let choices: Vec<[f64; 2]> = (0..=depth).map(|at| choices(weights, at, &ways)).collect();
            open.push(
                choices.iter().map(|[open, close]| if *open > 0.0 { open / (open + close) } else { 0.0 }).collect(),
            );
            ways = choices.iter().map(|[open, close]| open + close).collect();
            let largest = ways.iter().copied().fold(0.0, f64::max);
            ways.iter_mut().for_each(|way| *way /= largest);
        }
        Self { depth, open }
    }

    /// Probability that a bracket opens, with `left` brackets to come, it included, at depth `at`.
    #[inline]
    pub fn open(&self, left: usize, at: usize) -> f64 {
        self.open[left][at]
    }
}

/// Weights of the ways that go on with an opening and with a closing bracket.
fn choices(weights: Weights, at: usize, ways: &[f64]) -> [f64; 2] {
    let depth = ways.len() - 1;
    // A step without a choice has the probability 1 instead of 1/2.
    let is_forced = at == 0 || at == depth;
    let weight = if weights == Weights::Walk && is_forced { 2.0 } else { 1.0 };
    let up = ways.get(at + 1).copied().unwrap_or(0.0);
    let down = at.checked_sub(1).map_or(0.0, |below| ways[below]);
    [weight * up, weight * down]
}
