//! The parser on long strings, on invalid strings, and reused.

use super::{derivation, language, noise};
use crate::language::Language;
use crate::spans;

#[test]
fn probabilities_are_those_of_the_inside_algorithm_in_log_space() {
    for name in ["cfg3b", "cfg3f", "cfg3j", "cfg3k"] {
        let language = language(name);
        for seed in 0..5 {
            let string = derivation(&language, seed).string;
            let (found, expected) =
                (language.ln_probability(&string), spans::ln_probability(&language.grammar, &string));
            assert!((found - expected).abs() < 1e-9 * expected.abs(), "{name} {seed}: {found}, not {expected}");
        }
    }
}

#[test]
fn surprisals_sum_to_the_strings_probability() {
    for name in ["cfg3b", "cfg3j"] {
        let language = language(name);
        let string = derivation(&language, 3).string;
        let mut parser = language.parser();
        let mut distribution = vec![0.0; language.outcomes()];
        let mut sum = 0.0;
        for terminal in &string {
            assert!(parser.next_token(&mut distribution));
            assert!((distribution.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            sum += distribution[usize::from(*terminal)].ln();
            parser.advance(*terminal);
            // The outside recursion and the prefix recursion give the same number.
            assert!((parser.ln_prefix() - sum).abs() < 1e-8, "{name}");
        }
        parser.next_token(&mut distribution);
        sum += distribution[language.end()].ln();
        assert!((parser.ln_string() - sum).abs() < 1e-8);
    }
}

#[test]
fn nothing_underflows_at_two_thousand_tokens() {
    let language = language("cfg3j");
    // Strings of 544 tokens on average: the longest of many draws, and then tokens that no string contains.
    let draws = (0..3000).map(|seed| derivation(&language, seed).string);
    let longest = draws.max_by_key(Vec::len).unwrap();
    assert!(longest.len() > 900);
    let ln = language.ln_probability(&longest);
    assert!(ln < -700.0 && ln.is_finite(), "{ln}");
    assert!((ln - spans::ln_probability(&language.grammar, &longest)).abs() < 1e-6);
    let mut joined = longest.clone();
    while joined.len() < 2000 {
        joined.extend_from_slice(&longest);
    }
    let work = language.work(&joined);
    assert!(work.iter().all(|work| work.live > 0 && work.multiplications > 0));
    let mut distribution = vec![0.0; language.outcomes()];
    let parser = language.read(&joined);
    assert!(!parser.next_token(&mut distribution) && !parser.is_prefix() && !parser.is_string());
    assert_eq!(parser.ln_prefix(), f64::NEG_INFINITY);
    let noisy = language.read(&noise(&language, 2000, 1));
    assert!(noisy.work().live > 0);
}

/// A chain of levels with two children would be too short; with six children a valid string exceeds 2,000 tokens.
#[test]
fn a_valid_string_of_over_two_thousand_tokens_has_its_exact_probability() {
    let mut text = String::from("terminals 1 2\nS -> A0 A0 A0 A0 A0 A0\n");
    for (level, below) in ["A", "B", "C"].iter().zip(["B", "C", "D"]) {
        text.push_str(&format!("{level}0 -> {below}0 {below}0 {below}0 {below}0 {below}0 {below}0\n"));
    }
    text.push_str("D0 -> 1 2 | 2 1\n");
    let language = Language::new(crate::notation::read("chain", &text).unwrap());
    let string = derivation(&language, 0).string;
    assert_eq!(string.len(), 2592);
    let ln = language.ln_probability(&string);
    assert!((ln + 1296.0 * std::f64::consts::LN_2).abs() < 1e-9, "{ln}");
}

#[test]
fn a_parser_can_be_used_again() {
    let language = language("cfg3b");
    let mut parser = language.parser();
    for seed in 0..4 {
        let string = if seed % 2 == 0 { derivation(&language, seed).string } else { noise(&language, 50, seed) };
        parser.restart();
        let again: Vec<_> = string.iter().map(|terminal| parser.advance(*terminal)).collect();
        assert_eq!(again, language.work(&string));
        assert_eq!(parser.ln_string(), language.ln_probability(&string));
    }
}

#[test]
fn a_changed_token_is_nearly_always_noticed() {
    let language = language("cfg3b");
    let mut noticed = 0;
    for seed in 0..200 {
        let mut string = derivation(&language, seed).string;
        let place = (seed as usize * 31) % string.len();
        string[place] = (string[place] + 1) % 3;
        noticed += usize::from(!language.contains(&string));
    }
    assert!(noticed >= 195, "{noticed}");
}
