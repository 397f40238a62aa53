//! Statistics against reference values computed from their equations without this crate: see `goldens/equations.json`.
#![allow(clippy::unwrap_used)]

use haltbench_analysis::correlation::{partial_spearman, somers_d, spearman, tau_b, within_stratum_spearman};
use haltbench_analysis::letters::{columns, letters};
use haltbench_analysis::mean_squares::MeanSquares;
use haltbench_analysis::regression::{Feature, Parts, Players, Regression, Values};
use haltbench_analysis::{CostAccuracy, Crossed, Frontier, Gain, adapt_gain};
use serde::Deserialize;
use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

fn golden<T: for<'a> Deserialize<'a>>(name: &str) -> T {
    let all: Value = serde_json::from_str(include_str!("goldens/equations.json")).unwrap();
    serde_json::from_value(all[name].clone()).unwrap()
}

#[track_caller]
fn close(ours: f64, expected: f64) {
    assert!((ours - expected).abs() < TOLERANCE * expected.abs().max(1.0), "{ours}, expected {expected}");
}

#[test]
fn mean_squares_and_variance_of_the_mean() {
    #[derive(Deserialize)]
    struct Case {
        values: Vec<Vec<f64>>,
        /// Mean, then mean squares of seeds, sequences and the rest.
        mean_squares: [f64; 4],
        variance: f64,
    }
    for case in golden::<Vec<Case>>("tables") {
        let squares = MeanSquares::of(&case.values).unwrap();
        close(squares.between_seeds, case.mean_squares[1]);
        close(squares.between_problems, case.mean_squares[2]);
        close(squares.rest, case.mean_squares[3]);
        // In all of these tables sequences vary more than the rest, so that nothing is clipped at 0.
        close(squares.variance_of_seeds() + squares.variance_of_problems(), case.variance);
        let units = (0..case.values[0].len() as u64).collect();
        close(Crossed::of_values(units, case.values, 0, 0).unwrap().mean(), case.mean_squares[0]);
    }
}

#[test]
fn paired_differences() {
    #[derive(Deserialize)]
    struct Case {
        values: Vec<Vec<Vec<f64>>>,
        pairs: Vec<(usize, usize)>,
        difference: Vec<f64>,
        standard_error: Vec<f64>,
    }
    let case: Case = golden("policies");
    let table = |values: &Vec<Vec<f64>>| Crossed::of_values((0..10).collect(), values.clone(), 30, 10).unwrap();
    let tables: Vec<Crossed> = case.values.iter().map(table).collect();
    for ((&(a, b), &difference), &error) in case.pairs.iter().zip(&case.difference).zip(&case.standard_error) {
        let ours = tables[a].minus(&tables[b]).unwrap();
        close(ours.mean(), difference);
        let squares = MeanSquares::of(ours.values()).unwrap();
        if squares.between_problems > squares.rest {
            close((squares.variance_of_seeds() + squares.variance_of_problems()).sqrt(), error);
        }
    }
}

#[test]
fn compact_letters() {
    #[derive(Deserialize)]
    struct Case {
        different: Vec<Vec<bool>>,
        columns: Vec<Vec<bool>>,
    }
    for name in ["interval", "not_an_interval", "all_equal", "all_different"] {
        let all: Value = golden("letters");
        let case: Case = serde_json::from_value(all[name].clone()).unwrap();
        let ours = columns(&case.different);
        assert_eq!(ours.len(), case.columns[0].len(), "{name}");
        for (item, own) in case.columns.iter().enumerate() {
            let carried: Vec<bool> = ours.iter().map(|column| column.contains(&item)).collect();
            assert_eq!(&carried, own, "{name}");
        }
        let letters = letters(&case.different);
        for (i, a) in letters.iter().enumerate() {
            for (j, b) in letters.iter().enumerate().filter(|(j, _)| i != *j) {
                assert_eq!(a.chars().any(|letter| b.contains(letter)), !case.different[i][j], "{name}: {a} {b}");
            }
        }
    }
    let apart = [vec![false, true], vec![true, false]];
    assert_eq!(letters(&apart), ["a", "b"]);
}

#[derive(Deserialize)]
struct Gains {
    #[serde(rename = "fixed.cost")]
    fixed_cost: Vec<f64>,
    #[serde(rename = "fixed.accuracy")]
    fixed_accuracy: Vec<f64>,
    #[serde(rename = "policy.cost")]
    cost: Vec<f64>,
    #[serde(rename = "policy.accuracy")]
    accuracy: Vec<f64>,
    #[serde(rename = "guess.accuracy")]
    guess: [f64; 1],
    hull: Vec<bool>,
    exact: Vec<bool>,
    gain_lower: Vec<f64>,
    gain_upper: Vec<f64>,
}

#[test]
fn gains_over_the_hull_and_their_bounds() {
    let case: Gains = golden("adapt_gain");
    // Two sequences around each mean, so that a table has a mean and some variance.
    let table = |mean: f64, spread: f64| {
        Crossed::of_values(vec![1, 2], vec![vec![mean - spread, mean + spread]], 2, 2).unwrap()
    };
    let of = |cost: f64, accuracy: f64| CostAccuracy { cost: table(cost, 0.5), accuracy: table(accuracy, 1.5) };
    let pairs: Vec<(f64, f64)> = case.fixed_cost.iter().copied().zip(case.fixed_accuracy.iter().copied()).collect();
    let mut vertices = Frontier::new(&pairs).unwrap().places().to_vec();
    vertices.sort_unstable();
    let expected: Vec<usize> = (0..case.hull.len()).filter(|&place| case.hull[place]).collect();
    assert_eq!(vertices, expected);
    let fixed: Vec<CostAccuracy> = pairs.iter().map(|&(cost, accuracy)| of(cost, accuracy)).collect();
    for policy in 0..case.cost.len() {
        let own = of(case.cost[policy], case.accuracy[policy]);
        match adapt_gain(&own, &fixed, Some(case.guess[0])).unwrap() {
            Gain::Exact(gain) => {
                assert!(case.exact[policy]);
                close(gain.mean(), case.gain_lower[policy]);
                close(gain.values()[0].iter().sum::<f64>() / 2.0, gain.mean());
            }
            Gain::Bounds { lower, upper } => {
                assert!(!case.exact[policy]);
                close(lower.mean(), case.gain_lower[policy]);
                close(upper.unwrap().mean(), case.gain_upper[policy]);
            }
        }
    }
}

#[derive(Deserialize)]
struct Tokens {
    lengths: Vec<usize>,
    size: Vec<f64>,
    complexity: Vec<Vec<f64>>,
    depth: Vec<Vec<f64>>,
    expected_depth: Vec<Vec<f64>>,
    expected: std::collections::BTreeMap<String, Vec<f64>>,
}

#[test]
fn alignment() {
    let case: Tokens = golden("alignment");
    let tokens: Vec<(usize, usize)> =
        case.lengths.iter().enumerate().flat_map(|(b, &length)| (0..length).map(move |t| (b, t))).collect();
    let of = |get: &dyn Fn(usize, usize) -> f64| -> Vec<f64> { tokens.iter().map(|&(b, t)| get(b, t)).collect() };
    let complexity = of(&|b, t| case.complexity[b][t]);
    let depth = of(&|b, t| case.depth[b][t]);
    let (size, position) = (of(&|b, _| case.size[b]), of(&|_, t| t as f64));
    let is = |name: &str, ours: f64| close(ours, case.expected[name][0]);
    is("spearman.pooled", spearman(&complexity, &depth).unwrap());
    is("kendall_tau_b", tau_b(&complexity, &depth).unwrap());
    is("somers_d", somers_d(&depth, &complexity).unwrap());
    is("within_size.weighted", within_stratum_spearman(&complexity, &depth, &size).unwrap().value);
    is("partial_spearman.size_position", partial_spearman(&complexity, &depth, &[&size, &position]).unwrap());
    let lowest = complexity.iter().copied().fold(f64::INFINITY, f64::min);
    let above: Vec<usize> = (0..tokens.len()).filter(|&i| complexity[i] > lowest).collect();
    let pick = |values: &[f64]| -> Vec<f64> { above.iter().map(|&i| values[i]).collect() };
    is("spearman.without_lowest", spearman(&pick(&complexity), &pick(&depth)).unwrap());
    // The same tokens, either predicted at the previous position or read at their own.
    let later: Vec<(usize, usize)> = tokens.iter().copied().filter(|(_, t)| *t > 0).collect();
    let read = |values: &Vec<Vec<f64>>, shift: usize| -> Vec<f64> {
        later.iter().map(|&(b, t)| values[b][t - shift]).collect()
    };
    let complexity = read(&case.complexity, 0);
    is("depth.unshifted", spearman(&complexity, &read(&case.depth, 1)).unwrap());
    is("depth.at_token", spearman(&complexity, &read(&case.depth, 0)).unwrap());
    is("expected_depth.unshifted", spearman(&complexity, &read(&case.expected_depth, 1)).unwrap());
    is("expected_depth.at_token", spearman(&complexity, &read(&case.expected_depth, 0)).unwrap());
}

#[test]
fn regression_shares() {
    #[derive(Deserialize)]
    struct Case {
        x: Vec<Vec<f64>>,
        size: Vec<u32>,
        y: Vec<f64>,
        r2: [f64; 1],
        r2_adjusted: [f64; 1],
        /// The intercept first.
        coefficients: Vec<f64>,
        coefficients_standardised: Vec<f64>,
        vif: Vec<f64>,
        gvif: Vec<f64>,
        delta_r2_column: Vec<f64>,
        first: Vec<f64>,
        last: Vec<f64>,
        shapley: Vec<f64>,
    }
    let case: Case = golden("regression_shares");
    let groups = ["static", "static", "state", "state", "state"];
    let names = ["0", "1", "2", "3", "4"];
    let numbers = names.iter().zip(groups).zip(&case.x);
    let mut features: Vec<Feature> =
        numbers.map(|((name, group), values)| Feature { name, group, values: Values::Numeric(values) }).collect();
    features.push(Feature { name: "size", group: "size", values: Values::Categorical(&case.size) });
    let clusters: Vec<u64> = (0..case.y.len() as u64).collect();
    let parts = Parts::of(clusters.iter().copied()).unwrap();
    let regression = Regression::of(&features, Values::Numeric(&case.y), &clusters, &parts).unwrap();
    let fit = regression.fit().unwrap();
    close(fit.r_squared, case.r2[0]);
    close(fit.adjusted.value.unwrap(), case.r2_adjusted[0]);
    close(fit.intercept, case.coefficients[0]);
    for (place, own) in fit.coefficients.iter().enumerate() {
        close(own.value, case.coefficients[place + 1]);
        close(own.standardised, case.coefficients_standardised[place]);
        close(own.inflation, case.vif[place]);
    }
    for (place, own) in regression.shares(Players::Groups).unwrap().iter().enumerate() {
        close(own.alone, case.first[place]);
        close(own.unique, case.last[place]);
        close(own.shapley, case.shapley[place]);
    }
    let unique = regression.unique(Players::Features).unwrap();
    for (own, expected) in unique.iter().zip(&case.delta_r2_column[..5]) {
        close(own.r_squared, *expected);
    }
    // The groups of this design as single features: the size, whose factor does not depend on the other two groups' split.
    let size = regression.inflations().into_iter().find(|own| own.feature == "size").unwrap();
    close(size.generalised, case.gvif[2]);
}
