//! Warnings about the numbers of a board.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::policy::Role;

use crate::board::{Row, Setting};
use crate::evidence::Evidence;

/// Accuracy intervals above this width cause a warning.
const WIDE: f64 = 0.05;
/// Number of such policies that are named.
const NAMED: usize = 3;

const IN_RANGE: Option<&str> = Some("in_range");

/// Warnings about a board with these fixed depths and at most `max_depth` steps per token.
pub(crate) fn warnings(seeds: &[u64], rows: &[Row], fixed_depths: &[i64], max_depth: usize) -> Vec<String> {
    let mut warnings = Vec::new();
    if seeds.len() == 1 {
        warnings.push("1 seed: no interval says anything about the next training run".to_owned());
    }
    warnings.extend(wide(seeds, rows));
    warnings
        .extend(rows.iter().filter_map(|row| Some(format!("{}: {}", row.policy, row.collapse.as_ref()?.explanation))));
    warnings.extend(gaps(rows, fixed_depths, max_depth));
    warnings
}

/// Sweeps of different lengths: the best of more settings is better by chance alone.
pub(crate) fn unequal_sweeps(rows: &[Row]) -> Option<String> {
    let mut sweeps: Vec<(usize, &str)> = rows
        .iter()
        .filter_map(|row| row.setting.as_ref().map(|setting| (setting.settings, setting.policy.as_str())))
        .collect();
    sweeps.sort_unstable();
    sweeps.dedup();
    let (first, last) = (sweeps.first()?, sweeps.last()?);
    (first.0 != last.0).then(|| {
        format!(
            "{} is chosen out of {} settings, {} out of {}: give each the same number",
            last.1, last.0, first.1, first.0
        )
    })
}

/// Different numbers of steps on one board: each row's cost is relative to its own D.
pub(crate) fn unequal_depths(rows: &[Row]) -> Option<String> {
    let mut depths: Vec<usize> = rows.iter().map(|row| row.max_depth).collect();
    depths.sort_unstable();
    depths.dedup();
    let listed: Vec<String> = depths.iter().map(usize::to_string).collect();
    (depths.len() > 1).then(|| {
        format!(
            "D is {}: shares of dense, also those that knobs are chosen by, are of each policy's own D; compare FLOPs",
            listed.join(", ")
        )
    })
}

/// Sizes with fewer distinct instances than the evaluation asks for.
pub(crate) fn few_instances(row: &Evidence) -> Option<String> {
    let columns = row.tables.first()?.columns();
    let mut found: BTreeMap<u32, BTreeSet<u64>> = BTreeMap::new();
    for (size, instance) in columns.size.iter().zip(&columns.instance) {
        found.entry(*size).or_default().insert(*instance);
    }
    let asked = row.plan.evaluation.instances;
    let few: Vec<String> = found
        .iter()
        .filter(|(_, instances)| instances.len() < asked)
        .map(|(size, instances)| match size {
            // The task has no sizes.
            0 => instances.len().to_string(),
            size => format!("{} of size {size}", instances.len()),
        })
        .collect();
    (!few.is_empty()).then(|| {
        format!(
            "evaluation.instances asks for {asked} distinct instances of each size, of which fewer were found: {}",
            few.join(", ")
        )
    })
}

/// Policies evaluated with an option of halted keys and values that their training does not cover.
pub(crate) fn unmet_options(rows: &[(&Evidence, Option<Setting>)]) -> Vec<String> {
    let mut unmet: BTreeMap<(Option<&str>, &str), Vec<&str>> = BTreeMap::new();
    for (row, _) in rows {
        let (trained, evaluated) = (row.plan.model.halted_keys_values.as_deref(), row.plan.halted_keys_values.as_str());
        if row.first.fits.iter().all(|option| option != evaluated) {
            unmet.entry((trained, evaluated)).or_default().push(row.label.as_str());
        }
    }
    let line = |((trained, evaluated), labels): ((Option<&str>, &str), Vec<&str>)| {
        let trained = trained.map_or("without halting".to_owned(), |option| format!("with {option}"));
        format!(
            "{}: trained {trained}, evaluated with halted keys and values {evaluated}, which training did not meet",
            labels.join(", ")
        )
    };
    unmet.into_iter().map(line).collect()
}

/// Policies and fixed depths whose accuracy is too uncertain for a comparison, the widest intervals first.
fn wide(seeds: &[u64], rows: &[Row]) -> Option<String> {
    let width = |row: &Row| {
        let metric = row.metric("token_accuracy", IN_RANGE)?;
        Some(metric.high? - metric.low?).filter(|width| *width > WIDE)
    };
    let is_ranked = |row: &&Row| row.has_role(Role::Policy) || row.has_role(Role::FixedDepth);
    let ranked = rows.iter().filter(is_ranked);
    let mut wide: Vec<(f64, &str)> = ranked.filter_map(|row| Some((width(row)?, row.policy.as_str()))).collect();
    wide.sort_by(|a, b| b.0.total_cmp(&a.0));
    let named = wide.iter().take(NAMED).map(|(width, policy)| format!("{policy} ({:.0} points)", 100.0 * width));
    let named = named.collect::<Vec<_>>().join(", ");
    let others = match wide.len().saturating_sub(NAMED) {
        0 => String::new(),
        1 => " and 1 other".to_owned(),
        others => format!(" and {others} others"),
    };
    let more = if seeds.len() == 1 { "instances" } else { "seeds" };
    let within = 100.0 * WIDE;
    (!wide.is_empty()).then(|| {
        format!(
            "the interval of accuracy is wider than {within:.0} points for {named}{others}: more {more} would narrow it"
        )
    })
}

/// Missing fixed depths, without which the frontier may be too low.
fn gaps(rows: &[Row], fixed_depths: &[i64], max_depth: usize) -> Option<String> {
    let compares = rows.iter().any(|row| !row.has_role(Role::FixedDepth));
    let missing: Vec<String> =
        (1..=max_depth as i64).filter(|depth| !fixed_depths.contains(depth)).map(|depth| depth.to_string()).collect();
    let listed = match missing.as_slice() {
        [] => return None,
        [one] => format!("fixed depth {one} is"),
        [first @ .., last] => format!("fixed depths {} and {last} are", first.join(", ")),
    };
    (compares && !fixed_depths.is_empty()).then(|| format!("{listed} missing: adapt-gain may be flattered"))
}
