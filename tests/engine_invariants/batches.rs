//! A token's result does not depend on later tokens, on other sequences, or on its place in a batch.

use haltbench_engine::recurrence::Execution;
use haltbench_sdk::conformance::Sequence;
use haltbench_sdk::prelude::*;

use crate::processes::in_one_thread;
use crate::setup::{LENGTHS, Setup, Subject, Token, Tokens, device, for_all, same, tokens, vary};

/// Asserts that every token of `found` before position `cut` equals the one in `expected`.
fn all_same(what: &str, found: &Tokens, expected: &Tokens, cut: usize) {
    let logits = |token: &Token| (token.depth, token.answer.as_ref().map(|answer| answer.logits.clone()));
    for (name, token) in found.iter().filter(|((_, position), _)| *position < cut) {
        if device().is_cpu() {
            // Expected depths and confidences are bitwise equal too.
            assert_eq!(Some(token), expected.get(name), "{what}: token {name:?}");
            continue;
        }
        let ((depth, found), (expected_depth, expected)) = (logits(token), logits(&expected[name]));
        same(&format!("{what}: token {name:?}"), (depth, found.as_deref()), (expected_depth, expected.as_deref()));
    }
}

/// Replaces the tokens from position `cut` on, up to `length` tokens.
fn with_another_suffix(setup: &Setup, sequence: &Sequence, cut: usize, length: usize) -> Sequence {
    let longer = setup.sequence(sequence.identity + 1000, length);
    let mut changed = longer;
    changed.identity = sequence.identity;
    changed.tokens[..cut].copy_from_slice(&sequence.tokens[..cut]);
    changed.complexity[..cut].copy_from_slice(&sequence.complexity[..cut]);
    if let (Some(token), Some(other)) = (changed.tokens.get_mut(cut), sequence.tokens.get(cut)) {
        *token = (*other + 1) % setup.vocabulary as u32;
    }
    changed
}

fn prefixes(subject: &Subject, setup: &Setup) -> bool {
    let model = subject.model(setup);
    let sequences = setup.sequences(&LENGTHS);
    let whole = tokens(&model, setup, &sequences, Execution::Compacted);
    if subject.is_causal() {
        for cut in 1..=LENGTHS.into_iter().max().unwrap_or(0) {
            for further in [0, 1, 6] {
                let long = sequences.iter().filter(|sequence| sequence.tokens.len() >= cut);
                let changed: Vec<Sequence> =
                    long.map(|sequence| with_another_suffix(setup, sequence, cut, cut + further)).collect();
                let found = tokens(&model, setup, &changed, Execution::Compacted);
                all_same(&format!("{} {setup:?} suffix from {cut}", subject.label()), &found, &whole, cut);
            }
        }
    }
    vary(&whole)
}

#[test]
fn invariant_6_no_suffix_changes_what_is_before_it() {
    let mut setups = Setup::options(DType::F32);
    setups.extend([Setup::PLAIN, Setup { around: 0, dtype: DType::F32, ..Setup::PLAIN }]);
    in_one_thread(|| for_all(&setups, prefixes));
}

/// The check above can fail: it catches a policy that chooses the better half of a sequence, which is not causal.
#[test]
fn invariant_6_a_policy_that_is_not_causal_is_noticed() {
    let setup = Setup::PLAIN;
    let subject = Subject::new(&crate::miniatures::TOP_SHARE, &[]);
    let model = subject.model(&setup);
    let depths = |length: usize| {
        let found = tokens(&model, &setup, &[setup.sequence(2, length)], Execution::Compacted);
        found.into_values().take(4).map(|token| token.depth).collect::<Vec<u32>>()
    };
    assert!((5..20).any(|length| depths(length) != depths(4)));
}

pub fn compositions(subject: &Subject, setup: &Setup) -> bool {
    let model = subject.model(setup);
    let sequences = setup.sequences(&[6, 1, 9, 4, 17, 12, 24, 3]);
    let together = tokens(&model, setup, &sequences, Execution::Compacted);
    let mut batches: Vec<Vec<Sequence>> = sequences.iter().map(|sequence| vec![sequence.clone()]).collect();
    batches.push(sequences.iter().rev().cloned().collect());
    for (first, second) in [(1, 3), (2, 5), (5, 7)] {
        let mut chosen: Vec<Sequence> = sequences.iter().cycle().skip(first).step_by(second).take(3).cloned().collect();
        // A batch must not repeat an id; the inserted neighbour is in no other batch.
        chosen.dedup_by_key(|sequence| sequence.identity);
        chosen.insert(1, setup.sequence(9, 7 + second));
        batches.push(chosen);
    }
    for batch in batches {
        let names: Vec<u64> = batch.iter().map(|sequence| sequence.identity).collect();
        let mut found = tokens(&model, setup, &batch, Execution::Compacted);
        found.retain(|(identity, _), _| *identity < sequences.len() as u64);
        all_same(&format!("{} {setup:?} in the batch {names:?}", subject.label()), &found, &together, usize::MAX);
    }
    vary(&together)
}

#[test]
fn invariant_7_batch_composition_changes_no_bit() {
    let mut setups = Setup::options(DType::F32);
    setups.push(Setup { around: 0, d_model: 24, d_ff: 72, dtype: DType::F32, ..Setup::PLAIN });
    in_one_thread(|| for_all(&setups, compositions));
}
