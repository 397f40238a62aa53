//! Generalization (paper §6.2, A.4): accuracy and depth at sizes that were not trained, and at other largest depths.

use std::collections::BTreeSet;

use haltbench_analysis::measures::{Quantity, by_size, estimate, quantity_table};
use haltbench_analysis::{Crossed, Estimate, Reason, Split};
use haltbench_sdk::policy::Role;

use super::Subject;
use super::sheet::{Chart, Column, Findings, Lines, Panel, Point, Sheet, Unit, Value};
use crate::evidence::Evidence;

const POLICY: Column = Column::new("policy", "policy", Unit::Text);

/// The findings about one board.
pub(super) fn findings(subject: &Subject) -> Findings {
    let splits = splits(subject);
    let mut sheets = vec![by_split(subject, &splits), sizes(subject)];
    sheets.extend(depths(subject, &splits));
    let verdict = verdict(subject, &sheets[0], &splits);
    let mut notes = vec![
        "in_range: trained sizes; embedded: a trained size inside a larger instance; between and beyond: sizes between and \
         above the trained ones, whose tokens all occur in training."
            .to_owned(),
        "change: accuracy there minus accuracy in range. The problems differ, so the two are not paired.".to_owned(),
    ];
    if splits.len() < 2 {
        notes.push("The suite evaluates trained sizes alone: set evaluation.between and evaluation.beyond.".to_owned());
    }
    Findings { verdict, sheets, charts: vec![chart(subject)], notes, ..Findings::default() }
}

/// The splits of the board's tables, easiest first.
fn splits(subject: &Subject) -> Vec<Split> {
    let found: BTreeSet<Split> =
        subject.rows.iter().filter_map(|row| row.tables.first()).flat_map(|table| table.splits()).collect();
    Split::ALL.into_iter().filter(|split| found.contains(split)).collect()
}

fn by_split(subject: &Subject, splits: &[Split]) -> Sheet {
    let columns = vec![
        POLICY,
        Column::new("split", "sizes", Unit::Text),
        Column::new("token_accuracy", "tokens %", Unit::Share),
        Column::new("change", "change", Unit::ShareDifference),
        Column::new("exact_match", "sequences %", Unit::Share),
        Column::new("answer_depth", "depth", Unit::Steps),
        Column::new("saturation", "saturation %", Unit::Share),
    ];
    let mut sheet = Sheet::new("splits", "By relation to the trained sizes", columns);
    for row in &subject.rows {
        (subject.progress)(&row.label);
        for split in splits {
            let of = |quantity| Value::Estimate(estimate(&row.tables, quantity, Some(*split)));
            let exact = match split {
                Split::Embedded => Value::missing("no sequence is embedded: the larger problem around it is harder"),
                _ => of(Quantity::ExactMatch),
            };
            sheet.rows.push(vec![
                Value::text(&row.label),
                Value::text(split.name()),
                of(Quantity::TokenAccuracy),
                change(row, *split),
                exact,
                of(Quantity::AnswerDepth),
                of(Quantity::Saturation { max_depth: max_depth(row) }),
            ]);
        }
    }
    sheet
}

fn max_depth(row: &Evidence) -> u32 {
    u32::try_from(row.plan.max_depth).unwrap_or(u32::MAX)
}

/// Accuracy in a split minus accuracy in range, over the problems of both.
fn change(row: &Evidence, split: Split) -> Value {
    if split == Split::InRange {
        return Value::missing("it is compared with itself");
    }
    let of = |split| quantity_table(&row.tables, Quantity::TokenAccuracy, Some(split));
    let difference = |there: Crossed, here: Crossed| -> Result<Crossed, Reason> {
        let mut units: Vec<u64> = there.units().iter().chain(here.units()).copied().collect();
        units.sort_unstable();
        units.dedup();
        there.over(&units).minus(&here.over(&units))
    };
    let found = of(split).and_then(|there| difference(there, of(Split::InRange)?));
    Value::Estimate(found.map_or_else(|reason| Estimate::missing(reason, 0), |table| table.estimate()))
}

fn sizes(subject: &Subject) -> Sheet {
    let columns = vec![
        POLICY,
        Column::new("trained", "trained", Unit::Text),
        Column::new("size", "size", Unit::Count),
        Column::new("token_accuracy", "tokens %", Unit::Share),
        Column::new("answer_depth", "depth", Unit::Steps),
        Column::new("tokens", "tokens", Unit::Count),
    ];
    let mut sheet = Sheet::new("sizes", "By size of a token's own problem", columns);
    for row in &subject.rows {
        for size in by_size(&row.tables).unwrap_or_default() {
            sheet.rows.push(vec![
                Value::text(&row.label),
                Value::text(if size.trained { "yes" } else { "no" }),
                Value::Count(size.size as usize),
                Value::Estimate(size.accuracy),
                Value::Estimate(size.depth),
                Value::Count(size.count),
            ]);
        }
    }
    sheet
}

/// The same weights under other largest depths than the one that they were trained with, if the suite has such cells.
fn depths(subject: &Subject, splits: &[Split]) -> Option<Sheet> {
    let is_other = |row: &&Evidence| row.plan.max_depth != row.plan.model.max_depth;
    if !subject.group.rows.iter().filter(|row| !row.tables.is_empty()).any(|row| is_other(&row)) {
        return None;
    }
    let columns = vec![
        POLICY,
        Column::new("split", "sizes", Unit::Text),
        Column::new("trained_max_depth", "trained D", Unit::Count),
        Column::new("max_depth", "D", Unit::Count),
        Column::new("token_accuracy", "tokens %", Unit::Share),
        Column::new("answer_depth", "depth", Unit::Steps),
        Column::new("saturation", "saturation %", Unit::Share),
    ];
    let mut sheet = Sheet::new("max_depths", "At other largest depths than the trained one", columns);
    let families: BTreeSet<&str> =
        subject.group.rows.iter().filter(is_other).map(|row| row.first.family.as_str()).collect();
    for row in subject.group.rows.iter().filter(|row| families.contains(row.first.family.as_str())) {
        for split in splits.iter().filter(|_| !row.tables.is_empty()) {
            let of = |quantity| Value::Estimate(estimate(&row.tables, quantity, Some(*split)));
            sheet.rows.push(vec![
                Value::text(&row.label),
                Value::text(split.name()),
                Value::Count(row.plan.model.max_depth),
                Value::Count(row.plan.max_depth),
                of(Quantity::TokenAccuracy),
                of(Quantity::AnswerDepth),
                of(Quantity::Saturation { max_depth: max_depth(row) }),
            ]);
        }
    }
    Some(sheet)
}

/// Accuracy and depth by size; fixed depths are controls of both.
fn chart(subject: &Subject) -> Chart {
    let (mut accuracy, mut depth) = (Lines::default(), Lines::default());
    let mut trained = BTreeSet::new();
    for row in &subject.rows {
        for size in by_size(&row.tables).unwrap_or_default() {
            let (x, fixed) = (f64::from(size.size), row.has_role(Role::FixedDepth));
            accuracy.add(&row.label, fixed, Point::of(x, &size.accuracy));
            depth.add(&row.label, fixed, Point::of(x, &size.depth));
            if size.trained {
                trained.insert(size.size);
            }
        }
    }
    Chart {
        title: "By size of a token's own problem; trained sizes are shaded".to_owned(),
        across: "size".to_owned(),
        panels: vec![
            Panel { title: "share of answer tokens right".to_owned(), unit: Unit::Share, lines: accuracy.finish() },
            Panel { title: "mean steps of answer tokens".to_owned(), unit: Unit::Steps, lines: depth.finish() },
        ],
        trained: trained.into_iter().map(f64::from).collect(),
    }
}

fn verdict(subject: &Subject, sheet: &Sheet, splits: &[Split]) -> Vec<String> {
    let is_tested = |label: &str| subject.rows.iter().any(|row| row.label == label && row.has_role(Role::Policy));
    let mut verdict = Vec::new();
    for split in splits.iter().filter(|split| **split != Split::InRange) {
        let mut changes: Vec<(f64, String)> = Vec::new();
        for row in 0..sheet.rows.len() {
            let (Some(Value::Text(label)), Some(Value::Text(of))) = (sheet.get(row, "policy"), sheet.get(row, "split"))
            else {
                continue;
            };
            if of == split.name() && is_tested(label) {
                let change = sheet.get(row, "change").and_then(Value::number);
                changes.extend(change.map(|change| (change, label.clone())));
            }
        }
        changes.sort_by(|left, right| left.0.total_cmp(&right.0));
        if let (Some((most, worst)), Some((least, best))) = (changes.first(), changes.last()) {
            verdict.push(format!(
                "At {} sizes, accuracy changes by {:+.1} to {:+.1} points: most for {worst}, least for {best}.",
                split.name(),
                100.0 * most,
                100.0 * least
            ));
        }
    }
    if verdict.is_empty() {
        verdict.push("No size is outside the trained ones.".to_owned());
    }
    verdict
}
