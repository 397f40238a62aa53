//! Frontier (paper A.5): what a policy reaches over its settings, beside fixed depths, shuffled depths
//! and read-outs of its own weights at the same cost.

use haltbench_analysis::measures::{Quantity, estimate};
use haltbench_analysis::{Crossed, Estimate, Gain, Reason, Split};
use haltbench_sdk::policy::Role;

use super::Subject;
use super::sheet::{Chart, Column, Findings, Lines, Panel, Point, Sheet, Unit, Value};
use crate::evidence::Evidence;
use crate::gain::{Against, Gains};

const SPLIT: Option<Split> = Some(Split::InRange);

/// The findings about one board.
pub(super) fn findings(subject: &Subject) -> Findings {
    let guesses = subject.group.guesses();
    let gains = Gains::of(&subject.group.rows, &guesses);
    let sheets = [settings(subject, &gains), read_outs(subject, &gains), shuffled(subject, &gains)];
    let verdict = verdict(subject, &sheets);
    Findings {
        verdict,
        sheets: sheets.into_iter().filter(|sheet| !sheet.rows.is_empty()).collect(),
        charts: vec![chart(subject)],
        notes: vec![
            "Answer tokens of trained sizes. cost: executed operations, decisions included, as a share of all D steps."
                .to_owned(),
            "adapt-gain: accuracy above the upper concave hull of the fixed depths at the same cost. Below the cheapest \
             fixed depth it is the lower bound, marked ≥."
                .to_owned(),
            "Settings of a knob are all shown; of each policy, the leaderboard ranks one, chosen on the calibration part."
                .to_owned(),
        ],
        ..Findings::default()
    }
}

fn role(row: &Evidence) -> String {
    match row.of {
        Some(of) if row.has_role(Role::Policy) => format!("read-out of {of}"),
        Some(of) => format!("{} of {of}", row.role.as_deref().unwrap_or("policy")),
        None => row.role.clone().unwrap_or_else(|| "policy".to_owned()),
    }
}

/// A gain, or its lower bound with the words that say so.
fn gain_of(gain: Result<Gain, Reason>) -> (Value, &'static str) {
    let missing = |reason: &str| (Value::missing(reason), "");
    match gain {
        Ok(Gain::Exact(table)) => (Value::Estimate(table.estimate()), ""),
        Ok(Gain::Bounds { lower, .. }) => (Value::Estimate(lower.estimate()), "≥"),
        Err(Reason::NotApplicable) => missing("the frontier is made of fixed depths"),
        Err(Reason::MissingCells) => missing("some cells of the fixed depths are missing"),
        Err(reason) => missing(&reason.to_string()),
    }
}

fn settings(subject: &Subject, gains: &Gains) -> Sheet {
    let columns = vec![
        Column::new("policy", "policy", Unit::Text),
        Column::new("role", "role", Unit::Text),
        Column::new("bound", "", Unit::Text),
        Column::new("flops_share", "cost %", Unit::Share),
        Column::new("token_accuracy", "tokens %", Unit::Share),
        Column::new("adapt_gain", "adapt-gain", Unit::ShareDifference),
    ];
    let mut sheet = Sheet::new("settings", "Every setting, from the cheapest", columns);
    let mut rows: Vec<(&Evidence, f64)> = (subject.group.rows.iter())
        .filter(|row| !row.tables.is_empty())
        .map(|row| (row, estimate(&row.tables, Quantity::FlopsShare, SPLIT).value.unwrap_or(f64::INFINITY)))
        .collect();
    rows.sort_by(|left, right| left.1.total_cmp(&right.1));
    for (row, _) in rows {
        (subject.progress)(&row.label);
        let of = |quantity| Value::Estimate(estimate(&row.tables, quantity, SPLIT));
        let (gain, bound) = gain_of(gains.gain(row, Against::FixedDepths));
        sheet.rows.push(vec![
            Value::text(&row.label),
            Value::text(role(row)),
            Value::text(bound),
            of(Quantity::FlopsShare),
            of(Quantity::TokenAccuracy),
            gain,
        ]);
    }
    sheet
}

/// Read-outs of learned gates' own weights: gain of the read-out minus gain of the gate, paired. Of every knob, the
/// setting that the leaderboard shows.
fn read_outs(subject: &Subject, gains: &Gains) -> Sheet {
    let columns = vec![
        Column::new("gate", "gate", Unit::Text),
        Column::new("read_out", "read-out of its weights", Unit::Text),
        Column::new("gate_gain", "gate's gain", Unit::ShareDifference),
        Column::new("read_out_gain", "read-out's gain", Unit::ShareDifference),
        Column::new("difference", "read-out − gate", Unit::ShareDifference),
    ];
    let mut sheet =
        Sheet::new("read_outs", "Read-outs beside gates: a gate that these beat is not worth its training", columns);
    let exact = |row: &Evidence| match gains.gain(row, Against::FixedDepths) {
        Ok(Gain::Exact(table)) => Ok(table),
        Ok(Gain::Bounds { .. }) => Err(format!("{} costs less than the cheapest fixed depth", row.label)),
        Err(reason) => Err(reason.to_string()),
    };
    let value = |gain: &Result<Crossed, String>| match gain {
        Ok(table) => Value::Estimate(table.estimate()),
        Err(reason) => Value::missing(reason),
    };
    for read_out in subject.rows.iter().filter(|row| row.has_role(Role::Policy)) {
        let Some(of) = read_out.of else { continue };
        let gate = subject.rows.iter().find(|row| (row.named == of || row.first.family == of) && row.of.is_none());
        let Some(gate) = gate else { continue };
        let (own, other) = (exact(read_out), exact(gate));
        let difference = match (&own, &other) {
            (Ok(own), Ok(other)) => own.minus(other).map_err(|reason| reason.to_string()),
            (Err(reason), _) | (_, Err(reason)) => Err(reason.clone()),
        };
        sheet.rows.push(vec![
            Value::text(&gate.label),
            Value::text(&read_out.label),
            value(&other),
            value(&own),
            value(&difference),
        ]);
    }
    sheet
}

/// Controls that misplace the depths of a policy: their accuracy minus its own.
fn shuffled(subject: &Subject, gains: &Gains) -> Sheet {
    let columns = vec![
        Column::new("source", "depths of", Unit::Text),
        Column::new("control", "given by", Unit::Text),
        Column::new("token_accuracy", "tokens %", Unit::Share),
        Column::new("against_source", "minus the policy's", Unit::ShareDifference),
    ];
    let mut sheet = Sheet::new("controls", "The same depths, given to other tokens", columns);
    let reads = |row: &&Evidence| row.plan.source.is_some() && !row.has_role(Role::Policy);
    for row in subject.group.rows.iter().filter(|row| !row.tables.is_empty()).filter(reads) {
        let difference = match gains.against_source(row) {
            Ok(table) => Value::Estimate(table.estimate()),
            Err(reason) => Value::missing(reason),
        };
        sheet.rows.push(vec![
            Value::text(row.of.unwrap_or_default()),
            Value::text(&row.label),
            Value::Estimate(estimate(&row.tables, Quantity::TokenAccuracy, SPLIT)),
            difference,
        ]);
    }
    sheet
}

/// Accuracy against cost: a line through the settings of each policy.
fn chart(subject: &Subject) -> Chart {
    let mut lines = Lines::default();
    for row in subject
        .group
        .rows
        .iter()
        .filter(|row| !row.tables.is_empty() && row.plan.source.is_none() && !row.is_forced_depth())
    {
        let cost = estimate(&row.tables, Quantity::FlopsShare, SPLIT);
        let accuracy = estimate(&row.tables, Quantity::TokenAccuracy, SPLIT);
        let fixed = row.has_role(Role::FixedDepth);
        let label = if fixed { "fixed depths" } else { &row.first.family };
        lines.add(label, fixed, cost.value.and_then(|cost| Point::of(100.0 * cost, &accuracy)));
    }
    Chart {
        title: "Accuracy against cost".to_owned(),
        across: "executed operations, % of all D steps".to_owned(),
        panels: vec![Panel {
            title: "share of answer tokens right".to_owned(),
            unit: Unit::Share,
            lines: lines.finish(),
        }],
        trained: Vec::new(),
    }
}

fn verdict(subject: &Subject, [settings, read_outs, controls]: &[Sheet; 3]) -> Vec<String> {
    let is_shown = |label: &str| subject.rows.iter().any(|row| row.label == label && row.has_role(Role::Policy));
    let texts = |sheet: &Sheet, row: usize, column: &str| match sheet.get(row, column) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let estimates = |sheet: &Sheet, column: &str, is_meant: &dyn Fn(usize) -> bool| -> Vec<Estimate> {
        let found = (0..sheet.rows.len()).filter(|row| is_meant(*row));
        found.filter_map(|row| sheet.get(row, column)?.estimate().copied()).collect()
    };
    let count = |all: &[Estimate], is_above: bool| {
        all.iter().filter(|own| own.excludes(0.0) && own.value.is_some_and(|value| (value > 0.0) == is_above)).count()
    };
    let gains = estimates(settings, "adapt_gain", &|row| is_shown(&texts(settings, row, "policy")));
    let mut verdict = vec![format!(
        "At equal cost, {} of {} policies are above the frontier of fixed depths and {} below it.",
        count(&gains, true),
        gains.len(),
        count(&gains, false)
    )];
    let pairs = estimates(read_outs, "difference", &|_| true);
    if !pairs.is_empty() {
        verdict.push(format!(
            "A read-out beats the gate on the gate's own weights in {} of {} pairs, and loses in {}.",
            count(&pairs, true),
            pairs.len(),
            count(&pairs, false)
        ));
    }
    let shuffles = estimates(controls, "against_source", &|_| true);
    if !shuffles.is_empty() {
        verdict.push(format!(
            "Giving a policy's depths to other tokens costs accuracy in {} of {} controls.",
            count(&shuffles, false),
            shuffles.len()
        ));
    }
    verdict
}
