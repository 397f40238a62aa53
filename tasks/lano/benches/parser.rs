//! The prefix parser, token by token:
//! `cargo bench --profile dev -p haltbench_task_lano --bench parser`.
//!
//! The profile is that of every other build here, so nothing below is built twice.

#![allow(missing_docs, reason = "macros of criterion")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot begin has nothing to report")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use haltbench_sdk::random::Stream;
use haltbench_task_lano::grammar::Terminal;
use haltbench_task_lano::language::Language;

/// Strings that are read in turn.
const STRINGS: u64 = 20;

/// A string of the language, drawn from its exact next-token distributions.
fn string(language: &Language, seed: u64) -> Vec<Terminal> {
    let (mut stream, mut parser, mut string) = (Stream::new(seed, "bench", &[]), language.parser(), Vec::new());
    let mut distribution = vec![0.0; language.outcomes()];
    while parser.next_token(&mut distribution) {
        let mut left = stream.uniform();
        let outcome = distribution.iter().position(|probability| {
            left -= probability;
            left < 0.0
        });
        match outcome {
            Some(outcome) if outcome < language.end() => {
                string.push(outcome as Terminal);
                parser.advance(outcome as Terminal);
            }
            _ => break,
        }
    }
    string
}

fn parser(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parser");
    group.sample_size(10);
    for name in ["cfg3b", "cfg3f"] {
        let language = Language::published(name).unwrap();
        let strings: Vec<Vec<Terminal>> = (0..STRINGS).map(|seed| string(&language, seed)).collect();
        group.throughput(Throughput::Elements(strings.iter().map(|string| string.len() as u64).sum()));
        let mut parser = language.parser();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for string in &strings {
                    parser.restart();
                    string.iter().for_each(|terminal| {
                        parser.advance(*terminal);
                    });
                }
                parser.ln_string()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, parser);
criterion_main!(benches);
