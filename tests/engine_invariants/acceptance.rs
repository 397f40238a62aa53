//! Answers that a model generates: the same as passes over the whole text so far, token by token.

use haltbench_analysis::Split;
use haltbench_engine::data::EvaluationInstance;
use haltbench_engine::generation::acceptance;
use haltbench_engine::model::Model;
use haltbench_engine::recurrence::{Execution, evaluate};
use haltbench_sdk::prelude::*;
use haltbench_sdk::task::{Columns, Instance, Supervision, TaskSpec, Verdict};

use crate::setup::{Setup, read_out, subjects};

const END: u32 = 3;

/// Accepts answers with an even sum to questions no longer than the answer.
struct Even {
    spec: TaskSpec,
}

impl Task for Even {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn draw(&self, _: u32, _: &mut Stream, _: &mut Instance) -> Result<()> {
        Err(Error::invalid("size", "none", 0))
    }

    fn answer(&self, _: &str) -> Result<String> {
        Ok(String::new())
    }

    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        let sum: u32 = answer.split_whitespace().map(|token| token.parse::<u32>().unwrap()).sum();
        let length = answer.split_whitespace().count();
        let is_right = sum.is_multiple_of(2) && question.parse::<usize>().unwrap() <= length + 2;
        Ok(if is_right { Verdict::valid() } else { Verdict::wrong("odd") })
    }

    fn written(&self, answer: &[u32]) -> Option<String> {
        Some(answer.iter().map(u32::to_string).collect::<Vec<_>>().join(" "))
    }
}

/// A question of `prompt` tokens.
fn instance(setup: &Setup, number: u64, prompt: usize) -> EvaluationInstance {
    let mut tokens = setup.sequence(number, prompt + 2).tokens;
    tokens[prompt + 1] = END;
    let length = tokens.len();
    let instance = Instance {
        loss_mask: (0..length).map(|place| place >= prompt).collect(),
        complexities: Columns::undefined(0, 0..length),
        features: Columns::undefined(0, 0..length),
        question: prompt.to_string(),
        canonical: Some(number.to_string()),
        tokens,
        ..Instance::default()
    };
    let split = if number.is_multiple_of(3) { Split::Beyond } else { Split::InRange };
    EvaluationInstance { id: number, size: 1, split, instance }
}

/// The model's continuation of `tokens`, with a full pass for every token.
fn written(model: &Model, number: u64, tokens: &[u32], most: usize) -> Option<Vec<u32>> {
    let mut read = tokens.to_vec();
    while read.len() < tokens.len() + most {
        let last: Vec<bool> = (1..=read.len()).map(|place| place == read.len()).collect();
        let batch = read_out(number, &read, &last);
        let token = evaluate(model, &batch, Execution::Dense, None).unwrap().predicted[0];
        if token == END {
            return Some(read.split_off(tokens.len()));
        }
        read.push(token);
    }
    None
}

#[test]
fn what_a_model_writes_is_judged_and_counted() {
    let mut seen = Vec::new();
    for seed in 1..=4 {
        let setup = Setup { seed, max_depth: 3, ..Setup::PLAIN };
        let task = Even {
            spec: TaskSpec {
                vocabulary: (0..setup.vocabulary).map(|word| word.to_string()).collect(),
                size: None,
                supervision: Supervision::NextToken,
                features: Vec::new(),
                complexities: Vec::new(),
                headline: "",
            },
        };
        let instances: Vec<EvaluationInstance> =
            (0..12).map(|number| instance(&setup, number, 1 + number as usize % 4)).collect();
        for subject in subjects().iter().filter(|subject| ["anira-e", "anira-o"].contains(&subject.declaration.name)) {
            let model = subject.model(&setup);
            let rows = acceptance::measure(&model, &task, &instances, 5, &|| None).unwrap();
            for (split, name) in [(Split::InRange, "in_range"), (Split::Beyond, "beyond")] {
                let some: Vec<&EvaluationInstance> = instances.iter().filter(|entry| entry.split == split).collect();
                let accepted = some.iter().filter(|entry| {
                    let tokens = &entry.instance.tokens;
                    let answer = written(&model, entry.id, &tokens[..tokens.len() - 2], 2 * tokens.len());
                    let text = answer.map(|answer| task.written(&answer).unwrap());
                    text.is_some_and(|text| task.check(&entry.instance.question, &text).unwrap().valid)
                });
                let expected = accepted.count() as f64 / some.len() as f64;
                let row = rows.iter().find(|row| row.split.as_deref() == Some(name)).unwrap();
                assert_eq!((row.metric.as_str(), row.count), ("generated_accepted", some.len()));
                assert!((row.value.unwrap() - expected).abs() < 1e-12, "{}: {row:?}, {expected}", subject.label());
                seen.push(expected);
            }
        }
    }
    assert!(seen.iter().any(|share| *share > 0.0 && *share < 1.0), "all alike: {seen:?}");
}

#[test]
fn policies_that_cannot_write_say_why() {
    let setup = Setup::PLAIN;
    let spec = TaskSpec {
        vocabulary: Vec::new(),
        size: None,
        supervision: Supervision::NextToken,
        features: Vec::new(),
        complexities: Vec::new(),
        headline: "",
    };
    let subject = subjects().iter().find(|subject| !subject.is_causal()).unwrap();
    let instances = [instance(&setup, 1, 2)];
    let rows = acceptance::measure(&subject.model(&setup), &Even { spec }, &instances, 1, &|| None).unwrap();
    assert_eq!((rows.len(), rows[0].value), (1, None));
    assert!(rows[0].reason.as_deref().unwrap().contains("cannot generate"));
}
