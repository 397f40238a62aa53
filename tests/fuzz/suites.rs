//! Suite files, and overrides of them.

use haltbench_engine::plan::{self, SuiteText, built_in};
use haltbench_engine::plugins::{self, Catalogue};

use crate::harness::{Target, said};

/// A suite with every table and most keys.
pub const WHOLE: &str = include_str!("seeds/suite.toml");

pub fn catalogue() -> Catalogue {
    plugins::catalogue(&[]).unwrap().0
}

/// Reads and resolves a suite of this text.
pub fn resolved(
    text: &str,
    overrides: &[String],
    catalogue: &Catalogue,
) -> Result<plan::Suite, haltbench_engine::Error> {
    let given = SuiteText { origin: "fuzz.toml".to_owned(), text: text.to_owned(), is_built_in: false };
    plan::resolve(&plan::parse(&given, overrides)?, catalogue, "cpu")
}

#[test]
fn suite_files() {
    let catalogue = catalogue();
    let seeds = built_in().iter().map(|(_, text)| text.as_bytes().to_vec()).chain([WHOLE.into()]).collect();
    let target = Target { name: "suite", seeds, cases: 1500 };
    target.fuzz(|bytes, _| said(resolved(&String::from_utf8_lossy(bytes), &[], &catalogue)));
}

#[test]
fn overrides() {
    let catalogue = catalogue();
    let seeds = [
        "training.steps=100",
        "policy.anira-e.gamma=0.05",
        "policy.\"v1.2\".threshold=[0.5, 0.7]",
        "evaluation.beyond=[5, 6]",
        "task.mano-stream.modulus=7",
        "recipe.drawn={ loss = \"last\", unroll = \"uniform\" }",
    ];
    let seeds = seeds.iter().map(|text| text.as_bytes().to_vec()).collect();
    let target = Target { name: "override", seeds, cases: 1500 };
    target.fuzz(|bytes, _| said(resolved(WHOLE, &[String::from_utf8_lossy(bytes).into_owned()], &catalogue)));
}
