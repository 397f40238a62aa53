//! Alignment (paper §§6.1, 6.3, 6.5): does the depth of a token follow its complexity?

use haltbench_analysis::measures::{Depth, Quantity, Statistic, by_level, correlation_table, estimate};
use haltbench_analysis::{Estimate, Filter, Population, Split, Tokens};
use haltbench_sdk::policy::Role;

use super::Subject;
use super::sheet::{Chart, Column, Findings, Lines, Panel, Point, Sheet, Unit, Value};
use crate::evidence::Evidence;

const STATISTICS: [(Column, Statistic); 6] = [
    (Column::new("spearman", "ρ", Unit::Correlation), Statistic::Spearman),
    (Column::new("spearman_above_lowest", "ρ above lowest", Unit::Correlation), Statistic::SpearmanAboveLowest),
    (Column::new("spearman_within_size", "ρ within size", Unit::Correlation), Statistic::WithinSize),
    (Column::new("spearman_partial", "ρ partial", Unit::Correlation), Statistic::Partial),
    (Column::new("somers_d", "Somers' D", Unit::Correlation), Statistic::SomersD),
    (Column::new("tau_b", "τ-b", Unit::Correlation), Statistic::TauB),
];

/// A depth that is correlated, by name, and among which sequences.
const DEPTHS: [(&str, Depth, Population); 5] = [
    ("steps", Depth::Steps, Population::All),
    ("steps", Depth::Steps, Population::CorrectOnly),
    ("expected", Depth::Expected, Population::All),
    ("expected", Depth::Expected, Population::CorrectOnly),
    ("expected at token", Depth::ExpectedAtToken, Population::All),
];

const SPLIT: Option<Split> = Some(Split::InRange);

/// The findings about one board.
pub(super) fn findings(subject: &Subject) -> Findings {
    let mut findings = Findings::default();
    for complexity in &subject.complexities {
        findings.sheets.push(sheet(subject, complexity));
        findings.charts.push(chart(subject, complexity));
    }
    findings.verdict = verdict(subject, &findings.sheets);
    findings.notes = vec![
        "Answer tokens of trained sizes. steps: steps executed where a token is predicted; expected: mean of the policy's \
         distribution there; at token: the same where the token itself is read."
            .to_owned(),
        "correct: only sequences whose answers are all right. This selects by outcome, so policies of different accuracy \
         are compared on different sequences."
            .to_owned(),
        "ρ within size: averaged over sizes of the token's own problem; ρ partial: given this size and the position. ρ \
         rewards a policy that reads the size alone."
            .to_owned(),
        "saturation: share of answers at the largest depth. Above 20 %, depth is censored and no correlation says much."
            .to_owned(),
    ];
    findings
}

/// Every statistic of every depth with one complexity.
fn sheet(subject: &Subject, complexity: &str) -> Sheet {
    let mut columns = vec![
        Column::new("policy", "policy", Unit::Text),
        Column::new("depth", "depth", Unit::Text),
        Column::new("population", "sequences", Unit::Text),
    ];
    columns.extend(STATISTICS.iter().map(|(column, _)| *column));
    columns.push(Column::new("saturation", "saturation %", Unit::Share));
    columns.push(Column::new("tokens", "tokens", Unit::Count));
    let headline = if is_headline(subject, complexity) { ", the headline" } else { "" };
    let title = format!("Depth against {complexity}{headline}");
    let mut sheet = Sheet::new(complexity, title, columns);
    // A fixed depth follows nothing.
    for row in subject.rows.iter().filter(|row| !row.has_role(Role::FixedDepth)) {
        (subject.progress)(&row.label);
        for (name, depth, population) in DEPTHS.into_iter().filter(|(_, depth, _)| row.has_depth(*depth)) {
            sheet.rows.push(line(row, complexity, (name, depth), population));
        }
    }
    sheet
}

fn line(row: &Evidence, complexity: &str, (name, depth): (&str, Depth), population: Population) -> Vec<Value> {
    let filter = Filter { split: SPLIT, tokens: Tokens::Answer, population };
    let max_depth = u32::try_from(row.plan.max_depth).unwrap_or(u32::MAX);
    let mut count = 0;
    let mut of = |statistic: Statistic| match correlation_table(&row.tables, complexity, depth, filter, statistic) {
        Ok(table) => {
            count = count.max(table.count());
            table.estimate()
        }
        Err(reason) => Estimate::missing(reason, 0),
    };
    let found: Vec<Value> = STATISTICS.iter().map(|(_, statistic)| Value::Estimate(of(*statistic))).collect();
    let words = if population == Population::All { "all" } else { "correct" };
    let mut values = vec![Value::text(&row.label), Value::text(name), Value::text(words)];
    values.extend(found);
    values.push(Value::Estimate(estimate(&row.tables, Quantity::Saturation { max_depth }, SPLIT)));
    values.push(Value::Count(count));
    values
}

fn is_headline(subject: &Subject, complexity: &str) -> bool {
    subject.headline.as_deref() == Some(complexity)
}

/// Mean depth by level.
fn chart(subject: &Subject, complexity: &str) -> Chart {
    let mut lines = Lines::default();
    for row in &subject.rows {
        for level in by_level(&row.tables, complexity, SPLIT).unwrap_or_default() {
            lines.add(&row.label, row.has_role(Role::FixedDepth), Point::of(level.level, &level.depth));
        }
    }
    Chart {
        title: format!("Depth by {complexity}"),
        across: complexity.to_owned(),
        panels: vec![Panel {
            title: "mean steps of answer tokens".to_owned(),
            unit: Unit::Steps,
            lines: lines.finish(),
        }],
        trained: Vec::new(),
    }
}

/// Which policies under test follow the headline within sizes.
fn verdict(subject: &Subject, sheets: &[Sheet]) -> Vec<String> {
    let headline = subject.headline.as_deref().or(subject.complexities.first().map(String::as_str));
    let Some(sheet) = sheets.iter().find(|sheet| Some(sheet.name.as_str()) == headline).or(sheets.first()) else {
        return vec!["No cell is finished.".to_owned()];
    };
    let tested = |label: &str| subject.rows.iter().any(|row| row.label == label && row.has_role(Role::Policy));
    let text = |row: usize, column: &str| match sheet.get(row, column) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let of_all = (0..sheet.rows.len()).filter(|row| {
        text(*row, "depth") == "steps" && text(*row, "population") == "all" && tested(&text(*row, "policy"))
    });
    let (mut follow, mut against, mut neither) = (Vec::new(), Vec::new(), Vec::new());
    for row in of_all {
        let estimate = sheet.get(row, "spearman_within_size").and_then(Value::estimate).copied();
        let Some((estimate, value)) = estimate.and_then(|own| own.value.map(|value| (own, value))) else {
            neither.push(text(row, "policy"));
            continue;
        };
        match (estimate.excludes(0.0), value > 0.0) {
            (true, true) => follow.push((value, text(row, "policy"))),
            (true, false) => against.push(text(row, "policy")),
            (false, _) => neither.push(text(row, "policy")),
        }
    }
    follow.sort_by(|left, right| right.0.total_cmp(&left.0));
    let total = follow.len() + against.len() + neither.len();
    let mut verdict = vec![match follow.first() {
        None => format!("Within sizes, the depth of none of {total} policies rises with {}.", sheet.name),
        Some((value, best)) => format!(
            "Within sizes, the depth of {} of {total} policies rises with {}; {best} follows it most closely (ρ = {value:.2}).",
            follow.len(),
            sheet.name
        ),
    }];
    if !against.is_empty() {
        verdict.push(format!("It falls with {} for {}.", sheet.name, against.join(", ")));
    }
    verdict
}
