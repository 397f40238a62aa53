//! Drawing a string with its derivation, as published generators do, without the prefix parser:
//! `cargo bench --profile dev -p haltbench_task_lano --bench derivation`.
//!
//! The profile is that of every other build here, so nothing below is built twice.

#![allow(missing_docs, reason = "macros of criterion")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot begin has nothing to report")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use haltbench_sdk::random::Stream;
use haltbench_task_lano::derivation::Derivation;
use haltbench_task_lano::language::Language;

fn derivation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("derivation");
    for name in ["cfg3b", "cfg3f", "cfg3j", "cfg3k"] {
        let grammar = Language::published(name).unwrap().grammar;
        let draw = |index| Derivation::draw(&grammar, &mut Stream::new(0, "bench", &[index]));
        let tokens: usize = (0..1000).map(|index| draw(index).string.len()).sum();
        group.throughput(Throughput::Elements(tokens as u64 / 1000));
        let mut index = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                index += 1;
                draw(index)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, derivation);
criterion_main!(benches);
