//! Questions (paper §6.3, Fig. 6): the depth of a question's tokens by what a parser knows before each of them.
//!
//! No answer depends on the depth of a question's token alone, so nothing here is right or wrong: this shows where a policy
//! computes while it reads.

use haltbench_analysis::measures::{Depth, depth_by};
use haltbench_analysis::{Filter, Population, Split, Tokens};
use haltbench_sdk::policy::Role;

use super::Subject;
use super::sheet::{Chart, Column, Findings, Lines, Panel, Point, Sheet, Unit, Value};
use crate::evidence::Evidence;

/// Features with more values than this are not shown by value.
const MOST_VALUES: usize = 24;

/// The findings about one board.
pub(super) fn findings(subject: &Subject) -> Findings {
    let Some(table) = subject.rows.iter().find_map(|row| row.tables.first()) else {
        return Findings { verdict: vec!["No cell is finished.".to_owned()], ..Findings::default() };
    };
    let prompt = table.rows(Filter { tokens: Tokens::Prompt, ..Filter::default() });
    let is_defined = |name: &&String| prompt.iter().any(|row| table.columns().features[*name][*row].is_some());
    let features: Vec<String> = table.columns().features.keys().filter(is_defined).cloned().collect();
    let (mut sheets, mut charts) = (Vec::new(), Vec::new());
    for feature in &features {
        let (sheet, chart) = by_feature(subject, feature);
        if sheet.rows.is_empty() {
            continue;
        }
        sheets.push(sheet);
        charts.push(chart);
    }
    let verdict = match sheets.len() {
        0 => "The task defines no feature of its questions' tokens.".to_owned(),
        _ => format!("Depth of question tokens by {}.", features.join(", ")),
    };
    Findings {
        verdict: vec![verdict],
        sheets,
        charts,
        notes: vec![
            "Tokens of questions at trained sizes, where each is read: the mean of the policy's distribution over depths, or \
             its steps if it has none. correct: only sequences whose answers are all right."
                .to_owned(),
            format!("Features with more than {MOST_VALUES} values, such as the position in long questions, are not shown."),
        ],
        ..Findings::default()
    }
}

/// Depth by the value of a feature: for features of few values alone.
fn by_feature(subject: &Subject, feature: &str) -> (Sheet, Chart) {
    let columns = vec![
        Column::new("policy", "policy", Unit::Text),
        Column::new("population", "sequences", Unit::Text),
        Column::new("value", "value", Unit::Number),
        Column::new("depth", "depth", Unit::Steps),
        Column::new("tokens", "tokens", Unit::Count),
    ];
    let mut sheet = Sheet::new(feature, format!("By {feature}"), columns);
    let mut lines = Lines::default();
    for row in subject.rows.iter().filter(|row| !row.has_role(Role::FixedDepth)) {
        (subject.progress)(&row.label);
        for (population, words) in [(Population::All, "all"), (Population::CorrectOnly, "correct")] {
            let filter = Filter { split: Some(Split::InRange), tokens: Tokens::Prompt, population };
            let levels = depth_by(&row.tables, feature, depth(row), filter).unwrap_or_default();
            if levels.len() > MOST_VALUES {
                continue;
            }
            for level in levels {
                sheet.rows.push(vec![
                    Value::text(&row.label),
                    Value::text(words),
                    Value::Estimate(haltbench_analysis::Estimate::point(level.value, level.count)),
                    Value::Estimate(level.depth),
                    Value::Count(level.count),
                ]);
                if population == Population::All {
                    lines.add(&row.label, false, Point::of(level.value, &level.depth));
                }
            }
        }
    }
    let chart = Chart {
        title: format!("Depth of question tokens by {feature}"),
        across: feature.to_owned(),
        panels: vec![Panel {
            title: "mean depth where the token is read".to_owned(),
            unit: Unit::Steps,
            lines: lines.finish(),
        }],
        trained: Vec::new(),
    };
    (sheet, chart)
}

fn depth(row: &Evidence) -> Depth {
    if row.has_depth(Depth::ExpectedAtToken) { Depth::ExpectedAtToken } else { Depth::StepsAtToken }
}
