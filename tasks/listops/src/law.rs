//! The probability law of random expressions, by height and number of tokens, and exact draws given both.
//!
//! An expression is a digit, or with the operator probability an operator with 2 to `most` arguments, all numbers
//! equally likely, each an independent expression. Tables of the law of several expressions in a row make every draw
//! exact: nothing is rejected.

use haltbench_sdk::random::Stream;

/// Probabilities of expressions of up to a height and a number of tokens.
#[derive(Debug, Clone)]
pub struct Law {
    /// The largest number of arguments.
    most: usize,
    /// By height.
    levels: Vec<Level>,
}

/// Probabilities of several expressions in a row. The first index is their number, the second their tokens.
#[derive(Debug, Clone)]
struct Level {
    /// All are of at most this height.
    within: Vec<Vec<f64>>,
    /// All are of at most this height, and at least one is of exactly this height.
    reaching: Vec<Vec<f64>>,
}

/// What is asked of an expression, or of several in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goal {
    /// The largest height.
    pub height: usize,
    /// Whether at least one expression must have this height.
    pub is_reached: bool,
    /// Tokens in total.
    pub tokens: usize,
}

impl Law {
    /// The law with this operator probability and this largest number of arguments, which is at least 2.
    pub fn new(probability: f64, most: usize, height: usize, tokens: usize) -> Self {
        let mut law = Self { most, levels: Vec::with_capacity(height + 1) };
        for height in 0..=height {
            let exact: Vec<f64> = (0..=tokens).map(|tokens| law.exact(probability, height, tokens)).collect();
            let level = law.level(exact, height, tokens);
            law.levels.push(level);
        }
        law
    }

    /// Probability that an expression has this height and this number of tokens; the levels below are known.
    fn exact(&self, probability: f64, height: usize, tokens: usize) -> f64 {
        match (height.checked_sub(1), tokens.checked_sub(2)) {
            (None, _) => {
                if tokens == 1 {
                    1.0 - probability
                } else {
                    0.0
                }
            }
            (Some(below), Some(inside)) => {
                let of_count = |count: usize| self.levels[below].reaching[count][inside];
                probability / (self.most - 1) as f64 * (2..=self.most).map(of_count).sum::<f64>()
            }
            (Some(_), None) => 0.0,
        }
    }

    fn level(&self, exact: Vec<f64>, height: usize, tokens: usize) -> Level {
        let lower = match height.checked_sub(1) {
            Some(below) => self.levels[below].within[1].clone(),
            None => vec![0.0; tokens + 1],
        };
        let within: Vec<f64> = exact.iter().zip(&lower).map(|(exact, lower)| exact + lower).collect();
        let mut none = vec![0.0; tokens + 1];
        none[0] = 1.0;
        let mut level = Level { within: vec![none], reaching: vec![vec![0.0; tokens + 1]] };
        for count in 1..=self.most {
            // The first reaches the height and the others are free, or the first does not and the others must.
            let mut reaching = convolved(&exact, &level.within[count - 1]);
            let others = convolved(&lower, &level.reaching[count - 1]);
            reaching.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
            level.reaching.push(reaching);
            level.within.push(convolved(&within, &level.within[count - 1]));
        }
        level
    }

    /// The largest height.
    pub fn largest(&self) -> usize {
        self.levels.len() - 1
    }

    /// Probability that an expression has this height and this number of tokens.
    pub fn probability(&self, height: usize, tokens: usize) -> f64 {
        self.levels[height].reaching[1][tokens]
    }

    /// Probability of `count` expressions in a row that meet a goal.
    fn weight(&self, goal: Goal, count: usize) -> f64 {
        let level = &self.levels[goal.height];
        let rows = if goal.is_reached { &level.reaching } else { &level.within };
        rows[count][goal.tokens]
    }

    /// Draws the number of arguments of an operator; `goal` is what its arguments must meet.
    pub fn draw_count(&self, goal: Goal, stream: &mut Stream) -> usize {
        let counts = || (2..=self.most).map(|count| (count, self.weight(goal, count)));
        pick(stream, total(counts()), counts()).unwrap_or(2)
    }

    /// Draws what the first of `count` expressions that meet `goal` must meet, and what is left for the others.
    pub fn draw_first(&self, goal: Goal, count: usize, stream: &mut Stream) -> [Goal; 2] {
        let first = |height: usize, is_reached: bool, tokens: usize| Goal { height, is_reached, tokens };
        let rest = |is_reached: bool, tokens: usize| Goal { is_reached, tokens: goal.tokens - tokens, ..goal };
        if count == 1 {
            return [goal, rest(false, goal.tokens)];
        }
        let weighed = |pair: [Goal; 2]| (pair, self.weight(pair[0], 1) * self.weight(pair[1], count - 1));
        let below = goal.height.checked_sub(1).filter(|_| goal.is_reached);
        let pairs = (1..=goal.tokens).flat_map(|tokens| {
            let high = [first(goal.height, goal.is_reached, tokens), rest(false, tokens)];
            let low = below.map(|height| [first(height, false, tokens), rest(true, tokens)]);
            [Some(high), low].into_iter().flatten().map(weighed)
        });
        pick(stream, self.weight(goal, count), pairs).unwrap_or([goal, rest(false, goal.tokens)])
    }

    /// Draws the number of tokens of an expression of a height, out of `lengths`.
    pub fn draw_length(&self, height: usize, lengths: [usize; 2], stream: &mut Stream) -> usize {
        let [shortest, longest] = lengths;
        let lengths = || (shortest..=longest).map(|tokens| (tokens, self.probability(height, tokens)));
        pick(stream, total(lengths()), lengths()).unwrap_or(longest)
    }
}

/// The sum of the weights.
pub fn total<T>(items: impl Iterator<Item = (T, f64)>) -> f64 {
    items.map(|(_, weight)| weight).sum()
}

/// Draws an item with a probability proportional to its weight, given the sum of the weights; `None` if all are 0.
pub fn pick<T>(stream: &mut Stream, total: f64, items: impl Iterator<Item = (T, f64)>) -> Option<T> {
    let mut left = stream.uniform() * total;
    let mut last = None;
    for (item, weight) in items.filter(|(_, weight)| *weight > 0.0) {
        left -= weight;
        last = Some(item);
        // Rounding may leave a little after the last item.
        if left <= 0.0 {
            break;
        }
    }
    last
}

/// The law of the sum of two independent numbers of tokens, cut off where the first law ends.
fn convolved(left: &[f64], right: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; left.len()];
    for (place, weight) in left.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        sums[place..].iter_mut().zip(right).for_each(|(sum, other)| *sum += weight * other);
    }
    sums
}
