//! Checks of a policy that compare whole evaluations.

use super::reference::{Outcome, Settings};
use super::setup::{Setup, VOCABULARY};
use super::trajectory::Trajectory;
use super::{Batch, Sequence};
use crate::error::Result;
use crate::key_values::HaltedKeysValues;
use crate::parameters::{Domain, Effect, Trend, Value};
use crate::policy::{Phase, Policy, PolicyKind};

/// How far logits may be apart in f64, relative to 1 + their size.
const TOLERANCE: f64 = 1e-8;

/// All checks over evaluations.
pub(super) fn check(setup: &Setup) {
    let policy = setup.policy(&[]);
    repeats(setup, &policy);
    sound(setup, &policy, &HaltedKeysValues::ALL);
    batches(setup, &policy);
    if setup.declaration.causal.given(setup.parameters()) {
        prefixes(setup, &policy);
    }
    knobs(setup);
}

/// The same pass gives the same result.
fn repeats(setup: &Setup, policy: &Policy) {
    let (batch, other) = (setup.batch(&setup.sequences), setup.batch(&setup.other_sequences()));
    let first = setup.run(policy, &batch, &setup.settings);
    setup.run(policy, &other, &setup.settings);
    let again = setup.run(policy, &batch, &setup.settings);
    same(setup, "no state leaks from one pass into the next", (&first, &batch), (&again, &batch), 0.0, usize::MAX);
    let anew = setup.run(&setup.policy(&[]), &batch, &setup.settings);
    same(setup, "building it twice gives the same policy", (&first, &batch), (&anew, &batch), 0.0, usize::MAX);
    if !setup.declaration.stochastic.given(setup.parameters()) {
        let settings = Settings { seed: setup.settings.seed + 1000, ..setup.settings };
        let reseeded = setup.run(policy, &batch, &settings);
        let promise = "it draws no random numbers in evaluation unless it declares `stochastic`";
        same(setup, promise, (&first, &batch), (&reseeded, &batch), 0.0, usize::MAX);
    }
}

/// Finite results and legal depths.
pub(super) fn check_finite(setup: &Setup) {
    sound(setup, &setup.policy(&[]), &HaltedKeysValues::ALL[..1]);
}

/// Finite results and legal depths under these options of halted keys and values.
fn sound(setup: &Setup, policy: &Policy, options: &[(&str, HaltedKeysValues)]) {
    let batch = setup.batch(&setup.sequences);
    for &(option, halted) in options {
        let outcome = setup.run(policy, &batch, &Settings { halted, ..setup.settings });
        let logits = setup.subject.expect("logits can be read", rows_of(&outcome));
        let finite = logits.iter().flatten().all(|logit| logit.is_finite());
        setup.subject.demand("its results are finite", finite, || format!("logits are not, under {option}"));
        let (least, most) = (u32::from(policy.kind() != PolicyKind::Select), setup.settings.max_depth as u32);
        let wrong = outcome.depths.iter().find(|depth| !(least..=most).contains(depth));
        let promise = format!("depths are in {least}..={most}");
        setup.subject.demand(&promise, wrong.is_none(), || format!("{wrong:?} under {option}"));
    }
}

/// The order of sequences and the rest of the batch change nothing.
fn batches(setup: &Setup, policy: &Policy) {
    let promise = "batch composition changes no depth and no logit";
    let batch = setup.batch(&setup.sequences);
    let together = setup.run(policy, &batch, &setup.settings);
    let mut variants: Vec<Vec<Sequence>> = setup.sequences.iter().map(|sequence| vec![sequence.clone()]).collect();
    variants.push(setup.sequences.iter().rev().cloned().collect());
    for sequences in variants {
        let variant = setup.batch(&sequences);
        let outcome = setup.run(policy, &variant, &setup.settings);
        same(setup, promise, (&together, &batch), (&outcome, &variant), TOLERANCE, usize::MAX);
    }
}

/// Changing or removing the tokens after a position changes nothing before it.
fn prefixes(setup: &Setup, policy: &Policy) {
    let promise =
        "it is causal, unless it declares `causal: Holds::Never`: no suffix changes the depths and logits before it";
    let batch = setup.batch(&setup.sequences);
    let longest = setup.sequences.iter().map(|sequence| sequence.tokens.len()).max().unwrap_or(0);
    for halted in [HaltedKeysValues::FreezeState, HaltedKeysValues::Skip] {
        let settings = Settings { halted, ..setup.settings };
        let whole = setup.run(policy, &batch, &settings);
        for cut in 1..longest {
            let long = setup.sequences.iter().filter(|sequence| sequence.tokens.len() > cut);
            let changed = long.clone().map(|sequence| sequence.with_another_suffix(cut, VOCABULARY)).collect();
            let truncated = long.map(|sequence| sequence.truncated(cut)).collect();
            for sequences in [changed, truncated] {
                let variant: Batch = setup.batch(&Vec::from_iter::<Vec<Sequence>>(sequences));
                let outcome = setup.run(policy, &variant, &settings);
                same(setup, promise, (&whole, &batch), (&outcome, &variant), TOLERANCE, cut);
            }
        }
    }
}

/// Mean depth changes with each knob as declared, on fixed states. A knob that has no effect at the defaults of the
/// other parameters is tried with each value of the other choices.
fn knobs(setup: &Setup) {
    let batch = setup.batch(&setup.sequences);
    let trajectory = Trajectory::new(setup.backbone.as_ref(), &batch, &setup.settings, Phase::Evaluation);
    let trajectory = setup.subject.expect("the backbone can be unrolled", trajectory);
    let mean = |values: &[(&str, Value)]| {
        let record = setup.subject.expect("it can be evaluated", trajectory.record(&setup.policy(values)));
        record.depths.iter().map(|depth| f64::from(*depth)).sum::<f64>() / batch.rows() as f64
    };
    for spec in setup.declaration.parameters {
        let Effect::Knob(trend @ (Trend::Shallower | Trend::Deeper)) = spec.effect else { continue };
        let Domain::Real { minimum, maximum, .. } = spec.domain else { continue };
        for beside in choices(setup) {
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
                setup.subject.demand(&promise, right, || format!("from {before:?} to {now} at {value}"));
                before = Some(now);
            }
        }
    }
}

/// The parameters as they are, and with each value of each knob that is a choice.
fn choices(setup: &Setup) -> Vec<Vec<(&'static str, Value)>> {
    let mut all = vec![Vec::new()];
    for spec in setup.declaration.parameters {
        if let (Domain::Choice { choices, .. }, Effect::Knob(_)) = (spec.domain, spec.effect) {
            all.extend(choices.iter().map(|choice| vec![(spec.name, Value::Text((*choice).to_owned()))]));
        }
    }
    all
}

/// Checks that every token of `found` before position `cut` has the same depth in `expected` and, to `tolerance`, the
/// same numbers in its decisions and the same logits.
fn same(
    setup: &Setup,
    promise: &str,
    (expected, layout): (&Outcome, &Batch),
    (found, found_layout): (&Outcome, &Batch),
    tolerance: f64,
    cut: usize,
) {
    let (layout, found_layout) = (&layout.layout, &found_layout.layout);
    let wanted = setup.subject.expect("logits can be read", rows_of(expected));
    let seen = setup.subject.expect("logits can be read", rows_of(found));
    for row in (0..found_layout.rows()).filter(|row| found_layout.position(*row) < cut) {
        let (identity, position) = (found_layout.identity(row), found_layout.position(row));
        let token = |place: usize| layout.identity(place) == identity && layout.position(place) == position;
        let Some(twin) = (0..layout.rows()).find(|place| token(*place)) else { continue };
        setup.subject.demand(promise, expected.depths[twin] == found.depths[row], || {
            let depths = (expected.depths[twin], found.depths[row]);
            format!("token {position} of sequence {identity} takes {} and then {} steps", depths.0, depths.1)
        });
        // Bits first: an infinite or undefined score equals itself.
        let near = |a: &f64, b: &f64| a.to_bits() == b.to_bits() || (a - b).abs() <= tolerance * (1.0 + a.abs());
        let (before, now) = (&expected.decided[twin], &found.decided[row]);
        let apart = before.iter().zip(now).find(|(a, b)| !near(a, b));
        setup.subject.demand(promise, apart.is_none() && before.len() == now.len(), || {
            let (before, now) = apart.unwrap_or((&f64::NAN, &f64::NAN));
            format!(
                "the decisions about token {position} of sequence {identity} have the number {before} and then {now}"
            )
        });
        let near = wanted[twin].iter().zip(&seen[row]).all(|(a, b)| near(a, b));
        setup.subject.demand(promise, near, || {
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
