//! The measures of a cell as tidy rows, from its table of tokens.

use haltbench_analysis::measures::{self, Depth, Quantity, Statistic, correlation_table};
use haltbench_analysis::{Estimate, Filter, Population, Reason, Split, TokenTable};

use crate::store::MetricRow;

/// The measures of a cell as tidy rows.
pub fn measure(table: &TokenTable, headline: &str, max_depth: usize) -> Vec<MetricRow> {
    let tables = std::slice::from_ref(table);
    let most = max_depth as u32;
    let splits = table.splits();
    let mut rows = Vec::new();
    let quantities = [
        ("token_accuracy", Quantity::TokenAccuracy),
        ("exact_match", Quantity::ExactMatch),
        ("answer_depth", Quantity::AnswerDepth),
        ("depth", Quantity::Depth),
        ("first_step", Quantity::FirstStep),
        ("saturation", Quantity::Saturation { max_depth: most }),
        ("flops", Quantity::Flops),
        ("flops_share", Quantity::FlopsShare),
    ];
    for split in &splits {
        for (name, quantity) in quantities {
            let estimate = measures::estimate(tables, quantity, Some(*split));
            rows.push(MetricRow::new(name, Some(*split), Population::All, &estimate));
        }
        for population in [Population::All, Population::CorrectOnly] {
            let filter = Filter { split: Some(*split), population, ..Filter::default() };
            let alignment = measures::alignment(tables, headline, filter, most);
            let estimates = [
                ("spearman", &alignment.spearman),
                ("spearman_above_lowest", &alignment.above_lowest),
                ("spearman_within_size", &alignment.within_size),
                ("spearman_partial", &alignment.partial),
                ("somers_d", &alignment.somers_d),
                ("tau_b", &alignment.tau_b),
            ];
            for (name, estimate) in estimates {
                let complexity = Some(headline.to_owned());
                rows.push(MetricRow { complexity, ..MetricRow::new(name, Some(*split), population, estimate) });
            }
        }
        rows.extend(by_level(tables, headline, *split));
    }
    rows
}

/// Spearman's correlation of each of a token's four depths with each complexity, over the tokens of strings that the
/// model drew.
pub fn alignment_of_generated<'a>(table: &TokenTable, complexities: impl Iterator<Item = &'a str>) -> Vec<MetricRow> {
    let filter = Filter { split: Some(Split::InRange), ..Filter::default() };
    let tables = std::slice::from_ref(table);
    let row = |complexity: &str, depth: Depth| {
        let found = correlation_table(tables, complexity, depth, filter, Statistic::Spearman);
        let estimate = found.map_or_else(|reason| Estimate::missing(reason, 0), |table| table.estimate());
        let name = match depth {
            Depth::Steps => "generated_spearman",
            Depth::StepsAtToken => "generated_spearman_at_token",
            Depth::Expected => "generated_spearman_expected",
            Depth::ExpectedAtToken => "generated_spearman_expected_at_token",
        };
        let row = MetricRow::new(name, filter.split, Population::All, &estimate);
        MetricRow { complexity: Some(complexity.to_owned()), ..row }
    };
    complexities.flat_map(|complexity| Depth::ALL.map(|depth| row(complexity, depth))).collect()
}

fn by_level(tables: &[TokenTable], headline: &str, split: Split) -> Vec<MetricRow> {
    let missing = |reason: Reason| {
        let estimate = Estimate::missing(reason, 0);
        let row = MetricRow::new("token_accuracy_by_level", Some(split), Population::All, &estimate);
        vec![MetricRow { complexity: Some(headline.to_owned()), ..row }]
    };
    let levels = match measures::by_level(tables, headline, Some(split)) {
        Ok(levels) => levels,
        Err(reason) => return missing(reason),
    };
    let row = |name: &str, level: f64, estimate: &Estimate| MetricRow {
        complexity: Some(headline.to_owned()),
        level: Some(level),
        ..MetricRow::new(name, Some(split), Population::All, estimate)
    };
    levels
        .iter()
        .flat_map(|level| {
            let value = level.level;
            [row("token_accuracy_by_level", value, &level.accuracy), row("answer_depth_by_level", value, &level.depth)]
        })
        .collect()
}
