//! Recorded statistics of 10,000 instances: a generator that changed shows here.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use haltbench_sdk::task::{Instance, Task};

use super::{depo, draw, released};

const COUNT: u64 = 10_000;

fn record(name: &str, task: &dyn Task, sizes: &[u32]) {
    let instances: Vec<Instance> =
        (0..COUNT).map(|seed| draw(task, sizes[seed as usize % sizes.len()], seed)).collect();
    let mut text = String::new();
    let lengths = instances.iter().map(|instance| instance.tokens.len());
    let (least, most) = (lengths.clone().min().unwrap(), lengths.clone().max().unwrap());
    let mean = lengths.sum::<usize>() as f64 / COUNT as f64;
    writeln!(text, "tokens: {mean:.4} on average, {least} to {most}").unwrap();
    let mut answers: BTreeMap<usize, u64> = BTreeMap::new();
    for instance in &instances {
        *answers.entry(instance.answer.split(' ').count()).or_default() += 1;
    }
    let answers: Vec<String> = answers.iter().map(|(length, count)| format!("{length}:{count}")).collect();
    writeln!(text, "answers by their nodes: {}", answers.join(" ")).unwrap();
    let first = |instance: &Instance| instance.tokens[instance.loss_mask.iter().position(|loss| *loss).unwrap()];
    let mut tokens = vec![0; task.spec().vocabulary.len()];
    instances.iter().for_each(|instance| tokens[first(instance) as usize] += 1);
    let (most, count) = tokens.iter().enumerate().max_by_key(|(_, count)| **count).unwrap();
    writeln!(text, "most frequent first token: {} in {count}", task.spec().vocabulary[most]).unwrap();
    let spec = task.spec();
    let complexities = spec.complexities.iter().enumerate().map(|(place, column)| (column.name, place, true));
    let features = spec.features.iter().enumerate().map(|(place, column)| (column.name, place, false));
    for (name, place, is_complexity) in complexities.chain(features) {
        let columns = |instance: &Instance| {
            let columns = if is_complexity { &instance.complexities } else { &instance.features };
            columns[place].iter().filter(|value| !value.is_nan()).map(|value| f64::from(*value)).collect::<Vec<_>>()
        };
        let values: Vec<f64> = instances.iter().flat_map(columns).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let most = values.iter().copied().fold(0.0, f64::max);
        writeln!(text, "{name}: {mean:.4} on average, at most {most}, {} defined", values.len()).unwrap();
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../snapshots/tasks"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn statistics_are_as_recorded() {
    let sizes: Vec<u32> = (3..=30).collect();
    record("depo", &*depo(), &sizes);
    record("depo-spelled", &*released(3, [5, 7], 30, 16), &sizes);
}
