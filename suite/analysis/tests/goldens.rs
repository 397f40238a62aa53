//! Statistics against SciPy, NumPy and naive Python: see `goldens/make_goldens.py`.
#![allow(clippy::unwrap_used)]

use haltbench_analysis::correlation::{
    partial_spearman, partial_spearman_in_classes, pearson, somers_d, spearman, tau_b, within_stratum_spearman,
};
use haltbench_analysis::crosstable::CrossTable;
use haltbench_analysis::interval::{none_of, student_t};
use haltbench_analysis::mean_squares::MeanSquares;
use haltbench_analysis::ranks::average_ranks;
use haltbench_analysis::{Crossed, Frontier, IntervalMethod, Reason};
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

/// Spearman and tau-b of a vector with ties on both sides, computed by hand.
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

/// A weight is a repeat count.
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

/// The crate subtracts class means; NumPy uses a column of zeros and ones per class.
#[test]
fn partial_correlations_in_classes() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        x: Vec<f64>,
        y: Vec<f64>,
        controls: Vec<Vec<f64>>,
        classes: Vec<f64>,
        partial: Option<f64>,
    }
    let cases = golden::<Vec<Case>>("in_classes");
    assert!(cases.iter().filter(|case| case.partial.is_some()).count() >= 3);
    for case in cases {
        let controls: Vec<&[f64]> = case.controls.iter().map(Vec::as_slice).collect();
        check(&case.name, partial_spearman_in_classes(&case.x, &case.y, &controls, &case.classes), case.partial);
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
fn quantiles_of_student() {
    #[derive(Deserialize)]
    struct Case {
        level: f64,
        df: usize,
        quantile: f64,
    }
    for Case { level, df, quantile } in golden::<Vec<Case>>("t_quantiles") {
        let ours = student_t(level, df);
        assert!((ours / quantile - 1.0).abs() < 1e-9, "{level}, {df}: {ours}, expected {quantile}");
    }
    assert_eq!(student_t(0.95, 0), f64::INFINITY);
}

#[test]
fn bounds_of_what_never_happened() {
    #[derive(Deserialize)]
    struct Case {
        trials: usize,
        level: f64,
        share: f64,
    }
    for Case { trials, level, share } in golden::<Vec<Case>>("none_of") {
        assert!((none_of(trials, level) - share).abs() < TOLERANCE);
    }
}

/// Mean squares against least-squares fits with dummy variables, intervals against SciPy's quantiles.
#[test]
fn intervals_of_crossed_tables() {
    #[derive(Deserialize)]
    struct Case {
        values: Vec<Vec<f64>>,
        mean_squares: (f64, f64, f64),
        value: f64,
        interval: (f64, f64),
    }
    for case in golden::<Vec<Case>>("crossed") {
        let squares = MeanSquares::of(&case.values).unwrap();
        let ours = [squares.between_seeds, squares.between_problems, squares.rest];
        for (ours, expected) in ours.into_iter().zip([case.mean_squares.0, case.mean_squares.1, case.mean_squares.2]) {
            check("mean square", Ok(ours), Some(expected));
        }
        let (seeds, sequences) = (case.values.len(), case.values[0].len());
        let units = (0..sequences as u64).collect();
        let ours = Crossed::of_values(units, case.values, seeds * sequences, sequences).unwrap().estimate();
        check("mean", ours.value.ok_or(Reason::Empty), Some(case.value));
        check("low", ours.low.ok_or(Reason::Empty), Some(case.interval.0));
        check("high", ours.high.ok_or(Reason::Empty), Some(case.interval.1));
        let method = if seeds == 1 { IntervalMethod::ProblemsOnly } else { IntervalMethod::RandomEffects };
        assert_eq!(ours.method, Some(method));
    }
}

/// The hull against the best mixture of any two points.
#[test]
fn frontiers() {
    #[derive(Deserialize)]
    struct Case {
        points: Vec<(f64, f64)>,
        queries: Vec<f64>,
        accuracy: Vec<Option<f64>>,
    }
    for case in golden::<Vec<Case>>("frontiers") {
        let frontier = Frontier::new(&case.points).unwrap();
        for (&place, &vertex) in frontier.places().iter().zip(frontier.points()) {
            assert_eq!(case.points[place], vertex);
        }
        for (&cost, &accuracy) in case.queries.iter().zip(&case.accuracy) {
            check(&format!("at {cost}"), frontier.accuracy_at(cost), accuracy);
        }
    }
}
