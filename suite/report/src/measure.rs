//! The measures of a row.

use haltbench_analysis::means::mean_estimate;
use haltbench_analysis::measures::{self, Quantity};
use haltbench_analysis::{Bootstrap, Estimate, Filter, Population, Reason, Split};
use haltbench_engine::store::{MetricRow, Timings};

use crate::evidence::Evidence;
use crate::gain::FIXED;

/// What the measures of a row are computed with.
pub(crate) struct Context<'a> {
    /// The complexity that depth is compared with.
    pub complexity: &'a str,
    /// Splits that some row of the board has sequences of.
    pub splits: &'a [Split],
    /// Steps a token may take at most.
    pub max_depth: u32,
    /// How to resample.
    pub bootstrap: Bootstrap,
}

/// A split's name in files.
pub(crate) fn split_name(split: Split) -> &'static str {
    match split {
        Split::InRange => "in_range",
        Split::Embedded => "embedded",
        Split::Between => "between",
        Split::Beyond => "beyond",
    }
}

/// All measures of a row, in the order of the documentation of [`Row::metrics`](crate::Row::metrics).
pub(crate) fn measures(row: &Evidence, gain: &Estimate, context: &Context) -> Vec<MetricRow> {
    let mut metrics = quality(row, context);
    metrics.extend(cost(row, context));
    metrics.push(adapt_gain(row, gain));
    metrics.extend(alignment(row, context));
    metrics.extend(by_level(row, context));
    metrics.extend(strings(row));
    if row.seeds.is_empty() {
        metrics.iter_mut().for_each(|metric| metric.reason = Some("none of its cells is done".to_owned()));
    }
    metrics
}

fn metric(name: &str, split: Option<Split>, estimate: &Estimate) -> MetricRow {
    MetricRow::new(name, split, Population::All, estimate)
}

fn quality(row: &Evidence, context: &Context) -> Vec<MetricRow> {
    let of = |name, quantity, split| {
        metric(name, Some(split), &measures::estimate(&row.tables, quantity, Some(split), context.bootstrap))
    };
    let mut metrics = Vec::new();
    for &split in context.splits {
        metrics.push(of("token_accuracy", Quantity::TokenAccuracy, split));
        metrics.push(of("exact_match", Quantity::ExactMatch, split));
    }
    metrics.push(of("answer_depth", Quantity::AnswerDepth, Split::InRange));
    metrics.push(of("depth", Quantity::Depth, Split::InRange));
    metrics
}

fn cost(row: &Evidence, context: &Context) -> Vec<MetricRow> {
    let costs = row.costs(None);
    let (all, in_range) = (row.design(None), row.design(Some(Split::InRange)));
    let flops = mean_estimate(&costs, &all, context.bootstrap);
    // A ratio of sums: every token is counted with what it would cost in all D steps.
    let mut shares = costs;
    for (seed, result) in shares.iter_mut().zip(&row.results) {
        let tokens: f64 = seed.iter().map(|cluster| cluster.count).sum();
        seed.iter_mut().for_each(|cluster| cluster.count *= result.ledger.dense_flops / tokens);
    }
    let share = Estimate { count: flops.count, ..mean_estimate(&shares, &all, context.bootstrap) };
    vec![
        metric("flops", None, &flops),
        metric("flops", Some(Split::InRange), &mean_estimate(&row.in_range.cost, &in_range, context.bootstrap)),
        metric("flops_share", None, &share),
        speed_up(row),
    ]
}

/// Mean over seeds of what skipping halted tokens was measured to save. Timings are no sample that could be resampled.
fn speed_up(row: &Evidence) -> MetricRow {
    let measured = |timings: &Option<Timings>| {
        let timings = timings.as_ref()?;
        let [compacted, dense] = *timings.speed.as_ref()?.pairs.first()?;
        (compacted > 0.0 && dense > 0.0).then(|| dense / compacted)
    };
    let values: Option<Vec<f64>> = row.timings.iter().map(measured).collect();
    match values {
        Some(values) if !values.is_empty() => {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            metric("speed_up", None, &Estimate::point(mean, values.len()))
        }
        _ => {
            let missing = metric("speed_up", None, &Estimate::missing(Reason::MissingCells, 0));
            MetricRow { reason: Some("some of its seeds were not timed".to_owned()), ..missing }
        }
    }
}

fn adapt_gain(row: &Evidence, gain: &Estimate) -> MetricRow {
    let metric = metric("adapt_gain", Some(Split::InRange), gain);
    match gain.reason {
        Some(Reason::NotApplicable) if row.plan.policy.name == FIXED => {
            MetricRow { reason: Some("the frontier is made of fixed depths".to_owned()), ..metric }
        }
        Some(Reason::MissingCells) => {
            MetricRow { reason: Some("some cells of the fixed depths are missing".to_owned()), ..metric }
        }
        _ => metric,
    }
}

fn alignment(row: &Evidence, context: &Context) -> Vec<MetricRow> {
    let filter = Filter { split: Some(Split::InRange), ..Filter::default() };
    let alignment = measures::alignment(&row.tables, context.complexity, filter, context.max_depth, context.bootstrap);
    let estimates = [
        ("saturation", &alignment.saturation),
        ("spearman", &alignment.spearman),
        ("spearman_within_size", &alignment.within_size),
        ("spearman_partial", &alignment.partial),
    ];
    let of = |(name, estimate): (&str, &Estimate)| {
        let complexity = Some(context.complexity.to_owned());
        MetricRow { complexity, ..metric(name, filter.split, estimate) }
    };
    estimates.into_iter().map(of).collect()
}

fn by_level(row: &Evidence, context: &Context) -> Vec<MetricRow> {
    let split = Some(Split::InRange);
    let of = |name: &str, level: Option<f64>, estimate: &Estimate| {
        let complexity = Some(context.complexity.to_owned());
        MetricRow { complexity, level, ..metric(name, split, estimate) }
    };
    const NAMES: [&str; 2] = ["token_accuracy_by_level", "answer_depth_by_level"];
    match measures::by_level(&row.tables, context.complexity, split, context.bootstrap) {
        Ok(levels) => levels
            .iter()
            .flat_map(|level| NAMES.into_iter().zip([&level.accuracy, &level.depth]).map(|pair| (level.level, pair)))
            .map(|(level, (name, estimate))| of(name, Some(level), estimate))
            .collect(),
        Err(reason) => {
            let missing = Estimate::missing(reason, row.design(split).clusters());
            NAMES.into_iter().map(|name| of(name, None, &missing)).collect()
        }
    }
}

/// What a task that is a language said about every seed's strings: of one seed as it was found, of several the mean.
fn strings(row: &Evidence) -> Vec<MetricRow> {
    let is_of_strings =
        |metric: &&MetricRow| ["generated_", "teacher_forced_"].iter().any(|kind| metric.metric.starts_with(kind));
    let Some(first) = row.results.first() else { return Vec::new() };
    first.metrics.iter().filter(is_of_strings).map(|metric| over_seeds(row, metric)).collect()
}

fn over_seeds(row: &Evidence, first: &MetricRow) -> MetricRow {
    let same = |metric: &&MetricRow| {
        (&metric.metric, &metric.split, &metric.complexity) == (&first.metric, &first.split, &first.complexity)
    };
    let seeds: Vec<&MetricRow> = row.results.iter().filter_map(|result| result.metrics.iter().find(same)).collect();
    let values: Vec<f64> = seeds.iter().filter_map(|metric| metric.value).collect();
    if seeds.len() == 1 {
        return first.clone();
    }
    if let Some(missing) = seeds.iter().find(|metric| metric.value.is_none()) {
        return (*missing).clone();
    }
    let count = seeds.iter().map(|metric| metric.count).sum();
    let mean = Estimate::point(values.iter().sum::<f64>() / values.len() as f64, count);
    let (split, complexity) = (first.split.clone(), first.complexity.clone());
    MetricRow { split, complexity, ..metric(&first.metric, None, &mean) }
}
