//! A policy computes in the type of its states: f64 here, f32 in the engine.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use super::Batch;
use super::reference::{Emitted, emitted};
use super::setup::Setup;
use super::trajectory::Trajectory;
use crate::error::Result;
use crate::policy::{Phase, Policy};
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
    let (still, fine, coarse) = (numbers(0.0), numbers(FINE), numbers(COARSE));
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
    let trajectory = Trajectory::new(setup.backbone.as_ref(), batch, &setup.settings, Phase::Evaluation)?;
    let states = trajectory.states().iter().map(|states| shaken(states, change)).collect::<Result<_>>()?;
    let mut all = Numbers::new();
    trajectory.with_states(states).observed(policy, |step, rows, decision| {
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

/// `states` with every number multiplied by 1 + `change` times a random sign.
fn shaken(states: &Tensor, change: f64) -> Result<Tensor> {
    let mut stream = Stream::new(0, "conformance-precision", &[]);
    let factor = |stream: &mut Stream| if stream.below(2) == 0 { 1.0 + change } else { 1.0 - change };
    let factors: Vec<f64> = (0..states.elem_count()).map(|_| factor(&mut stream)).collect();
    Ok((states * Tensor::from_vec(factors, states.shape(), states.device())?)?)
}
