//! Cached decoding against uncached evaluation of the whole sequences.

use std::collections::BTreeMap;

use haltbench_engine::decoding::{Choice, Decoded, Decoder, Prompt, Until, decode, decode_at};
use haltbench_engine::model::Model;
use haltbench_engine::recurrence::{Evaluated, Execution, evaluate, evaluate_at};
use haltbench_sdk::conformance::Sequence;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::miniatures::{HAZARDS, POSITIVE, SCORES, SURE, TOP_SHARE};
use crate::processes::in_one_thread;
use crate::setup::{LENGTHS, Setup, Subject, Tokens, close, device, for_all, same, subjects, tokens, tolerance, vary};

/// Lengths of the pieces in which a sequence is fed; the first is the prompt.
const PIECES: [[usize; 3]; 4] = [[1, 1, 1], [4, 1, 1], [2, 3, 1], [100, 1, 1]];

/// Setups whose keys and values can be cached.
fn setups(dtype: DType) -> Vec<Setup> {
    Setup::all(dtype).into_iter().filter(|setup| setup.halted != HaltedKeysValues::RunOn).collect()
}

/// Whether the policy's tokens can be decoded one by one.
fn has_cached_form(subject: &Subject, setup: &Setup) -> bool {
    let skips = setup.halted == HaltedKeysValues::Skip;
    let chooses = subject.declaration.kind == PolicyKind::Select;
    let reads = subject.reads_earlier_tokens();
    subject.is_causal() && !subject.declaration.uses_labels.any() && !reads && (skips || !chooses)
}

/// Logits of the last token of each piece and depths of all tokens, by sequence and position.
type Fed = BTreeMap<(u64, usize), (u32, Option<Vec<f64>>)>;

/// Feeds the tokens of `sequences` to a decoder in pieces; a sequence without further tokens leaves.
fn feed(model: &Model, sequences: &[Sequence], pieces: &[usize; 3]) -> Fed {
    let mut present: Vec<(&Sequence, usize)> = sequences.iter().map(|sequence| (sequence, 0)).collect();
    let names: Vec<u64> = sequences.iter().map(|sequence| sequence.identity).collect();
    let mut decoder = Decoder::new(model, &names).unwrap();
    let mut found = Fed::new();
    for round in 0.. {
        let piece = pieces[round.min(2)];
        let new: Vec<&[u32]> = present
            .iter()
            .map(|(sequence, done)| &sequence.tokens[*done..(*done + piece).min(sequence.tokens.len())])
            .collect();
        let advanced = decoder.advance(&new).unwrap();
        let logits = advanced.logits.to_dtype(DType::F64).unwrap().to_vec2::<f64>().unwrap();
        for (((sequence, done), depths), logits) in present.iter_mut().zip(&advanced.depths).zip(logits) {
            for depth in depths {
                found.insert((sequence.identity, *done), (*depth, None));
                *done += 1;
            }
            found.get_mut(&(sequence.identity, *done - 1)).unwrap().1 = Some(logits);
        }
        let goes_on: Vec<bool> = present.iter().map(|(sequence, done)| *done < sequence.tokens.len()).collect();
        present.retain(|(sequence, done)| *done < sequence.tokens.len());
        if present.is_empty() {
            return found;
        }
        decoder.keep(&goes_on).unwrap();
    }
    unreachable!()
}

fn equal(what: &str, found: &Fed, expected: &Tokens, tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (name, (depth, logits)) in found {
        let token = &expected[name];
        assert_eq!(*depth, token.depth, "{what}: depth of {name:?}");
        if let (Some(logits), Some(answer)) = (logits, &token.answer) {
            close(&format!("{what}: logits of {name:?}"), logits, &answer.logits, tolerance);
        }
    }
}

/// Whether the policy reads logits before a token has halted, through a coda without a cached form for this.
fn reads_through_a_deep_coda(subject: &Subject, setup: &Setup) -> bool {
    setup.around > 1 && subject.reads_logits()
}

pub fn cached_equals_uncached(subject: &Subject, setup: &Setup) -> bool {
    if !has_cached_form(subject, setup) || reads_through_a_deep_coda(subject, setup) {
        return subject.varies;
    }
    let model = subject.model(setup);
    let sequences = setup.sequences(&LENGTHS);
    let expected = tokens(&model, setup, &sequences, Execution::Dense);
    for pieces in &PIECES {
        let what = format!("{} {setup:?} in pieces of {pieces:?}", subject.label());
        // Steps that start from carried states amplify earlier rounding.
        let carries = subject.given.get("carry") == Some(&Value::Flag(true))
        // Its gates have no bound.
        || subject.declaration.name == "mixture-of-depths";
        let nearness = if carries && setup.dtype == DType::F32 { 10.0 } else { 1.0 } * tolerance(setup.dtype);
        equal(&what, &feed(&model, &sequences, pieces), &expected, nearness);
    }
    vary(&expected)
}

#[test]
fn invariant_6_cached_decoding_equals_the_parallel_pass() {
    in_one_thread(|| for_all(&[setups(DType::F64), setups(DType::F32)].concat(), cached_equals_uncached));
}

/// Policies that are asked after some of the steps only, here 2 and 4 of 5.
#[test]
fn invariant_6_cached_decoding_between_checks_equals_the_parallel_pass() {
    for (name, threshold) in [("huginn-kl", 0.05), ("huginn-cosine", 0.05)] {
        let schedule = [("min_steps", Value::Integer(1)), ("every_n", Value::Integer(2))];
        let given = [&schedule[..], &[("threshold", Value::Real(threshold))]].concat();
        let subject = Subject::registered(name, &given);
        let varied = setups(DType::F64).iter().filter(|setup| cached_equals_uncached(&subject, setup)).count();
        assert!(varied > 0, "{name}: all depths are equal");
    }
}

/// Two layers around a core of two, more heads, and a single step.
#[test]
fn invariant_6_cached_decoding_of_other_sizes_equals_the_parallel_pass() {
    for subject in subjects() {
        for dtype in [DType::F32, DType::F64] {
            let deep = Setup { around: 2, core_layers: 2, d_model: 32, d_ff: 40, dtype, ..Setup::PLAIN };
            cached_equals_uncached(subject, &deep);
            for setup in setups(dtype) {
                cached_equals_uncached(subject, &Setup { max_depth: 1, ..setup });
            }
        }
    }
}

/// A sequence gives the same bits whatever else is in its batch, and whenever the others leave it.
#[test]
fn invariant_7_a_decoded_sequence_does_not_depend_on_its_batch() {
    for setup in setups(DType::F32) {
        for subject in subjects().iter().filter(|subject| has_cached_form(subject, &setup)) {
            let model = subject.model(&setup);
            let sequences = setup.sequences(&LENGTHS);
            let together = feed(&model, &sequences, &PIECES[2]);
            let alone = sequences.iter().flat_map(|sequence| feed(&model, std::slice::from_ref(sequence), &PIECES[2]));
            let what = format!("{} {setup:?}", subject.label());
            let mut count = 0;
            for (name, (depth, logits)) in alone {
                let (expected_depth, expected) = &together[&name];
                same(&format!("{what}: {name:?}"), (depth, logits.as_deref()), (*expected_depth, expected.as_deref()));
                count += 1;
            }
            assert_eq!(count, together.len(), "{what}");
        }
    }
}

fn prompts(setup: &Setup, lengths: &[usize]) -> Vec<Prompt> {
    let sequences = setup.sequences(lengths).into_iter();
    sequences.map(|Sequence { identity, tokens, .. }| Prompt { identity, tokens }).collect()
}

/// Logits after the last token of one sequence and the depths of all its tokens, without a cache.
fn uncached(
    model: &Model,
    setup: &Setup,
    identity: u64,
    tokens: &[u32],
    depths: Option<&[u32]>,
) -> (Vec<f64>, Evaluated) {
    let complexity = vec![1.0; tokens.len()];
    let (mut batch, _) = setup.pack(&[Sequence { identity, tokens: tokens.to_vec(), complexity }]);
    let last: Vec<bool> = (1..=tokens.len()).map(|position| position == tokens.len()).collect();
    batch.readout = RowSet::from_mask(&last);
    let found = match depths {
        Some(depths) => evaluate_at(model, &batch, Execution::Dense, depths).unwrap(),
        None => evaluate(model, &batch, Execution::Dense, None).unwrap(),
    };
    (found.logits.to_dtype(DType::F64).unwrap().get(0).unwrap().to_vec1().unwrap(), found)
}

/// Greedy decoding repeats the next-token predictions of evaluation, up to the end token or the limit.
#[test]
fn invariant_6_greedy_decoding_equals_evaluation_token_by_token() {
    let mut ended = 0;
    for setup in setups(DType::F32) {
        for name in ["anira-e", "anira-o", "fixed", "random"] {
            let model = Subject::registered(name, &[]).model(&setup);
            let prompts = prompts(&setup, &[1, 6, 3, 9]);
            let until = Until { end: Some(3), most: 8 };
            let found = decode(&model, &prompts, &until, Choice::Greedy).unwrap();
            for (prompt, decoded) in prompts.iter().zip(&found.sequences) {
                let mut tokens = prompt.tokens.clone();
                for (token, probability) in decoded.tokens.iter().zip(&decoded.probabilities) {
                    let (_, expected) = uncached(&model, &setup, prompt.identity, &tokens, None);
                    assert_eq!(*token, expected.predicted[0], "{name} {setup:?} after {tokens:?}");
                    assert!((probability - f64::from(expected.confidence[0])).abs() < 1e-5);
                    assert_eq!(decoded.depths[..tokens.len()], expected.depths, "{name} {setup:?}");
                    tokens.push(*token);
                }
                let end = decoded.tokens.iter().position(|token| *token == 3).map(|place| place + 1);
                assert_eq!(decoded.tokens.len(), end.unwrap_or(8).min(8), "{name} {setup:?}");
                assert_eq!(decoded.depths.len(), tokens.len() - 1);
                ended += usize::from(end.is_some());
            }
        }
    }
    assert!(ended > 10, "the end token hardly ever came: {ended}");
}

/// Read-outs for decisions are charged as in evaluation, which requests the same rows.
#[test]
fn read_outs_of_single_tokens_are_charged() {
    let setup = Setup { dtype: DType::F32, ..Setup::PLAIN };
    for declaration in [&SCORES, &HAZARDS] {
        let ledger = |reads: bool| {
            let model = Subject::new(declaration, &[("reads", Value::Flag(reads))]).model(&setup);
            let until = Until { end: None, most: 3 };
            decode(&model, &prompts(&setup, &[1, 1]), &until, Choice::Greedy).unwrap()
        };
        let (reads, silent) = (ledger(true), ledger(false));
        assert_eq!(reads.sequences, silent.sequences);
        let cost = Subject::new(declaration, &[]).model(&setup).backbone.cost();
        let mut expected = 0.0;
        for decoded in &reads.sequences {
            for (position, depth) in decoded.depths.iter().enumerate() {
                let asked = if declaration.kind == PolicyKind::Early { 1 } else { (*depth).min(4) };
                let keys = (position + 1) as f64;
                let readout = cost.readout.per_row + cost.readout.per_key * keys;
                expected += f64::from(asked) * readout;
            }
        }
        let coda = reads.ledger.decision_flops - silent.ledger.decision_flops - expected;
        // The remainder is the coda's keys and values, for all tokens of each round.
        assert!(coda >= 0.0 && (coda / cost.coda.per_row).fract().abs() < 1e-9, "{coda} {}", declaration.name);
        assert!(reads.memory.held_bytes >= silent.memory.held_bytes);
    }
}

/// Draws are keyed by sequence and position, so another batch gives the same tokens, and draws follow the logits.
#[test]
fn sampled_decoding_is_keyed_by_sequence_and_position() {
    let setup = Setup { dtype: DType::F32, ..Setup::PLAIN };
    let model = Subject::registered("anira-o", &[]).model(&setup);
    let prompts = prompts(&setup, &[2, 5, 1]);
    let until = Until { end: None, most: 6 };
    let sampled =
        |prompts: &[Prompt], seed| decode(&model, prompts, &until, Choice::Sampled { seed }).unwrap().sequences;
    let together = sampled(&prompts, 1);
    for (prompt, expected) in prompts.iter().zip(&together) {
        let alone = sampled(std::slice::from_ref(prompt), 1);
        let drawn = |decoded: &Decoded| (decoded.tokens.clone(), decoded.depths.clone());
        assert_eq!(alone.iter().map(drawn).collect::<Vec<_>>(), [drawn(expected)]);
        // On a GPU, the kernel of a product depends on the number of rows.
        assert!(!device().is_cpu() || alone == std::slice::from_ref(expected));
        let (logits, _) = uncached(&model, &setup, prompt.identity, &prompt.tokens, None);
        let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
        let uniform = Stream::new(1, "decoding", &[prompt.identity, prompt.tokens.len() as u64]).uniform();
        let below: f64 = logits[..expected.tokens[0] as usize].iter().map(|logit| logit.exp() / total).sum();
        let mass = logits[expected.tokens[0] as usize].exp() / total;
        assert!(below - 1e-6 <= uniform && uniform <= below + mass + 1e-6);
    }
    assert_ne!(sampled(&prompts, 2), together);
}

/// The depth of a token, as a function of sequence and position.
fn listed(identity: u64, position: usize) -> u32 {
    1 + ((3 * identity as usize + 2 * position) % 5) as u32
}

/// Operations and memory for given depths, against a count by hand and against evaluation of the whole sequences.
#[test]
fn operations_and_memory_are_those_of_the_depths() {
    for (halted, entries) in [
        (HaltedKeysValues::FreezeState, (|depth| (depth + 1).min(5)) as fn(usize) -> usize),
        (HaltedKeysValues::LatestKv, |depth| depth),
        (HaltedKeysValues::Skip, |depth| depth),
    ] {
        let setup = Setup { halted, core_layers: 2, dtype: DType::F32, ..Setup::PLAIN };
        let model = Subject::registered("fixed", &[]).model(&setup);
        let prompts = prompts(&setup, &[4, 1, 7]);
        let until = Until { end: None, most: 5 };
        let found = decode_at(&model, &prompts, &until, Choice::Greedy, &listed).unwrap();
        let mut executed = 0;
        let (mut flops, mut dense) = (0.0, 0.0);
        let mut held = 0;
        for (prompt, decoded) in prompts.iter().zip(&found.sequences) {
            let tokens = [&prompt.tokens[..], &decoded.tokens[..4]].concat();
            let depths: Vec<u32> = (0..tokens.len()).map(|position| listed(prompt.identity, position)).collect();
            assert_eq!(decoded.depths, depths);
            let (logits, whole) = uncached(&model, &setup, prompt.identity, &tokens, Some(&depths));
            let largest = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
            assert_eq!(decoded.tokens[4], largest as u32, "{halted:?}");
            executed += depths.iter().map(|depth| u64::from(*depth)).sum::<u64>();
            held += depths.iter().map(|depth| entries(*depth as usize)).sum::<usize>();
            // Evaluating the whole sequence at once costs the same, except for read-outs of new tokens, which it skips,
            // and frozen states that no row sees any more.
            let compacted = {
                let complexity = vec![1.0; tokens.len()];
                let (mut batch, _) = setup.pack(&[Sequence { identity: prompt.identity, tokens, complexity }]);
                let read = |row| row + 1 >= prompt.tokens.len();
                let mask: Vec<bool> = (0..batch.rows()).map(read).collect();
                batch.readout = RowSet::from_mask(&mask);
                evaluate_at(&model, &batch, Execution::Compacted, &depths).unwrap().ledger
            };
            assert_eq!(whole.ledger.token_steps_scheduled, compacted.token_steps_scheduled);
            flops += compacted.flops;
            dense += compacted.dense_flops;
        }
        let ledger = found.ledger;
        assert_eq!(ledger.token_steps_executed, executed, "{halted:?}");
        assert_eq!(ledger.tokens, (4 + 1 + 7 + 3 * 4) as u64);
        assert_eq!(ledger.token_steps_scheduled, 5 * ledger.tokens);
        assert!((ledger.dense_flops - dense).abs() < 1e-9 * dense, "{halted:?}: {} {dense}", ledger.dense_flops);
        let projection = model.backbone.cost().step.per_key_value;
        let more = (ledger.flops - flops) / projection;
        if halted == HaltedKeysValues::FreezeState {
            assert!((0.0..=ledger.tokens as f64).contains(&more) && (more - more.round()).abs() < 1e-6, "{more}");
        } else {
            assert!(more.abs() < 1e-6, "{halted:?}: {more}");
        }
        // Keys and values of one token in one layer: one entry each in prelude and coda, two layers in the core.
        let entry = 2 * setup.d_model * 4;
        let around = 2 * ledger.tokens as usize * entry;
        // Frozen states of the last round are never projected, because no token follows.
        let last = prompts.iter().map(|prompt| listed(prompt.identity, prompt.tokens.len() + 3));
        let spared = match halted {
            HaltedKeysValues::FreezeState => last.filter(|depth| *depth < 5).count(),
            _ => 0,
        };
        assert_eq!(found.memory.held_bytes, around + 2 * (held - spared) * entry, "{halted:?}");
        assert_eq!(found.memory.dense_bytes, around + 2 * 5 * ledger.tokens as usize * entry, "{halted:?}");
        assert!(found.memory.allocated_bytes >= found.memory.held_bytes);
    }
}

#[test]
fn what_has_no_cached_form_is_refused() {
    let setup = Setup::PLAIN;
    let prompt = |tokens: &[u32]| Prompt { identity: 0, tokens: tokens.to_vec() };
    let until = Until { end: None, most: 2 };
    let refusal = |subject: &Subject, setup: &Setup, prompts: &[Prompt], until: &Until| {
        decode(&subject.model(setup), prompts, until, Choice::Greedy).unwrap_err().to_string()
    };
    let fixed = Subject::registered("fixed", &[]);
    let run_on = Setup { halted: HaltedKeysValues::RunOn, ..setup };
    let positive = Subject::new(&POSITIVE, &[]);
    let share = Subject::new(&TOP_SHARE, &[]);
    let sure = Subject::new(&SURE, &[]);
    let deep = Setup { around: 2, ..setup };
    let oracle = Subject::registered("oracle-complexity", &[]);
    let means = Subject::registered("gut", &[("scope", Value::Text("causal".to_owned()))]);
    for (subject, setup, prompts, until, expected) in [
        (&fixed, &run_on, vec![prompt(&[1])], until, "freeze-state, latest-kv or skip"),
        (&positive, &setup, vec![prompt(&[1])], until, "policy positive chooses positions: expected"),
        (&share, &setup, vec![prompt(&[1])], until, "top-share is not causal"),
        (&sure, &deep, vec![prompt(&[1, 2])], until, "at most one layer under a policy that reads logits"),
        (&oracle, &setup, vec![prompt(&[1])], until, "oracle-complexity reads labels"),
        (&means, &setup, vec![prompt(&[1])], until, "policy gut reads all earlier tokens of a sequence"),
        (&fixed, &setup, vec![prompt(&[1]), prompt(&[])], until, "prompt 1: expected at least one token"),
        (&fixed, &setup, vec![prompt(&[1, 11])], until, "prompt 0: expected tokens below 11, found 11"),
        (&fixed, &setup, vec![prompt(&[1])], Until { end: None, most: 0 }, "at least 1 new token"),
    ] {
        let error = refusal(subject, setup, &prompts, &until);
        assert!(error.contains(expected), "{error}");
    }
}
