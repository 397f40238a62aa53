//! The number of threads changes no bit of weights, logits and depths, for whole sequences and token by token. The
//! instructions of the processor change them by rounding alone.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::Command;

use haltbench_engine::decoding::{Choice, Decoder, Prompt, Until, decode};
use haltbench_engine::model::Model;
use haltbench_engine::optimiser::AdamW;
use haltbench_engine::plan::TrainingSettings;
use haltbench_engine::recurrence::{Execution, Noise, evaluate};
use haltbench_engine::training;
use haltbench_sdk::candle_core::utils::get_num_threads;
use haltbench_sdk::conformance::Sequence;
use haltbench_sdk::prelude::*;

use crate::miniatures::{ACT, HAZARDS, TOP_SHARE};
use crate::processes::rerun;
use crate::setup::{Setup, Subject, numbers};

/// Seed of the run in a child; without it the test starts the children.
const CHILD: &str = "HALTBENCH_TEST_THREADS_CHILD";
const NAME: &str = "threads::invariant_7_the_number_of_threads_changes_no_bit";

/// Number of new tokens per sequence.
const NEW: usize = 9;

/// Trains for a few steps, evaluates, decodes, and hashes all results. The products are large enough for candle to
/// split them over its threads.
fn run(subject: &Subject, seed: u64) -> u64 {
    let setup = Setup { d_model: 64, d_ff: 160, max_depth: 4, dtype: DType::F32, seed, ..Setup::PLAIN };
    let model = subject.model(&setup);
    let settings = TrainingSettings { warmup_steps: 0, ..TrainingSettings::default() };
    let mut optimiser = AdamW::new(&model.variables, &settings, haltbench_sdk::policy::Trains::All).unwrap();
    let lengths: Vec<usize> = (0..16).map(|place| 8 + 5 * place % 17).collect();
    let sequences = setup.sequences(&lengths);
    let (batch, _) = setup.pack(&sequences);
    let mut hasher = DefaultHasher::new();
    for step in 0..3 {
        let loss = training::loss(&model, &batch, &Noise::Seeded(step), None).unwrap();
        loss.depths.hash(&mut hasher);
        optimiser.step(&loss.total.backward().unwrap()).unwrap();
    }
    for (name, variable) in model.variables.all() {
        name.hash(&mut hasher);
        bits(variable.as_tensor()).hash(&mut hasher);
    }
    let evaluated = evaluate(&model, &batch, Execution::Compacted, None).unwrap();
    evaluated.depths.hash(&mut hasher);
    bits(&evaluated.logits).hash(&mut hasher);
    if matches!(subject.declaration.kind, PolicyKind::Early | PolicyKind::Online) {
        decoded(&model, &sequences, &mut hasher);
    }
    hasher.finish()
}

/// Decodes in two ways: greedily, and token by token up to the ends of the sequences, which shows their logits. Threads
/// share such few rows differently from whole sequences: products by columns, attention by queries.
fn decoded(model: &Model, sequences: &[Sequence], hasher: &mut DefaultHasher) {
    let prompt = |Sequence { identity, tokens, .. }: &Sequence| Prompt { identity: *identity, tokens: tokens.clone() };
    let prompts: Vec<Prompt> = sequences.iter().map(prompt).collect();
    for sequence in decode(model, &prompts, &Until { end: None, most: NEW }, Choice::Greedy).unwrap().sequences {
        (sequence.tokens, sequence.depths).hash(hasher);
        sequence.probabilities.into_iter().map(f64::to_bits).collect::<Vec<u64>>().hash(hasher);
    }
    let identities: Vec<u64> = prompts.iter().map(|prompt| prompt.identity).collect();
    let mut decoder = Decoder::new(model, &identities).unwrap();
    // The length of the shortest sequence.
    for place in 0..8 {
        let new: Vec<&[u32]> = prompts.iter().map(|prompt| &prompt.tokens[place..=place]).collect();
        let advanced = decoder.advance(&new).unwrap();
        advanced.depths.hash(hasher);
        bits(&advanced.logits).hash(hasher);
    }
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

fn report(seed: u64) -> Vec<String> {
    let policies = [
        Subject::registered("anira-e", &[]),
        Subject::registered("anira-o", &[]),
        Subject::new(&HAZARDS, &[]),
        Subject::new(&ACT, &[]),
        Subject::new(&TOP_SHARE, &[]),
    ];
    let line = |subject: &Subject| format!("{} {:x}", subject.declaration.name, run(subject, seed));
    policies.iter().map(line).collect()
}

/// The report of a child with this many threads: its number of threads and its hashes.
fn child(threads: usize, seed: u64) -> (usize, Vec<String>) {
    let text = rerun(NAME, threads, &[(CHILD, seed.to_string())]);
    let after = |word: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.split_once(word)).map(|(_, rest)| rest.to_owned()).collect()
    };
    (after("THREADS ")[0].parse().unwrap(), after("HASH "))
}

#[test]
fn invariant_7_the_number_of_threads_changes_no_bit() {
    if let Ok(seed) = std::env::var(CHILD) {
        println!("\nTHREADS {}", get_num_threads());
        report(seed.parse().unwrap()).iter().for_each(|line| println!("HASH {line}"));
        return;
    }
    let children = [1, 2, 3].map(|threads| (threads, child(threads, 1)));
    for (threads, (found, hashes)) in &children {
        assert_eq!(threads, found, "the child runs with as many threads as asked for");
        assert_eq!(hashes.len(), 5);
        assert_eq!(*hashes, children[0].1.1, "{threads} threads");
    }
    // Other inputs give other hashes.
    assert_ne!(child(2, 2).1, children[0].1.1);
}

/// Set in a child that reports what its processor computes.
const PROCESSOR: &str = "HALTBENCH_TEST_PROCESSOR_CHILD";
const PROCESSORS: &str = "threads::fault_17_another_processor_gives_the_same_results_up_to_rounding";

/// Programs that run others on a processor with fewer instructions: without AVX-512, and without AVX.
const EMULATORS: [&[&str]; 2] = [&["valgrind", "--tool=none", "-q"], &["qemu-x86_64", "-cpu", "Nehalem"]];

/// Largest difference of a number, relative to 1 + its size: f32 rounds by 6e-8, and the roundings of four steps and their
/// backward passes add up to some 1e-5.
const ROUNDING: f64 = 1e-4;

/// Largest such difference once AdamW has taken steps: it divides a gradient by its own size, so an element whose gradient
/// is a rounding error moves as far as any other, in either direction.
const AFTER_STEPS: f64 = 1e-2;

/// The instructions that this processor has, and what it computes for each policy: depths and logits before and after
/// three steps of training, the loss of each step, and the norms of the gradients of the first.
fn report_of_processor() {
    #[cfg(target_arch = "x86_64")]
    println!(
        "\nWIDEST [{}]",
        u8::from(is_x86_feature_detected!("avx512f")) + u8::from(is_x86_feature_detected!("avx2"))
    );
    for subject in [Subject::registered("anira-e", &[]), Subject::registered("anira-o", &[]), Subject::new(&ACT, &[])] {
        let setup = Setup { d_model: 64, d_ff: 160, max_depth: 4, dtype: DType::F32, seed: 1, ..Setup::PLAIN };
        let model = subject.model(&setup);
        let settings = TrainingSettings { warmup_steps: 0, ..TrainingSettings::default() };
        let mut optimiser = AdamW::new(&model.variables, &settings, haltbench_sdk::policy::Trains::All).unwrap();
        let (batch, _) = setup.pack(&setup.sequences(&[9, 17, 4]));
        let evaluated = || evaluate(&model, &batch, Execution::Compacted, None).unwrap();
        println!("LOGITS {:?}", numbers(&evaluated().logits));
        for step in 0..3 {
            let loss = training::loss(&model, &batch, &Noise::Seeded(step), None).unwrap();
            let gradients = loss.total.backward().unwrap();
            println!("DRAWN {:?}", loss.depths);
            println!("{} {:?}", if step == 0 { "LOSS" } else { "LATER" }, numbers(&loss.total));
            let norm = |tensor: &Tensor| numbers(tensor).iter().map(|number| number * number).sum::<f64>().sqrt();
            let variables = model.variables.all().into_iter();
            let norms: Vec<f64> = variables.filter_map(|(_, variable)| gradients.get(&variable).map(norm)).collect();
            println!("{} {norms:?}", if step == 0 { "GRADIENTS" } else { "LATER" });
            optimiser.step(&gradients).unwrap();
        }
        println!("DEPTHS {:?}", evaluated().depths);
        println!("LATER {:?}", numbers(&evaluated().logits));
    }
}

/// What a child with one thread reports, under an emulator or on this processor; `None` if it cannot be had here.
fn of_processor(emulator: &[&str]) -> Option<Vec<(String, Vec<f64>)>> {
    let test = std::env::current_exe().unwrap();
    let words = [emulator, &[test.to_str().unwrap(), PROCESSORS, "--exact", "--nocapture"]].concat();
    let mut child = Command::new(words[0]);
    child.args(&words[1..]).env("RAYON_NUM_THREADS", "1").env(PROCESSOR, "1");
    let output = match child.output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: {}: {error}", words[0]);
            return None;
        }
    };
    let (said, complaints) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    if !emulator.is_empty() && (complaints.contains("unhandled instruction") || complaints.contains("not supported")) {
        eprintln!("skipped: {}: {complaints}", words[0]);
        return None;
    }
    assert!(output.status.success() && said.contains("1 passed"), "{words:?}:\n{said}{complaints}");
    let numbers = |list: &str| -> Vec<f64> {
        list.trim_matches(['[', ']']).split(", ").map(|number| number.parse().unwrap()).collect()
    };
    let line = |line: &str| line.split_once(' ').map(|(word, list)| (word.to_owned(), numbers(list)));
    let is_reported =
        |line: &&str| line.ends_with(']') && line.split_once(" [").is_some_and(|(word, _)| word == word.to_uppercase());
    Some(said.lines().filter(is_reported).filter_map(line).collect())
}

#[test]
fn fault_17_another_processor_gives_the_same_results_up_to_rounding() {
    if std::env::var_os(PROCESSOR).is_some() {
        return report_of_processor();
    }
    let here = of_processor(&[]).unwrap();
    for emulator in EMULATORS {
        let Some(there) = of_processor(emulator) else { continue };
        assert_eq!(there.len(), here.len(), "{emulator:?}");
        // The largest differences, relative to 1 + the size of the number, by the words of the report.
        let mut largest: BTreeMap<&str, f64> = BTreeMap::new();
        for ((word, expected), (_, found)) in here.iter().zip(&there) {
            assert_eq!(found.len(), expected.len(), "{emulator:?}: {word}");
            let difference = |(found, expected): (&f64, &f64)| (found - expected).abs() / (1.0 + expected.abs());
            let differences = found.iter().zip(expected).map(difference);
            let known = largest.entry(word).or_default();
            *known = differences.fold(*known, f64::max);
        }
        eprintln!("{emulator:?}: {largest:?}");
        let narrower = there[0].1[0] < here[0].1[0];
        if !narrower {
            eprintln!("skipped: {emulator:?} has the instructions of this processor");
        }
        for (word, most) in [
            ("LOGITS", ROUNDING),
            ("LOSS", ROUNDING),
            ("GRADIENTS", ROUNDING),
            ("LATER", AFTER_STEPS),
            ("DRAWN", 0.0),
            ("DEPTHS", 0.0),
        ] {
            assert!(largest[word] <= most, "{emulator:?}: {word}: {} is more than {most}", largest[word]);
        }
    }
}
