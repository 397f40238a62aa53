//! `random-matched` shuffles depths and changes no histogram.

use std::collections::BTreeMap;

use haltbench_sdk::parameters::Value;
use haltbench_sdk::policy::Phase;
use haltbench_sdk::prelude::*;

use crate::setup::{Setup, Subject};

const MAX_DEPTH: usize = 7;

/// Sequences of sizes in three parts of an evaluation: prompts, then answers.
fn source() -> Vec<SourceToken> {
    let mut stream = Stream::new(5, "source", &[]);
    let mut tokens = Vec::new();
    for identity in 0..30 {
        let size = 1 + (identity % 6) as u32;
        for position in 0..4 + 2 * size {
            let is_answer = position >= 2 + size;
            // Depths identify the groups, so that a token that changed its group would show.
            let split = size % 3;
            let depth = 1 + (split + 2 * u32::from(is_answer) + stream.below(3) as u32) % MAX_DEPTH as u32;
            tokens.push(SourceToken { identity, position, input_token: 0, size, split, is_answer, depth });
        }
    }
    tokens
}

/// The tokens with the depths of the prepared policy, evaluated in batches of seven sequences.
fn shuffled(within: &str, source: &[SourceToken], seed: u64) -> Vec<SourceToken> {
    let subject = match within {
        "sequence" => Subject::registered("random-within-sequence", &[]),
        "position" => Subject::registered("random-within-position", &[]),
        _ => Subject::registered("random-matched", &[("within", Value::Text(within.to_owned()))]),
    };
    let setup = Setup { max_depth: MAX_DEPTH, seed, ..Setup::PLAIN };
    let depths = SourceDepths { evaluation: source.to_vec(), training: vec![] };
    let policy = subject.built(&setup, Some(&depths)).unwrap().policy;
    let identities: Vec<u64> = (0..=source.iter().map(|token| token.identity).max().unwrap()).collect();
    let mut result = Vec::new();
    for names in identities.chunks(7) {
        let of = |name: &u64| {
            let name = *name;
            source.iter().filter(move |token| token.identity == name)
        };
        let lengths: Vec<usize> = names.iter().map(|name| of(name).count()).collect();
        let layout = TokenLayout::new(&lengths, names).unwrap();
        let rows = RowSet::all(layout.rows());
        let states = Tensor::zeros((layout.rows(), 2), DType::F64, &Device::Cpu).unwrap();
        let logits = || Err(Error::contract("random-matched", "needs no logits"));
        let view = View::new(0, MAX_DEPTH, &layout, &rows, &states, &logits, Phase::Evaluation, seed, None);
        let depths = decided(&policy, &view);
        let tokens = names.iter().flat_map(of).zip(depths);
        result.extend(tokens.map(|(token, depth)| SourceToken { depth, ..*token }));
    }
    result
}

fn decided(policy: &Policy, view: &View) -> Vec<u32> {
    let decision = policy.decide(view, &mut RowMemory::default()).unwrap();
    let Halting::Depths(depths) = decision.halting else { panic!("depths") };
    depths
}

/// How often each depth occurs in each group.
fn histograms<K: Ord>(tokens: &[SourceToken], group: impl Fn(&SourceToken) -> K) -> BTreeMap<K, BTreeMap<u32, usize>> {
    let mut histograms: BTreeMap<K, BTreeMap<u32, usize>> = BTreeMap::new();
    for token in tokens {
        *histograms.entry(group(token)).or_default().entry(token.depth).or_default() += 1;
    }
    histograms
}

/// Besides the part, the group in which depths are shuffled.
type Group = fn(&SourceToken) -> (bool, u64, u32);

const GROUPS: [(&str, Group); 4] = [
    ("all", |_| (false, 0, 0)),
    ("role", |token| (token.is_answer, 0, 0)),
    ("sequence", |token| (token.is_answer, token.identity, 0)),
    ("position", |token| (token.is_answer, u64::from(token.size), token.position)),
];

#[test]
fn random_matched_keeps_the_histogram_of_depths_in_every_group() {
    let source = source();
    for (within, group) in GROUPS {
        let mut moved = 0;
        for seed in 1..=5 {
            let found = shuffled(within, &source, seed);
            let group = |token: &SourceToken| (token.split, group(token));
            assert_eq!(histograms(&found, group), histograms(&source, group), "within {within}, seed {seed}");
            moved += found.iter().zip(&source).filter(|(found, source)| found.depth != source.depth).count();
            assert_eq!(found, shuffled(within, &source, seed), "within {within}: not repeatable");
        }
        assert!(moved > source.len(), "within {within}: hardly anything moves ({moved})");
    }
}

/// A token's depth can come from any token of its group: a later one, or one of another sequence.
#[test]
fn random_matched_does_not_claim_to_be_causal() {
    let source = source();
    for (within, _) in GROUPS {
        let place = source.iter().rposition(|token| token.size == 6).unwrap();
        let mut other = source.clone();
        other[place].depth = MAX_DEPTH as u32 + 1;
        let (before, after) = (shuffled(within, &source, 1), shuffled(within, &other, 1));
        let moved: Vec<usize> = (0..source.len()).filter(|&token| before[token].depth != after[token].depth).collect();
        assert!(moved.len() == 1 && moved[0] < place, "within {within}: {moved:?}, {place} changed");
    }
    for name in ["random-matched", "random-within-sequence", "random-within-position"] {
        assert!(!Subject::registered(name, &[]).is_causal());
    }
}

/// As `explain random-within-sequence` documents.
#[test]
fn a_lone_answer_keeps_its_depth_within_its_sequence() {
    let source: Vec<SourceToken> = source().into_iter().filter(|token| token.position <= 2 + token.size).collect();
    let answers = |tokens: &[SourceToken]| -> Vec<u32> {
        tokens.iter().filter(|token| token.is_answer).map(|token| token.depth).collect()
    };
    let found = shuffled("sequence", &source, 1);
    assert_eq!(answers(&found), answers(&source));
    assert_ne!(found, source);
    assert_ne!(answers(&shuffled("role", &source, 1)), answers(&source));
}

/// The default group is (part, role) and no finer: depths leave their sequence and their position.
#[test]
fn random_matched_mixes_across_what_it_need_not_keep() {
    let source = source();
    for (coarse, fine) in [("all", "role"), ("role", "sequence"), ("role", "position")] {
        let group = GROUPS.iter().find(|(name, _)| *name == fine).unwrap().1;
        let group = |token: &SourceToken| (token.split, group(token));
        assert_ne!(histograms(&shuffled(coarse, &source, 1), group), histograms(&source, group), "{coarse} {fine}");
    }
    let depths = SourceDepths { evaluation: source.clone(), training: vec![] };
    let setup = Setup { seed: 1, ..Setup::PLAIN };
    let by_default = Subject::registered("random-matched", &[]).built(&setup, Some(&depths)).unwrap();
    let policy = by_default.policy;
    let layout = TokenLayout::new(&[source.iter().filter(|token| token.identity == 3).count()], &[3]).unwrap();
    let rows = RowSet::all(layout.rows());
    let states = Tensor::zeros((layout.rows(), 2), DType::F64, &Device::Cpu).unwrap();
    let logits = || Err(Error::contract("random-matched", "needs no logits"));
    let view = View::new(0, MAX_DEPTH, &layout, &rows, &states, &logits, Phase::Evaluation, 1, None);
    let found = decided(&policy, &view);
    let role = shuffled("role", &source, 1);
    assert_eq!(found, role.iter().filter(|token| token.identity == 3).map(|token| token.depth).collect::<Vec<u32>>());
}

/// Reference numbers: groups, histograms, and exact moments of each token's new depth.
#[derive(serde::Deserialize)]
struct Permutations {
    lengths: Vec<u32>,
    split: Vec<u32>,
    role: Vec<u32>,
    depth: Vec<u32>,
    groupings: BTreeMap<String, Grouping>,
}

#[derive(serde::Deserialize)]
struct Grouping {
    group: Vec<usize>,
    histogram: Vec<Vec<usize>>,
    mean_depth: Vec<f64>,
    variance: Vec<f64>,
}

#[test]
fn random_matched_is_a_uniform_permutation_within_its_groups() {
    const SEEDS: u64 = 600;
    let text = include_str!("../fixtures/random_matched/permutations.json");
    let given: Permutations = serde_json::from_str(text).unwrap();
    let places =
        given.lengths.iter().zip(0..).flat_map(|(length, sequence)| (0..*length).map(move |at| (sequence, at)));
    let tokens =
        places.zip(given.role.iter().zip(&given.depth)).map(|((sequence, position), (role, depth))| SourceToken {
            identity: sequence,
            position,
            input_token: 0,
            size: 1,
            split: given.split[sequence as usize],
            is_answer: *role == 1,
            depth: *depth,
        });
    let source: Vec<SourceToken> = tokens.collect();
    for (within, expected) in &given.groupings {
        let mut sums = vec![0.0; source.len()];
        for seed in 0..SEEDS {
            let found = shuffled(within, &source, seed);
            let mut histogram: Vec<Vec<usize>> = expected.histogram.iter().map(|row| vec![0; row.len()]).collect();
            for ((token, group), sum) in found.iter().zip(&expected.group).zip(&mut sums) {
                histogram[*group][token.depth as usize - 1] += 1;
                *sum += f64::from(token.depth);
            }
            assert_eq!(histogram, expected.histogram, "{within}, seed {seed}");
        }
        for ((sum, mean), variance) in sums.iter().zip(&expected.mean_depth).zip(&expected.variance) {
            let error = 4.5 * (variance / SEEDS as f64).sqrt() + 1e-9;
            assert!((sum / SEEDS as f64 - mean).abs() < error, "{within}: {} instead of {mean}", sum / SEEDS as f64);
        }
    }
}
