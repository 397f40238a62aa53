//! Published strings with probabilities from another implementation.

use super::{language, string};

const L1: &str = "33111331132211322331111312333122213332333221112131131112132231211113121133333111\
                  133133131133333313332321132233311331333312323311321131211221312";

#[test]
fn a_known_string_of_cfg3f() {
    let (language, string) = (language("cfg3f"), string(L1));
    assert_eq!(string.len(), 143);
    assert!(language.contains(&string));
    assert_eq!(language.derivations(&string), 1);
    assert!((language.ln_probability(&string) + 114.09724).abs() < 5e-6);
    let entropies: Vec<f64> = (0..=string.len())
        .map(|length| {
            let distribution = language.next_token(&string[..length]).unwrap();
            assert!((distribution.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            distribution.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum()
        })
        .collect();
    let mean = entropies.iter().sum::<f64>() / 144.0;
    assert!((mean - 0.82005).abs() < 5e-6, "{mean}");
    for (found, known) in entropies.iter().zip([0.878624, 1.075301, 0.924353, 0.964474, 0.626834]) {
        assert!((found - known).abs() < 5e-7, "{found}");
    }
}

#[test]
fn first_token_entropies() {
    for (name, known) in [("cfg3b", 0.787338), ("cfg3f", 0.878624), ("cfg3k", 1.084262)] {
        let distribution = language(name).next_token(&[]).unwrap();
        let entropy: f64 = distribution.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
        assert!((entropy - known).abs() < 5e-7, "{name}: {entropy}");
    }
}

/// Strings with probabilities computed as exact fractions in another language: see `fixtures/make_strings.py`. The
/// string of cfg3b is as probable as a published string of its length.
#[test]
fn strings_have_the_probabilities_that_exact_fractions_give() {
    let lines: Vec<&str> = include_str!("../../fixtures/strings.txt").lines().collect();
    assert_eq!(lines.len(), 4);
    for line in lines {
        let [name, known, trees, text] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let (language, string, known) = (language(name), string(text), known.parse::<f64>().unwrap());
        assert!((language.ln_probability(&string) - known).abs() < 1e-8, "{name}");
        assert_eq!(language.derivations(&string).to_string(), trees, "{name}");
        if name == "cfg3b" {
            assert_eq!(string.len(), 187);
            assert!((known + 83.87081).abs() < 5e-6);
        }
        // Changing a terminal mostly leaves the language; in an ambiguous grammar it need not.
        let places: Vec<usize> = (0..string.len()).step_by(20).collect();
        let leaves = |place: &&usize| {
            let mut flipped = string.clone();
            flipped[**place] = (flipped[**place] + 1) % 3;
            !language.contains(&flipped)
        };
        assert!(2 * places.iter().filter(leaves).count() > places.len(), "{name}");
    }
}
