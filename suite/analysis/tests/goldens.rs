//! Statistics against SciPy, NumPy and naive Python: see `goldens/make_goldens.py`.
#![allow(clippy::unwrap_used)]

use haltbench_analysis::bootstrap::{Bootstrap, for_each_resample};
use haltbench_analysis::correlation::{partial_spearman, pearson, somers_d, spearman, tau_b, within_stratum_spearman};
use haltbench_analysis::crosstable::CrossTable;
use haltbench_analysis::interval::quantile;
use haltbench_analysis::means::mean_estimate;
use haltbench_analysis::ranks::average_ranks;
use haltbench_analysis::{ClusterSum, Design, Frontier, IntervalMethod, Reason, adapt_gain, rank};
use serde::Deserialize;
use serde_json::Value;

const TOLERANCE: f64 = 1e-10;

fn golden<T: for<'a> Deserialize<'a>>(name: &str) -> T {
    let all: Value = serde_json::from_str(include_str!("goldens/goldens.json")).unwrap();
    serde_json::from_value(all[name].clone()).unwrap()
}

#[track_caller]
fn check(what: &str, ours: Result<f64, Reason>, golden: Option<f64>) {
    match (ours, golden) {
        (Ok(ours), Some(golden)) if (ours - golden).abs() <= TOLERANCE => {}
        (Err(_), None) => {}
        _ => panic!("{what}: {ours:?}, expected {golden:?}"),
    }
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    pearson: Option<f64>,
    spearman: Option<f64>,
    tau_b: Option<f64>,
    somers_y_given_x: Option<f64>,
}

#[test]
fn correlations() {
    for case in golden::<Vec<Pair>>("pairs") {
        let Pair { name, x, y, .. } = &case;
        check(&format!("{name}: pearson"), pearson(x, y), case.pearson);
        check(&format!("{name}: spearman"), spearman(x, y), case.spearman);
        check(&format!("{name}: tau_b"), tau_b(x, y), case.tau_b);
        check(&format!("{name}: somers_d"), somers_d(y, x), case.somers_y_given_x);
    }
}

/// Spearman and tau-b of a vector with ties on both sides, worked out by hand.
#[test]
fn micro_vector() {
    let (x, y) = ([1.0, 2.0, 2.0, 3.0, 5.0, 4.0], [1.0, 3.0, 2.0, 2.0, 4.0, 4.0]);
    assert!((spearman(&x, &y).unwrap() - 0.850_841_043_5).abs() < 1e-10);
    assert!((tau_b(&x, &y).unwrap() - 0.741_249_316_7).abs() < 1e-10);
}

#[test]
fn ranks() {
    #[derive(Deserialize)]
    struct Case {
        values: Vec<f64>,
        ranks: Vec<f64>,
    }
    for case in golden::<Vec<Case>>("ranks") {
        assert_eq!(average_ranks(&case.values).unwrap(), case.ranks);
    }
}

/// A weight is a number of repetitions.
#[test]
fn weighted_correlations() {
    #[derive(Deserialize)]
    struct Case {
        x: Vec<f64>,
        y: Vec<f64>,
        weights: Vec<u32>,
        spearman: Option<f64>,
        tau_b: Option<f64>,
        somers_y_given_x: Option<f64>,
    }
    let case: Case = golden("weighted");
    let table = CrossTable::of(&case.x, &case.y).unwrap();
    let tally = table.tally(|row| case.weights[row]);
    check("spearman", table.spearman(&tally), case.spearman);
    check("tau_b", table.tau_b(&tally), case.tau_b);
    check("somers_d", table.somers_d(&tally), case.somers_y_given_x);
}

#[test]
fn partial_correlations() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        x: Vec<f64>,
        y: Vec<f64>,
        controls: Vec<Vec<f64>>,
        partial: Option<f64>,
    }
    for case in golden::<Vec<Case>>("partials") {
        let controls: Vec<&[f64]> = case.controls.iter().map(Vec::as_slice).collect();
        check(&case.name, partial_spearman(&case.x, &case.y, &controls), case.partial);
    }
}

#[test]
fn correlations_within_strata() {
    #[derive(Deserialize)]
    struct Case {
        x: Vec<f64>,
        y: Vec<f64>,
        stratum: Vec<f64>,
        value: Option<f64>,
        count: usize,
        defined: usize,
        undefined: usize,
    }
    for case in golden::<Vec<Case>>("strata") {
        let ours = within_stratum_spearman(&case.x, &case.y, &case.stratum);
        check("within", ours.map(|within| within.value), case.value);
        if let Ok(within) = ours {
            let counts = (within.count, within.defined, within.undefined);
            assert_eq!(counts, (case.count, case.defined, case.undefined));
        }
    }
}

#[test]
fn quantiles() {
    #[derive(Deserialize)]
    struct Case {
        values: Vec<f64>,
        p: f64,
        quantile: f64,
    }
    for case in golden::<Vec<Case>>("quantiles") {
        check("quantile", quantile(&case.values, case.p).ok_or(Reason::Empty), Some(case.quantile));
    }
}

/// The draws are those of a second implementation of the stream: they must never change.
#[test]
fn draws() {
    #[derive(Deserialize)]
    struct Slot {
        seed: usize,
        clusters: Vec<usize>,
    }
    #[derive(Deserialize)]
    struct Case {
        instances: Vec<Vec<u64>>,
        seed: u64,
        resample: usize,
        draws: Vec<Slot>,
    }
    for case in golden::<Vec<Case>>("draws") {
        let mut index = 0;
        for_each_resample(
            &Design::of(&case.instances),
            Bootstrap { resamples: case.resample + 1, seed: case.seed },
            |draws| {
                if index == case.resample {
                    for (draw, slot) in draws.iter().zip(&case.draws) {
                        let mut weights = vec![0; case.instances[slot.seed].len()];
                        slot.clusters.iter().for_each(|&k| weights[k] += 1);
                        assert_eq!((draw.seed, &draw.weights), (slot.seed, &weights));
                    }
                    assert_eq!(draws.len(), case.draws.len());
                }
                index += 1;
            },
        );
        assert_eq!(index, case.resample + 1);
    }
}

/// Both intervals are of tens of thousands of resamples; 4 % of the width is several Monte Carlo standard errors.
#[test]
fn intervals_equal_those_of_another_generator() {
    #[derive(Deserialize)]
    struct Single {
        sums: Vec<(f64, f64)>,
        mean: f64,
        interval: (f64, f64),
    }
    #[derive(Deserialize)]
    struct Crossed {
        values: Vec<Vec<f64>>,
        mean: f64,
        interval: (f64, f64),
    }
    let single: Single = golden("monte_carlo_single");
    let crossed: Crossed = golden("monte_carlo_crossed");
    let sums = vec![single.sums.iter().map(|&(sum, count)| ClusterSum { sum, count }).collect()];
    let grid: Vec<Vec<ClusterSum>> =
        crossed.values.iter().map(|seed| seed.iter().map(|&sum| ClusterSum { sum, count: 1.0 }).collect()).collect();
    let cases = [
        (sums, single.mean, single.interval, IntervalMethod::BootstrapSequences),
        (grid, crossed.mean, crossed.interval, IntervalMethod::BootstrapSeedsAndSequences),
    ];
    for (sums, mean, (low, high), method) in cases {
        let ours =
            mean_estimate(&sums, &Design::crossed(sums.len(), sums[0].len()), Bootstrap { resamples: 20_000, seed: 5 });
        check("mean", ours.value.ok_or(Reason::Empty), Some(mean));
        assert_eq!(ours.method, Some(method));
        let slack = 0.04 * (high - low);
        assert!((ours.low.unwrap() - low).abs() < slack, "{ours:?}, expected {low}");
        assert!((ours.high.unwrap() - high).abs() < slack, "{ours:?}, expected {high}");
    }
}

#[test]
fn frontiers() {
    #[derive(Deserialize)]
    struct Case {
        points: Vec<(f64, f64)>,
        kept: Vec<(f64, f64)>,
        queries: Vec<f64>,
        accuracy: Vec<Option<f64>>,
    }
    for case in golden::<Vec<Case>>("frontiers") {
        let frontier = Frontier::new(&case.points).unwrap();
        assert_eq!(frontier.points(), case.kept);
        for (&cost, &accuracy) in case.queries.iter().zip(&case.accuracy) {
            check(&format!("at {cost}"), frontier.accuracy_at(cost), accuracy);
            check(&format!("gain at {cost}"), adapt_gain(cost, 0.9, &frontier), accuracy.map(|a| 0.9 - a));
        }
    }
}

#[test]
fn ranking() {
    #[derive(Deserialize)]
    struct Case {
        replicates: Vec<Vec<f64>>,
        rank_low: Vec<usize>,
        rank_high: Vec<usize>,
        group: Vec<usize>,
    }
    let case: Case = golden("ranking");
    let standings = rank(&case.replicates.iter().cloned().map(Some).collect::<Vec<_>>());
    for (i, standing) in standings.iter().enumerate() {
        let expected = (Some(case.rank_low[i]), Some(case.rank_high[i]), Some(case.group[i]));
        assert_eq!((standing.rank_low, standing.rank_high, standing.group), expected, "policy {i}");
    }
}
