//! Ranks of the rows of a board and their order.

use haltbench_analysis::{Crossed, Difference, Reason, Split, Standing, rank};
use haltbench_sdk::policy::Role;

use crate::board::{Order, PairDifference, Place, Row, Setting};
use crate::criterion::Criterion;
use crate::evidence::Evidence;
use crate::gain::Gains;

/// Places of all rows, and the differences of ranked rows. Incomplete rows, oracles, policies whose claims were refuted
/// and controls other than fixed depths have no place and do not count in the ranks of others: every compared pair widens all simultaneous intervals,
/// and controls have comparisons of their own.
pub(crate) fn places(
    rows: &[(&Evidence, Option<Setting>)],
    gains: &Gains,
    complexity: &str,
    criterion: Criterion,
) -> (Vec<Place>, Vec<PairDifference>) {
    let reference = rows.iter().map(|(row, _)| *row).find(|row| row.is_complete());
    let score = |(row, setting): &(&Evidence, Option<Setting>)| -> Result<Crossed, String> {
        if let Some(reason) = setting.as_ref().and_then(|setting| setting.reason.clone()) {
            return Err(reason);
        }
        if !row.is_complete() {
            let missing: Vec<u64> = row.planned.iter().copied().filter(|seed| !row.seeds.contains(seed)).collect();
            return Err(format!("{} {} missing", in_words(&missing), if missing.len() == 1 { "is" } else { "are" }));
        }
        if !row.has_role(Role::Policy) && !row.has_role(Role::FixedDepth) && !row.is_oracle() {
            return Err("a control; ranks are of policies and fixed depths".to_owned());
        }
        if row.is_oracle() {
            return Err("oracles read what a policy cannot know".to_owned());
        }
        if let Some(broken) = row.broken_claims().first() {
            return Err(broken.clone());
        }
        if reference.is_some_and(|reference| row.seeds != reference.seeds) {
            return Err("it was evaluated on other seeds than the others".to_owned());
        }
        criterion.score(row, gains, complexity).map_err(|reason| match reason {
            Reason::NotApplicable if matches!(criterion, Criterion::AdaptGain | Criterion::AdaptGainAnswers) => {
                "the frontier is made of fixed depths".to_owned()
            }
            Reason::Empty => "the suite evaluates no such sizes".to_owned(),
            reason => reason.to_string(),
        })
    };
    let scores: Vec<Result<Crossed, String>> = rows.iter().map(score).collect();
    let tables: Vec<Result<Crossed, Reason>> =
        scores.iter().map(|score| score.clone().map_err(|_| Reason::NotApplicable)).collect();
    let ranking = rank(&tables);
    let place = |(standing, score): (Standing, &Result<Crossed, String>)| Place {
        rank_low: standing.rank_low,
        rank_high: standing.rank_high,
        letters: standing.letters,
        reason: score.as_ref().err().cloned().or(standing.reason.map(|reason| match reason {
            Reason::MissingCells => "it was evaluated on other sequences than the others".to_owned(),
            reason => reason.to_string(),
        })),
    };
    let label = |place: usize| rows.get(place).map(|(row, _)| row.label.clone()).unwrap_or_default();
    let pair = |pair: &Difference| PairDifference {
        first: label(pair.first),
        second: label(pair.second),
        difference: pair.difference.value,
        low: pair.difference.low,
        high: pair.difference.high,
        different: pair.different,
    };
    let differences = ranking.differences.iter().map(pair).collect();
    (ranking.standings.into_iter().zip(&scores).map(place).collect(), differences)
}

/// `seed 3`, or `seeds 1, 2`.
fn in_words(seeds: &[u64]) -> String {
    let list: Vec<String> = seeds.iter().map(u64::to_string).collect();
    format!("{} {}", if seeds.len() == 1 { "seed" } else { "seeds" }, list.join(", "))
}

/// Puts ranked rows first, by value and then by rank. Unranked rows keep the order of the suite.
pub(crate) fn sort(rows: &mut [Row], order: &Order) {
    let value = |row: &Row| {
        let of = |metric: &str| row.metric(metric, order.split.as_deref()).and_then(|metric| metric.value);
        // If only bounds exist, the lower one is ranked.
        let value = of(&order.metric).or_else(|| of(&format!("{}_lower", order.metric)));
        let sign = if order.ascending { 1.0 } else { -1.0 };
        value.map_or(f64::INFINITY, |value| sign * value)
    };
    rows.sort_by(|a, b| match (a.place.rank_low, b.place.rank_low) {
        (None, None) => std::cmp::Ordering::Equal,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (Some(_), None) => std::cmp::Ordering::Less,
        (one, other) => {
            value(a).total_cmp(&value(b)).then(one.cmp(&other)).then(a.place.rank_high.cmp(&b.place.rank_high))
        }
    });
}

/// The splits for which some row has sequences, and always the trained sizes.
pub(crate) fn splits(rows: &[Evidence]) -> Vec<Split> {
    let has = |split: Split| {
        let mut tables = rows.iter().flat_map(|row| &row.tables);
        split == Split::InRange || tables.any(|table| table.columns().split.contains(&split))
    };
    Split::ALL.into_iter().filter(|&split| has(split)).collect()
}
