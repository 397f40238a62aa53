//! The tables of a board with one line per policy.

use haltbench_engine::store::{GuessResult, MetricRow};
use haltbench_sdk::policy::Role;

use crate::board::{Board, Chosen, Order, Place, Row, find};
use crate::render::number::{Notes, Unit, measure, value};

/// One table. The first `texts` columns hold texts, the others numbers.
pub(super) struct Grid {
    /// Title.
    pub title: String,
    /// Titles of the columns.
    pub columns: Vec<String>,
    /// Number of text columns, from the left.
    pub texts: usize,
    /// Cells by row.
    pub rows: Vec<Vec<String>>,
}

/// A column of a measure.
type Measure = (&'static str, &'static str, Option<&'static str>, Unit);

pub(super) const IN_RANGE: Option<&str> = Some("in_range");
const ACCURACY: [Measure; 2] =
    [("tokens %", "token_accuracy", IN_RANGE, Unit::Percent), ("sequences %", "exact_match", IN_RANGE, Unit::Percent)];
const ACCEPTED: Measure = ("accepted %", "generated_accepted", IN_RANGE, Unit::Percent);
const UNSEEN: [Measure; 3] = [
    ("embedded %", "token_accuracy", Some("embedded"), Unit::Percent),
    ("between %", "token_accuracy", Some("between"), Unit::Percent),
    ("beyond %", "token_accuracy", Some("beyond"), Unit::Percent),
];
const UNSEEN_SEQUENCES: [Measure; 2] = [
    ("between %", "exact_match", Some("between"), Unit::Percent),
    ("beyond %", "exact_match", Some("beyond"), Unit::Percent),
];
const DEPTH: [Measure; 4] = [
    ("answers", "answer_depth", IN_RANGE, Unit::Steps),
    ("answers, trained", "trained_answer_depth", IN_RANGE, Unit::Steps),
    ("all tokens", "depth", IN_RANGE, Unit::Steps),
    ("all, trained", "trained_depth", IN_RANGE, Unit::Steps),
];
const COST: [Measure; 3] = [
    ("FLOPs", "flops", IN_RANGE, Unit::Operations),
    ("of dense %", "flops_share", IN_RANGE, Unit::Percent),
    ("speed", "speed", IN_RANGE, Unit::Times),
];
const GAIN: [Measure; 3] = [
    ("adapt-gain", "adapt_gain", IN_RANGE, Unit::Points),
    ("answers alone", "adapt_gain_answers", IN_RANGE, Unit::Points),
    ("beyond cues", "beyond_cues", IN_RANGE, Unit::Points),
];
const ALIGNMENT: [Measure; 4] = [
    ("ρ", "spearman", IN_RANGE, Unit::Correlation),
    ("ρ above lowest", "spearman_above_lowest", IN_RANGE, Unit::Correlation),
    ("ρ within size", "spearman_within_size", IN_RANGE, Unit::Correlation),
    ("ρ partial", "spearman_partial", IN_RANGE, Unit::Correlation),
];
const OTHER_ALIGNMENT: [Measure; 4] = [
    ("ρ beyond static", "spearman_partial_static", IN_RANGE, Unit::Correlation),
    ("ρ at token", "spearman_at_token", IN_RANGE, Unit::Correlation),
    ("ρ expected", "spearman_expected", IN_RANGE, Unit::Correlation),
    ("ρ exp. at token", "spearman_expected_at_token", IN_RANGE, Unit::Correlation),
];
const STRINGS: [Measure; 4] = [
    ("valid %", "generated_valid", IN_RANGE, Unit::Percent),
    ("KL, own", "generated_divergence", IN_RANGE, Unit::Nats),
    ("KL", "teacher_forced_divergence", IN_RANGE, Unit::Nats),
    ("cross-entropy", "teacher_forced_cross_entropy", IN_RANGE, Unit::Nats),
];

/// The column of the measure that ranks the rows, unless it is an accuracy column.
fn ranking(order: &Order) -> Option<Measure> {
    let others = UNSEEN.iter().chain(&DEPTH).chain(&COST).chain(&GAIN).chain(&ALIGNMENT);
    others.copied().find(|measure| (measure.1, measure.2) == (order.metric.as_str(), order.split.as_deref()))
}

/// The tables with one line per policy.
pub(super) fn grids(board: &Board, order: &Order, notes: &mut Notes) -> Vec<Grid> {
    let row_has = |row: &Row, measure: &Measure| row.metric(measure.1, measure.2).is_some();
    let is_there = |measure: &&Measure| board.rows.iter().any(|row| row_has(row, measure));
    let has_value = |measure: &&Measure| {
        board.rows.iter().any(|row| row.metric(measure.1, measure.2).is_some_and(|metric| metric.value.is_some()))
    };
    let there = |measures: &[Measure]| measures.iter().filter(is_there).copied().collect::<Vec<_>>();
    let of_policy = |row: &Row, _: &mut Notes| [name(row)];
    let complexity = board.complexity.as_deref().unwrap_or("complexity");
    let mut grids = Vec::new();

    let accepted = there(&[ACCEPTED]);
    let ranking = ranking(order);
    let accuracy: Vec<Measure> = ranking.into_iter().chain(ACCURACY).chain(accepted.iter().copied()).collect();
    let mut title = "Accuracy at sizes trained on (in range): answer tokens and whole sequences".to_owned();
    if ranking.is_some() {
        title = format!("Ranks by {}; accuracy {}", order.criterion, title.trim_start_matches("Accuracy "));
    }
    if !accepted.is_empty() {
        title += "; accepted: answers that the model writes itself and the checker takes";
    }
    grids.push(grid(&title, ["rank", "letters", "policy", "seeds"], board, &accuracy, notes, standing));
    let unseen = there(&UNSEEN);
    if !unseen.is_empty() {
        let title = "Accuracy elsewhere, answer tokens; embedded: answers of a trained size inside larger instances; \
                     between and beyond: of sizes that were not trained on";
        grids.push(grid(title, ["policy"], board, &unseen, notes, of_policy));
    }
    let sequences = there(&UNSEEN_SEQUENCES);
    if !sequences.is_empty() {
        let title = "Whole sequences elsewhere: those with an answer of a size that was not trained on";
        grids.push(grid(title, ["policy"], board, &sequences, notes, of_policy));
    }
    grids.extend(knobs(board));
    if !board.guesses.is_empty() {
        grids.push(guesses(board, &[&ACCURACY[..], &unseen[..]].concat(), notes));
    }
    let title = "Depth in range: mean steps of answer tokens and of all tokens; trained: at the end of training, \
                 where depths may be sampled";
    grids.push(grid(title, ["policy"], board, &there(&DEPTH), notes, of_policy));
    let title = "Cost in range: executed FLOPs per token with decisions; share of all D steps without decisions; time \
                 of these by the policy's own";
    grids.push(grid(title, ["policy", "kind"], board, &COST, notes, |row, _| [name(row), kind(row)]));
    let title = "Gain in range, in points of accuracy at the same FLOPs: above mixtures of fixed depths; above those \
                 whose prompts take one step; above the best surface cue of the policy's depths";
    grids.push(grid(title, ["policy"], board, &GAIN, notes, of_policy));
    if board.rows.iter().any(Row::repeats_depths) {
        grids.push(controls(board, notes));
    }
    let title = format!(
        "Alignment in range: Spearman's ρ of depth and {complexity}; without its lowest level; within a size; with \
         size and position taken out"
    );
    grids.push(grid(&title, ["policy"], board, &ALIGNMENT, notes, of_policy));
    let others: Vec<Measure> = OTHER_ALIGNMENT.iter().filter(has_value).copied().collect();
    if !others.is_empty() {
        let title = "Further alignment in range: with static features and the last tokens read taken out; of steps \
                     where the token itself is read; of the mean of the policy's distribution over depths";
        grids.push(grid(title, ["policy"], board, &others, notes, of_policy));
    }
    if is_there(&&STRINGS[2]) {
        let title = "Strings: drawn at temperature 1, and those of the evaluation; divergence from the exact \
                     distribution in nats per token";
        grids.push(grid(title, ["policy"], board, &STRINGS, notes, of_policy));
    }
    grids.extend(along_strings(board, notes));
    grids
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
            line.push(cell(row, metric, *split, *unit, notes));
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

/// Knob settings with their cost and accuracy on the calibration part.
fn knobs(board: &Board) -> Option<Grid> {
    let line = |row: &Row| {
        let setting = row.setting.as_ref()?;
        let chosen = match setting.chosen {
            Chosen::Reached => "chosen",
            Chosen::Closest => "closest",
            Chosen::Other => "",
        };
        let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{:.1}", 100.0 * value));
        let point = setting.calibrated;
        Some(vec![
            name(row),
            chosen.to_owned(),
            setting.settings.to_string(),
            number(point.map(|point| point.accuracy)),
            number(point.map(|point| point.cost)),
        ])
    };
    let rows: Vec<Vec<String>> = board.rows.iter().filter_map(line).collect();
    (!rows.is_empty()).then(|| Grid {
        title: "Knobs: settings on the calibration part, whose problems are in no other number; mean over seeds"
            .to_owned(),
        columns: ["policy", "", "out of", "tokens %", "of dense %"].map(str::to_owned).into(),
        texts: 2,
        rows,
    })
}

const ALONG_STRINGS: &str = "generated_spearman_expected_at_token";

/// Alignment along strings that the model generates, for policies with a distribution over depths, as in table 1 of the
/// paper.
fn along_strings(board: &Board, notes: &mut Notes) -> Option<Grid> {
    let of = |row: &Row, complexity: &str| {
        let is_it =
            |metric: &&MetricRow| metric.metric == ALONG_STRINGS && metric.complexity.as_deref() == Some(complexity);
        row.metrics.iter().find(is_it).cloned()
    };
    let found = board.rows.iter().flat_map(|row| &row.metrics).filter(|metric| metric.metric == ALONG_STRINGS);
    let mut complexities: Vec<String> = Vec::new();
    for complexity in found.filter(|metric| metric.value.is_some()).filter_map(|metric| metric.complexity.clone()) {
        if !complexities.contains(&complexity) {
            complexities.push(complexity);
        }
    }
    let has_some =
        |row: &&Row| complexities.iter().any(|name| of(row, name).is_some_and(|metric| metric.value.is_some()));
    let line = |row: &Row| {
        let cell = |name: &String| measure(of(row, name).as_ref(), Unit::Correlation, notes);
        [name(row)].into_iter().chain(complexities.iter().map(cell)).collect()
    };
    let rows: Vec<Vec<String>> = board.rows.iter().filter(has_some).map(line).collect();
    (!rows.is_empty()).then(|| Grid {
        title: "Along strings that the model draws: Spearman's ρ of expected depth at the token and each complexity"
            .to_owned(),
        columns: ["policy".to_owned()].into_iter().chain(complexities.iter().cloned()).collect(),
        texts: 1,
        rows,
    })
}

const AGAINST: [Measure; 3] = [
    ("tokens, points", "against_source", IN_RANGE, Unit::Points),
    ("depth, answers", "answer_depth", IN_RANGE, Unit::Steps),
    ("of dense %", "flops_share", IN_RANGE, Unit::Percent),
];

/// Controls that read another policy's depths, compared with that policy.
fn controls(board: &Board, notes: &mut Notes) -> Grid {
    let row = |row: &Row| {
        let numbers = AGAINST.map(|(_, metric, split, unit)| cell(row, metric, split, unit, notes));
        [name(row), row.of.clone().unwrap_or_default()].into_iter().chain(numbers).collect()
    };
    Grid {
        title: "Controls in range: accuracy minus that of the policy whose depths they read".to_owned(),
        columns: ["control", "of"].into_iter().chain(AGAINST.map(|(title, ..)| title)).map(str::to_owned).collect(),
        texts: 2,
        rows: board.rows.iter().filter(|row| row.repeats_depths()).map(row).collect(),
    }
}

/// Scores of guesses, in the columns of the accuracies.
fn guesses(board: &Board, measures: &[Measure], notes: &mut Notes) -> Grid {
    let titles = measures.iter().map(|(title, ..)| *title);
    let row = |guess: &GuessResult| {
        let cell = |(_, metric, split, unit): &Measure| measure(find(&guess.metrics, metric, *split), *unit, notes);
        [guess.name.clone()].into_iter().chain(measures.iter().map(cell)).collect()
    };
    Grid {
        title: "Guesses: answers on the same instances that do not solve the task, unranked".to_owned(),
        columns: ["guess"].into_iter().chain(titles).map(str::to_owned).collect(),
        texts: 1,
        rows: board.guesses.iter().map(row).collect(),
    }
}

/// A number of a row, marked if it comes from one seed. A gain with bounds alone is shown as at least the lower bound.
fn cell(row: &Row, metric: &str, split: Option<&str>, unit: Unit, notes: &mut Notes) -> String {
    let own = row.metric(metric, split);
    let bound = |end: &str| row.metric(&format!("{metric}_{end}"), split).filter(|bound| bound.value.is_some());
    let mark = if is_of_one_seed(row) { ONE_SEED } else { "" };
    if own.is_some_and(|own| own.value.is_some()) {
        let cue = match (metric, &row.best_cue) {
            ("beyond_cues", Some(cue)) => notes.mark(&format!("above {cue}")),
            _ => String::new(),
        };
        return format!("{}{mark}{cue}", measure(own, unit, notes));
    }
    let Some(lower) = bound("lower") else { return measure(own, unit, notes) };
    let above_guess = value(bound("upper"), unit)
        .map(|upper| format!("; above mixtures with the best guess, {upper}"))
        .unwrap_or_default();
    let note = notes.mark(&format!("cheaper than every fixed depth: above the cheapest one{above_guess}"));
    format!("≥ {}{mark}{note}", measure(Some(lower), unit, notes))
}

/// Mark of numbers from one seed.
pub(super) const ONE_SEED: &str = "°";

/// Whether the numbers of a row come from one seed.
pub(super) fn is_of_one_seed(row: &Row) -> bool {
    row.seeds_done.len() == 1
}

/// Rank, letters, policy, seeds.
fn standing(row: &Row, notes: &mut Notes) -> [String; 4] {
    let (rank, letters) = match &row.place {
        Place { rank_low: Some(low), rank_high: Some(high), letters: Some(letters), .. } => {
            let rank = if low == high { low.to_string() } else { format!("{low}-{high}") };
            (rank, letters.clone())
        }
        place => {
            let reason = place.reason.as_deref().unwrap_or("no reason is recorded");
            (format!("–{}", notes.mark(&format!("unranked: {reason}"))), String::new())
        }
    };
    let seeds = format!("{}/{}", row.seeds_done.len(), row.seeds_planned.len());
    [rank, letters, name(row), seeds]
}

/// The policy's name, marked if its numbers lack seeds.
pub(super) fn name(row: &Row) -> String {
    let incomplete = !row.is_complete() && !row.seeds_done.is_empty();
    format!("{}{}", row.policy, if incomplete { "*" } else { "" })
}

fn kind(row: &Row) -> String {
    let kind = row.kind.clone().unwrap_or_else(|| "–".to_owned());
    if !row.broken_claims.is_empty() {
        return format!("{kind}, claims refuted");
    }
    match (row.oracle, row.role.as_deref(), row.causal) {
        (Some(true), ..) => format!("{kind}, oracle"),
        (_, Some(role), _) if !row.has_role(Role::Policy) => format!("{kind}, {role}"),
        (.., Some(false)) => format!("{kind}, not causal"),
        _ => kind,
    }
}
