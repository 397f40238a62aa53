//! What the formats for people show of a board: lines, grids and notes. They differ only in how these are drawn.

use haltbench_engine::store::BaselineResult;

use crate::board::{Board, Implementation, Leaderboard, Place, Row, find};
use crate::render::levels;
use crate::render::number::{Notes, Unit, measure};

/// One board.
pub(super) struct Document {
    /// Title.
    pub title: String,
    /// What was run, and what the numbers are.
    pub header: Vec<String>,
    /// What a reader should know first.
    pub warnings: Vec<String>,
    /// The tables.
    pub grids: Vec<Grid>,
    /// Marks and what they stand for.
    pub notes: Vec<String>,
    /// Missing cells.
    pub missing: Vec<String>,
}

/// One table. The first `texts` columns are texts, the others numbers.
pub(super) struct Grid {
    /// Title.
    pub title: String,
    /// Titles of the columns.
    pub columns: Vec<String>,
    /// How many columns, from the left, hold texts.
    pub texts: usize,
    /// Cells by row.
    pub rows: Vec<Vec<String>>,
}

/// A column with a measure.
type Measure = (&'static str, &'static str, Option<&'static str>, Unit);

const IN_RANGE: Option<&str> = Some("in_range");
const ACCURACY: [Measure; 2] =
    [("tokens %", "token_accuracy", IN_RANGE, Unit::Percent), ("sequences %", "exact_match", IN_RANGE, Unit::Percent)];
const UNSEEN: [Measure; 2] = [
    ("between %", "token_accuracy", Some("between"), Unit::Percent),
    ("beyond %", "token_accuracy", Some("beyond"), Unit::Percent),
];
const ACCEPTED: Measure = ("accepted %", "generated_accepted", IN_RANGE, Unit::Percent);
const COST: [Measure; 5] = [
    ("depth, answer", "answer_depth", IN_RANGE, Unit::Steps),
    ("depth, all", "depth", IN_RANGE, Unit::Steps),
    ("FLOPs", "flops", None, Unit::Operations),
    ("of dense %", "flops_share", None, Unit::Percent),
    ("speed", "speed_up", None, Unit::Times),
];
const ALLOCATION: [Measure; 4] = [
    ("adapt-gain", "adapt_gain", IN_RANGE, Unit::Points),
    ("ρ", "spearman", IN_RANGE, Unit::Correlation),
    ("ρ within size", "spearman_within_size", IN_RANGE, Unit::Correlation),
    ("ρ partial", "spearman_partial", IN_RANGE, Unit::Correlation),
];

const STRINGS: [Measure; 4] = [
    ("valid %", "generated_valid", IN_RANGE, Unit::Percent),
    ("KL, own", "generated_divergence", IN_RANGE, Unit::Nats),
    ("KL", "teacher_forced_divergence", IN_RANGE, Unit::Nats),
    ("cross-entropy", "teacher_forced_cross_entropy", IN_RANGE, Unit::Nats),
];

/// How exact the costs behind adapt-gain are.
const APPORTIONED: &str =
    "adapt-gain compares FLOPs in range: the total of all sizes, shared out by tokens and token-steps";

/// What to show of a board. Grids of levels are at most `width` columns wide.
pub(super) fn document(leaderboard: &Leaderboard, board: &Board, width: usize) -> Document {
    let mut notes = Notes::default();
    let is_there = |measure: &&Measure| board.rows.iter().any(|row| row.metric(measure.1, measure.2).is_some());
    let quality: Vec<Measure> = ACCURACY.iter().chain(UNSEEN.iter().filter(is_there)).copied().collect();
    let accepted = [ACCEPTED].into_iter().filter(|measure| is_there(&measure));
    let accuracy: Vec<Measure> = quality.iter().copied().chain(accepted).collect();
    let mut title =
        "Accuracy: answer tokens and whole sequences at sizes trained on (in range), answer tokens at unseen sizes"
            .to_owned();
    if accuracy.len() > quality.len() {
        title += "; accepted: answers that the model writes itself and the checker takes, in range";
    }
    let complexity = board.complexity.as_deref().unwrap_or("complexity");
    let mut grids = vec![
        grid(&title, ["rank", "tie", "policy", "seeds"], board, &accuracy, &mut notes, standing),
        grid(
            "Cost: steps in range; executed FLOPs per token with decisions, all sizes; measured speed-up over dense",
            ["policy", "kind"],
            board,
            &COST,
            &mut notes,
            |row, _| [name(row), kind(row)],
        ),
        grid(
            &format!(
                "Allocation, in range: points of accuracy above fixed depths of the same FLOPs; Spearman's ρ of depth and {complexity}"
            ),
            ["policy"],
            board,
            &ALLOCATION,
            &mut notes,
            |row, _| [name(row)],
        ),
    ];
    if !board.baselines.is_empty() {
        grids.insert(1, baselines(board, &quality, &mut notes));
    }
    if board.rows.iter().any(|row| row.metric(STRINGS[2].1, STRINGS[2].2).is_some()) {
        let title = "Strings: drawn at temperature 1, and those of the evaluation; divergence from the exact distribution \
                     in nats per token";
        grids.push(grid(title, ["policy"], board, &STRINGS, &mut notes, |row, _| [name(row)]));
    }
    grids.extend(levels::grids(board, complexity, width, &mut notes));
    let mut notes = notes.lines();
    if board.rows.iter().any(|row| row.metric("adapt_gain", IN_RANGE).is_some_and(|gain| gain.value.is_some())) {
        notes.insert(0, APPORTIONED.to_owned());
    }
    if board.rows.iter().any(|row| !row.is_complete() && !row.seeds_done.is_empty()) {
        notes.insert(0, "* incomplete: the numbers are of the seeds that are done".to_owned());
    }
    let missing = board
        .missing
        .iter()
        .map(|cell| format!("{}, seed {} ({}): {}: {}", cell.policy, cell.seed, cell.cell, cell.state, cell.cause));
    Document {
        title: format!("{}: {}", leaderboard.suite, board.name),
        header: header(leaderboard, board),
        warnings: board.warnings.clone(),
        grids,
        notes,
        missing: missing.collect(),
    }
}

fn grid<const N: usize>(
    title: &str,
    texts: [&str; N],
    board: &Board,
    measures: &[Measure],
    notes: &mut Notes,
    cells: impl Fn(&Row, &mut Notes) -> [String; N],
) -> Grid {
    let titles = measures.iter().map(|(title, ..)| *title);
    let row = |row: &Row| {
        let mut line = cells(row, notes).to_vec();
        for (_, metric, split, unit) in measures {
            line.push(measure(row.metric(metric, *split), *unit, notes));
        }
        line
    };
    Grid {
        title: title.to_owned(),
        columns: texts.into_iter().chain(titles).map(str::to_owned).collect(),
        texts: N,
        rows: board.rows.iter().map(row).collect(),
    }
}

/// What guesses score, in the columns of the accuracies.
fn baselines(board: &Board, measures: &[Measure], notes: &mut Notes) -> Grid {
    let titles = measures.iter().map(|(title, ..)| *title);
    let row = |baseline: &BaselineResult| {
        let cell = |(_, metric, split, unit): &Measure| measure(find(&baseline.metrics, metric, *split), *unit, notes);
        [baseline.name.clone()].into_iter().chain(measures.iter().map(cell)).collect()
    };
    Grid {
        title: "Baselines: guesses on the same instances that do not solve the task, unranked".to_owned(),
        columns: ["baseline"].into_iter().chain(titles).map(str::to_owned).collect(),
        texts: 1,
        rows: board.baselines.iter().map(row).collect(),
    }
}

/// Rank, tie group, policy, seeds.
fn standing(row: &Row, notes: &mut Notes) -> [String; 4] {
    let (rank, group) = match &row.place {
        Place { rank_low: Some(low), rank_high: Some(high), group: Some(group), .. } => {
            let rank = if low == high { low.to_string() } else { format!("{low}-{high}") };
            (rank, group.to_string())
        }
        place => {
            let reason = place.reason.as_deref().unwrap_or("no reason is recorded");
            (format!("–{}", notes.mark(&format!("unranked: {reason}"))), String::new())
        }
    };
    let seeds = format!("{}/{}", row.seeds_done.len(), row.seeds_planned.len());
    [rank, group, name(row), seeds]
}

/// The policy, marked if its numbers are not of all seeds.
pub(super) fn name(row: &Row) -> String {
    let incomplete = !row.is_complete() && !row.seeds_done.is_empty();
    format!("{}{}", row.policy, if incomplete { "*" } else { "" })
}

fn kind(row: &Row) -> String {
    let kind = row.kind.clone().unwrap_or_else(|| "–".to_owned());
    match (row.oracle, row.control, row.causal) {
        (Some(true), ..) => format!("{kind}, oracle"),
        (_, Some(true), _) => format!("{kind}, control"),
        (.., Some(false)) => format!("{kind}, not causal"),
        _ => kind,
    }
}

fn header(leaderboard: &Leaderboard, board: &Board) -> Vec<String> {
    let (settings, order) = (&board.settings, &leaderboard.order);
    let better = if order.ascending { "less is better" } else { "more is better" };
    vec![
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
            "Order: {} ({}), {better}. Ranks are {} % intervals; members of a tie group cannot be told from its first.",
            order.criterion,
            order.description,
            leaderboard.level * 100.0
        ),
    ]
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
