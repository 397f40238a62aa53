//! A policy computes in the type of its states: f64 here, f32 in the engine.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use super::Batch;
use super::reference::{Emitted, emitted};
use super::setup::Setup;
use super::trajectory::Trajectory;
use crate::error::Result;
use crate::policy::{Phase, Policy, PolicyKind};
use crate::random::Stream;

const PROMISE: &str = "it computes in the type of the states, with no cast to a narrower one";

/// A change of the states that f64 resolves and f32 does not, relative to their size.
const FINE: f64 = 1e-12;
/// A change that every type resolves.
const COARSE: f64 = 1e-2;
/// Share of the rows from which a change counts as seen or missed. Numbers that are discrete by nature, such as counts,
/// change in few rows even if the change of the states is coarse.
const MOST: f64 = 0.75;

/// Numbers by what they are and the steps before the decision, then by row.
type Numbers = BTreeMap<(&'static str, usize), BTreeMap<usize, Vec<f64>>>;

/// The numbers in its decisions have the type of the states, and a fine change of the states changes them if a coarse
/// one does.
pub(super) fn check(setup: &Setup) {
    let (batch, policy) = (setup.batch(&setup.sequences), setup.policy(&[]));
    let numbers =
        |change| setup.subject.expect("its decisions can be recorded", numbers(setup, &batch, &policy, change));
    let still = numbers(0.0);
    // Depths of a selecting policy depend on other rows too.
    if still.is_empty() && policy.kind() != PolicyKind::Select {
        setup.subject.expect("its decisions can be recorded", depths(setup, &batch, &policy));
    }
    let (fine, coarse) = (numbers(FINE), numbers(COARSE));
    for ((what, step), rows) in &still {
        let same = |other: &Numbers, row: &usize| {
            let found = other.get(&(*what, *step)).and_then(|rows| rows.get(row));
            found.is_some_and(|found| rows[row].iter().zip(found).all(|(a, b)| a.to_bits() == b.to_bits()))
        };
        let moved: Vec<&usize> = rows.keys().filter(|row| !same(&coarse, row)).collect();
        let missed = moved.iter().filter(|row| same(&fine, row)).count();
        let is_narrow = moved.len() as f64 >= MOST * rows.len() as f64 && missed as f64 >= MOST * moved.len() as f64;
        setup.subject.demand(PROMISE, moved.is_empty() || !is_narrow, || {
            format!(
                "the {what} after {step} steps change if every f64 of the states changes by {COARSE:e} of itself, but not \
                 if it changes by {FINE:e}"
            )
        });
    }
}

/// The numbers in all decisions, on states that differ from the usual ones by `change` of their size.
fn numbers(setup: &Setup, batch: &Batch, policy: &Policy, change: f64) -> Result<Numbers> {
    let mut trajectory = Trajectory::new(setup.backbone.as_ref(), batch, &setup.settings, Phase::Evaluation)?;
    trajectory.set_states(moved(trajectory.states(), &vec![change; batch.rows()])?);
    let mut all = Numbers::new();
    trajectory.observed(policy, |step, rows, decision| {
        for Emitted { what, dtype, values } in emitted(decision, rows.len())? {
            if let Some(dtype) = dtype.filter(|dtype| *dtype != DType::F64) {
                setup.subject.broken(PROMISE, &format!("the {what} after {step} steps are {dtype:?}, the states F64"));
            }
            all.insert((what, step), rows.iter().zip(values).collect());
        }
        Ok(())
    })?;
    Ok(all)
}

/// The states of a trajectory with every number of row r multiplied by 1 + `changes[r]` times a random sign.
fn moved(trajectory: &[Tensor], changes: &[f64]) -> Result<Vec<Tensor>> {
    let mut stream = Stream::new(0, "conformance-precision", &[]);
    let mut of = |states: &Tensor| {
        let width = states.elem_count() / changes.len();
        let mut factor = |change: &f64| if stream.below(2) == 0 { 1.0 + change } else { 1.0 - change };
        let factors: Vec<f64> =
            changes.iter().flat_map(|change| std::iter::repeat_n(change, width)).map(&mut factor).collect();
        Ok((states * Tensor::from_vec(factors, states.shape(), states.device())?)?)
    };
    trajectory.iter().map(&mut of).collect()
}

/// How far the states are moved to find rows whose depths change.
const FAR: f64 = 0.5;
/// Halvings of the way to the place where a depth changes: it is then known to the last bits of an f64.
const HALVINGS: usize = 48;
/// Width of the neighbourhoods of that place, in which f32 cannot order the states, and number of looks at each.
const NEIGHBOURHOODS: [f64; 2] = [4e-7, 2e-6];
const LOOKS: usize = 40;

/// Depths that come without numbers: as the states of a row move along a line, its depth changes at one place, if the
/// policy resolves states as finely as their type. Rounding to a narrower type makes it change to and fro there.
fn depths(setup: &Setup, batch: &Batch, policy: &Policy) -> Result<()> {
    let mut trajectory = Trajectory::new(setup.backbone.as_ref(), batch, &setup.settings, Phase::Evaluation)?;
    let still = trajectory.states().to_vec();
    let mut at = |changes: &[f64]| {
        trajectory.set_states(moved(&still, changes)?);
        Ok(trajectory.record(policy)?.depths)
    };
    let rows = batch.rows();
    let (near, far) = (at(&vec![0.0; rows])?, at(&vec![FAR; rows])?);
    if near == far {
        return Ok(());
    }
    // The depth of each row is as at 0 below, and another one above.
    let (mut below, mut above) = (vec![0.0; rows], vec![FAR; rows]);
    for _ in 0..HALVINGS {
        let middle: Vec<f64> = below.iter().zip(&above).map(|(below, above)| (below + above) / 2.0).collect();
        for (row, depth) in at(&middle)?.into_iter().enumerate() {
            let side = if depth == near[row] { &mut below } else { &mut above };
            side[row] = middle[row];
        }
    }
    for width in NEIGHBOURHOODS {
        let look = |number: usize| {
            let shift = width * (number as f64 / (LOOKS - 1) as f64 - 0.5);
            below.iter().map(|place| place + shift).collect::<Vec<f64>>()
        };
        let seen = (0..LOOKS).map(|number| at(&look(number))).collect::<Result<Vec<Vec<u32>>>>()?;
        for row in (0..rows).filter(|row| near[*row] != far[*row]) {
            let is_near = |depths: &Vec<u32>| depths[row] == near[row];
            let turns = seen.windows(2).filter(|pair| is_near(&pair[0]) != is_near(&pair[1])).count();
            setup.subject.demand(PROMISE, turns <= 1, || {
                format!("as the states of row {row} move by {width:e} of their size, its depth changes {turns} times to and fro")
            });
        }
    }
    Ok(())
}
