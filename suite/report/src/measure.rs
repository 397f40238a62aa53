//! The measures of a row.

use haltbench_analysis::crossed::over_seeds;
use haltbench_analysis::measures::{
    self, Depth, Quantity, Statistic, beyond_static, by_level, by_size, correlation_table, increments,
};
use haltbench_analysis::{Estimate, Filter, Gain, Population, Reason, Split, TokenTable, Tokens};
use haltbench_engine::store::MetricRow;
use haltbench_sdk::policy::Role;

use crate::evidence::Evidence;
use crate::gain::{Against, Gains};
use crate::speed::speed;

/// Answer tokens at trained sizes.
pub(crate) const IN_RANGE: Filter =
    Filter { split: Some(Split::InRange), tokens: Tokens::Answer, population: Population::All };

/// Context for the measures of a row.
pub(crate) struct Context<'a> {
    /// The complexity that depth is compared with.
    pub complexity: &'a str,
    /// Splits for which some row of the board has tokens.
    pub splits: &'a [Split],
    /// The task's static features.
    pub static_features: &'a [String],
    /// The other rows.
    pub gains: &'a Gains<'a>,
}

/// The measures of a row.
pub(crate) struct Measured {
    /// Ordered as documented in [`Row::metrics`](crate::Row::metrics).
    pub metrics: Vec<MetricRow>,
    /// The cue that `beyond_cues` compares with.
    pub best_cue: Option<String>,
}

/// All measures of a row.
pub(crate) fn measures(row: &Evidence, context: &Context) -> Measured {
    let mut metrics = quality(row, context);
    metrics.extend(said_by_cells(row, |name| name.starts_with("trained_") || name.starts_with("initial_")));
    metrics.extend(cost(row));
    metrics.push(speed(row));
    metrics.extend(gain(row, "adapt_gain", context.gains.gain(row, Against::FixedDepths)));
    metrics.extend(gain(row, "adapt_gain_answers", context.gains.gain(row, Against::FixedAnswerDepths)));
    let (beyond, best_cue) = beyond_cues(row, context);
    metrics.push(beyond);
    metrics.push(against_source(row, context));
    metrics.extend(alignment(row, context));
    metrics.extend(levels(row, context));
    metrics.extend(sizes(row));
    metrics.extend(said_by_cells(row, |name| name.starts_with("generated_") || name.starts_with("teacher_forced_")));
    if row.seeds.is_empty() {
        metrics.iter_mut().for_each(|metric| metric.reason = Some("none of its cells is done".to_owned()));
    }
    Measured { metrics, best_cue }
}

fn metric(name: &str, split: Option<Split>, estimate: &Estimate) -> MetricRow {
    MetricRow::new(name, split, Population::All, estimate)
}

fn quality(row: &Evidence, context: &Context) -> Vec<MetricRow> {
    let of = |name, quantity, split| metric(name, Some(split), &measures::estimate(&row.tables, quantity, Some(split)));
    let mut metrics = Vec::new();
    for &split in context.splits {
        metrics.push(of("token_accuracy", Quantity::TokenAccuracy, split));
        // No sequence has the split `Embedded`: the larger problem around embedded tokens is harder.
        if split != Split::Embedded {
            metrics.push(of("exact_match", Quantity::ExactMatch, split));
        }
    }
    metrics.push(of("answer_depth", Quantity::AnswerDepth, Split::InRange));
    metrics.push(of("depth", Quantity::Depth, Split::InRange));
    metrics.push(of("first_step", Quantity::FirstStep, Split::InRange));
    metrics
}

fn cost(row: &Evidence) -> [MetricRow; 2] {
    [("flops", Quantity::Flops), ("flops_share", Quantity::FlopsShare)].map(|(name, quantity)| {
        metric(name, IN_RANGE.split, &measures::estimate(&row.tables, quantity, IN_RANGE.split))
    })
}

/// The gain, or its bounds if there is no exact number.
fn gain(row: &Evidence, name: &str, gain: Result<Gain, Reason>) -> Vec<MetricRow> {
    let of = |name: &str, estimate: &Estimate| metric(name, IN_RANGE.split, estimate);
    let count = row.in_range.as_ref().map_or(0, |point| point.cost.units().len());
    let missing = |reason: Reason| of(name, &Estimate::missing(reason, count));
    match gain {
        Ok(Gain::Exact(table)) => vec![of(name, &table.estimate())],
        Ok(Gain::Bounds { lower, upper }) => {
            let upper = upper.map_or(Estimate::missing(Reason::NotApplicable, count), |upper| upper.estimate());
            let upper = of(&format!("{name}_upper"), &upper);
            let without_guess = upper.value.is_none().then(|| "there is no guess to mix in".to_owned());
            vec![
                missing(Reason::OutsideFrontier),
                of(&format!("{name}_lower"), &lower.estimate()),
                MetricRow { reason: without_guess.or(upper.reason.clone()), ..upper },
            ]
        }
        Err(reason) => {
            let words = match reason {
                Reason::NotApplicable => Some("the frontier is made of fixed depths"),
                Reason::MissingCells => Some("some cells of the fixed depths are missing"),
                _ => None,
            };
            let missing = missing(reason);
            vec![MetricRow { reason: words.map(str::to_owned).or(missing.reason.clone()), ..missing }]
        }
    }
}

fn against_source(row: &Evidence, context: &Context) -> MetricRow {
    let named = |estimate: &Estimate| metric("against_source", IN_RANGE.split, estimate);
    match context.gains.against_source(row) {
        Ok(table) => named(&table.estimate()),
        Err(reason) => MetricRow { reason: Some(reason), ..named(&Estimate::missing(Reason::NotApplicable, 0)) },
    }
}

fn beyond_cues(row: &Evidence, context: &Context) -> (MetricRow, Option<String>) {
    let named = |estimate: &Estimate| metric("beyond_cues", IN_RANGE.split, estimate);
    let difference = match row.has_role(Role::Policy) {
        true => context.gains.beyond_cues(row),
        false => Err("it is not a policy under test".to_owned()),
    };
    match difference {
        Ok((table, cue)) => (named(&table.estimate()), Some(cue)),
        Err(reason) => {
            let missing = named(&Estimate::missing(Reason::NotApplicable, 0));
            (MetricRow { reason: Some(reason), ..missing }, None)
        }
    }
}

fn alignment(row: &Evidence, context: &Context) -> Vec<MetricRow> {
    let max_depth = u32::try_from(row.plan.max_depth).unwrap_or(u32::MAX);
    let found = measures::alignment(&row.tables, context.complexity, IN_RANGE, max_depth);
    let beyond =
        beyond_static(&row.tables, context.complexity, Depth::Steps, IN_RANGE, context.static_features).estimate;
    let other = |depth| {
        let table = correlation_table(&row.tables, context.complexity, depth, IN_RANGE, Statistic::Spearman);
        table.map_or_else(|reason| Estimate::missing(reason, 0), |table| table.estimate())
    };
    let estimates = [
        ("saturation", found.saturation),
        ("spearman", found.spearman),
        ("spearman_above_lowest", found.above_lowest),
        ("spearman_within_size", found.within_size),
        ("spearman_partial", found.partial),
        ("spearman_partial_static", beyond),
        ("spearman_at_token", other(Depth::StepsAtToken)),
        ("spearman_expected", other(Depth::Expected)),
        ("spearman_expected_at_token", other(Depth::ExpectedAtToken)),
    ];
    let of = |(name, estimate): (&str, Estimate)| {
        let complexity = Some(context.complexity.to_owned());
        MetricRow { complexity, ..metric(name, IN_RANGE.split, &estimate) }
    };
    estimates.into_iter().map(of).collect()
}

fn levels(row: &Evidence, context: &Context) -> Vec<MetricRow> {
    let of = |name: &str, level: Option<f64>, estimate: &Estimate| {
        let complexity = Some(context.complexity.to_owned());
        MetricRow { complexity, level, ..metric(name, IN_RANGE.split, estimate) }
    };
    const NAMES: [&str; 2] = ["token_accuracy_by_level", "answer_depth_by_level"];
    let mut metrics: Vec<MetricRow> = match by_level(&row.tables, context.complexity, IN_RANGE.split) {
        Ok(levels) => levels
            .iter()
            .flat_map(|level| NAMES.into_iter().zip([&level.accuracy, &level.depth]).map(|pair| (level.level, pair)))
            .map(|(level, (name, estimate))| of(name, Some(level), estimate))
            .collect(),
        Err(reason) => {
            let missing = Estimate::missing(reason, 0);
            NAMES.into_iter().map(|name| of(name, None, &missing)).collect()
        }
    };
    let steps = increments(&row.tables, context.complexity, IN_RANGE.split).unwrap_or_default();
    metrics.extend(steps.iter().map(|step| of("answer_depth_increment", Some(step.to), &step.depth)));
    metrics
}

fn sizes(row: &Evidence) -> Vec<MetricRow> {
    let of = |name: &str, size: Option<u32>, estimate: &Estimate| MetricRow {
        level: size.map(f64::from),
        ..metric(name, None, estimate)
    };
    const NAMES: [&str; 2] = ["token_accuracy_by_size", "answer_depth_by_size"];
    match by_size(&row.tables) {
        Ok(sizes) => sizes
            .iter()
            .flat_map(|own| NAMES.into_iter().zip([&own.accuracy, &own.depth]).map(|pair| (own.size, pair)))
            .map(|(size, (name, estimate))| of(name, Some(size), estimate))
            .collect(),
        Err(reason) => NAMES.into_iter().map(|name| of(name, None, &Estimate::missing(reason, 0))).collect(),
    }
}

/// Trained sizes of the answers' own problems, ascending.
pub(crate) fn trained_sizes(tables: &[TokenTable]) -> Vec<u32> {
    by_size(tables).unwrap_or_default().iter().filter(|own| own.trained).map(|own| own.size).collect()
}

/// Measures with these names that cells report: with one seed as recorded, with several seeds their mean.
fn said_by_cells(row: &Evidence, is_wanted: impl Fn(&str) -> bool) -> Vec<MetricRow> {
    let Some(first) = row.results.first() else { return Vec::new() };
    first.metrics.iter().filter(|metric| is_wanted(&metric.metric)).map(|metric| mean_over_seeds(row, metric)).collect()
}

/// Bounds of a measure that cells report: a correlation, a share or a nonnegative number.
fn bounds(metric: &str) -> (f64, f64) {
    const SHARES: [&str; 5] = ["valid", "unfinished", "accepted", "accuracy", "share"];
    match metric {
        name if name.contains("spearman") => (-1.0, 1.0),
        name if SHARES.iter().any(|share| name.ends_with(share)) => (0.0, 1.0),
        _ => (0.0, f64::INFINITY),
    }
}

fn mean_over_seeds(row: &Evidence, first: &MetricRow) -> MetricRow {
    let same = |metric: &&MetricRow| {
        (&metric.metric, &metric.split, &metric.complexity) == (&first.metric, &first.split, &first.complexity)
            && metric.level == first.level
    };
    let seeds: Vec<Option<&MetricRow>> = row.results.iter().map(|result| result.metrics.iter().find(same)).collect();
    if let [Some(one)] = seeds.as_slice() {
        return (*one).clone();
    }
    let (split, complexity) = (first.split.clone(), first.complexity.clone());
    let of = |estimate: &Estimate| MetricRow {
        split: split.clone(),
        complexity: complexity.clone(),
        level: first.level,
        ..metric(&first.metric, None, estimate)
    };
    if let Some(missing) = seeds.iter().find(|metric| metric.is_none_or(|metric| metric.value.is_none())) {
        return missing.cloned().unwrap_or_else(|| of(&Estimate::missing(Reason::MissingCells, 0)));
    }
    let values: Vec<f64> = seeds.iter().filter_map(|metric| metric.and_then(|metric| metric.value)).collect();
    let (low, high) = bounds(&first.metric);
    let estimate = over_seeds(&values, seeds.iter().flatten().map(|metric| metric.count).sum());
    let estimate = Estimate {
        low: estimate.low.map(|end| end.max(low)),
        high: estimate.high.map(|end| end.min(high)),
        ..estimate
    };
    of(&estimate)
}
