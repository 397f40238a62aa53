//! Recorded means over many instances, which show changes of the generator.

use std::fmt::Write;

use haltbench_sdk::assert_recorded;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Task;

use super::configured;
use crate::published::TABLE;

/// Instances per algorithm: 10,020 in total.
const INSTANCES: u64 = 334;
const SIZE: u32 = 10;

/// Means of tokens, of answer characters and of every column where it is defined, and the share of the most frequent
/// answer.
fn line(task: &dyn Task) -> String {
    let names: Vec<&str> = {
        let spec = task.spec();
        spec.complexities
            .iter()
            .map(|column| column.name)
            .chain(spec.features.iter().map(|column| column.name))
            .collect()
    };
    let mut sums = vec![(0.0, 0u32); names.len()];
    let (mut tokens, mut answers) = (0, Vec::new());
    for seed in 0..INSTANCES {
        let instance = task.sample(SIZE, &mut Stream::new(seed, "statistics", &[])).unwrap();
        tokens += instance.tokens.len();
        let columns = [&instance.complexities, &instance.features];
        let columns = columns.iter().flat_map(|columns| (0..columns.count()).map(|place| columns.column(place)));
        for (sum, column) in sums.iter_mut().zip(columns) {
            for value in column.filter(|value| !value.is_nan()) {
                *sum = (sum.0 + f64::from(value), sum.1 + 1);
            }
        }
        answers.push(instance.answer);
    }
    answers.sort_unstable();
    let frequent = answers.chunk_by(|left, right| left == right).map(<[String]>::len).max().unwrap();
    let mean = |count: usize| count as f64 / INSTANCES as f64;
    let mut line = format!("tokens {:.2} answer {:.2}", mean(tokens), mean(answers.iter().map(String::len).sum()));
    write!(line, " frequent {:.3}", mean(frequent)).unwrap();
    for (name, (sum, count)) in names.iter().zip(sums).filter(|(name, _)| !["size", "algorithm"].contains(name)) {
        if count > 0 {
            write!(line, " {name} {:.3}", sum / f64::from(count)).unwrap();
        }
    }
    line
}

#[test]
fn means_are_those_recorded() {
    let mut text = String::new();
    for row in &TABLE {
        let task = configured(&[("algorithm", Value::Text(row.name.into()))]).unwrap();
        writeln!(text, "{}: {}", row.name, line(&*task)).unwrap();
    }
    assert_recorded!("clrs-statistics", text);
}
