//! Ranks of the rows of a board, and their order.

use haltbench_analysis::{Reason, Split, Standing, rank};
use haltbench_engine::store::MetricRow;

use crate::board::{Order, Place, Row, find};
use crate::build::Options;
use crate::criterion::Inputs;
use crate::evidence::Evidence;

/// Replicates of adapt-gain of one row.
pub(crate) type Gains = Result<Vec<Option<f64>>, Reason>;

/// Places of all rows. Incomplete rows and oracles have none, and do not count in the ranks of the others.
pub(crate) fn places(
    rows: &[Evidence],
    gains: &[Gains],
    metrics: &[Vec<MetricRow>],
    complexity: &str,
    options: Options,
) -> Vec<Place> {
    let order = options.sort.order();
    let reference = rows.iter().find(|row| row.is_complete());
    let score = |((row, gains), metrics): ((&Evidence, &Gains), &Vec<MetricRow>)| -> Result<Vec<f64>, String> {
        if !row.is_complete() {
            let missing: Vec<u64> = row.planned.iter().copied().filter(|seed| !row.seeds.contains(seed)).collect();
            return Err(format!("{} {} missing", in_words(&missing), if missing.len() == 1 { "is" } else { "are" }));
        }
        if row.is_oracle() {
            return Err("oracles read what a policy cannot know".to_owned());
        }
        if reference.is_some_and(|reference| !same_sequences(row, reference)) {
            return Err("it was evaluated on other sequences or seeds than the others".to_owned());
        }
        match find(metrics, &order.metric, order.split.as_deref()) {
            None => return Err("the suite evaluates no such sizes".to_owned()),
            Some(MetricRow { value: None, reason: Some(reason), .. }) => return Err(reason.clone()),
            Some(_) => {}
        }
        let costs = row.costs(None);
        let inputs = Inputs { tables: &row.tables, costs: &costs, gains: gains.clone(), complexity };
        options.sort.replicates(&inputs, options.bootstrap).map_err(|reason| reason.to_string())
    };
    let scores: Vec<Result<Vec<f64>, String>> = rows.iter().zip(gains).zip(metrics).map(score).collect();
    let standings = rank(&scores.iter().map(|score| score.as_ref().ok().cloned()).collect::<Vec<_>>());
    let place = |(standing, score): (Standing, Result<Vec<f64>, String>)| Place {
        rank_low: standing.rank_low,
        rank_high: standing.rank_high,
        group: standing.group,
        reason: score.err().or(standing.reason.map(|reason| match reason {
            Reason::Empty => "there are no resamples to rank by".to_owned(),
            reason => reason.to_string(),
        })),
    };
    standings.into_iter().zip(scores).map(place).collect()
}

/// `seed 3`, or `seeds 1, 2`.
fn in_words(seeds: &[u64]) -> String {
    let list: Vec<String> = seeds.iter().map(u64::to_string).collect();
    format!("{} {}", if seeds.len() == 1 { "seed" } else { "seeds" }, list.join(", "))
}

/// Whether replicate r of both is of the same sequences.
fn same_sequences(a: &Evidence, b: &Evidence) -> bool {
    let same =
        |split| a.tables.iter().zip(&b.tables).all(|(a, b)| a.instances(Some(split)) == b.instances(Some(split)));
    a.seeds == b.seeds && Split::ALL.into_iter().all(same)
}

/// Puts ranked rows first, by tie group, rank and value. Rows without a rank keep the order of the suite.
pub(crate) fn sort(rows: &mut [Row], order: &Order) {
    let value = |row: &Row| {
        let value = row.metric(&order.metric, order.split.as_deref()).and_then(|metric| metric.value);
        let sign = if order.ascending { 1.0 } else { -1.0 };
        value.map_or(f64::INFINITY, |value| sign * value)
    };
    rows.sort_by(|a, b| match (a.place.group, b.place.group) {
        (None, None) => std::cmp::Ordering::Equal,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (Some(_), None) => std::cmp::Ordering::Less,
        (one, other) => one
            .cmp(&other)
            .then(a.place.rank_low.cmp(&b.place.rank_low))
            .then(a.place.rank_high.cmp(&b.place.rank_high))
            .then(value(a).total_cmp(&value(b))),
    });
}

/// The splits that some row has sequences of; that of the sizes trained on always.
pub(crate) fn splits(rows: &[Evidence]) -> Vec<Split> {
    let has = |split: Split| {
        let mut tables = rows.iter().flat_map(|row| &row.tables);
        split == Split::InRange || tables.any(|table| table.columns().split.contains(&split))
    };
    Split::ALL.into_iter().filter(|&split| has(split)).collect()
}
