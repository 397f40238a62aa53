//! The generator's samples against samples of the benchmark's samplers, see `fixtures/make_fixtures.py`.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Instance;

use super::configured;
use crate::published::TABLE;

const INSTANCES: u64 = 2000;

/// The numbers in a text.
fn numbers(text: &str) -> Vec<f64> {
    text.split([' ', ',', '[', ']', ':', '\n']).filter_map(|word| word.parse().ok()).collect()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

/// The measures of one instance, as the script computes them.
fn measure(name: &str, instance: &Instance) -> f64 {
    let inputs = numbers(instance.question.lines().nth(1).unwrap());
    let outputs = numbers(&instance.answer);
    match name {
        "length" => instance.question.len() as f64,
        "zeros" => inputs.iter().filter(|number| **number == 0.0).count() as f64,
        "mean" => mean(inputs.iter().copied()),
        "square" => mean(inputs.iter().map(|number| number * number)),
        "first" => inputs[0],
        "last" => inputs[inputs.len() - 1],
        "differences" => mean(inputs.windows(2).map(|pair| (pair[1] - pair[0]).abs())),
        "answer" => mean(outputs.iter().copied()),
        "answers" => mean(outputs.iter().map(|number| number * number)),
        "steps" => f64::from(instance.complexities.column(1).find(|steps| !steps.is_nan()).unwrap()),
        other => panic!("{other}"),
    }
}

#[test]
fn samples_follow_the_benchmarks_laws() {
    let laws: Vec<serde_json::Value> =
        include_str!("../../fixtures/laws.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut compared = 0;
    let mut wrong = Vec::new();
    for row in &TABLE {
        let task = configured(&[("algorithm", Value::Text(row.name.into()))]).unwrap();
        let draw = |seed| task.sample(9, &mut Stream::new(seed, "laws", &[])).unwrap();
        let instances: Vec<Instance> = (0..INSTANCES).map(draw).collect();
        for law in laws.iter().filter(|law| law["algorithm"] == row.name) {
            let name = law["measure"].as_str().unwrap();
            let found = mean(instances.iter().map(|instance| measure(name, instance)));
            let number = |name: &str| law[name].as_f64().unwrap();
            let deviation = number("deviation") * (1.0 / number("count") + 1.0 / INSTANCES as f64).sqrt();
            compared += 1;
            // With three hundred comparisons, 4.5 deviations are exceeded by chance for one in 500 choices of seeds.
            if (found - number("mean")).abs() > 4.5 * deviation + 1e-6 {
                wrong.push(format!("{} {name}: {found}, not {} +- {deviation}", row.name, law["mean"]));
            }
        }
    }
    assert_eq!(compared, 300);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
