//! Calibration with the block jackknife: share of 2000 trials in which the interval covers the value of infinitely many
//! sequences of four tokens, whose scores and events share an effect of the sequence. The short form has 200 trials.
//!
//! | sequences | AUROC | AURC | Brier |
//! |---|---|---|---|
//! | 40 | 0.944 | 0.947 | 0.950 |
//! | 150 | 0.949 | 0.942 | 0.951 |
//! | 600 | 0.960 | 0.949 | 0.949 |

use haltbench_analysis::calibration::{Binning, Scored, brier};
use haltbench_analysis::jackknife::{Blocks, jackknife};

use crate::simulate::{Chance, share};

struct Tokens {
    scores: Vec<f64>,
    events: Vec<bool>,
    sequence: Vec<usize>,
}

fn tokens(chance: &mut Chance, sequences: usize) -> Tokens {
    let mut all = Tokens { scores: Vec::new(), events: Vec::new(), sequence: Vec::new() };
    for sequence in 0..sequences {
        let effect = 0.8 * chance.normal();
        for _ in 0..4 {
            let own = 0.5 + effect + chance.normal();
            all.scores.push(1.0 / (1.0 + (-1.5 * own).exp()));
            all.events.push(chance.uniform() < 1.0 / (1.0 + (-own).exp()));
            all.sequence.push(sequence);
        }
    }
    all
}

/// AUROC, AURC and Brier score without a block.
fn statistics(tokens: &Tokens, prepared: &Scored, keep: &dyn Fn(usize) -> bool) -> [f64; 3] {
    let weight = |row: usize| u32::from(keep(row));
    let kept: Vec<usize> = (0..tokens.scores.len()).filter(|&row| keep(row)).collect();
    let scores: Vec<f64> = kept.iter().map(|&row| tokens.scores[row]).collect();
    let events: Vec<bool> = kept.iter().map(|&row| tokens.events[row]).collect();
    [
        prepared.auroc(weight).unwrap(),
        prepared.risk_coverage(weight).unwrap().area,
        brier(&scores, &events, Binning::EqualWidth(1)).unwrap().score,
    ]
}

/// Coverage of the three statistics.
fn covered(sequences: usize, trials: usize) -> [f64; 3] {
    let mut chance = Chance::new(50);
    let large = tokens(&mut chance, 100_000);
    let truth = statistics(&large, &Scored::of(&large.scores, &large.events).unwrap(), &|_| true);
    [0, 1, 2].map(|place| {
        let mut chance = Chance::new(51);
        share(trials, || {
            let own = tokens(&mut chance, sequences);
            let prepared = Scored::of(&own.scores, &own.events).unwrap();
            let blocks = Blocks::of(sequences);
            let statistic = |_: usize, without: Option<usize>| {
                let keep = |row: usize| without != Some(blocks.block(own.sequence[row]));
                Ok(statistics(&own, &prepared, &keep)[place])
            };
            !jackknife(1, blocks, 0, statistic).unwrap().estimate().excludes(truth[place])
        })
    })
}

#[test]
fn areas_and_brier_scores() {
    let covered = covered(150, 200);
    assert!(covered.iter().all(|share| *share >= 0.89), "{covered:.3?}");
}

#[test]
#[ignore = "minutes"]
fn areas_and_brier_scores_in_many_trials() {
    for sequences in [40, 150, 600] {
        let covered = covered(sequences, 2000);
        println!("{sequences} {covered:.3?}");
        assert!(covered.iter().all(|share| *share >= 0.92), "{sequences}: {covered:.3?}");
    }
}
