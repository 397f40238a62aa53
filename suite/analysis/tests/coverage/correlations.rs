//! Rank correlations with the block jackknife: share of 300 trials in which Spearman's interval covers the truth.
//!
//! | | |
//! |---|---|
//! | 1 seed, 40 sequences | 0.953 |
//! | 1 seed, 120 sequences | 0.950 |
//! | 2 seeds that differ | 0.927 |
//! | 3 seeds that differ | 0.943 |
//! | 5 seeds that differ | 0.947 |
//! | 3 seeds that are alike | 0.960 |

use haltbench_analysis::correlation::spearman;
use haltbench_analysis::jackknife::{Blocks, jackknife};

use crate::simulate::{Chance, share};

/// Complexity and depth of four tokens per sequence. Depth follows complexity with a slope that belongs to the seed,
/// plus a part shared by the tokens of a sequence.
fn tokens(chance: &mut Chance, complexity: &[Vec<f64>], slope: f64) -> (Vec<f64>, Vec<f64>, Vec<usize>) {
    let (mut x, mut y, mut sequence) = (Vec::new(), Vec::new(), Vec::new());
    for (place, values) in complexity.iter().enumerate() {
        let own = 0.7 * chance.normal();
        for value in values {
            x.push(*value);
            y.push((3.0 + slope * value + own + chance.normal()).round().clamp(1.0, 8.0));
            sequence.push(place);
        }
    }
    (x, y, sequence)
}

fn complexities(chance: &mut Chance, sequences: usize) -> Vec<Vec<f64>> {
    (0..sequences).map(|_| (0..4).map(|_| chance.below(5) as f64).collect()).collect()
}

fn slope(chance: &mut Chance, spread: f64) -> f64 {
    0.5 + spread * chance.normal()
}

/// Mean correlation over trainings, with infinitely many sequences.
fn truth(spread: f64) -> f64 {
    let mut chance = Chance::new(1);
    let mut mean = |trainings: usize| {
        let one = |_| {
            let slope = slope(&mut chance, spread);
            let complexity = complexities(&mut chance, 40_000 / trainings.min(200));
            let (x, y, _) = tokens(&mut chance, &complexity, slope);
            spearman(&x, &y).unwrap()
        };
        (0..trainings).map(one).sum::<f64>() / trainings as f64
    };
    if spread == 0.0 { mean(10) } else { mean(2000) }
}

#[test]
fn spearman_over_seeds_and_sequences() {
    for (seeds, spread, sequences) in
        [(1, 0.0, 40), (1, 0.0, 120), (2, 0.2, 120), (3, 0.2, 120), (5, 0.2, 120), (3, 0.0, 120)]
    {
        let truth = truth(spread);
        let mut chance = Chance::new(2);
        let covered = share(300, || {
            let complexity = complexities(&mut chance, sequences);
            let data: Vec<_> = (0..seeds)
                .map(|_| {
                    let slope = slope(&mut chance, spread);
                    tokens(&mut chance, &complexity, slope)
                })
                .collect();
            let blocks = Blocks::of(sequences);
            let of_seed = |seed: usize, without: Option<usize>| {
                let (x, y, sequence) = &data[seed];
                let kept: Vec<usize> = (0..x.len()).filter(|&i| without != Some(blocks.block(sequence[i]))).collect();
                let pick = |values: &[f64]| -> Vec<f64> { kept.iter().map(|&i| values[i]).collect() };
                spearman(&pick(x), &pick(y))
            };
            !jackknife(seeds, blocks, 0, of_seed).unwrap().estimate().excludes(truth)
        });
        assert!(covered >= 0.915, "{seeds} seeds: {covered}");
    }
}
