//! What mutated inputs and trials have found, and what is right: each case refuses with these words, or answers.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use haltbench_engine::plugins::elf::read_fingerprint;
use haltbench_engine::store::read_tokens;
use haltbench_sdk::parameters::Value;

use crate::checkpoints;
use crate::harness::said;
use crate::questions::task;
use crate::suites::{WHOLE, catalogue, resolved};
use crate::tables;
use crate::traces;

/// A text of the suite that covers every table, what takes its place, and the message; empty where that is well.
const SUITES: &[(&str, &str, &str)] = &[
    ("steps = 20", "steps = 9223372036854775807", "training.steps: expected a whole number from 1 to 1000000000"),
    (
        "{ steps = 10,",
        "{ steps = 9223372036854775807,",
        "stages[0].steps: expected a whole number from 0 to 1000000000",
    ),
    ("batch = 16", "batch = 9223372036854775807", "training.batch: expected a whole number from 1 to 1000000"),
    ("instances = 30", "instances = 9223372036854775807", "evaluation.instances: expected a whole number from 1 to"),
    ("seeds = [0, 1]", "seeds = [9223372036854775807]", ""),
    ("seeds = [0, 1]", "seeds = [18446744073709551616]", "line 3"),
    ("seeds = [0, 1]", "seeds = []", "seeds: expected at least one, found none"),
    ("max_depth = [2, 3]", "max_depth = [2, 3.0]", "expected a whole number of at least 0, found 3.0"),
    ("label = \"v1.2\"", "label = \"\\u200b\"", "label: expected a text on one line"),
    ("label = \"v1.2\"", "label = 3", "policy calm: label: expected a text, found 3"),
    ("label = \"drawn\"", "label = \"v1.2\"", "label: expected a label that no other policy has"),
    ("gamma = 0.1", "gamma = nan", "parameter `gamma` of anira-e: expected a number from 0 to"),
    ("threshold = [0.5, 0.7, 0.9]", "threshold = []", "policy calm: threshold: expected at least one value, found []"),
    ("name = \"whole\"", "name = \"..\"", "name: expected a name that can be a folder's"),
];

#[test]
fn suites_with_ends_of_ranges() {
    let catalogue = catalogue();
    for (from, to, expected) in SUITES {
        assert!(WHOLE.contains(from), "the suite has no `{from}`");
        let said = said(resolved(&WHOLE.replacen(from, to, 1), &[], &catalogue));
        assert!(said.is_empty() == expected.is_empty() && said.contains(expected), "{to}: lacks `{expected}`: {said}");
    }
    // Windows' editors begin a file with a byte order mark and end lines with two characters.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("suite.toml");
    fs::write(&file, format!("\u{feff}{}", WHOLE.replace('\n', "\r\n"))).unwrap();
    haltbench_engine::plan::read(file.to_str().unwrap(), &[]).unwrap();
}

/// A task, a question, and what is said of it; empty where it is answered.
const QUESTIONS: &[(&str, &str, &str)] = &[
    ("mano", "", "token 1 of the question"),
    ("mano", "\u{1b}[31m", "\\u{1b}[31m"),
    ("mano", "+ 1 99999999999999999999", "token 3 of the question"),
    ("clrs", "bfs:\ns: 0.0, A: [[0.0 1.0], [1.0 0.0]]\npi:\n", ""),
    ("clrs", "bfs:\ns: 0, A: [[0 1e300], [1 0]]\npi:\n", "expected a whole number"),
    ("clrs", "minimum:\nkey: [1 2], initial_trace: 0\ntrace | min:\n", "traces of states are not supported"),
];

#[test]
fn questions_at_the_ends_of_what_is_written() {
    for (name, question, expected) in QUESTIONS {
        let said = said(task(name, &[]).answer(question));
        assert!(said.is_empty() == expected.is_empty() && said.contains(expected), "{question:?}: {said}");
    }
    // Long nests: no reader may be as deep as its input.
    let nested = ["+ ".repeat(200_000), "( ".repeat(200_000), "[".repeat(200_000)];
    for (name, question) in ["mano", "mano-stream", "brevo", "depo", "clrs", "lano"]
        .iter()
        .flat_map(|name| nested.iter().map(move |text| (name, text)))
    {
        let toy = [("grammar", Value::Text("toy".to_owned()))];
        let task = task(name, if *name == "lano" { &toy } else { &[] });
        assert!(task.answer(question).is_err() && task.check(question, "1").is_err(), "{name}");
    }
}

fn read(bytes: &[u8], read: impl Fn(&Path) -> String + std::panic::RefUnwindSafe) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, bytes).unwrap();
    catch_unwind(|| read(&file)).map_err(|_| "it panicked".to_owned())
}

/// The Parquet library asserts that no offset is negative and that pages come in order, and makes room for as many values
/// as the footer promises.
#[test]
fn every_changed_byte_of_a_tables_footer_is_refused_or_harmless() {
    let whole = tables::sound();
    let (body, tail) = whole.split_at(whole.len() - 8);
    let footer = u32::from_le_bytes(tail[..4].try_into().unwrap()) as usize;
    for place in body.len() - footer..whole.len() {
        for mask in [0x01, 0x80] {
            let mut bytes = whole.clone();
            bytes[place] ^= mask;
            let outcome = read(&bytes, |file| said(read_tokens(file).map(drop)));
            assert!(outcome.is_ok(), "byte {place} ^ {mask}: {outcome:?}");
        }
    }
}

/// Headers that promise more than a file can hold.
#[test]
fn lengths_beyond_a_file_are_refused() {
    for length in [u64::MAX, 1 << 63, 1 << 40, 0] {
        for sound in [traces::sound(), checkpoints::sound()] {
            let bytes = [&length.to_le_bytes()[..], &sound[8..]].concat();
            let catalogue = catalogue();
            let of_trace = read(&bytes, |file| said(traces::replayed(&catalogue, file)));
            let of_checkpoint =
                read(&bytes, |file| said(haltbench_engine::store::read_checkpoint(file, "0123456789abcdef").map(drop)));
            for outcome in [of_trace, of_checkpoint] {
                assert!(outcome.as_ref().is_ok_and(|said| said.contains("damaged")), "{length}: {outcome:?}");
            }
        }
    }
    let mut library = b"\x7fELF\x02\x01\x01".to_vec();
    library.resize(64, 0xff);
    assert!(read(&library, |file| said(read_fingerprint(file))).is_ok_and(|said| said.contains("ELF")));
}
