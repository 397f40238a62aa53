//! Ranks of several policies: share of 400 trials in which all true ranks lie within their intervals simultaneously.
//!
//! | variance of seeds / variance of sequences | 0 | 1 | 10 | 100 |
//! |---|---|---|---|---|
//! | 4 equal policies, 1 seed | 0.968 | | | |
//! | 2 seeds | 0.993 | 0.990 | 0.975 | 0.958 |
//! | 3 seeds | 0.980 | 0.995 | 0.985 | 0.958 |
//! | 5 seeds | 0.975 | 0.980 | 0.973 | 0.970 |
//! | 10 seeds | 0.975 | 0.968 | 0.973 | 0.965 |
//! | 5 policies, three and two alike, 1 seed | 0.975 | | | |
//! | 2 seeds | 1.000 | 1.000 | 0.993 | 0.983 |
//! | 3 seeds | 0.998 | 1.000 | 0.988 | 0.980 |
//! | 5 seeds | 0.993 | 0.998 | 0.995 | 0.988 |
//! | 10 seeds | 0.973 | 0.988 | 0.993 | 0.985 |
//! | 6 policies, two and two and two alike, 1 seed | 0.985 | | | |
//! | 2 seeds | 1.000 | 1.000 | 0.990 | 0.988 |
//! | 3 seeds | 0.995 | 1.000 | 0.998 | 0.998 |
//! | 5 seeds | 0.995 | 1.000 | 0.998 | 0.993 |
//! | 10 seeds | 0.993 | 0.995 | 0.995 | 0.985 |
//!
//! Games and Howell's intervals of equal policies (`../goldens/coverage_of_alternatives.py`, 1500 trials):
//!
//! | | 0 | 1 | 10 | 100 |
//! |---|---|---|---|---|
//! | 4 policies, 2 seeds | 0.983 | 0.939 | 0.699 | 0.651 |
//! | 3 seeds | 0.976 | 0.935 | 0.840 | 0.833 |
//! | 5 seeds | 0.960 | 0.944 | 0.911 | 0.900 |
//! | 10 seeds | 0.950 | 0.953 | 0.953 | 0.944 |
//! | 6 policies, 2 seeds | 0.989 | 0.918 | 0.524 | 0.378 |
//! | 3 seeds | 0.979 | 0.943 | 0.725 | 0.695 |
//! | 5 seeds | 0.963 | 0.945 | 0.867 | 0.857 |
//! | 10 seeds | 0.949 | 0.941 | 0.939 | 0.911 |

use haltbench_analysis::{Crossed, rank};

use crate::simulate::{Chance, SEQUENCES, crossed, share, table};

/// Share of trials in which all true ranks lie within their intervals. `truth` is in standard deviations of one seed's
/// mean; policies have different variances between seeds.
fn joint(truth: &[f64], seeds: usize, ratio: f64, trials: usize) -> f64 {
    let mut chance = Chance::new(77);
    let unit = ((1.0 + ratio) * 2.0 / SEQUENCES as f64).sqrt();
    share(trials, || {
        let shared = chance.normals(SEQUENCES);
        let policy = |(place, score): (usize, &f64)| {
            let spread = 0.25 + 2.0 * place as f64 / truth.len() as f64;
            let mut values = table(&mut chance, seeds, ratio * spread, score * unit);
            values.iter_mut().for_each(|seed| seed.iter_mut().zip(&shared).for_each(|(value, own)| *value += own));
            Ok(crossed(values))
        };
        let scores: Vec<Result<Crossed, _>> = truth.iter().enumerate().map(policy).collect();
        let standings = rank(&scores).standings;
        standings.iter().zip(truth).all(|(standing, own)| {
            let better = truth.iter().filter(|other| *other > own).count();
            let worse = truth.iter().filter(|other| *other < own).count();
            standing.rank_low.unwrap() <= 1 + better && standing.rank_high.unwrap() >= truth.len() - worse
        })
    })
}

#[test]
fn all_ranks_at_once() {
    let truths: [&[f64]; 3] = [&[0.0; 4], &[0.0, 0.0, 0.0, 2.0, 2.0], &[0.0, 0.0, 1.0, 1.0, 3.0, 3.0]];
    for truth in truths {
        for seeds in [1, 2, 3, 5, 10] {
            // One seed gives no information about seeds.
            let ratios = if seeds == 1 { &[0.0][..] } else { &[0.0, 1.0, 10.0, 100.0] };
            for &ratio in ratios {
                let covered = joint(truth, seeds, ratio, 400);
                assert!(covered >= 0.945, "{} policies, {seeds} seeds, ratio {ratio}: {covered}", truth.len());
            }
        }
    }
}
