//! The generator against exact distributions.

use super::{derivation, language};
use crate::grammar::Grammar;

/// Mean and variance of the length of every symbol's yield, mean number of nodes of every level, derivation entropy.
struct Law {
    mean: f64,
    variance: f64,
    entropy: f64,
    nodes: Vec<f64>,
}

fn law(grammar: &Grammar) -> Law {
    let symbols = grammar.nonterminals() + grammar.terminals().len();
    // Terminals have mean 1, second moment 1 and entropy 0; children have higher numbers than parents.
    let mut moments = vec![(1.0, 1.0, 0.0); symbols];
    for symbol in (0..grammar.nonterminals()).rev() {
        let alternatives = grammar.alternatives(symbol);
        let share = 1.0 / alternatives.len() as f64;
        let (mut mean, mut second, mut entropy) = (0.0, 0.0, -share.ln());
        for word in alternatives {
            let sum: f64 = word.iter().map(|child| moments[*child].0).sum();
            let variance: f64 = word.iter().map(|child| moments[*child].1 - moments[*child].0.powi(2)).sum();
            mean += share * sum;
            second += share * (variance + sum * sum);
            entropy += share * word.iter().map(|child| moments[*child].2).sum::<f64>();
        }
        moments[symbol] = (mean, second, entropy);
    }
    let mut visits = vec![0.0; symbols];
    visits[0] = 1.0;
    let mut nodes = vec![0.0; grammar.depth() + 1];
    for symbol in 0..symbols {
        nodes[grammar.level(symbol)] += visits[symbol];
        let alternatives = grammar.alternatives(symbol);
        for child in alternatives.iter().flatten() {
            visits[*child] += visits[symbol] / alternatives.len() as f64;
        }
    }
    let (mean, second, entropy) = moments[0];
    Law { mean, variance: second - mean * mean, entropy, nodes }
}

/// Name, depth, rules, mean, deviation, extremes, entropy, internal nodes.
type Row = (&'static str, usize, usize, f64, f64, (usize, usize), f64, f64);

const PUBLISHED: [Row; 4] = [
    ("cfg3b", 6, 32, 2205.0 / 8.0, 41.71, (138, 432), 117.315, 169.25),
    ("cfg3f", 6, 54, 5_181_103.0 / 20_736.0, 69.38, (64, 729), 186.221, 158.548),
    ("cfg3j", 7, 57, 14_686.0 / 27.0, 133.60, (128, 2052), 428.771, 390.284),
    ("cfg3k", 7, 68, 5_353_051.0 / 10_368.0, 91.06, (132, 1458), 421.664, 340.234),
];

#[test]
fn published_grammars_have_the_known_moments() {
    for (name, depth, rules, mean, deviation, extremes, entropy, internal) in PUBLISHED {
        let language = language(name);
        let grammar = &language.grammar;
        let found = law(grammar);
        assert_eq!(grammar.depth(), depth);
        let counted: usize = (0..grammar.nonterminals()).map(|symbol| grammar.alternatives(symbol).len()).sum();
        assert_eq!(counted, rules);
        assert_eq!(grammar.extreme_lengths(), extremes);
        assert!((found.mean - mean).abs() < 1e-9, "{name}: {}", found.mean);
        assert!((found.variance.sqrt() - deviation).abs() < 0.005, "{name}: {}", found.variance.sqrt());
        assert!((found.entropy - entropy).abs() < 5e-4, "{name}: {}", found.entropy);
        assert!((found.nodes[..depth].iter().sum::<f64>() - internal).abs() < 1e-3, "{name}");
    }
}

/// Known: twelve strings, with 5.75 tokens and 3.5 internal nodes on average, and an entropy of 2.426015 nats.
#[test]
fn the_toy_grammar_has_the_known_moments() {
    let toy = language("toy");
    let found = law(&toy.grammar);
    assert!((found.mean - 5.75).abs() < 1e-12 && (found.entropy - 2.426015).abs() < 5e-7);
    assert!((found.nodes[..2].iter().sum::<f64>() - 3.5).abs() < 1e-12, "{:?}", found.nodes);
    // A root with two or three symbols below it, equally likely.
    let count = 10_000;
    let internal: usize = (0..count).map(|seed| derivation(&toy, seed).closes.iter().sum::<usize>()).sum();
    let mean = internal as f64 / count as f64;
    assert!((mean - 3.5).abs() < 4.0 * 0.5 / (count as f64).sqrt(), "{mean}");
}

#[test]
fn closes_follow_the_expected_numbers_of_nodes() {
    let known = [
        ("cfg3b", vec![0.4, 0.1333, 0.0508, 0.0190, 0.0073, 0.0036]),
        ("cfg3f", vec![0.3928, 0.1486, 0.0560, 0.0231, 0.0100, 0.0040]),
        ("cfg3j", vec![0.4286, 0.1695, 0.0714, 0.0305, 0.0114, 0.0043, 0.0018]),
        ("cfg3k", vec![0.4057, 0.1496, 0.0634, 0.0253, 0.0092, 0.0039, 0.0019]),
    ];
    for (name, shares) in known {
        let language = language(name);
        let (law, depth) = (law(&language.grammar), language.grammar.depth());
        for (count, share) in shares.iter().enumerate() {
            let exact = law.nodes[depth - 1 - count] / law.mean;
            assert!((exact - share).abs() < 5.1e-5, "{name} {count}: {exact}");
        }
    }
}

#[test]
fn samples_follow_the_exact_laws() {
    for (name, ..) in PUBLISHED {
        let language = language(name);
        let (law, depth) = (law(&language.grammar), language.grammar.depth());
        let count = 10_000;
        let mut tokens = 0;
        let mut closed = vec![0; depth + 1];
        for seed in 0..count {
            let derivation = derivation(&language, seed);
            tokens += derivation.string.len();
            for closes in &derivation.closes {
                closed[*closes] += 1;
            }
        }
        let mean = tokens as f64 / count as f64;
        let error = (law.variance / count as f64).sqrt();
        assert!((mean - law.mean).abs() < 4.0 * error, "{name}: {mean}");
        // Numbers of nodes vary by a few tenths of their mean, so the error of 10,000 derivations is a few thousandths.
        for closes in 1..=depth {
            let found = closed[closes..].iter().sum::<usize>() as f64 / count as f64;
            let exact = law.nodes[depth - closes];
            assert!((found - exact).abs() < 0.01 * exact, "{name} {closes}: {found}, not {exact}");
        }
    }
}

#[test]
fn constituents_are_those_of_the_derivation() {
    for name in ["cfg3b", "cfg3k", "toy"] {
        let language = language(name);
        let depth = language.grammar.depth();
        for seed in 0..200 {
            let derivation = derivation(&language, seed);
            let length = derivation.string.len();
            let (first, last) = (derivation.opens(0), derivation.closes[length - 1]);
            assert_eq!((first, last), (depth, depth));
            let opened: usize = (0..length).map(|index| derivation.opens(index)).sum();
            assert_eq!(opened, derivation.closes.iter().sum::<usize>());
            assert_eq!(derivation.lookback(0), None);
            for index in 1..length {
                // As many levels close before a token as open at it, and the evidence is below them.
                assert_eq!(derivation.closes[index - 1], derivation.opens(index));
                let inner = depth - 1 - derivation.opens(index);
                let back = index - derivation.start(index, inner);
                assert_eq!(derivation.lookback(index), Some(back));
                assert!(back > 0);
            }
            assert!(language.derivations(&derivation.string) > 0);
        }
    }
}
