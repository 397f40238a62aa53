//! Grammar files.

use std::path::Path;

use haltbench_engine::plugins::{self, Catalogue};
use haltbench_sdk::Result;
use haltbench_sdk::parameters::{Parameters, Value};
use haltbench_sdk::random::Stream;

use crate::harness::{Target, said};

const SEEDS: &[&str] = &[
    "terminals 1 2\nS -> A B | B A B\nA -> 1 2 | 2 1\nB -> 1 1 | 2 2 1\n",
    "# deep\nterminals a b c\nr -> s s | s t\ns -> u v | v u u\nt -> v v v\nu -> a b | b c a\nv -> c c | a b c\n",
];

/// Builds the language of a grammar file, and draws a string from it.
pub fn drawn(catalogue: &Catalogue, file: &Path) -> Result<()> {
    let declaration =
        catalogue.task("lano").map_err(|error| haltbench_sdk::Error::contract("lano", error.to_string()))?;
    let text = |text: &str| Value::Text(text.to_owned());
    let given = [("grammar", text("file")), ("grammar_file", text(&file.display().to_string()))];
    let given = given.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let parameters = Parameters::resolve("lano", declaration.parameters, &given)?;
    let task = (declaration.build)(&parameters)?;
    let instance = task.sample(0, &mut Stream::new(0, "fuzz", &[]))?;
    instance.validate("lano", task.spec())
}

#[test]
fn grammar_files() {
    let (catalogue, _) = plugins::catalogue(&[]).unwrap();
    let target =
        Target { name: "grammar", seeds: SEEDS.iter().map(|text| text.as_bytes().to_vec()).collect(), cases: 3000 };
    target.fuzz(|_, file| said(drawn(&catalogue, file)));
}
