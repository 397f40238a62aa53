//! Depths and step weights that a recipe determines without the policy.

use haltbench_sdk::layout::TokenLayout;
use haltbench_sdk::policy::{Per, Recipe, StepWeights, Unroll};
use haltbench_sdk::random::Stream;

/// The weights of the losses at the steps 1..=D; they sum to one.
pub(super) fn step_weights(recipe: &Recipe, max_depth: usize) -> Vec<f64> {
    let weight = |step: usize| match recipe.step_weights {
        StepWeights::Policy | StepWeights::Uniform => 1.0,
        StepWeights::Linear => step as f64,
        // The largest is 1, so that no power overflows.
        StepWeights::Geometric if recipe.ratio >= 1.0 => recipe.ratio.powf(step as f64 - max_depth as f64),
        StepWeights::Geometric => recipe.ratio.powf(step as f64 - 1.0),
    };
    let weights: Vec<f64> = (1..=max_depth).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

/// Depth of every row, within 1..=`most`.
pub(super) fn depths(recipe: &Recipe, most: u32, layout: &TokenLayout, stream: &mut Stream) -> Vec<u32> {
    if !recipe.draws_depths() {
        return vec![most; layout.rows()];
    }
    let mean = if recipe.mean_depth > 0.0 { recipe.mean_depth } else { f64::from(most) / 2.0 };
    let mut draw = || match recipe.unroll {
        Unroll::PoissonLognormal => {
            let rate = (mean.ln() - recipe.sigma * recipe.sigma / 2.0 + recipe.sigma * stream.normal()).exp();
            1 + poisson(rate, most - 1, stream)
        }
        Unroll::Geometric => geometric(mean, most, stream),
        _ => 1 + (stream.uniform() * f64::from(most)) as u32,
    };
    match recipe.per {
        Per::Batch => vec![draw(); layout.rows()],
        Per::Token => (0..layout.rows()).map(|_| draw()).collect(),
        Per::Sequence => {
            let drawn: Vec<u32> = (0..layout.sequences()).map(|_| draw()).collect();
            (0..layout.rows()).map(|row| drawn[layout.sequence(row)]).collect()
        }
    }
}

/// A depth from the geometric law with the mean `mean` on 1, 2, ..., at most `most`: the number of trials up to the first
/// success.
fn geometric(mean: f64, most: u32, stream: &mut Stream) -> u32 {
    let failure = 1.0 - mean.max(1.0).recip();
    let failures = (1.0 - stream.uniform()).ln() / failure.ln();
    1 + if failures < f64::from(most) { failures as u32 } else { most - 1 }
}

/// Steps of the progressive loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progressive {
    /// Steps without a gradient.
    pub before: u32,
    /// Steps with a gradient after them.
    pub with_gradient: u32,
}

impl Progressive {
    /// n uniform on 0..`most`, k uniform on 1..=`most` - n.
    pub fn draw(most: u32, stream: &mut Stream) -> Self {
        let before = stream.below(u64::from(most)) as u32;
        Self { before, with_gradient: 1 + stream.below(u64::from(most - before)) as u32 }
    }
}

/// A Poisson draw, at most `most`: the number of arrivals of a Poisson process of rate 1 up to the time `rate`, from
/// exponential waiting times.
fn poisson(rate: f64, most: u32, stream: &mut Stream) -> u32 {
    let mut time = 0.0;
    for arrivals in 0..most {
        time -= (1.0 - stream.uniform()).ln();
        if time > rate {
            return arrivals;
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(recipe: Recipe, most: u32, tokens: usize) -> Vec<u32> {
        let lengths = vec![5; tokens / 5];
        let identities: Vec<u64> = (0..lengths.len() as u64).collect();
        let layout = TokenLayout::new(&lengths, &identities).unwrap();
        depths(&recipe, most, &layout, &mut Stream::new(3, "test", &[]))
    }

    /// The published law with r = 32 and s = 0.5 has the mean 33.0, the median 29 and 5 % and 95 % quantiles of 12 and 67
    /// (computed from its definition by numerical integration).
    #[test]
    fn poisson_lognormal_depths_follow_the_published_law() {
        let law = Recipe { unroll: Unroll::PoissonLognormal, per: Per::Token, mean_depth: 32.0, ..Recipe::LAST_STEP };
        let mut all = drawn(law, 10_000, 100_000);
        let mean = all.iter().map(|depth| f64::from(*depth)).sum::<f64>() / all.len() as f64;
        assert!((mean - 33.0).abs() < 0.25, "{mean}");
        all.sort_unstable();
        let quantile = |share: f64| i64::from(all[(share * all.len() as f64) as usize]);
        for (share, expected) in [(0.05, 12), (0.5, 29), (0.95, 67)] {
            assert!((quantile(share) - expected).abs() <= 1, "{share}: {}", quantile(share));
        }
        assert!(drawn(law, 20, 1000).iter().all(|depth| (1..=20).contains(depth)), "cut off at D");
    }

    #[test]
    fn geometric_depths_follow_their_law() {
        let law = Recipe { unroll: Unroll::Geometric, per: Per::Token, mean_depth: 4.0, ..Recipe::LAST_STEP };
        let all = drawn(law, 10_000, 100_000);
        let share = |depth: u32| all.iter().filter(|found| **found == depth).count() as f64 / all.len() as f64;
        for depth in 1..6 {
            let expected = 0.25 * 0.75f64.powi(depth as i32 - 1);
            assert!((share(depth) - expected).abs() < 0.01, "{depth}: {}", share(depth));
        }
        assert!(drawn(law, 3, 1000).iter().all(|depth| (1..=3).contains(depth)), "cut off at D");
        assert!(drawn(Recipe { mean_depth: 1.0, ..law }, 8, 100).iter().all(|depth| *depth == 1));
    }

    /// Every pair of n and k with n + k at most 3 has the probability 1 / (3 (3 - n)).
    #[test]
    fn progressive_steps_are_uniform_on_both_ranges() {
        let mut counts = std::collections::BTreeMap::new();
        let mut stream = Stream::new(5, "test", &[]);
        for _ in 0..36_000 {
            let Progressive { before, with_gradient } = Progressive::draw(3, &mut stream);
            *counts.entry((before, with_gradient)).or_insert(0i32) += 1;
        }
        let expected =
            [((0, 1), 4000), ((0, 2), 4000), ((0, 3), 4000), ((1, 1), 6000), ((1, 2), 6000), ((2, 1), 12_000)];
        assert_eq!(counts.len(), expected.len(), "{counts:?}");
        for (steps, count) in expected {
            assert!((counts[&steps] - count).abs() < 350, "{steps:?}: {counts:?}");
        }
    }

    #[test]
    fn depths_are_drawn_for_batches_sequences_and_tokens() {
        let law = |per| Recipe { unroll: Unroll::Uniform, per, ..Recipe::LAST_STEP };
        let batch = drawn(law(Per::Batch), 8, 100);
        assert!(batch.iter().all(|depth| *depth == batch[0]));
        let sequences = drawn(law(Per::Sequence), 8, 100);
        assert!(sequences.chunks(5).all(|rows| rows.iter().all(|depth| *depth == rows[0])));
        assert!(sequences.iter().any(|depth| *depth != sequences[0]));
        let counts = drawn(law(Per::Token), 4, 40_000).iter().fold([0; 4], |mut counts, depth| {
            counts[*depth as usize - 1] += 1;
            counts
        });
        assert!(counts.iter().all(|count: &i32| (count - 10_000).abs() < 400), "{counts:?}");
    }

    #[test]
    fn weights_of_the_steps_are_those_of_their_names_and_sum_to_one() {
        let weights =
            |step_weights, ratio| self::step_weights(&Recipe { step_weights, ratio, ..Recipe::EVERY_STEP }, 4);
        assert_eq!(weights(StepWeights::Uniform, 2.0), [0.25; 4]);
        assert_eq!(weights(StepWeights::Linear, 2.0), [0.1, 0.2, 0.3, 0.4]);
        for (ratio, expected) in [(2.0, [1.0, 2.0, 4.0, 8.0]), (0.5, [8.0, 4.0, 2.0, 1.0])] {
            let found = weights(StepWeights::Geometric, ratio);
            assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected / 15.0).abs() < 1e-15));
        }
        assert!(
            self::step_weights(&Recipe { step_weights: StepWeights::Geometric, ..Recipe::EVERY_STEP }, 5000)
                .iter()
                .all(|weight| weight.is_finite())
        );
    }
}
