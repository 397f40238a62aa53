//! Tidy rows: one number a line, as RFC 4180 quotes them, with line feeds.
//!
//! A missing number is an empty field with a reason. Besides the measures of [`Row::metrics`] every policy has `rank`
//! (its interval in `low` and `high`), `tie_group` and `seeds_done` (of `count` planned). Baselines are policies called
//! `baseline:NAME` with their measures alone.

use haltbench_engine::store::MetricRow;

use crate::board::{Board, Leaderboard, Row};

const COLUMNS: [&str; 12] =
    ["board", "policy", "metric", "split", "complexity", "level", "value", "low", "high", "method", "count", "reason"];

pub(super) fn write(leaderboard: &Leaderboard) -> String {
    let mut text = line(&COLUMNS.map(str::to_owned));
    for board in &leaderboard.boards {
        for row in &board.rows {
            standing(row)
                .iter()
                .chain(&row.metrics)
                .for_each(|metric| text.push_str(&record(board, &row.policy, metric)));
        }
        for baseline in &board.baselines {
            let name = format!("baseline:{}", baseline.name);
            baseline.metrics.iter().for_each(|metric| text.push_str(&record(board, &name, metric)));
        }
    }
    text
}

/// What is known about a row besides its measures.
fn standing(row: &Row) -> [MetricRow; 3] {
    let real = |number: Option<usize>| number.map(|number| number as f64);
    let blank = |metric: &str, reason: &Option<String>| MetricRow {
        metric: metric.to_owned(),
        split: None,
        population: "all".to_owned(),
        complexity: None,
        level: None,
        value: None,
        low: None,
        high: None,
        method: None,
        count: row.seeds_planned.len(),
        reason: reason.clone(),
    };
    let place = &row.place;
    [
        MetricRow { low: real(place.rank_low), high: real(place.rank_high), ..blank("rank", &place.reason) },
        MetricRow { value: real(place.group), ..blank("tie_group", &place.reason) },
        MetricRow { value: Some(row.seeds_done.len() as f64), ..blank("seeds_done", &None) },
    ]
}

fn record(board: &Board, policy: &str, metric: &MetricRow) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    // The shortest text that is read back as the same number.
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
    ])
}

fn line(fields: &[String; 12]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    format!("{}\n", fields.join(","))
}

fn quoted(field: &str) -> String {
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
