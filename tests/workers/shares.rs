//! Shares of a suite.

use std::collections::BTreeSet;

use haltbench_engine::plan::{self, Shares, Suite, most_shares};
use haltbench_engine::plugins;

use crate::program::{POLICIES, Workspace, assert_same, suite};
use crate::together::wide;
use crate::worker::Worker;

fn resolved(text: &str) -> Suite {
    let workspace = Workspace::new(text);
    let file = plan::read(workspace.suite().to_str().unwrap(), &[]).unwrap();
    let (catalogue, _) = plugins::catalogue(&[]).unwrap();
    plan::resolve(&file, &catalogue, "cpu").unwrap()
}

/// `random-trained` has a model of its own, which reads the depths of another model's cell; `anira-e` with `start`
/// begins with the weights of another model.
const LINKED: &[&str] = &[
    "name = \"fixed\"",
    "name = \"anira-e\"",
    "name = \"random-trained\"\nof = \"anira-e\"",
    "name = \"anira-o\"\nstart = \"fixed\"",
];

#[test]
fn models_and_cells_that_need_each_other_are_in_one_share() {
    let suite = resolved(&suite(LINKED).replace("seeds = [0]", "seeds = [0, 1, 2]"));
    assert_eq!((suite.models.len(), most_shares(&suite)), (12, 6));
    for count in 1..9 {
        let shares = Shares::of(&suite, count);
        let of = |label: &str, seed: u64| {
            let is_it = |cell: &&plan::Cell| cell.label.starts_with(label) && cell.plan.model.seed == seed;
            shares.share(suite.cells.iter().find(is_it).unwrap_or_else(|| panic!("{label}")))
        };
        for seed in 0..3 {
            assert_eq!(of("random-trained", seed), of("anira-e", seed), "{count} shares, seed {seed}");
            assert_eq!(of("anira-o", seed), of("fixed", seed), "{count} shares, seed {seed}");
        }
        let used: BTreeSet<usize> = suite.cells.iter().map(|cell| shares.share(cell)).collect();
        assert_eq!(used, (0..count.min(6)).collect(), "none is empty unless there is nothing to put in it");
    }
}

/// The least loaded share takes the next largest group, so no two shares differ by more than a group.
#[test]
fn shares_have_about_equal_work() {
    let suite = resolved(&suite(POLICIES).replace("seeds = [0]", "seeds = [0, 1, 2, 3, 4]"));
    let work = |model: &plan::Model| {
        let cells = suite.cells.iter().filter(|cell| cell.model == model.id);
        let evaluated: usize = cells.map(|cell| cell.plan.evaluation.instances * cell.plan.max_depth).sum();
        3 * model.plan.training.steps as usize * model.plan.training.batch * model.plan.max_depth + evaluated
    };
    let largest = suite.models.iter().map(work).max().unwrap();
    for count in 2..8 {
        let shares = Shares::of(&suite, count);
        let mut loads = vec![0; count];
        for model in &suite.models {
            let cell = suite.cells.iter().find(|cell| cell.model == model.id).unwrap();
            loads[shares.share(cell)] += work(model);
        }
        let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
        assert!(*least > 0 && most - least <= largest, "{count} shares: {loads:?}, largest group {largest}");
    }
}

#[test]
fn shares_together_end_with_the_bytes_of_one_run() {
    let whole = Workspace::new(&wide());
    whole.run(&[]).well();
    let workspace = Workspace::new(&wide());
    let first = Worker::start(&workspace, &["--shard", "1/2"]).well();
    let done = workspace.cells().len();
    assert!((1..8).contains(&done) && first.contains(&format!("{done} of {done} cells done")), "{first}");
    let workers = ["1/2", "2/2"].map(|shard| Worker::start(&workspace, &["--shard", shard]));
    workers.into_iter().for_each(|worker| drop(worker.well()));
    assert_same(&workspace.files(), &whole.files());
}

/// A share computes the source of its cells itself, and a share without cells ends at once.
#[test]
fn every_share_can_be_computed_alone() {
    let whole = Workspace::new(&suite(LINKED));
    whole.run(&[]).well();
    let workspace = Workspace::new(&suite(LINKED));
    for shard in ["3/3", "2/3", "1/3"] {
        let said = Worker::start(&workspace, &["--shard", shard]).well();
        assert!(said.contains(if shard == "3/3" { "0 of 0 cells done" } else { "2 of 2 cells done" }), "{said}");
    }
    assert_same(&workspace.files(), &whole.files());
}
