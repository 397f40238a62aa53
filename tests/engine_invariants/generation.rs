//! Strings that a model generates: its expectations on the way equal a single pass over the finished string.

use haltbench_engine::decoding::has_cached_form;
use haltbench_engine::generation::{distributions, generate, rows};
use haltbench_engine::recurrence::{Execution, evaluate};
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::prelude::*;
use haltbench_sdk::task::Columns;
use haltbench_sdk::task::generation::{Generation, PredictedString, StringColumns, StringMeasure};

use crate::processes::in_one_thread;
use crate::setup::{Setup, close, read_out, subjects};

const END: u32 = 3;
const LONGEST: usize = 7;

/// Strings over the tokens of a setup.
struct Strings;

impl Generation for Strings {
    fn prompt(&self) -> Vec<u32> {
        vec![0, 5]
    }

    fn end(&self) -> u32 {
        END
    }

    fn longest(&self) -> usize {
        LONGEST
    }

    fn columns(&self, tokens: &[u32]) -> StringColumns {
        let mut complexities = Columns::undefined(1, 0..tokens.len());
        (0..).zip(tokens).for_each(|(place, token)| complexities.write(place, 0, &[*token as f32]));
        StringColumns { complexities, features: Columns::undefined(0, 0..tokens.len()) }
    }

    fn generated(&self, _: &[PredictedString]) -> Result<Vec<StringMeasure>> {
        Ok(Vec::new())
    }

    fn teacher_forced(&self, _: &[PredictedString]) -> Result<Vec<StringMeasure>> {
        Ok(Vec::new())
    }
}

/// Expectations of one pass after every prefix that is at least as long as the prompt.
fn in_one_pass(model: &haltbench_engine::model::Model, number: u64, string: &PredictedString) -> Vec<Vec<f64>> {
    let prompt = Strings.prompt();
    let read = [&prompt[..], &string.tokens[..string.tokens.len() - 1]].concat();
    let mask: Vec<bool> = (0..read.len()).map(|position| position + 1 >= prompt.len()).collect();
    let batch = read_out(number, &read, &mask);
    distributions(&evaluate(model, &batch, Execution::Compacted, None).unwrap().logits).unwrap()
}

#[test]
fn invariant_6_a_string_is_drawn_from_what_one_pass_expects() {
    in_one_thread(|| {
        let setup = Setup::PLAIN;
        let causal = subjects().iter().filter(|subject| subject.is_causal() && !subject.declaration.uses_labels.any());
        for subject in causal {
            let model = subject.model(&setup);
            let strings = generate(&model, &Strings, (1, 4), &|| None).unwrap();
            for (number, string) in (0..).zip(&strings) {
                let ended = string.tokens.iter().position(|token| *token == END);
                let expected = ended.map_or(LONGEST + 1, |place| place + 1);
                assert_eq!((string.tokens.len(), string.distributions.len()), (expected, expected));
                let expected = in_one_pass(&model, number, string);
                close(&subject.label(), &string.distributions.concat(), &expected.concat(), 1e-10);
            }
        }
    });
}

#[test]
fn strings_are_read_with_a_cache_where_the_policy_has_a_cached_form() {
    for subject in subjects() {
        for setup in Setup::options(DType::F64) {
            let chooses = subject.declaration.kind == PolicyKind::Select;
            let cached =
                subject.is_causal() && !subject.declaration.uses_labels.any() && !subject.reads_earlier_tokens();
            let expected = match setup.halted {
                HaltedKeysValues::RunOn => false,
                HaltedKeysValues::Skip => cached,
                _ => cached && !chooses,
            };
            assert_eq!(has_cached_form(&subject.model(&setup)), expected, "{} {setup:?}", subject.label());
        }
    }
}

#[test]
fn tokens_are_drawn_as_often_as_they_are_expected() {
    in_one_thread(|| {
        let setup = Setup::PLAIN;
        let subject = subjects().iter().find(|subject| subject.declaration.name == "anira-e").unwrap();
        let model = subject.model(&setup);
        let strings = generate(&model, &Strings, (1, 2000), &|| None).unwrap();
        for token in 0..setup.vocabulary {
            let expected = strings[0].distributions[0][token];
            let found = strings.iter().filter(|string| string.tokens[0] as usize == token).count() as f64 / 2000.0;
            let deviation = (expected * (1.0 - expected) / 2000.0).sqrt();
            assert!((found - expected).abs() < 4.5 * deviation, "{token}: {found} of {expected}");
        }
        // Another seed draws other strings, the same seed the same, and a string does not depend on its neighbours.
        let again = generate(&model, &Strings, (1, 3), &|| None).unwrap();
        assert_eq!(again.iter().map(|string| &string.tokens).collect::<Vec<_>>(), {
            strings[..3].iter().map(|string| &string.tokens).collect::<Vec<_>>()
        });
        assert_ne!(generate(&model, &Strings, (2, 3), &|| None).unwrap(), again);
    });
}

#[test]
fn a_request_to_stop_is_heard_and_measures_become_rows() {
    in_one_thread(|| {
        let subject = subjects().iter().find(|subject| subject.declaration.name == "anira-e").unwrap();
        let stopped = generate(&subject.model(&Setup::PLAIN), &Strings, (1, 3), &|| Some(15));
        assert!(matches!(stopped, Err(haltbench_engine::Error::Interrupted(15))));
    });
    let sums = vec![(1.0, 2.0), (0.5, 4.0)];
    let infinite = vec![(f64::INFINITY, 2.0), (0.5, 4.0)];
    let measure = |name, sums| StringMeasure { name, is_share: false, sums };
    let rows = rows("generated", vec![measure("length", sums), measure("divergence", infinite), measure("x", vec![])]);
    assert_eq!((rows[0].metric.as_str(), rows[0].value), ("generated_length", Some(0.25)));
    assert_eq!((rows[0].split.as_deref(), rows[0].count), (Some("in_range"), 6));
    // Numbers that cannot be computed have a reason.
    assert!(rows[1..].iter().all(|row| row.value.is_none() && row.reason.is_some()), "{rows:?}");
}
