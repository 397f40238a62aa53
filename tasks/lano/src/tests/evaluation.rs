//! Evaluation of models: one that is exact, one that is uniform, one that is off by a known amount.

use haltbench_sdk::random::Stream;

use super::{derivation, enumerate, language, string};
use crate::baselines::baselines;
use crate::evaluation::{generated, teacher_forced};
use crate::grammar::Terminal;
use crate::language::Language;

/// The exact distribution, or a uniform one where no string continues.
fn exact(language: &Language, prefix: &[Terminal], distribution: &mut [f64]) {
    if !language.read(prefix).next_token(distribution) {
        distribution.fill(1.0 / distribution.len() as f64);
    }
}

/// Two thirds exact, one third uniform.
fn blurred(language: &Language, prefix: &[Terminal], distribution: &mut [f64]) {
    exact(language, prefix, distribution);
    let share = 1.0 / distribution.len() as f64;
    distribution.iter_mut().for_each(|probability| *probability = (2.0 * *probability + share) / 3.0);
}

#[test]
fn the_exact_model_is_perfect() {
    let toy = language("toy");
    let model = |prefix: &[Terminal], into: &mut [f64]| exact(&toy, prefix, into);
    let found = generated(&toy, 2000, 20, &mut Stream::new(0, "test", &[]), model).unwrap();
    assert_eq!((found.strings, found.valid, found.unfinished), (2000, 2000, 0));
    assert_eq!(found.valid_share(), Some(1.0));
    assert!(found.comparison.divergence.abs() < 1e-9);
    let mean = found.tokens as f64 / 2000.0;
    assert!((mean - 5.75).abs() < 0.13, "{mean}");
    // The entropy of a string is the mean of its summed next-token entropies and of its summed surprisals.
    for sum in [found.comparison.entropy, found.comparison.cross_entropy] {
        assert!((sum / 2000.0 - 2.426015).abs() < 0.05, "{sum}");
    }
}

#[test]
fn divergence_of_strings_is_the_sum_over_positions() {
    let toy = language("toy");
    let strings = enumerate(&toy.grammar);
    let (mut by_position, mut by_string) = (0.0, 0.0);
    for (string, (probability, _)) in &strings {
        let model = |prefix: &[Terminal], into: &mut [f64]| blurred(&toy, prefix, into);
        let found = teacher_forced(&toy, [string.as_slice()], model).unwrap();
        assert_eq!(found.positions, string.len() + 1);
        by_position += probability * found.divergence;
        by_string += probability * (probability.ln() + found.cross_entropy);
    }
    assert!((by_position - by_string).abs() < 1e-12, "{by_position} {by_string}");
    assert!(by_position > 0.1);
}

#[test]
fn hits_are_counted_against_what_is_attainable() {
    let toy = language("toy");
    let model = |prefix: &[Terminal], into: &mut [f64]| exact(&toy, prefix, into);
    let found = teacher_forced(&toy, [string("1211").as_slice()], model).unwrap();
    // After 1 another 1 is as probable as 2, and the first of equals counts as the most probable.
    assert_eq!((found.hits, found.attainable_hits, found.positions), (4, 4, 5));
    let last = |_: &[Terminal], into: &mut [f64]| into.copy_from_slice(&[0.1, 0.8, 0.1]);
    let found = teacher_forced(&toy, [string("1211").as_slice()], last).unwrap();
    assert_eq!((found.hits, found.attainable_hits), (1, 4));
}

#[test]
fn a_uniform_model_is_nearly_always_invalid_and_is_cut_off() {
    let language = language("cfg3b");
    let uniform = |_: &[Terminal], into: &mut [f64]| into.fill(0.25);
    let found = generated(&language, 300, 10, &mut Stream::new(1, "test", &[]), uniform).unwrap();
    assert_eq!(found.valid, 0);
    let share = found.unfinished as f64 / 300.0;
    assert!((share - 0.75f64.powi(11)).abs() < 0.05, "{share}");
    let string = derivation(&language, 0).string;
    let found = teacher_forced(&language, [string.as_slice()], uniform).unwrap();
    let expected = (string.len() + 1) as f64 * 4f64.ln() - found.entropy;
    assert!((found.divergence - expected).abs() < 1e-9);
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let toy = language("toy");
    let uniform = |_: &[Terminal], into: &mut [f64]| into.fill(1.0 / 3.0);
    let error = teacher_forced(&toy, [string("1212").as_slice()], uniform).unwrap_err().to_string();
    let expected =
        "string to compare on: expected a string of the language, found no string continues like this at token 4";
    assert_eq!(error, expected);
    let broken = |_: &[Terminal], into: &mut [f64]| into.copy_from_slice(&[0.5, f64::NAN, 0.5]);
    assert!(
        teacher_forced(&toy, [string("1211").as_slice()], broken).unwrap_err().to_string().contains("no distribution")
    );
    // An outcome that is possible and excluded makes a model infinitely wrong, not silently right.
    let certain = |_: &[Terminal], into: &mut [f64]| into.copy_from_slice(&[1.0, 0.0, 0.0]);
    let found = teacher_forced(&toy, [string("1211").as_slice()], certain).unwrap();
    assert_eq!(found.divergence, f64::INFINITY);
}

#[test]
fn baselines_of_the_toy_grammar_are_exact() {
    let toy = language("toy");
    let strings = enumerate(&toy.grammar);
    // Every string as often as it is drawn, in sixteenths.
    let often = |(string, (probability, _)): (&Vec<Terminal>, &(f64, u128))| {
        vec![string.clone(); (probability * 16.0) as usize]
    };
    let drawn: Vec<_> = strings.iter().flat_map(often).collect();
    let found = baselines(&toy, drawn.iter().map(Vec::as_slice)).unwrap();
    let positions: usize = drawn.iter().map(|string| string.len() + 1).sum();
    let ones: usize = drawn.iter().flatten().filter(|terminal| **terminal == 0).count();
    assert!((found.constant - ones as f64 / positions as f64).abs() < 1e-12);
    let model = |prefix: &[Terminal], into: &mut [f64]| exact(&toy, prefix, into);
    let hits = teacher_forced(&toy, drawn.iter().map(Vec::as_slice), model).unwrap().attainable_hits;
    assert!((found.optimal - hits as f64 / positions as f64).abs() < 1e-12);
    // Whatever is possible after a start of the toy grammar is equally probable.
    assert!(found.constant < found.possible && (found.possible - found.optimal).abs() < 1e-12, "{found:?}");
    assert_eq!(baselines(&toy, []), None);
    assert_eq!(baselines(&toy, [string("121").as_slice()]), None);
}
