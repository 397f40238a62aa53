//! Needed depth: every depth is forced on every token of a policy's own weights, and the policy's depth is compared with the
//! least one after which the answer stays right.

use haltbench_analysis::measures::{NeededDepth, needed_by_level, needed_depth};
use haltbench_analysis::{Estimate, Split, TokenTable};
use haltbench_sdk::policy::Role;

use super::Subject;
use super::sheet::{Chart, Column, Findings, Lines, Panel, Point, Sheet, Unit, Value};
use crate::evidence::Evidence;
use crate::gain::depth;

const SPLIT: Option<Split> = Some(Split::InRange);

/// A measure and its column.
type Measure = (Column, fn(&NeededDepth) -> Estimate);

const MEASURES: [Measure; 8] = [
    (Column::new("needed", "needed", Unit::Steps), |found| found.needed),
    (Column::new("given", "given", Unit::Steps), |found| found.given),
    (Column::new("over", "too many", Unit::Steps), |found| found.over),
    (Column::new("under", "too few", Unit::Steps), |found| found.under),
    (Column::new("exact", "exact %", Unit::Share), |found| found.exact),
    (Column::new("spearman", "ρ", Unit::Correlation), |found| found.spearman),
    (Column::new("first_right", "first right", Unit::Steps), |found| found.first_right),
    (Column::new("never", "never %", Unit::Share), |found| found.never),
];

/// The findings about one board.
pub(super) fn findings(subject: &Subject) -> Findings {
    let mut columns = vec![Column::new("policy", "policy", Unit::Text)];
    columns.extend(MEASURES.iter().map(|(column, _)| *column));
    let mut sheet = Sheet::new("needed", "Given depth against needed depth", columns);
    let mut levels: Vec<Sheet> = Vec::new();
    let mut charts = Vec::new();
    for complexity in &subject.complexities {
        let columns = vec![
            Column::new("policy", "policy", Unit::Text),
            Column::new("level", "level", Unit::Number),
            Column::new("needed", "needed", Unit::Steps),
            Column::new("given", "given", Unit::Steps),
        ];
        levels.push(Sheet::new(format!("needed by {complexity}"), format!("By {complexity}"), columns));
    }
    let mut lacking: Vec<&Evidence> = Vec::new();
    let mut drawn: Vec<(Lines, Lines)> = subject.complexities.iter().map(|_| Default::default()).collect();
    for row in &subject.rows {
        if row.has_role(Role::FixedDepth) {
            continue;
        }
        (subject.progress)(&row.label);
        let Some(forced) = forced(subject, row) else {
            lacking.push(row);
            continue;
        };
        let mut values = vec![Value::text(&row.label)];
        match needed_depth(&row.tables, &forced, SPLIT) {
            Ok(found) => values.extend(MEASURES.iter().map(|(_, of)| Value::Estimate(of(&found)))),
            Err(reason) => values.extend(MEASURES.iter().map(|_| Value::missing(reason.to_string()))),
        }
        sheet.rows.push(values);
        for ((complexity, sheet), (needed, given)) in subject.complexities.iter().zip(&mut levels).zip(&mut drawn) {
            for level in needed_by_level(&row.tables, &forced, complexity, SPLIT).unwrap_or_default() {
                let number = Estimate::point(level.level, 0);
                sheet.rows.push(vec![
                    Value::text(&row.label),
                    Value::Estimate(number),
                    Value::Estimate(level.needed),
                    Value::Estimate(level.given),
                ]);
                needed.add(&row.label, false, Point::of(level.level, &level.needed));
                given.add(&row.label, false, Point::of(level.level, &level.given));
            }
        }
    }
    for (complexity, (needed, given)) in subject.complexities.iter().zip(drawn) {
        charts.push(Chart {
            title: format!("Needed and given depth by {complexity}"),
            across: complexity.clone(),
            panels: vec![
                Panel { title: "needed steps, mean".to_owned(), unit: Unit::Steps, lines: needed.finish() },
                Panel { title: "given steps, mean".to_owned(), unit: Unit::Steps, lines: given.finish() },
            ],
            trained: Vec::new(),
        });
    }
    let verdict = verdict(&sheet, &lacking);
    let mut sheets = vec![sheet];
    sheets.extend(levels.into_iter().filter(|sheet| !sheet.rows.is_empty()));
    Findings {
        verdict,
        sheets,
        charts,
        notes: vec![
            "Answer tokens of trained sizes. needed: the least forced depth from which the answer is right at every larger \
             one up to D; never: wrong at D, so there is none. too many, too few: given minus needed steps, where positive \
             and where negative. ρ: of given with needed depth."
                .to_owned(),
            "A forced depth applies to all tokens of a sequence, the prompt included.".to_owned(),
        ],
        ..Findings::default()
    }
}

/// The tables of the policy's weights at each forced depth from 1 to D, if the suite has them for all of its seeds.
fn forced(subject: &Subject, row: &Evidence) -> Option<Vec<Vec<TokenTable>>> {
    let at = |wanted: usize| {
        let is_it = |other: &&Evidence| {
            other.has_role(Role::FixedDepth)
                && depth(other) == i64::try_from(wanted).ok()
                && other.plan.model == row.plan.model
                && other.plan.max_depth == row.plan.max_depth
        };
        subject.group.rows.iter().find(is_it)?.tables_of(&row.seeds)
    };
    (1..=row.plan.max_depth).map(at).collect()
}

fn verdict(sheet: &Sheet, lacking: &[&Evidence]) -> Vec<String> {
    let mut verdict = Vec::new();
    let policies = sheet.rows.len();
    let count = |is_it: &dyn Fn(f64, f64) -> bool| {
        let of = |row: &usize| {
            let number = |column| sheet.get(*row, column).and_then(Value::number);
            number("over").zip(number("under")).is_some_and(|(over, under)| is_it(over, under))
        };
        (0..policies).filter(of).count()
    };
    if policies > 0 {
        verdict.push(format!(
            "More steps than needed on balance: {} of {policies} policies; fewer: {}.",
            count(&|over, under| over > under),
            count(&|over, under| over < under)
        ));
    }
    if let Some(row) = lacking.first() {
        let of = row.of.unwrap_or(&row.first.family);
        let more = if lacking.len() > 1 { format!(" and {} more", lacking.len() - 1) } else { String::new() };
        let depths: Vec<String> = (1..=row.plan.max_depth).map(|depth| depth.to_string()).collect();
        verdict.push(format!(
            "Cells with forced depths are missing for {}{more}. Add an entry [[policy]] for each: label = \
             \"forced-on-{of}\", name = \"fixed\", of = \"{of}\", depth = [{}].",
            row.label,
            depths.join(", ")
        ));
    }
    verdict
}
