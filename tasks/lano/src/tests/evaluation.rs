//! Evaluation of models: an exact one, a uniform one, and one with a known error.

use haltbench_sdk::Result;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::generation::{PredictedString, StringColumns};

use super::{derivation, enumerate, instance, language, lano, string};
use crate::evaluation::{Divergence, Judge, Judged};
use crate::grammar::Terminal;
use crate::language::Language;

/// Tokens of the toy grammar's outcomes: two terminals and the end.
const TOY: [usize; 3] = [2, 3, 1];
const CFG: [usize; 4] = [2, 3, 4, 1];

/// A model: the distribution over outcomes after a prefix.
type Model<'a> = &'a dyn Fn(&[Terminal], &mut [f64]);

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

/// A model's distribution over the vocabulary after `prefix`.
fn ask(tokens: &[usize], prefix: &[Terminal], model: Model) -> Vec<f64> {
    let mut outcomes = vec![0.0; tokens.len()];
    model(prefix, &mut outcomes);
    let mut distribution = vec![0.0; tokens.len() + 1];
    for (token, probability) in tokens.iter().zip(outcomes) {
        distribution[*token] = probability;
    }
    distribution
}

/// A model along a string.
fn along(tokens: &[usize], string: &[Terminal], model: Model) -> PredictedString {
    let end = *tokens.last().unwrap();
    let followed = string.iter().map(|terminal| tokens[usize::from(*terminal)]).chain([end]);
    PredictedString {
        tokens: followed.map(|token| token as u32).collect(),
        distributions: (0..=string.len()).map(|length| ask(tokens, &string[..length], model)).collect(),
    }
}

/// A string that a model generates, cut off after `limit` tokens.
fn drawn(tokens: &[usize], limit: usize, stream: &mut Stream, model: Model) -> PredictedString {
    let (mut prefix, mut found) = (Vec::new(), PredictedString::default());
    while prefix.len() <= limit {
        let distribution = ask(tokens, &prefix, model);
        let mut left = stream.uniform();
        let outcome = tokens.iter().position(|token| {
            left -= distribution[*token];
            left < 0.0
        });
        let outcome = outcome.unwrap_or(tokens.len() - 1);
        found.tokens.push(tokens[outcome] as u32);
        found.distributions.push(distribution);
        if outcome + 1 == tokens.len() {
            break;
        }
        prefix.push(outcome as Terminal);
    }
    found
}

fn judge(language: &Language, tokens: &[usize], string: &PredictedString) -> Result<Judged> {
    Judge::new(language, tokens).follow(string)
}

/// A model along one string.
fn compare(language: &Language, tokens: &[usize], string: &[Terminal], model: Model) -> Divergence {
    let judged = judge(language, tokens, &along(tokens, string, model)).unwrap();
    assert!(judged.is_valid);
    judged.comparison
}

#[test]
fn the_exact_model_is_perfect() {
    let toy = language("toy");
    let mut stream = Stream::new(0, "test", &[]);
    let model = |prefix: &[Terminal], into: &mut [f64]| exact(&toy, prefix, into);
    let all: Vec<Judged> =
        (0..2000).map(|_| judge(&toy, &TOY, &drawn(&TOY, 20, &mut stream, &model)).unwrap()).collect();
    assert!(all.iter().all(|string| string.is_valid && string.is_finished));
    let mean = |of: &dyn Fn(&Judged) -> f64| all.iter().map(of).sum::<f64>() / 2000.0;
    assert!(mean(&|string| string.comparison.divergence).abs() < 1e-12);
    let length = mean(&|string| string.tokens as f64);
    assert!((length - 5.75).abs() < 0.13, "{length}");
    // Both summed next-token entropies and summed surprisals average to the entropy of a string.
    for sum in [mean(&|string| string.comparison.entropy), mean(&|string| string.comparison.cross_entropy)] {
        assert!((sum - 2.426015).abs() < 0.05, "{sum}");
    }
}

#[test]
fn divergence_of_strings_is_the_sum_over_positions() {
    let toy = language("toy");
    let (mut by_position, mut by_string) = (0.0, 0.0);
    for (string, (probability, _)) in &enumerate(&toy.grammar) {
        let found = compare(&toy, &TOY, string, &|prefix, into| blurred(&toy, prefix, into));
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
    let found = compare(&toy, &TOY, &string("1211"), &|prefix, into| exact(&toy, prefix, into));
    // After 1, another 1 is as probable as 2, and the first counts as the most probable.
    assert_eq!((found.hits, found.attainable_hits, found.positions), (4, 4, 5));
    let found = compare(&toy, &TOY, &string("1211"), &|_, into| into.copy_from_slice(&[0.1, 0.8, 0.1]));
    assert_eq!((found.hits, found.attainable_hits), (1, 4));
}

#[test]
fn a_uniform_model_is_nearly_always_invalid_and_is_cut_off() {
    let language = language("cfg3b");
    let uniform = |_: &[Terminal], into: &mut [f64]| into.fill(0.25);
    let mut stream = Stream::new(1, "test", &[]);
    let all: Vec<Judged> =
        (0..300).map(|_| judge(&language, &CFG, &drawn(&CFG, 10, &mut stream, &uniform)).unwrap()).collect();
    assert!(all.iter().all(|string| !string.is_valid));
    let share = all.iter().filter(|string| !string.is_finished).count() as f64 / 300.0;
    assert!((share - 0.75f64.powi(11)).abs() < 0.05, "{share}");
    let string = derivation(&language, 0).string;
    let found = compare(&language, &CFG, &string, &uniform);
    let expected = (string.len() + 1) as f64 * 4f64.ln() - found.entropy;
    assert!((found.divergence - expected).abs() < 1e-9);
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let toy = language("toy");
    let uniform = |_: &[Terminal], into: &mut [f64]| into.fill(1.0 / 3.0);
    let task = lano("toy");
    let generation = task.generation().unwrap();
    let strings = [along(&TOY, &string("1211"), &uniform), along(&TOY, &string("1212"), &uniform)];
    assert!(generation.generated(&strings).is_ok());
    let error = generation.teacher_forced(&strings).unwrap_err().to_string();
    assert_eq!(error, "string 1 to compare on: expected a string of the language, found another");
    let broken = along(&TOY, &string("1211"), &|_, into| into.copy_from_slice(&[0.5, f64::NAN, 0.5]));
    assert!(judge(&toy, &TOY, &broken).unwrap_err().to_string().contains("no distribution"));
    // A model that excludes a possible outcome is infinitely wrong, not silently right.
    let certain = compare(&toy, &TOY, &string("1211"), &|_, into| into.copy_from_slice(&[1.0, 0.0, 0.0]));
    assert_eq!(certain.divergence, f64::INFINITY);
    // A string that restarts breaks off there.
    let mut restarted = along(&TOY, &string("1211"), &uniform);
    restarted.tokens[2] = 0;
    let judged = judge(&toy, &TOY, &restarted).unwrap();
    assert_eq!((judged.is_valid, judged.is_finished, judged.tokens), (false, false, 2));
}

#[test]
fn measures_are_named_and_counted_by_string() {
    let task = lano("toy");
    let generation = task.generation().unwrap();
    assert_eq!((generation.prompt(), generation.end(), generation.longest()), (vec![0], 1, 8));
    let uniform = |_: &[Terminal], into: &mut [f64]| into.fill(1.0 / 3.0);
    let strings = ["1211", "2111", "22"].map(|text| along(&TOY, &string(text), &uniform));
    let found = generation.generated(&strings).unwrap();
    let sums = |name: &str| &found.iter().find(|measure| measure.name == name).unwrap().sums;
    assert_eq!(sums("valid"), &[(1.0, 1.0), (1.0, 1.0), (0.0, 1.0)]);
    assert_eq!(sums("unfinished"), &[(0.0, 1.0); 3]);
    assert_eq!(sums("length"), &[(4.0, 1.0), (4.0, 1.0), (2.0, 1.0)]);
    assert_eq!(sums("divergence")[1].1, 5.0);
    let forced = generation.teacher_forced(&strings[..2]).unwrap();
    let names: Vec<&str> = forced.iter().map(|measure| measure.name).collect();
    assert_eq!(names, ["divergence", "cross_entropy", "entropy", "accuracy", "attainable_accuracy"]);
    assert!((forced[1].sums[0].0 - 5.0 * 3f64.ln()).abs() < 1e-12);
}

/// Share of targets that a guess gets right, over the toy grammar's instances.
fn share(name: &str, count: u64) -> f64 {
    let task = lano("toy");
    let training: Vec<_> = (count..2 * count).map(|seed| instance(&*task, seed)).collect();
    let guesses = task.guesses(&training);
    let guess = guesses.iter().find(|guess| guess.name() == name).unwrap();
    let (mut right, mut all) = (0, 0);
    for seed in 0..count {
        let instance = instance(&*task, seed);
        let guessed = guess.tokens(&instance, &mut Stream::new(seed, "guess", &[]));
        right += instance.answers().zip(guessed).filter(|(answer, guess)| answer == guess).count();
        all += instance.answers().count();
    }
    right as f64 / all as f64
}

#[test]
fn guesses_of_the_toy_grammar_score_what_its_strings_say() {
    let toy = language("toy");
    // Over all positions of all strings, weighted by the strings' probabilities.
    let (mut possible, mut optimal, mut positions) = (0.0, 0.0, 0.0);
    for (string, (probability, _)) in &enumerate(&toy.grammar) {
        for length in 0..=string.len() {
            let next = toy.next_token(&string[..length]).unwrap();
            possible += probability / next.iter().filter(|p| **p > 0.0).count() as f64;
            optimal += probability * next.iter().copied().fold(0.0, f64::max);
            positions += probability;
        }
    }
    assert!((share("random-possible", 2000) - possible / positions).abs() < 0.015);
    assert!((share("most-probable", 2000) - optimal / positions).abs() < 0.015);
}

/// Columns that any string has equal the columns of instances, and a string that leaves the language still costs the
/// parser something.
#[test]
fn columns_of_any_string_are_those_of_instances() {
    for name in ["toy", "cfg3b"] {
        let task = lano(name);
        let names: Vec<&str> = task.spec().complexities.iter().map(|complexity| complexity.name).collect();
        let (boundary, entropy) = (4, 5);
        assert_eq!((names[boundary], names[entropy]), ("boundary", "entropy"));
        for seed in 0..20 {
            let instance = instance(&*task, seed);
            let StringColumns { complexities: found, features } = task.generation().unwrap().columns(&instance.tokens);
            for token in 0..instance.tokens.len() {
                for (column, feature) in task.spec().features.iter().enumerate() {
                    let of_derivation =
                        ["closes", "opens"].contains(&feature.name) || feature.name.starts_with("lookback");
                    let expected = instance.features.get(column, token);
                    let expected = if of_derivation { f32::NAN } else { expected };
                    assert_eq!(
                        features.get(column, token).to_bits(),
                        expected.to_bits(),
                        "{name} {token} {}",
                        feature.name
                    );
                }
            }
            assert_eq!((found.tokens(), found.count()), (instance.tokens.len(), names.len()));
            for token in 0..instance.tokens.len() {
                for column in 0..names.len() {
                    let expected = instance.complexities.get(column, token);
                    let expected = if column == boundary { f32::NAN } else { expected };
                    assert_eq!(found.get(column, token).to_bits(), expected.to_bits(), "{name} {token} {column}");
                }
            }
        }
    }
    // `1 1 1 1 1 1` is not in cfg3b; nothing follows a string that has ended.
    let task = lano("cfg3b");
    let language = language("cfg3b");
    let tokens = [0, 2, 2, 2, 2, 2, 2, 1, 2];
    let StringColumns { complexities: found, features } = task.generation().unwrap().columns(&tokens);
    let work = language.work(&[0; 6]);
    for (token, work) in (1..).zip(&work) {
        assert_eq!(found.get(0, token), work.expansion as f32);
        assert_eq!(found.get(3, token), work.multiplications as f32);
    }
    let dead = (1..=6).find(|length| language.next_token(&[0; 6][..*length]).is_none()).unwrap();
    assert!(!found.get(5, dead).is_nan() && found.get(5, dead + 1).is_nan());
    assert!(found.row(7).iter().chain(found.row(8)).all(|value| value.is_nan()));
    let column = |name: &str| task.spec().features.iter().position(|feature| feature.name == name).unwrap();
    let surprisal = |token: usize| features.get(column("surprisal"), token);
    assert!(!surprisal(dead - 1).is_nan() && surprisal(dead).is_nan(), "its last terminal was impossible");
    assert_eq!([column("run"), column("position")].map(|column| features.get(column, 7)), [6.0, 7.0]);
}
