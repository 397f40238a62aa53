//! Drawing instances with all complexities and features:
//! `cargo bench --profile dev -p haltbench_task_mano --bench generator`.
//!
//! The profile is that of every other build here, so nothing below is built twice.

#![allow(missing_docs, reason = "macros of criterion")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot begin has nothing to report")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use haltbench_sdk::parameters::{Parameters, Value};
use haltbench_sdk::random::Stream;
use haltbench_sdk::registry::{Declaration, registrations};
use haltbench_task_mano as _;

fn draw(criterion: &mut Criterion, name: &str, size: u32, given: &[(&str, Value)]) {
    let registered = registrations().into_iter().find_map(|entry| match entry.declaration {
        Declaration::Task(task) if task.name == "mano" => Some(task),
        _ => None,
    });
    let declaration = registered.unwrap();
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let parameters = Parameters::resolve(declaration.name, declaration.parameters, &given).unwrap();
    let task = (declaration.build)(&parameters).unwrap();
    let instance = |index| task.sample(size, &mut Stream::new(0, "bench", &[index])).unwrap();
    let tokens: usize = (0..100).map(|index| instance(index).tokens.len()).sum();
    let mut group = criterion.benchmark_group("mano");
    group.throughput(Throughput::Elements(tokens as u64 / 100));
    let mut index = 0;
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            index += 1;
            instance(index)
        });
    });
    group.finish();
}

fn generator(criterion: &mut Criterion) {
    draw(criterion, "operators_10", 10, &[]);
    draw(criterion, "operators_16", 16, &[]);
}

criterion_group!(benches, generator);
criterion_main!(benches);
