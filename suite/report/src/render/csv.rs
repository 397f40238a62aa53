//! Tidy rows: one number per line, quoted as in RFC 4180, with line feeds.
//!
//! A missing number is an empty field with a reason. Besides the measures of [`Row::metrics`] every policy has `rank`
//! (interval in `low` and `high`), `letters` (in `text`) and `seeds_done` (of `count` planned). For every pair of
//! ranked policies the better one has `difference`, to the policy in `text`. `text` also names the cue of
//! `beyond_cues`. A knob setting has `calibration_accuracy` and `calibration_cost` (share of all D steps), with
//! `reached`, `closest` or `other` in `text` and the number of settings in `count`. Guesses are policies called
//! `guess:NAME` and have only their measures.

use haltbench_engine::store::MetricRow;

use crate::board::{Board, Chosen, Leaderboard, PairDifference, Row};

const COLUMNS: [&str; 13] = [
    "board",
    "policy",
    "metric",
    "split",
    "complexity",
    "level",
    "value",
    "low",
    "high",
    "method",
    "count",
    "reason",
    "text",
];

pub(super) fn write(leaderboard: &Leaderboard) -> String {
    let mut text = line(&COLUMNS.map(str::to_owned));
    for board in &leaderboard.boards {
        for row in &board.rows {
            for (metric, words) in standing(row) {
                text.push_str(&record(board, &row.policy, &metric, &words));
            }
            for (metric, words) in setting(row) {
                text.push_str(&record(board, &row.policy, &metric, words));
            }
            for metric in &row.metrics {
                let cue = row.best_cue.as_deref().filter(|_| metric.metric == "beyond_cues");
                text.push_str(&record(board, &row.policy, metric, cue.unwrap_or_default()));
            }
            for pair in board.differences.iter().filter(|pair| pair.first == row.policy) {
                text.push_str(&record(board, &row.policy, &difference(leaderboard, pair), &pair.second));
            }
        }
        for guess in &board.guesses {
            let name = format!("guess:{}", guess.name);
            guess.metrics.iter().for_each(|metric| text.push_str(&record(board, &name, metric, "")));
        }
    }
    text
}

fn blank(metric: &str) -> MetricRow {
    MetricRow {
        metric: metric.to_owned(),
        split: None,
        population: "all".to_owned(),
        complexity: None,
        level: None,
        value: None,
        low: None,
        high: None,
        method: None,
        count: 0,
        reason: None,
    }
}

/// Rank, letters and finished seeds of a row, each with its text.
fn standing(row: &Row) -> [(MetricRow, String); 3] {
    let real = |number: Option<usize>| number.map(|number| number as f64);
    let of = |metric: &str| MetricRow { count: row.seeds_planned.len(), ..blank(metric) };
    let place = &row.place;
    let placed = |metric: &str| MetricRow { reason: place.reason.clone(), ..of(metric) };
    let rank = MetricRow { low: real(place.rank_low), high: real(place.rank_high), ..placed("rank") };
    let done = MetricRow { value: Some(row.seeds_done.len() as f64), ..of("seeds_done") };
    [(rank, String::new()), (placed("letters"), place.letters.clone().unwrap_or_default()), (done, String::new())]
}

/// Cost and accuracy of a setting on the calibration part, with the outcome of the choice as text.
fn setting(row: &Row) -> Vec<(MetricRow, &'static str)> {
    let Some(setting) = &row.setting else { return Vec::new() };
    let words = match setting.chosen {
        Chosen::Reached => "reached",
        Chosen::Closest => "closest",
        Chosen::Other => "other",
    };
    let of = |metric: &str, value: Option<f64>| {
        let reason = setting.reason.clone();
        (MetricRow { value, count: setting.settings, reason, ..blank(metric) }, words)
    };
    let point = setting.calibrated;
    vec![
        of("calibration_accuracy", point.map(|point| point.accuracy)),
        of("calibration_cost", point.map(|point| point.cost)),
    ]
}

/// The difference of two policies in the measure that ranks the board.
fn difference(leaderboard: &Leaderboard, pair: &PairDifference) -> MetricRow {
    let PairDifference { difference, low, high, .. } = *pair;
    let method = Some("simultaneous over all pairs".to_owned());
    let split = leaderboard.order.split.clone();
    MetricRow { split, value: difference, low, high, method, ..blank("difference") }
}

fn record(board: &Board, policy: &str, metric: &MetricRow, words: &str) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    // The shortest text that reads back as the same number.
    let real = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    line(&[
        board.name.clone(),
        policy.to_owned(),
        metric.metric.clone(),
        text(&metric.split),
        text(&metric.complexity),
        real(metric.level),
        real(metric.value),
        real(metric.low),
        real(metric.high),
        text(&metric.method),
        metric.count.to_string(),
        text(&metric.reason),
        words.to_owned(),
    ])
}

fn line(fields: &[String; 13]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    format!("{}\n", fields.join(","))
}

pub(super) fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn quotes_what_would_be_read_as_structure() {
        assert_eq!(quoted("plain text"), "plain text");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"so\"\n"), "\"say \"\"so\"\"\n\"");
    }
}
