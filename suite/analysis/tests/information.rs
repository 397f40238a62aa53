//! Mutual information against scikit-learn and SciPy: see `goldens/make_information.py`.
#![allow(clippy::unwrap_used)]

use haltbench_analysis::Reason;
use haltbench_analysis::information::{Joint, equal_mass_bins, permutation_null};
use serde::Deserialize;
use serde_json::Value;

fn golden<T: for<'a> Deserialize<'a>>(name: &str) -> T {
    let all: Value = serde_json::from_str(include_str!("goldens/information.json")).unwrap();
    serde_json::from_value(all[name].clone()).unwrap()
}

#[track_caller]
fn close(what: &str, ours: f64, expected: f64, tolerance: f64) {
    assert!((ours - expected).abs() <= tolerance, "{what}: {ours}, expected {expected}");
}

#[derive(Deserialize)]
struct Case {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    plug_in: f64,
    miller_madow: f64,
    normalised: f64,
    entropy_x: f64,
    entropy_y: f64,
    expected: f64,
}

#[test]
fn mutual_information() {
    for case in golden::<Vec<Case>>("cases") {
        let ours = Joint::of(&case.x, &case.y).unwrap().information();
        close(&case.name, ours.plug_in, case.plug_in, 1e-12);
        close(&case.name, ours.miller_madow, case.miller_madow, 1e-12);
        close(&case.name, ours.normalised, case.normalised, 1e-12);
        close(&case.name, ours.entropy_x, case.entropy_x, 1e-12);
        close(&case.name, ours.entropy_y, case.entropy_y, 1e-12);
        assert_eq!(ours.count, case.x.len());
        let turned = Joint::of(&case.y, &case.x).unwrap().information();
        close(&case.name, turned.plug_in, case.plug_in, 1e-12);
    }
}

/// The mean over random permutations is the expected mutual information of the hypergeometric model.
#[test]
fn the_mean_of_the_null_is_the_expected_information() {
    for case in golden::<Vec<Case>>("cases") {
        let joint = Joint::of(&case.x, &case.y).unwrap();
        let null = permutation_null(&joint, None, 2000, 5).unwrap();
        close(&case.name, null.mean, case.expected, 4.0 * null.deviation / 2000_f64.sqrt() + 1e-12);
    }
}

/// p, mean and deviation of all permutations, within four standard errors of 20,000 random ones.
#[test]
fn nulls_of_small_samples() {
    #[derive(Deserialize)]
    struct Small {
        name: String,
        x: Vec<f64>,
        y: Vec<f64>,
        strata: Vec<f64>,
        mean: f64,
        deviation: f64,
        p: f64,
    }
    for case in golden::<Vec<Small>>("nulls") {
        let joint = Joint::of(&case.x, &case.y).unwrap();
        let null = permutation_null(&joint, Some(&case.strata), 20_000, 9).unwrap();
        let root = 20_000_f64.sqrt();
        close(&case.name, null.p, case.p, 4.0 * (case.p * (1.0 - case.p)).sqrt() / root + 1.0 / 20_001.0);
        close(&case.name, null.mean, case.mean, 4.0 * case.deviation / root + 1e-12);
        close(&case.name, null.deviation, case.deviation, 0.03 * case.deviation + 1e-12);
        assert_eq!(
            permutation_null(&joint, Some(&case.strata), 50, 9),
            permutation_null(&joint, Some(&case.strata), 50, 9)
        );
    }
}

#[test]
fn bins_of_equal_mass() {
    let values: Vec<f64> = (0..10).map(|k| f64::from(k * 7 % 10)).collect();
    let bins = equal_mass_bins(&values, 5).unwrap();
    for (value, bin) in values.iter().zip(&bins) {
        assert_eq!(*bin, (value / 2.0).floor());
    }
    // Six ties have the ranks 1 to 6, 3.5 on average, in the second of four bins.
    let tied = equal_mass_bins(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 5.0, 9.0], 4).unwrap();
    assert_eq!(tied, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 3.0, 3.0]);
    assert_eq!(equal_mass_bins(&[3.0; 4], 3).unwrap(), [1.0; 4]);
    assert_eq!(equal_mass_bins(&[], 3).unwrap(), [0.0; 0]);
    assert_eq!(equal_mass_bins(&[1.0], 0), Err(Reason::TooFew { needed: 1, found: 0 }));
    assert_eq!(equal_mass_bins(&[f64::NAN], 2), Err(Reason::NotFinite));
}

#[test]
fn reasons() {
    let of = |x: &[f64], y: &[f64]| Joint::of(x, y).unwrap_err();
    assert_eq!(of(&[], &[]), Reason::Empty);
    assert_eq!(of(&[1.0], &[1.0]), Reason::Constant);
    assert_eq!(of(&[1.0, 2.0], &[1.0]), Reason::Mismatched);
    assert_eq!(of(&[1.0, 2.0], &[3.0, 3.0]), Reason::Constant);
    assert_eq!(of(&[1.0, f64::NAN], &[3.0, 4.0]), Reason::NotFinite);
    let many: Vec<f64> = (0..4000).map(f64::from).collect();
    assert_eq!(of(&many, &many), Reason::TooMany { limit: 10_000_000, found: 16_000_000 });
    let joint = Joint::of(&[1.0, 1.0, 2.0, 2.0], &[1.0, 2.0, 3.0, 3.0]).unwrap();
    assert_eq!(permutation_null(&joint, None, 0, 1), Err(Reason::TooFew { needed: 1, found: 0 }));
    assert_eq!(permutation_null(&joint, Some(&[1.0]), 9, 1), Err(Reason::Mismatched));
    let each = [1.0, 2.0, 3.0, 4.0];
    assert_eq!(permutation_null(&joint, Some(&each), 9, 1), Err(Reason::Constant));
    // Within the values of x, x is constant.
    assert_eq!(permutation_null(&joint, Some(&[1.0, 1.0, 2.0, 2.0]), 9, 1), Err(Reason::Constant));
}
