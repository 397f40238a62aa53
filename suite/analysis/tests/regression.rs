//! Regressions against statsmodels and scikit-learn, see `goldens/make_regression.py`, and against identities.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use haltbench_analysis::Reason;
use haltbench_analysis::regression::{Cause, Dropped, Feature, Limits, Parts, Players, Regression, Values, jackknifed};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct GoldenFeature {
    group: String,
    values: Option<Vec<f64>>,
    codes: Option<Vec<u32>>,
}

#[derive(Deserialize)]
struct GoldenShare {
    name: String,
    alone: f64,
    unique: f64,
    shapley: Option<f64>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    /// In the order of names.
    features: serde_json::Map<String, Value>,
    y: Vec<f64>,
    clusters: Vec<u64>,
    dependent: Vec<String>,
    columns: Vec<String>,
    r_squared: f64,
    adjusted: Option<f64>,
    intercept: f64,
    coefficients: Vec<f64>,
    standardised: Vec<f64>,
    inflation: Option<Vec<f64>>,
    generalised: Option<BTreeMap<String, f64>>,
    groups: Vec<GoldenShare>,
    by_feature: Vec<GoldenShare>,
    cross_validated: Option<f64>,
}

fn golden<T: for<'a> Deserialize<'a>>(name: &str) -> T {
    let all: Value = serde_json::from_str(include_str!("goldens/regression.json")).unwrap();
    serde_json::from_value(all[name].clone()).unwrap()
}

#[track_caller]
fn close(what: &str, ours: f64, expected: f64, tolerance: f64) {
    assert!((ours - expected).abs() <= tolerance * expected.abs().max(1.0), "{what}: {ours}, expected {expected}");
}

/// The regression of a case, with features in the order in which the fixture lists columns.
fn regression(case: &Case) -> Regression {
    let features: Vec<(String, GoldenFeature)> = case
        .features
        .iter()
        .map(|(name, feature)| (name.clone(), serde_json::from_value(feature.clone()).unwrap()))
        .collect();
    let place = |name: &str| case.by_feature.iter().position(|share| share.name == name);
    let mut features: Vec<Feature> = features
        .iter()
        .map(|(name, feature)| {
            let values = match (&feature.values, &feature.codes) {
                (Some(values), _) => Values::Numeric(values),
                (_, codes) => Values::Categorical(codes.as_ref().unwrap()),
            };
            Feature { name, group: &feature.group, values }
        })
        .collect();
    features.sort_by_key(|feature| place(feature.name));
    let parts = Parts::of(case.clusters.iter().copied()).unwrap();
    Regression::of(&features, Values::Numeric(&case.y), &case.clusters, &parts).unwrap()
}

#[test]
fn fits() {
    for case in golden::<Vec<Case>>("cases") {
        let what = |of: &str| format!("{}: {of}", case.name);
        let tolerance = if case.name == "nearly collinear" { 1e-6 } else { 1e-9 };
        let regression = regression(&case);
        let fit = regression.fit().unwrap();
        let names: Vec<&str> = fit.coefficients.iter().map(|own| own.name.as_str()).collect();
        assert_eq!(names, case.columns, "{}", case.name);
        let dropped: Vec<&str> = fit.dropped.iter().map(|gone| gone.name.as_str()).collect();
        assert_eq!(dropped, case.dependent, "{}", case.name);
        close(&what("R²"), fit.r_squared, case.r_squared, 1e-10);
        assert_eq!(fit.adjusted.value.is_some(), case.adjusted.is_some(), "{}", case.name);
        if let Some(adjusted) = case.adjusted {
            close(&what("adjusted"), fit.adjusted.value.unwrap(), adjusted, 1e-10);
        }
        close(&what("intercept"), fit.intercept, case.intercept, tolerance);
        for (place, own) in fit.coefficients.iter().enumerate() {
            close(&what(&own.name), own.value, case.coefficients[place], tolerance);
            close(&what(&own.name), own.standardised, case.standardised[place], tolerance);
            if let Some(inflation) = &case.inflation {
                close(&what("VIF"), own.inflation / inflation[place], 1.0, tolerance);
            }
        }
        for own in regression.inflations() {
            if let (Some(generalised), true) = (&case.generalised, case.dependent.is_empty()) {
                close(&what("GVIF"), own.generalised / generalised[&own.feature], 1.0, tolerance);
            }
        }
    }
}

#[test]
fn shares_of_groups_and_features() {
    for case in golden::<Vec<Case>>("cases") {
        let regression = regression(&case);
        for (players, expected) in [(Players::Groups, &case.groups), (Players::Features, &case.by_feature)] {
            let ours = regression.shares(players).unwrap();
            assert_eq!(ours.len(), expected.len());
            for (own, expected) in ours.iter().zip(expected) {
                let what = format!("{}: {}", case.name, own.name);
                assert_eq!(own.name, expected.name);
                close(&what, own.alone, expected.alone, 1e-9);
                close(&what, own.unique, expected.unique, 1e-9);
                if let Some(shapley) = expected.shapley {
                    close(&what, own.shapley, shapley, 1e-9);
                }
            }
            let total: f64 = ours.iter().map(|own| own.shapley).sum();
            close(&case.name, total, regression.r_squared().unwrap(), 1e-12);
            for (unique, share) in regression.unique(players).unwrap().iter().zip(&ours) {
                assert_eq!(unique.name, share.name);
                close(&unique.name, unique.r_squared, share.unique, 1e-12);
            }
        }
    }
}

#[test]
fn cross_validation() {
    let mut compared = 0;
    for case in golden::<Vec<Case>>("cases") {
        if let Some(expected) = case.cross_validated {
            close(&case.name, regression(&case).cross_validated(5).unwrap(), expected, 1e-8);
            compared += 1;
        }
    }
    assert!(compared >= 5);
}

/// NIST's certified values of the Longley data, whose variance inflation factors reach 1788.
#[test]
fn certified_values() {
    #[derive(Deserialize)]
    struct Certified {
        r_squared: f64,
        intercept: f64,
        coefficients: Vec<f64>,
    }
    let certified: Certified = golden("certified");
    let case = golden::<Vec<Case>>("cases").into_iter().find(|case| case.name == "longley").unwrap();
    let fit = regression(&case).fit().unwrap();
    close("R²", fit.r_squared, certified.r_squared, 1e-12);
    close("intercept", fit.intercept / certified.intercept, 1.0, 1e-10);
    for (own, expected) in fit.coefficients.iter().zip(certified.coefficients) {
        close(&own.name, own.value / expected, 1.0, 1e-10);
    }
}

const CLUSTERS: [u64; 6] = [1, 2, 3, 4, 5, 6];

fn six(features: &[Feature], target: &[f64]) -> Result<Regression, Reason> {
    Regression::of(features, Values::Numeric(target), &CLUSTERS, &Parts::of(CLUSTERS).unwrap())
}

fn number<'a>(name: &'a str, values: &'a [f64]) -> Feature<'a> {
    Feature { name, group: "all", values: Values::Numeric(values) }
}

const X: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 7.0];
const Y: [f64; 6] = [2.0, 1.0, 4.0, 3.0, 6.0, 5.0];

#[test]
fn what_is_dropped_is_logged() {
    let (flat, gap) = ([7.5; 6], [1.0, f64::NAN, 2.0, f64::INFINITY, 0.0, 3.0]);
    let codes = [3; 6];
    let one = Feature { name: "one", group: "all", values: Values::Categorical(&codes) };
    let twice = X.map(|x| 5.0 - 2.0 * x);
    let features = [number("flat", &flat), number("gap", &gap), one, number("x", &X), number("twice", &twice)];
    let fit = six(&features, &Y).unwrap().fit().unwrap();
    let expected = [
        Dropped { name: "flat".into(), cause: Cause::Constant },
        Dropped { name: "gap".into(), cause: Cause::Missing { rows: 2 } },
        Dropped { name: "one".into(), cause: Cause::Constant },
        Dropped { name: "twice".into(), cause: Cause::Duplicate { of: "x".into() } },
    ];
    assert_eq!(fit.dropped, expected);
    assert_eq!(fit.dropped[1].to_string(), "gap: 2 rows have no value");
    assert_eq!(fit.coefficients.len(), 1);
    assert_eq!(six(&features[..3], &Y).unwrap_err(), Reason::NoFeatures);
}

#[test]
fn reasons() {
    let x = number("x", &X);
    assert_eq!(six(&[x], &[1.0; 6]).unwrap_err(), Reason::Constant);
    assert_eq!(six(&[x], &[1.0, f64::NAN, 0.0, 0.0, 0.0, 0.0]).unwrap_err(), Reason::NotFinite);
    assert_eq!(six(&[x], &Y[..5]).unwrap_err(), Reason::Mismatched);
    assert_eq!(six(&[number("x", &X[..5])], &Y).unwrap_err(), Reason::Mismatched);
    let parts = Parts::of(CLUSTERS).unwrap();
    let of = |target: &[f64], clusters: &[u64]| {
        Regression::of(&[number("x", &X[..target.len()])], Values::Numeric(target), clusters, &parts).unwrap_err()
    };
    assert_eq!(of(&[], &[]), Reason::Empty);
    assert_eq!(of(&[1.0], &[1]), Reason::TooFew { needed: 2, found: 1 });
    assert_eq!(of(&[1.0, 2.0], &[1, 99]), Reason::Mismatched);
    assert_eq!(Parts::of([]).unwrap_err(), Reason::Empty);
    let regression = six(&[x], &Y).unwrap();
    assert_eq!(regression.cross_validated(1).unwrap_err(), Reason::TooFew { needed: 2, found: 1 });
    assert_eq!(regression.cross_validated(7).unwrap_err(), Reason::TooFew { needed: 7, found: 6 });
    assert_eq!(regression.select(|name| name == "z").unwrap_err(), Reason::NoFeatures);
    assert_eq!(jackknifed(&[], |regression| regression.r_squared()), Err(Reason::Empty));
    let names: Vec<String> = (0..13).map(|place| place.to_string()).collect();
    let many: Vec<Feature> = names.iter().map(|name| Feature { group: name, ..number(name, &X) }).collect();
    let regression = six(&many, &Y).unwrap();
    assert_eq!(regression.shares(Players::Groups).unwrap_err(), Reason::TooMany { limit: 12, found: 13 });
    assert_eq!(regression.fit().unwrap().dropped.len(), 12);
    let codes: Vec<u32> = (0..1002).collect();
    let clusters: Vec<u64> = (0..1002).collect();
    let target: Vec<f64> = codes.iter().map(|&code| f64::from(code % 7)).collect();
    let wide = Feature { name: "wide", group: "all", values: Values::Categorical(&codes) };
    let parts = Parts::of(clusters.iter().copied()).unwrap();
    let error = Regression::of(&[wide], Values::Numeric(&target), &clusters, &parts).unwrap_err();
    assert_eq!(error, Reason::TooMany { limit: 1000, found: 1001 });
}

/// Values that would overflow or vanish when squared give the fit of the same values in other units.
#[test]
fn units_do_not_matter() {
    let (large, tiny, target) = (X.map(|x| 1e200 * x), Y.map(|y| 1e-200 * y), [3.0, 1.0, 4.0, 1.0, 5.0, 9.0]);
    let plain = six(&[number("a", &X), number("b", &Y)], &target).unwrap().fit().unwrap();
    let scaled = six(&[number("a", &large), number("b", &tiny)], &target.map(|y| 1e100 * y)).unwrap().fit().unwrap();
    close("R²", scaled.r_squared, plain.r_squared, 1e-12);
    for ((own, other), unit) in scaled.coefficients.iter().zip(&plain.coefficients).zip([1e-100, 1e300]) {
        close(&own.name, own.value / unit, other.value, 1e-12);
        close(&own.name, own.standardised, other.standardised, 1e-12);
    }
}

/// A feature in single precision is the same feature.
#[test]
fn single_precision() {
    let single = X.map(|x| x as f32);
    let feature = Feature { name: "x", group: "all", values: Values::Single(&single) };
    assert_eq!(six(&[feature], &Y).unwrap().fit(), six(&[number("x", &X)], &Y).unwrap().fit());
}

/// The pipeline of the paper's A.8 on features whose correlations are known: `b` repeats `a` with noise and follows the
/// target less, `d` is nearly a + c.
#[test]
fn screening() {
    let noise = |seed: u64| -> Vec<f64> {
        // A linear congruential generator is random enough for features.
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1_u32 << 31) - 0.5
        };
        (0..400).map(|_| next()).collect()
    };
    let add =
        |a: &[f64], b: &[f64], weight: f64| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a + weight * b).collect() };
    let (a, c) = (noise(1), noise(2));
    let b = add(&a, &noise(3), 0.4);
    let d = add(&add(&a, &c, 1.0), &noise(4), 0.3);
    let target = add(&add(&a, &c, 0.5), &noise(5), 1.0);
    let clusters: Vec<u64> = (0..400).collect();
    let features = [number("b", &b), number("a", &a), number("c", &c), number("d", &d)];
    let parts = Parts::of(clusters.iter().copied()).unwrap();
    let all = Regression::of(&features, Values::Numeric(&target), &clusters, &parts).unwrap();
    let screened = all.screen(Limits::default()).unwrap();
    let log: Vec<(&str, &Cause)> = screened.dropped().iter().map(|gone| (gone.name.as_str(), &gone.cause)).collect();
    let [("b", Cause::Correlated { with, correlation }), ("d", Cause::Inflated { factor })] = log[..] else {
        panic!("{log:?}");
    };
    assert_eq!(with, "a");
    let pearson = haltbench_analysis::correlation::pearson(&a, &b).unwrap();
    close("correlation", *correlation, pearson, 1e-12);
    // The factor of d among a, c and d.
    let without = all.select(|name| name != "b").unwrap();
    let inflation = without.fit().unwrap().coefficients.iter().map(|own| own.inflation).fold(0.0, f64::max);
    close("inflation", *factor, inflation, 1e-9);
    assert!(*factor > 5.0);
    let names: Vec<&str> = screened.columns().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["a", "c"]);
    // Nothing exceeds wide limits.
    let wide = all.screen(Limits { correlation: 1.0, inflation: 1e9 }).unwrap();
    assert!(wide.dropped().is_empty());
    // Exact dependence is inflation without end.
    let sum = add(&a, &c, 1.0);
    let features = [number("a", &a), number("c", &c), number("sum", &sum)];
    let dependent = Regression::of(&features, Values::Numeric(&target), &clusters, &parts).unwrap();
    let screened = dependent.screen(Limits { correlation: 1.0, inflation: 1e9 }).unwrap();
    assert_eq!(screened.dropped(), [Dropped { name: "sum".into(), cause: Cause::RankDeficient }]);
}

/// Jackknife replicates from factors equal regressions of the rows that are left.
#[test]
fn without_a_part() {
    let case = golden::<Vec<Case>>("cases").into_iter().find(|case| case.name == "groups and clusters").unwrap();
    let regression = regression(&case);
    let distinct: std::collections::BTreeSet<u64> = case.clusters.iter().copied().collect();
    let order: Vec<u64> = distinct.into_iter().collect();
    let block = |cluster: &u64| order.binary_search(cluster).unwrap() % order.len().min(50);
    for part in [0, 7, 49] {
        let keep: Vec<usize> = (0..case.y.len()).filter(|&row| block(&case.clusters[row]) != part).collect();
        let cut = |value: &Value| -> Value { keep.iter().map(|&row| value[row].clone()).collect() };
        let mut small =
            golden::<Vec<Case>>("cases").into_iter().find(|case| case.name == "groups and clusters").unwrap();
        for feature in small.features.values_mut() {
            for key in ["values", "codes"] {
                if feature.get(key).is_some() {
                    feature[key] = cut(&feature[key]);
                }
            }
        }
        small.y = keep.iter().map(|&row| case.y[row]).collect();
        small.clusters = keep.iter().map(|&row| case.clusters[row]).collect();
        let (ours, expected) = (regression.without_part(part), self::regression(&small));
        assert_eq!(ours.rows(), keep.len());
        close("R²", ours.r_squared().unwrap(), expected.r_squared().unwrap(), 1e-12);
        let (ours, expected) = (ours.fit().unwrap(), expected.fit().unwrap());
        close("intercept", ours.intercept, expected.intercept, 1e-10);
    }
    let ours = jackknifed(std::slice::from_ref(&regression), |regression| regression.r_squared()).unwrap().estimate();
    close("R²", ours.value.unwrap(), case.r_squared, 1e-10);
    assert!(ours.low.unwrap() < case.r_squared && ours.high.unwrap() > case.r_squared);
}

/// Parts are reduced in parallel, and no bit of the result depends on the number of threads.
#[test]
fn threads_do_not_matter() {
    let case = golden::<Vec<Case>>("cases").into_iter().find(|case| case.name == "groups and clusters").unwrap();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| regression(&case))
    };
    assert_eq!(with(1), with(4));
}

/// Seeds whose clusters were divided otherwise cannot be crossed.
#[test]
fn seeds_share_the_parts() {
    let x = number("x", &X);
    let ids = [1, 2, 3, 4, 5, 7];
    let other = Regression::of(&[x], Values::Numeric(&Y), &ids, &Parts::of(ids).unwrap()).unwrap();
    let seeds = [six(&[x], &Y).unwrap(), other];
    assert_eq!(jackknifed(&seeds, |regression| regression.r_squared()), Err(Reason::MissingCells));
    let seeds = [six(&[x], &Y).unwrap(), six(&[x], &[2.0, 1.5, 4.0, 3.0, 6.0, 7.0]).unwrap()];
    let table = jackknifed(&seeds, |regression| regression.r_squared()).unwrap();
    let mean = seeds.iter().map(|seed| seed.r_squared().unwrap()).sum::<f64>() / 2.0;
    assert_eq!((table.seeds(), table.count()), (2, 12));
    close("mean", table.mean(), mean, 1e-12);
}

/// R² of integer features, which often depend on each other exactly, by the modified Gram-Schmidt process.
fn projected(features: &[Vec<f64>], target: &[f64]) -> f64 {
    let centre = |values: &[f64]| -> Vec<f64> {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|own| own - mean).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for feature in features {
        let mut own = centre(feature);
        for other in basis.iter().chain(&basis) {
            let along = dot(&own, other);
            own.iter_mut().zip(other).for_each(|(own, other)| *own -= along * other);
        }
        let length = dot(&own, &own).sqrt();
        if length > 1e-6 {
            basis.push(own.iter().map(|own| own / length).collect());
        }
    }
    let target = centre(target);
    basis.iter().map(|own| dot(own, &target).powi(2)).sum::<f64>() / dot(&target, &target)
}

proptest! {
    #[test]
    fn any_integer_features(
        rows in prop::collection::vec((prop::collection::vec(-2_i32..3, 5), -3_i32..4), 3..30)
    ) {
        let names = ["a", "b", "c", "d", "e"];
        let values: Vec<Vec<f64>> =
            (0..5).map(|place| rows.iter().map(|(row, _)| f64::from(row[place])).collect()).collect();
        let target: Vec<f64> = rows.iter().map(|(_, y)| f64::from(*y)).collect();
        let clusters: Vec<u64> = (0..rows.len() as u64).collect();
        let features: Vec<Feature> = names.iter().zip(&values).map(|(name, values)| number(name, values)).collect();
        let parts = Parts::of(clusters.iter().copied()).unwrap();
        if let Ok(regression) = Regression::of(&features, Values::Numeric(&target), &clusters, &parts) {
            let expected = projected(&values, &target);
            prop_assert!((regression.r_squared().unwrap() - expected).abs() < 1e-9);
            if let Ok(fit) = regression.fit() {
                // Residuals of the fit explain what is left.
                let left: f64 = (0..rows.len()).map(|row| {
                    let slopes = fit.coefficients.iter().map(|own| {
                        own.value * values[names.iter().position(|name| *name == own.name).unwrap()][row]
                    });
                    (target[row] - fit.intercept - slopes.sum::<f64>()).powi(2)
                }).sum();
                let mean = target.iter().sum::<f64>() / target.len() as f64;
                let total: f64 = target.iter().map(|own| (own - mean).powi(2)).sum();
                prop_assert!((1.0 - left / total - expected).abs() < 1e-9);
                prop_assert_eq!(fit.coefficients.len() + fit.dropped.len(), 5);
            }
            let shares = regression.shares(Players::Features).unwrap();
            let sum: f64 = shares.iter().map(|own| own.shapley).sum();
            prop_assert!((sum - expected).abs() < 1e-9);
        }
    }
}
