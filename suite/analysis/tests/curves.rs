//! Curves and areas against scikit-learn, SciPy and brute force: see `goldens/make_curves.py`.
#![allow(clippy::unwrap_used)]

use haltbench_analysis::curves::{first_sustained, isotonic, isotonic_fit, phases};
use haltbench_analysis::frontier::{CostScale, hypervolume};
use haltbench_analysis::resampling::{Draws, Purpose};
use haltbench_analysis::{Frontier, Reason};
use serde::Deserialize;
use serde_json::Value;

fn golden<T: for<'a> Deserialize<'a>>(name: &str) -> T {
    let all: Value = serde_json::from_str(include_str!("goldens/curves.json")).unwrap();
    serde_json::from_value(all[name].clone()).unwrap()
}

#[track_caller]
fn close(what: &str, ours: f64, expected: f64, tolerance: f64) {
    assert!((ours - expected).abs() <= tolerance * expected.abs().max(1.0), "{what}: {ours}, expected {expected}");
}

#[test]
fn isotonic_sequences() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        values: Vec<f64>,
        weights: Vec<f64>,
        fitted: Vec<f64>,
    }
    for case in golden::<Vec<Case>>("sequences") {
        let ours = isotonic(&case.values, &case.weights).unwrap();
        assert_eq!(ours.len(), case.fitted.len());
        ours.iter().zip(&case.fitted).for_each(|(own, expected)| close(&case.name, *own, *expected, 1e-12));
    }
}

#[test]
fn isotonic_functions() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        x: Vec<f64>,
        y: Vec<f64>,
        levels: Vec<f64>,
        means: Vec<f64>,
        fitted: Vec<f64>,
        r_squared: f64,
        largest: f64,
    }
    for case in golden::<Vec<Case>>("fits") {
        let ours = isotonic_fit(&case.x, &case.y).unwrap();
        assert_eq!(ours.x, case.levels);
        ours.means.iter().zip(&case.means).for_each(|(own, expected)| close(&case.name, *own, *expected, 1e-12));
        ours.fitted.iter().zip(&case.fitted).for_each(|(own, expected)| close(&case.name, *own, *expected, 1e-12));
        close(&case.name, ours.r_squared, case.r_squared, 1e-12);
        close(&case.name, ours.largest_r_squared, case.largest, 1e-12);
    }
}

#[derive(Deserialize)]
struct Bend {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    place: usize,
    before: f64,
    after: f64,
    rise: f64,
    fall: f64,
    evidence: f64,
}

#[test]
fn bent_lines() {
    for case in golden::<Vec<Bend>>("bends") {
        let ours = phases(&case.x, &case.y, 0.5).unwrap();
        assert_eq!(ours.place, case.place, "{}", case.name);
        assert_eq!(ours.change, case.x[case.place]);
        close(&case.name, ours.slope_before, case.before, 1e-9);
        close(&case.name, ours.slope_after, case.after, 1e-9);
        close(&case.name, ours.rise, case.rise, 1e-9);
        close(&case.name, ours.fall, case.fall, 1e-9);
        close(&case.name, ours.evidence, case.evidence, 1e-9);
        assert_eq!(
            ours.two,
            ["rise and fall", "five points", "uneven steps"].contains(&case.name.as_str()),
            "{}: {ours:?}",
            case.name
        );
    }
}

/// A rise and fall too small to count is one phase, and so is an exact line; an exact bend is found exactly.
#[test]
fn rules_of_phases() {
    let case = golden::<Vec<Bend>>("bends").into_iter().find(|case| case.name == "rise and fall").unwrap();
    assert!(!phases(&case.x, &case.y, case.fall + 0.01).unwrap().two);
    let x: Vec<f64> = (0..12).map(f64::from).collect();
    let roof: Vec<f64> = x.iter().map(|own| if *own <= 4.0 { 2.0 * own } else { 8.0 - 0.5 * (own - 4.0) }).collect();
    let ours = phases(&x, &roof, 0.0).unwrap();
    assert_eq!((ours.place, ours.two), (4, true));
    close("before", ours.slope_before, 2.0, 1e-12);
    close("fall", ours.fall, 3.5, 1e-12);
    let line = phases(&x, &x, 0.0).unwrap();
    assert!(!line.two && line.evidence < 0.0, "{line:?}");
}

/// How often independent noise of deviation 1 around a line counts as two phases with a rise and fall of at least 0.5: in
/// about 0.013 of trials with five points, 0.004 with ten, 0.0005 with 30.
#[test]
fn noise_is_no_phase() {
    let mut draws = Draws::new(3, Purpose::Permutation);
    // A sum of twelve uniform numbers is nearly normal.
    let mut normal = || (0..12).map(|_| draws.below(1 << 20) as f64 / f64::from(1 << 20)).sum::<f64>() - 6.0;
    for (points, most) in [(5, 30), (10, 12), (30, 4)] {
        for slope in [0.0, 3.0] {
            let x: Vec<f64> = (0..points).map(f64::from).collect();
            let mut found = 0;
            for _ in 0..1000 {
                let y: Vec<f64> = x.iter().map(|own| slope * own / f64::from(points) + normal()).collect();
                found += u32::from(phases(&x, &y, 0.5).unwrap().two);
            }
            assert!(found <= most, "{points} points, slope {slope}: {found} of 1000");
        }
    }
}

#[test]
fn sustained_levels() {
    let of = |values: &[f64]| first_sustained(values, 0.9).unwrap();
    assert_eq!(of(&[0.1, 0.95, 0.5, 0.9, 0.99]), Some(3));
    assert_eq!(of(&[0.95, 0.9]), Some(0));
    assert_eq!(of(&[0.95, 0.8]), None);
    assert_eq!(first_sustained(&[], 0.5), Err(Reason::Empty));
    assert_eq!(first_sustained(&[f64::NAN], 0.5), Err(Reason::NotFinite));
    assert_eq!(first_sustained(&[0.5], f64::INFINITY), Err(Reason::NotFinite));
}

#[test]
fn areas_below_frontiers() {
    #[derive(Deserialize)]
    struct Case {
        points: Vec<(f64, f64)>,
        low: f64,
        high: f64,
        linear: f64,
        logarithmic: f64,
    }
    for case in golden::<Vec<Case>>("areas") {
        let frontier = Frontier::new(&case.points).unwrap();
        for (scale, expected) in [(CostScale::Linear, case.linear), (CostScale::Logarithmic, case.logarithmic)] {
            close("area", frontier.mean_accuracy(case.low, case.high, scale).unwrap(), expected, 1e-10);
        }
    }
    let frontier = Frontier::new(&[(2.0, 0.5), (4.0, 0.7)]).unwrap();
    let of = |low: f64, high: f64, scale: CostScale| frontier.mean_accuracy(low, high, scale).unwrap_err();
    assert_eq!(of(1.0, 3.0, CostScale::Linear), Reason::OutsideFrontier);
    assert_eq!(of(3.0, 3.0, CostScale::Linear), Reason::OutOfRange);
    assert_eq!(of(0.0, 3.0, CostScale::Logarithmic), Reason::OutOfRange);
    assert_eq!(of(2.0, f64::INFINITY, CostScale::Linear), Reason::NotFinite);
}

#[test]
fn hypervolumes() {
    #[derive(Deserialize)]
    struct Case {
        points: Vec<(f64, f64)>,
        reference: (f64, f64),
        volume: f64,
    }
    for case in golden::<Vec<Case>>("volumes") {
        close("volume", hypervolume(&case.points, case.reference).unwrap(), case.volume, 1e-12);
    }
    assert_eq!(hypervolume(&[], (1.0, 0.0)), Err(Reason::Empty));
    assert_eq!(hypervolume(&[(1.0, f64::NAN)], (1.0, 0.0)), Err(Reason::NotFinite));
}

#[test]
fn reasons() {
    assert_eq!(isotonic(&[], &[]), Err(Reason::Empty));
    assert_eq!(isotonic(&[1.0], &[]), Err(Reason::Mismatched));
    assert_eq!(isotonic(&[f64::NAN], &[1.0]), Err(Reason::NotFinite));
    assert_eq!(isotonic(&[1.0], &[0.0]), Err(Reason::OutOfRange));
    assert_eq!(isotonic_fit(&[], &[]), Err(Reason::Empty));
    assert_eq!(isotonic_fit(&[1.0, 1.0], &[1.0, 2.0]), Err(Reason::Constant));
    assert_eq!(isotonic_fit(&[1.0, 2.0], &[2.0, 2.0]), Err(Reason::Constant));
    assert_eq!(isotonic_fit(&[1.0, 2.0], &[2.0]), Err(Reason::Mismatched));
    assert_eq!(isotonic_fit(&[1.0, 2.0], &[2.0, f64::INFINITY]), Err(Reason::NotFinite));
    let x = [0.0, 1.0, 2.0, 3.0, 4.0];
    assert_eq!(phases(&x[..4], &x[..4], 0.0), Err(Reason::TooFew { needed: 5, found: 4 }));
    assert_eq!(phases(&x, &[1.0; 5], 0.0), Err(Reason::Constant));
    assert_eq!(phases(&x, &x[..4], 0.0), Err(Reason::Mismatched));
    assert_eq!(phases(&[0.0, 1.0, 1.0, 2.0, 3.0], &x, 0.0), Err(Reason::OutOfRange));
    assert_eq!(phases(&x, &x, -1.0), Err(Reason::OutOfRange));
    assert_eq!(phases(&x, &[0.0, 1.0, f64::NAN, 0.0, 0.0], 0.0), Err(Reason::NotFinite));
}
