//! Checks of a policy that compare whole evaluations.

use super::bench::{Bench, MAX_DEPTH, VOCABULARY};
use super::reference::{Outcome, Settings};
use super::trajectory::Trajectory;
use super::{Batch, Sequence};
use crate::error::Result;
use crate::key_values::HaltedKeysValues;
use crate::parameters::{Domain, Effect, Trend, Value};
use crate::policy::{Phase, Policy, PolicyKind};

/// How far logits may be apart in f64, relative to 1 + their size.
const TOLERANCE: f64 = 1e-8;

/// All checks over evaluations.
pub(super) fn check(bench: &Bench) {
    let policy = bench.policy(&[]);
    repeats(bench, &policy);
    sound(bench, &policy);
    batches(bench, &policy);
    if bench.declaration.causal.given(bench.parameters()) {
        prefixes(bench, &policy);
    }
    knobs(bench);
}

/// The same pass gives the same result.
fn repeats(bench: &Bench, policy: &Policy) {
    let (batch, other) = (bench.batch(&bench.sequences), bench.batch(&bench.other_sequences()));
    let first = bench.run(policy, &batch, &bench.settings);
    bench.run(policy, &other, &bench.settings);
    let again = bench.run(policy, &batch, &bench.settings);
    same(bench, "no state leaks from one pass into the next", (&first, &batch), (&again, &batch), 0.0, usize::MAX);
    let anew = bench.run(&bench.policy(&[]), &batch, &bench.settings);
    same(bench, "building it twice gives the same policy", (&first, &batch), (&anew, &batch), 0.0, usize::MAX);
    if !bench.declaration.stochastic.given(bench.parameters()) {
        let settings = Settings { seed: bench.settings.seed + 1000, ..bench.settings };
        let reseeded = bench.run(policy, &batch, &settings);
        let promise = "it draws no random numbers in evaluation unless it declares `stochastic`";
        same(bench, promise, (&first, &batch), (&reseeded, &batch), 0.0, usize::MAX);
    }
}

/// Finite results and legal depths under every option of halted keys and values.
fn sound(bench: &Bench, policy: &Policy) {
    let batch = bench.batch(&bench.sequences);
    for (option, halted) in HaltedKeysValues::ALL {
        let outcome = bench.run(policy, &batch, &Settings { halted, ..bench.settings });
        let logits = bench.subject.expect("logits can be read", rows_of(&outcome));
        let finite = logits.iter().flatten().all(|logit| logit.is_finite());
        bench.subject.demand("its results are finite", finite, || format!("logits are not, under {option}"));
        let least = u32::from(policy.kind() != PolicyKind::Select);
        let wrong = outcome.depths.iter().find(|depth| !(least..=MAX_DEPTH as u32).contains(depth));
        let promise = format!("depths are in {least}..={MAX_DEPTH}");
        bench.subject.demand(&promise, wrong.is_none(), || format!("{wrong:?} under {option}"));
    }
}

/// The order of sequences and the rest of the batch change nothing.
fn batches(bench: &Bench, policy: &Policy) {
    let promise = "batch composition changes no depth and no logit";
    let batch = bench.batch(&bench.sequences);
    let together = bench.run(policy, &batch, &bench.settings);
    let mut variants: Vec<Vec<Sequence>> = bench.sequences.iter().map(|sequence| vec![sequence.clone()]).collect();
    variants.push(bench.sequences.iter().rev().cloned().collect());
    for sequences in variants {
        let variant = bench.batch(&sequences);
        let outcome = bench.run(policy, &variant, &bench.settings);
        same(bench, promise, (&together, &batch), (&outcome, &variant), TOLERANCE, usize::MAX);
    }
}

/// Changing or removing the tokens after a position changes nothing before it.
fn prefixes(bench: &Bench, policy: &Policy) {
    let promise = "it is causal: no suffix changes the depths and logits before it";
    let batch = bench.batch(&bench.sequences);
    let longest = bench.sequences.iter().map(|sequence| sequence.tokens.len()).max().unwrap_or(0);
    for halted in [HaltedKeysValues::FreezeState, HaltedKeysValues::Skip] {
        let settings = Settings { halted, ..bench.settings };
        let whole = bench.run(policy, &batch, &settings);
        for cut in 1..longest {
            let long = bench.sequences.iter().filter(|sequence| sequence.tokens.len() > cut);
            let changed = long.clone().map(|sequence| sequence.with_another_suffix(cut, VOCABULARY)).collect();
            let truncated = long.map(|sequence| sequence.truncated(cut)).collect();
            for sequences in [changed, truncated] {
                let variant: Batch = bench.batch(&Vec::from_iter::<Vec<Sequence>>(sequences));
                let outcome = bench.run(policy, &variant, &settings);
                same(bench, promise, (&whole, &batch), (&outcome, &variant), TOLERANCE, cut);
            }
        }
    }
}

/// Mean depth changes with each knob as declared, on fixed states. A knob that has no effect at the defaults of the
/// other parameters is tried with each value of the other choices.
fn knobs(bench: &Bench) {
    let batch = bench.batch(&bench.sequences);
    let trajectory = Trajectory::new(bench.backbone.as_ref(), &batch, &bench.settings, Phase::Evaluation);
    let trajectory = bench.subject.expect("the backbone can be unrolled", trajectory);
    let mean = |values: &[(&str, Value)]| {
        let record = bench.subject.expect("it can be evaluated", trajectory.record(&bench.policy(values)));
        record.depths.iter().map(|depth| f64::from(*depth)).sum::<f64>() / batch.rows() as f64
    };
    for spec in bench.declaration.parameters {
        let Effect::Knob(trend @ (Trend::Shallower | Trend::Deeper)) = spec.effect else { continue };
        let Domain::Real { minimum, maximum, .. } = spec.domain else { continue };
        for beside in choices(bench) {
            let mut before: Option<f64> = None;
            for share in [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0] {
                let value = minimum + share * (maximum - minimum);
                let mut values = beside.clone();
                values.push((spec.name, Value::Real(value)));
                let now = mean(&values);
                let right =
                    before.is_none_or(|before| if trend == Trend::Deeper { now >= before } else { now <= before });
                let way = if trend == Trend::Deeper { "fall" } else { "rise" };
                let promise = format!("mean depth does not {way} as the {} rises", spec.name);
                bench.subject.demand(&promise, right, || format!("from {before:?} to {now} at {value}"));
                before = Some(now);
            }
        }
    }
}

/// The parameters as they are, and with each value of each knob that is a choice.
fn choices(bench: &Bench) -> Vec<Vec<(&'static str, Value)>> {
    let mut all = vec![Vec::new()];
    for spec in bench.declaration.parameters {
        if let (Domain::Choice { choices, .. }, Effect::Knob(_)) = (spec.domain, spec.effect) {
            all.extend(choices.iter().map(|choice| vec![(spec.name, Value::Text((*choice).to_owned()))]));
        }
    }
    all
}

/// Checks that every token of `found` before position `cut` has the same depth in `expected` and, to `tolerance`, the
/// same logits.
#[track_caller]
fn same(
    bench: &Bench,
    promise: &str,
    (expected, layout): (&Outcome, &Batch),
    (found, found_layout): (&Outcome, &Batch),
    tolerance: f64,
    cut: usize,
) {
    let (layout, found_layout) = (&layout.layout, &found_layout.layout);
    let wanted = bench.subject.expect("logits can be read", rows_of(expected));
    let seen = bench.subject.expect("logits can be read", rows_of(found));
    for row in (0..found_layout.rows()).filter(|row| found_layout.position(*row) < cut) {
        let (identity, position) = (found_layout.identity(row), found_layout.position(row));
        let token = |place: usize| layout.identity(place) == identity && layout.position(place) == position;
        let Some(twin) = (0..layout.rows()).find(|place| token(*place)) else { continue };
        bench.subject.demand(promise, expected.depths[twin] == found.depths[row], || {
            let depths = (expected.depths[twin], found.depths[row]);
            format!("token {position} of sequence {identity} takes {} and then {} steps", depths.0, depths.1)
        });
        let near = wanted[twin].iter().zip(&seen[row]).all(|(a, b)| (a - b).abs() <= tolerance * (1.0 + a.abs()));
        bench.subject.demand(promise, near, || {
            format!(
                "token {position} of sequence {identity} has the logits {:.6?} and then {:.6?}",
                &wanted[twin][..3],
                &seen[row][..3]
            )
        });
    }
}

fn rows_of(outcome: &Outcome) -> Result<Vec<Vec<f64>>> {
    Ok(outcome.logits.to_vec2()?)
}
