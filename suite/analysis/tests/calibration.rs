//! Calibration against scikit-learn and brute force: see `goldens/make_calibration.py`.
#![allow(clippy::unwrap_used)]

use haltbench_analysis::Reason;
use haltbench_analysis::calibration::{Binning, RiskCoverage, Scored, auroc, brier, reliability};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Bins {
    kind: String,
    number: usize,
    counts: Vec<usize>,
    scores: Vec<f64>,
    shares: Vec<f64>,
    expected_error: f64,
    largest_error: f64,
    reliability: f64,
    resolution: f64,
    within: f64,
    uncertainty: f64,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    scores: Vec<f64>,
    events: Vec<bool>,
    bins: Vec<Bins>,
    brier: f64,
    auroc: Option<f64>,
    /// Threshold, coverage, risk.
    points: Vec<[f64; 3]>,
    area: f64,
    excess: f64,
}

fn cases() -> Vec<Case> {
    let all: Value = serde_json::from_str(include_str!("goldens/calibration.json")).unwrap();
    serde_json::from_value(all["cases"].clone()).unwrap()
}

#[track_caller]
fn close(what: &str, ours: f64, expected: f64) {
    assert!((ours - expected).abs() < 1e-12, "{what}: {ours}, expected {expected}");
}

#[test]
fn reliability_and_brier() {
    for case in cases() {
        for bins in &case.bins {
            let what = format!("{}, {} {}", case.name, bins.number, bins.kind);
            let binning = match bins.kind.as_str() {
                "equal_width" => Binning::EqualWidth(bins.number),
                _ => Binning::EqualMass(bins.number),
            };
            let ours = reliability(&case.scores, &case.events, binning).unwrap();
            assert_eq!(ours.bins.iter().map(|bin| bin.count).collect::<Vec<_>>(), bins.counts, "{what}");
            for ((bin, score), share) in ours.bins.iter().zip(&bins.scores).zip(&bins.shares) {
                close(&what, bin.score, *score);
                close(&what, bin.share, *share);
            }
            close(&what, ours.expected_error, bins.expected_error);
            close(&what, ours.largest_error, bins.largest_error);
            let ours = brier(&case.scores, &case.events, binning).unwrap();
            close(&what, ours.score, case.brier);
            close(&what, ours.reliability, bins.reliability);
            close(&what, ours.resolution, bins.resolution);
            close(&what, ours.uncertainty, bins.uncertainty);
            close(&what, ours.within, bins.within);
        }
    }
}

#[test]
fn area_under_the_roc() {
    for case in cases() {
        match (auroc(&case.scores, &case.events), case.auroc) {
            (Ok(ours), Some(expected)) => close(&case.name, ours, expected),
            (ours, expected) => assert_eq!((ours, expected), (Err(Reason::Constant), None), "{}", case.name),
        }
    }
}

#[test]
fn risk_and_coverage() {
    for case in cases() {
        let ours = RiskCoverage::of(&case.scores, &case.events).unwrap();
        assert_eq!(ours.points.len(), case.points.len(), "{}", case.name);
        for (own, [threshold, coverage, risk]) in ours.points.iter().zip(&case.points) {
            close(&case.name, own.threshold, *threshold);
            close(&case.name, own.coverage, *coverage);
            close(&case.name, own.risk, *risk);
        }
        close(&case.name, ours.area, case.area);
        close(&case.name, ours.excess, case.excess);
    }
}

#[test]
fn reasons() {
    let width = Binning::EqualWidth(10);
    let statistics = |scores: &[f64], events: &[bool]| {
        [
            reliability(scores, events, width).map(|_| ()).unwrap_err(),
            brier(scores, events, width).map(|_| ()).unwrap_err(),
            auroc(scores, events).map(|_| ()).unwrap_err(),
            RiskCoverage::of(scores, events).map(|_| ()).unwrap_err(),
        ]
    };
    assert_eq!(statistics(&[], &[]), [Reason::Empty; 4]);
    assert_eq!(statistics(&[0.5], &[true, false]), [Reason::Mismatched; 4]);
    assert_eq!(statistics(&[0.5, f64::NAN], &[true, false]), [Reason::NotFinite; 4]);
    let none = Reason::TooFew { needed: 1, found: 0 };
    assert_eq!(reliability(&[0.5], &[true], Binning::EqualMass(0)).unwrap_err(), none);
    assert_eq!(reliability(&[1.5, 0.5], &[true, false], width).unwrap_err(), Reason::OutOfRange);
    assert_eq!(brier(&[-0.1, 0.5], &[true, false], width).unwrap_err(), Reason::OutOfRange);
    assert_eq!(auroc(&[-7.0, 30.0], &[false, true]), Ok(1.0));
    let curve = RiskCoverage::of(&[0.9, 0.8, 0.7, 0.1], &[true, false, true, false]).unwrap();
    assert_eq!(curve.coverage_at(0.34), Ok(0.75));
    assert_eq!(curve.coverage_at(0.0), Ok(0.25));
    assert_eq!(RiskCoverage::of(&[0.9], &[false]).unwrap().coverage_at(0.5), Err(Reason::OutOfRange));
}

/// A weight is a repeat count.
#[test]
fn weighted_scores() {
    for case in cases() {
        let weight = |row: usize| (row * 7 % 4) as u32;
        let (mut scores, mut events) = (Vec::new(), Vec::new());
        for (row, (score, event)) in case.scores.iter().zip(&case.events).enumerate() {
            (0..weight(row)).for_each(|_| {
                scores.push(*score);
                events.push(*event);
            });
        }
        let ours = Scored::of(&case.scores, &case.events).unwrap();
        if scores.is_empty() {
            assert_eq!(ours.risk_coverage(weight), Err(Reason::Empty));
            continue;
        }
        assert_eq!(ours.auroc(weight), auroc(&scores, &events));
        assert_eq!(ours.risk_coverage(weight), RiskCoverage::of(&scores, &events));
    }
}

proptest! {
    #[test]
    fn order_does_not_matter(pairs in prop::collection::vec((0_u32..9, any::<bool>()), 1..40)) {
        let split = |pairs: &[(u32, bool)]| -> (Vec<f64>, Vec<bool>) {
            pairs.iter().map(|(score, event)| (f64::from(*score) / 8.0, *event)).unzip()
        };
        let turned: Vec<(u32, bool)> = pairs.iter().rev().copied().collect();
        let ((x, e), (y, f)) = (split(&pairs), split(&turned));
        prop_assert_eq!(auroc(&x, &e), auroc(&y, &f));
        prop_assert_eq!(RiskCoverage::of(&x, &e), RiskCoverage::of(&y, &f));
        let error = |x: &[f64], e: &[bool]| reliability(x, e, Binning::EqualMass(5)).unwrap().expected_error;
        prop_assert!((error(&x, &e) - error(&y, &f)).abs() < 1e-12);
        // Turning events around mirrors the area.
        let opposite: Vec<bool> = e.iter().map(|event| !event).collect();
        match (auroc(&x, &e), auroc(&x, &opposite)) {
            (Ok(a), Ok(b)) => prop_assert!((a + b - 1.0).abs() < 1e-12),
            (a, b) => prop_assert_eq!(a, b),
        }
    }
}
