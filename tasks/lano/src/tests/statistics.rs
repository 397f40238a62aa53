//! Recorded statistics of many instances, which show changes of the generator or of a column.

use haltbench_sdk::assert_recorded;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{Instance, Task};

use super::{instance, language, lano};

/// Means of all columns over the answer tokens of `count` instances, with lengths and token frequencies.
fn statistics(task: &dyn Task, count: u64) -> String {
    let spec = task.spec();
    let names: Vec<&str> = spec
        .complexities
        .iter()
        .map(|column| column.name)
        .chain(spec.features.iter().map(|column| column.name))
        .collect();
    let mut sums = vec![(0.0f64, 0u64); names.len()];
    let mut frequencies = vec![0u64; spec.vocabulary.len()];
    let mut lengths = Vec::new();
    for seed in 0..count {
        let instance = instance(task, seed);
        lengths.push(instance.tokens.len() - 2);
        instance.tokens.iter().for_each(|token| frequencies[*token as usize] += 1);
        let columns = [&instance.complexities, &instance.features];
        let columns = columns.iter().flat_map(|columns| (0..columns.count()).map(|place| columns.column(place)));
        for (sum, column) in sums.iter_mut().zip(columns) {
            for value in column.filter(|value| !value.is_nan()) {
                *sum = (sum.0 + f64::from(value), sum.1 + 1);
            }
        }
    }
    lengths.sort_unstable();
    let quantile = |share: f64| lengths[((lengths.len() - 1) as f64 * share) as usize];
    let quantiles: Vec<String> =
        [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0].map(|share| quantile(share).to_string()).into();
    let mut text = format!("instances {count}\nlength quantiles {}\n", quantiles.join(" "));
    for (word, frequency) in spec.vocabulary.iter().zip(&frequencies) {
        text.push_str(&format!("token {word} {frequency}\n"));
    }
    for (name, (sum, defined)) in names.iter().zip(sums) {
        text.push_str(&format!("mean {name} {:.5} of {defined}\n", sum / defined as f64));
    }
    text
}

/// Token accuracies of the guesses.
fn guesses_of(name: &str, count: u64) -> String {
    let task = lano(name);
    let instances: Vec<Instance> = (0..2 * count).map(|seed| instance(&*task, seed)).collect();
    let (training, evaluated) = instances.split_at(count as usize);
    let answers: usize = evaluated.iter().map(|instance| instance.answers().count()).sum();
    let mut shares = Vec::new();
    for guess in task.guesses(training) {
        let mut stream = Stream::new(0, "test/guesses", &[]);
        let right = |instance: &Instance| {
            let guessed = guess.tokens(instance, &mut stream);
            instance.answers().zip(guessed).filter(|(answer, guess)| answer == guess).count()
        };
        let right: usize = evaluated.iter().map(right).sum();
        shares.push(format!("{} {:.5}", guess.name(), right as f64 / answers as f64));
    }
    format!("{name}: {}", shares.join(", "))
}

#[test]
fn a_small_grammar_is_what_it_was() {
    assert_recorded!("lano-sampled", &statistics(&*lano("sampled"), 10_000));
}

#[test]
fn the_papers_grammar_is_what_it_was() {
    let parts: Vec<String> = std::thread::scope(|scope| {
        let parts = ["cfg3b", "toy"].map(|name| scope.spawn(move || (name, statistics(&*lano(name), 10_000))));
        parts.into_iter().map(|part| part.join().unwrap()).map(|(name, text)| format!("{name}\n{text}")).collect()
    });
    assert_recorded!("lano-published", &parts.join("\n"));
    let shares: Vec<String> = ["cfg3b", "cfg3f", "toy"].map(|name| guesses_of(name, 300)).into();
    assert_recorded!("lano-guesses", &shares.join("\n"));
    // The mean entropy of the next token is known from a few samples of another implementation.
    assert!(parts[0].contains("mean entropy 0.42") || parts[0].contains("mean entropy 0.43"), "{}", parts[0]);
    assert_eq!(language("cfg3b").outcomes(), 4);
}
