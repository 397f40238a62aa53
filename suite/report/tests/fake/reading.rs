//! Reads the boards of fake runs.

#![allow(dead_code, reason = "shared by several test programs")]

use haltbench_engine::store::{MetricRow, RunFolder};
use haltbench_report::{Board, Criterion, Options, Row, leaderboard};

use super::{Fake, finish, suite};

pub const IN_RANGE: Option<&str> = Some("in_range");
pub const SEEDS: &[u64] = &[0, 1, 2];

pub fn all() -> Vec<Fake> {
    vec![Fake::fixed_1(), Fake::follower(), Fake::oracle(), Fake::fixed_3(), Fake::opposer()]
}

pub fn board(policies: &[Fake], seeds: &[u64], sort: Criterion) -> Board {
    let folder = tempfile::tempdir().unwrap();
    let suite = suite(policies, seeds);
    let run = RunFolder::new(folder.path(), &suite.name);
    finish(&run, &suite, policies);
    let options = Options { sort, ..Options::default() };
    let mut boards = leaderboard(&suite, &run, options).unwrap().boards;
    assert_eq!(boards.len(), 1);
    boards.remove(0)
}

pub fn row<'a>(board: &'a Board, policy: &str) -> &'a Row {
    board.rows.iter().find(|row| row.policy == policy).unwrap()
}

pub fn metric<'a>(row: &'a Row, name: &str, split: Option<&str>) -> &'a MetricRow {
    row.metric(name, split).unwrap_or_else(|| panic!("{name} {split:?}"))
}

#[track_caller]
pub fn equals(metric: &MetricRow, expected: f64) {
    let value = metric.value.unwrap_or_else(|| panic!("{metric:?}"));
    assert!((value - expected).abs() < 1e-9, "{expected} expected, {metric:?}");
}
