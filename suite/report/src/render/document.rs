//! The content of the text formats: lines, grids and notes. The formats differ only in how they draw them.

use std::collections::BTreeSet;

use haltbench_sdk::policy::Role;

use crate::board::{Board, Implementation, Leaderboard};
use crate::render::grids::{Grid, IN_RANGE, ONE_SEED, grids, is_of_one_seed};
use crate::render::levels;
use crate::render::number::Notes;

/// One board.
pub(super) struct Document {
    /// Title.
    pub title: String,
    /// What was run, and what the numbers mean.
    pub header: Vec<String>,
    /// Warnings, shown first.
    pub warnings: Vec<String>,
    /// The tables.
    pub grids: Vec<Grid>,
    /// Marks and their explanations.
    pub notes: Vec<String>,
    /// Missing cells.
    pub missing: Vec<String>,
}

/// The content of a board. Grids of levels are at most `width` columns wide.
pub(super) fn document(leaderboard: &Leaderboard, board: &Board, width: usize) -> Document {
    let mut notes = Notes::default();
    let mut grids = grids(board, &leaderboard.order, &mut notes);
    let complexity = board.complexity.as_deref().unwrap_or("complexity");
    grids.extend(levels::grids(board, complexity, width, &mut notes));
    let mut lines = explanations(board);
    lines.extend(notes.lines());
    let missing = board
        .missing
        .iter()
        .map(|cell| format!("{}, seed {} ({}): {}: {}", cell.policy, cell.seed, cell.cell, cell.state, cell.cause));
    Document {
        title: format!("{}: {}", leaderboard.suite, board.name),
        header: header(leaderboard, board),
        warnings: board.warnings.clone(),
        grids,
        notes: lines,
        missing: missing.collect(),
    }
}

/// Explanations that apply to the whole board.
fn explanations(board: &Board) -> Vec<String> {
    let mut lines = Vec::new();
    if board.rows.iter().any(|row| !row.is_complete() && !row.seeds_done.is_empty()) {
        lines.push("* incomplete: the numbers are of the seeds that are done".to_owned());
    }
    if board.rows.iter().any(is_of_one_seed) {
        lines.push(format!("{ONE_SEED} 1 seed: the interval is over problems, and training is not in it"));
    }
    let listed = |features: &[String]| features.join(", ");
    let (used, left_out) = (&board.static_features, &board.static_features_left_out);
    if board
        .rows
        .iter()
        .any(|row| row.metric("spearman_partial_static", IN_RANGE).is_some_and(|rho| rho.value.is_some()))
    {
        let used = if used.is_empty() { "none".to_owned() } else { listed(used) };
        let left_out = match left_out.as_slice() {
            [] => String::new(),
            features => format!("; not of all answers, and left in: {}", listed(features)),
        };
        let context = match board.local_context {
            Some(tokens) if tokens > 1 => format!("the last {tokens} tokens read"),
            _ => "the token that is read".to_owned(),
        };
        let place = if board.place_taken_out { ", size, position" } else { "" };
        lines.push(format!("Taken out for ρ beyond static: {context}{place}; static features: {used}{left_out}"));
    }
    let shuffled: BTreeSet<&str> =
        board.rows.iter().filter(|row| row.has_role(Role::Shuffled)).map(|row| row.name.as_str()).collect();
    lines.extend(shuffled.into_iter().map(|name| {
        format!(
            "{name}: the loss from misplacing depths for these weights, no evidence of what knowing where to compute \
             is worth"
        )
    }));
    lines
}

fn header(leaderboard: &Leaderboard, board: &Board) -> Vec<String> {
    let (settings, order) = (&board.settings, &leaderboard.order);
    let better = if order.ascending { "less is better" } else { "more is better" };
    let mut lines = vec![
        format!("Task: {}", implementation(&board.task)),
        format!("Backbone: {}", implementation(&board.backbone)),
        format!(
            "Run: D = {}, halted keys and values {}, {}, up to {} per size, {}, {} ({})",
            settings.max_depth,
            settings.halted_keys_values,
            counted(settings.training_steps as usize, "training step"),
            counted(settings.instances, "instance"),
            settings.device,
            counted(board.seeds.len(), "seed"),
            board.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
        ),
        format!("Intervals: {}.", board.intervals),
        format!(
            "Order: {} ({}), {better}. Ranks and letters are of simultaneous {} % intervals of all paired differences: \
             two policies share a letter if and only if they cannot be told apart.",
            order.criterion,
            order.description,
            leaderboard.level * 100.0
        ),
    ];
    if board.rows.iter().any(|row| row.setting.is_some()) {
        let target = leaderboard.target;
        lines.push(format!(
            "Knobs: of the settings of each policy, {} (--at {}), on the calibration part; --curve shows all.",
            target.words(),
            target.text()
        ));
    }
    lines
}

/// `1 seed`, or `2 seeds`.
pub(super) fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn implementation(implementation: &Implementation) -> String {
    let value = |name: &String| {
        let value = implementation.parameters.get(name).map(|value| match value {
            serde_json::Value::String(text) => text.clone(),
            value => value.to_string(),
        });
        format!("{name}={}", value.unwrap_or_default())
    };
    let changed: Vec<String> = implementation.changed.iter().map(value).collect();
    let rest = match (changed.len(), implementation.parameters.len()) {
        (_, 0) => String::new(),
        (0, _) => " (all parameters at their defaults)".to_owned(),
        (some, all) if some == all => format!(" ({})", changed.join(", ")),
        _ => format!(" ({}; others at their defaults)", changed.join(", ")),
    };
    format!("{}{rest}", implementation.name)
}
