//! Grammars whose strings can all be enumerated.

use super::{ambiguous, enumerate, language, noise, string};
use crate::earley::{Finding, recognise};
use crate::grammar::Terminal;
use crate::language::Language;
use crate::spans;

#[test]
fn the_toy_grammar_has_its_twelve_strings() {
    let toy = language("toy");
    let strings = enumerate(&toy.grammar);
    let eighths = ["1211", "12221", "2111", "21221"];
    let sixteenths = ["111211", "1112221", "112111", "1121221", "2211211", "22112221", "2212111", "22121221"];
    let known = eighths.map(|text| (text, 1.0 / 8.0)).into_iter().chain(sixteenths.map(|text| (text, 1.0 / 16.0)));
    let known: Vec<_> = known.collect();
    assert_eq!(strings.len(), known.len());
    for (text, probability) in known {
        assert_eq!(strings[&string(text)], (probability, 1), "{text}");
        assert!((toy.ln_probability(&string(text)) - probability.ln()).abs() < 1e-12, "{text}");
        assert_eq!(toy.derivations(&string(text)), 1);
    }
    let mean: f64 = strings.iter().map(|(string, (p, _))| p * string.len() as f64).sum();
    let entropy: f64 = strings.values().map(|(p, _)| -p * p.ln()).sum();
    assert_eq!(mean, 5.75);
    assert!((entropy - 2.426015).abs() < 1e-6);
    assert_eq!(toy.grammar.extreme_lengths(), (4, 8));
    assert_eq!(toy.next_token(&string("121")), Some(vec![1.0, 0.0, 0.0]));
    assert_eq!(toy.next_token(&string("1211")), Some(vec![0.0, 0.0, 1.0]));
    assert_eq!(toy.next_token(&string("122")), Some(vec![0.0, 1.0, 0.0]));
    assert_eq!(toy.next_token(&string("1212")), None);
}

/// All strings of up to `longest` tokens.
fn all_strings(terminals: Terminal, longest: usize) -> Vec<Vec<Terminal>> {
    let mut strings = vec![vec![]];
    let mut first = 0;
    for _ in 0..longest {
        let last = strings.len();
        for place in first..last {
            for terminal in 0..terminals {
                strings.push([strings[place].as_slice(), &[terminal]].concat());
            }
        }
        first = last;
    }
    strings
}

/// Compares membership, probabilities, next-token distributions and counts of all `strings` with enumeration.
fn agrees_with_enumeration(language: &Language, strings: &[Vec<Terminal>]) -> usize {
    let known = enumerate(&language.grammar);
    let total: f64 = known.values().map(|(probability, _)| probability).sum();
    assert!((total - 1.0).abs() < 1e-9, "{total}");
    let mut valid = 0;
    for string in strings {
        let (probability, count) = known.get(string).copied().unwrap_or_default();
        let parser = language.read(string);
        assert!((parser.ln_string().exp() - probability).abs() < 1e-12, "{string:?}");
        assert_eq!(parser.is_string(), probability > 0.0);
        assert_eq!(language.derivations(string), count, "{string:?}");
        assert!((spans::ln_probability(&language.grammar, string).exp() - probability).abs() < 1e-12);
        let continuations = known.iter().filter(|(longer, _)| longer.starts_with(string));
        let mut outcomes = vec![0.0; language.outcomes()];
        for (longer, (probability, _)) in continuations {
            let next = longer.get(string.len()).map_or(language.end(), |terminal| usize::from(*terminal));
            outcomes[next] += probability;
        }
        let prefix: f64 = outcomes.iter().sum();
        assert!((parser.ln_prefix().exp() - prefix).abs() < 1e-12, "{string:?}");
        assert_eq!(parser.is_prefix(), prefix > 0.0);
        let expected = match (probability > 0.0, prefix > 0.0) {
            (true, _) => Finding::Complete,
            (false, true) => Finding::Incomplete,
            (false, false) => {
                let starts = |length: &usize| !known.keys().any(|longer| longer.starts_with(&string[..*length]));
                Finding::Stuck((1..=string.len()).find(starts).unwrap() - 1)
            }
        };
        assert_eq!(recognise(&language.grammar, string), expected, "{string:?}");
        match language.next_token(string) {
            None => assert_eq!(prefix, 0.0),
            Some(distribution) => {
                for (found, outcome) in distribution.iter().zip(&outcomes) {
                    assert!((found - outcome / prefix).abs() < 1e-12, "{string:?}");
                }
            }
        }
        valid += usize::from(count > 0);
    }
    valid
}

#[test]
fn every_short_string_agrees_with_enumeration() {
    let toy = language("toy");
    assert_eq!(agrees_with_enumeration(&toy, &all_strings(2, 9)), 12);
}

#[test]
fn ambiguous_grammars_agree_with_enumeration() {
    let mut ambiguities = 0;
    for seed in 0..12 {
        let language = ambiguous(2, seed);
        let found = agrees_with_enumeration(&language, &all_strings(2, 9));
        assert!(found > 0);
        let counts = enumerate(&language.grammar);
        ambiguities += counts.values().filter(|(_, count)| *count > 1).count();
    }
    assert!(ambiguities > 10, "{ambiguities}");
    for seed in 0..4 {
        let language = ambiguous(3, seed);
        let mut strings: Vec<_> = enumerate(&language.grammar).into_keys().step_by(97).collect();
        strings.truncate(40);
        strings.extend((0..40).map(|seed| noise(&language, 12, seed)));
        agrees_with_enumeration(&language, &strings);
    }
}
