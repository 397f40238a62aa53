//! Helpers for tests and benches of a task: the configured task, its instances, their columns and statistics.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::parameters::{Parameters, Value};
use crate::random::Stream;
use crate::registry::{Declaration, submitted};
use crate::task::{Instance, Task, TaskDeclaration};

/// The task with the given parameters; all others have their defaults.
///
/// # Errors
/// If a parameter is refused.
pub fn configured(declaration: &TaskDeclaration, given: &[(&str, Value)]) -> Result<Box<dyn Task>> {
    let given: BTreeMap<String, Value> =
        given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    (declaration.build)(&Parameters::resolve(declaration.name, declaration.parameters, &given)?)
}

/// The declaration of a task that is linked in, for tests and benches of the task.
///
/// # Errors
/// [`Error::Unknown`] if there is none of this name, [`Error::Contract`] beside a program that loads plugins.
pub fn registered(name: &str) -> Result<&'static TaskDeclaration> {
    if Host::is_claimed() {
        return Err(Error::contract("a plugin", format!("looks up the task {name}: only the program may")));
    }
    let of_tasks = submitted().into_iter().filter_map(|entry| match entry.declaration {
        Declaration::Task(task) => Some(task),
        _ => None,
    });
    let tasks: Vec<&'static TaskDeclaration> = of_tasks.collect();
    let found = tasks.iter().find(|task| task.name == name);
    found.copied().ok_or_else(|| Error::unknown("task", name, tasks.iter().map(|task| task.name)))
}

/// An instance of a seed.
///
/// # Panics
/// If the task cannot express the size.
pub fn draw(task: &dyn Task, size: u32, seed: u64) -> Instance {
    task.sample(size, &mut Stream::new(seed, "test", &[u64::from(size)]))
        .unwrap_or_else(|error| panic!("size {size}, seed {seed}: {error}"))
}

/// The column called `name`, a complexity or a feature.
///
/// # Panics
/// If there is none.
pub fn column(task: &dyn Task, instance: &Instance, name: &str) -> Vec<f32> {
    let found = columns(task).position(|found| found == name);
    let place = found.unwrap_or_else(|| panic!("there is no column {name}"));
    entries(instance, place).collect()
}

/// The entries of a column, numbered as by [`columns`].
fn entries(instance: &Instance, place: usize) -> impl Iterator<Item = f32> {
    let complexities = instance.complexities.count();
    match place.checked_sub(complexities) {
        None => instance.complexities.column(place),
        Some(place) => instance.features.column(place),
    }
}

/// Names of all columns, complexities first.
fn columns(task: &dyn Task) -> impl Iterator<Item = &str> {
    let spec = task.spec();
    spec.complexities.iter().map(|column| column.name).chain(spec.features.iter().map(|column| column.name))
}

/// The position at which parsing fails, and the message.
///
/// # Panics
/// If it parses, or is refused for another reason.
pub fn break_of<T>(result: Result<T>) -> (usize, String) {
    match result {
        Err(Error::Malformed { text: "question", position, message }) => (position, message),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the question parses"),
    }
}

/// Number of instances in [`statistics`]: enough for a changed generator to change the means.
const COUNT: u64 = 10_000;

/// Number of first answer tokens that [`statistics`] lists.
const FREQUENT: usize = 5;

/// Statistics to be recorded, of 10,000 instances of these sizes in turn: lengths, the most frequent first answers, and
/// the mean, the largest value and the number of defined values of every column. They change if the generator changes.
///
/// # Panics
/// If the task cannot express a size, there is none, or an instance has no answer.
pub fn statistics(task: &dyn Task, sizes: &[u32]) -> String {
    let sizes = sizes.iter().copied().cycle();
    let instances: Vec<Instance> = (0..COUNT).zip(sizes).map(|(seed, size)| draw(task, size, seed)).collect();
    let instances = instances.as_slice();
    let lengths: Vec<usize> = instances.iter().map(|instance| instance.tokens.len()).collect();
    let (least, most) =
        lengths.iter().fold((usize::MAX, 0), |(least, most), length| (least.min(*length), most.max(*length)));
    let mean = lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
    let mut text = format!("tokens: {mean:.4} on average, {least} to {most}\n");
    let mut answers: BTreeMap<usize, u64> = BTreeMap::new();
    for instance in instances {
        *answers.entry(instance.answer.split(' ').count()).or_default() += 1;
    }
    let answers: Vec<String> = answers.iter().map(|(length, count)| format!("{length}:{count}")).collect();
    let mut line = |line: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{line}");
    };
    line(format!("answers by their words: {}", answers.join(" ")));
    let vocabulary = &task.spec().vocabulary;
    let mut firsts = vec![0; vocabulary.len()];
    for instance in instances {
        let first = instance.answers().next().unwrap_or_else(|| panic!("an instance without an answer"));
        firsts[first as usize] += 1;
    }
    let mut firsts: Vec<(usize, &String)> =
        firsts.into_iter().zip(vocabulary).filter(|(count, _)| *count > 0).collect();
    firsts.sort_by(|left, right| right.cmp(left));
    let listed: Vec<String> = firsts.iter().take(FREQUENT).map(|(count, word)| format!("{word}:{count}")).collect();
    line(format!("{} first tokens, most frequent: {}", firsts.len(), listed.join(" ")));
    for (place, name) in columns(task).enumerate() {
        let values = instances.iter().flat_map(|instance| entries(instance, place));
        let values: Vec<f64> = values.filter(|value| !value.is_nan()).map(f64::from).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let most = values.iter().copied().fold(0.0, f64::max);
        line(format!("{name}: {mean:.4} on average, at most {most}, {} defined", values.len()));
    }
    text
}

/// Compares a text about a task, such as [`statistics`](crate::conformance::specimen::statistics), with the snapshot of
/// this name. The crate needs `insta` as a development dependency.
#[macro_export]
macro_rules! assert_recorded {
    ($name:expr, $text:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../snapshots/tasks"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!($name, $text));
    }};
}

/// The criterion bench of a task's generator. The task's name is followed by settings: a name, a size and parameters
/// each. The crate needs `criterion` as a development dependency and must be linked in.
#[macro_export]
macro_rules! bench_generator {
    ($task:literal, $(($name:literal, $size:literal, $given:expr)),+ $(,)?) => {
        fn generator(criterion: &mut criterion::Criterion) {
            use $crate::conformance::specimen::{configured, registered};
            use $crate::parameters::Value;
            let declaration = registered($task).unwrap();
            let mut group = criterion.benchmark_group($task);
            $({
                let given: &[(&str, Value)] = $given;
                let task = configured(declaration, given).unwrap();
                let mut instance = $crate::task::Instance::default();
                let mut draw = |index| {
                    let mut stream = $crate::random::Stream::new(0, "bench", &[index]);
                    task.draw($size, &mut stream, &mut instance).unwrap();
                    instance.tokens.len()
                };
                let tokens: usize = (0..100).map(&mut draw).sum();
                group.throughput(criterion::Throughput::Elements(tokens as u64 / 100));
                let mut index = 0;
                group.bench_function($name, |bencher| {
                    bencher.iter(|| {
                        index += 1;
                        draw(index)
                    });
                });
            })+
            group.finish();
        }

        criterion::criterion_group!(benches, generator);
        criterion::criterion_main!(benches);
    };
}
