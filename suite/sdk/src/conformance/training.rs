//! Checks of a policy in training: gradients, regulariser, cost of its decisions, calibration.

use candle_core::{DType, Tensor};

use super::gradient::{check_gradient, gradients, weighted_sum};
use super::reference::numbers;
use super::setup::Setup;
use super::trajectory::Trajectory;
use crate::backbone::MOST_FLOPS;
use crate::error::Result;
use crate::policy::{HaltingRecord, Phase, Policy, PolicyKind, Progress, Recipe};

/// Number of elements of each variable whose gradient is compared with a finite difference.
const ELEMENTS: usize = 6;

/// All checks over training.
pub(super) fn check(setup: &Setup) {
    let batch = setup.batch(&setup.sequences);
    let trajectory =
        Trajectory::new(setup.backbone.as_ref(), &batch, &setup.settings, Phase::Training(Progress::START));
    let trajectory = setup.subject.expect("the backbone can be unrolled", trajectory);
    let policy = setup.policy(&[]);
    let record = setup.subject.expect("it can be trained", trajectory.record(&policy));

    let regulariser = setup.subject.expect("its regulariser can be computed", policy.regulariser(&record));
    if let Some(regulariser) = &regulariser {
        let found = numbers("regularisers", regulariser, &[batch.rows()]);
        setup.subject.expect("its regulariser is a finite number for each row", found);
    }
    let trains = setup.declaration.needs_training(setup.parameters());
    if trains {
        learns(setup, &trajectory, &policy, &record);
    }
    let recipes: Vec<Recipe> = setup.declaration.stages(setup.parameters()).iter().map(|stage| stage.recipe).collect();
    let objective = || differentiable(&trajectory, &setup.policy(&[]), &recipes);
    if regulariser.is_some() || trains || policy.kind() == PolicyKind::Soft {
        let promise = "gradients of its objective, its regulariser and its weights are those of finite differences";
        check_gradient(&setup.subject, promise, &setup.deciders, ELEMENTS, &objective);
    }
    costs(setup, &policy);
    if policy.needs_calibration() {
        calibrates(setup, &trajectory);
    }
}

/// Training and calibration give finite numbers; no gradient is compared with a difference.
pub(super) fn check_finite(setup: &Setup) {
    let batch = setup.batch(&setup.sequences);
    let phase = Phase::Training(Progress::START);
    let trajectory = Trajectory::new(setup.backbone.as_ref(), &batch, &setup.settings, phase);
    let trajectory = setup.subject.expect("the backbone can be unrolled", trajectory);
    let policy = setup.policy(&[]);
    let recipes: Vec<Recipe> = setup.declaration.stages(setup.parameters()).iter().map(|stage| stage.recipe).collect();
    let value = setup.subject.expect("it can be trained", differentiable(&trajectory, &policy, &recipes));
    let slopes = setup.subject.expect("it can be trained", gradients(&value, &setup.deciders.all()));
    let value = setup.subject.expect("its objective is a number", value.to_scalar::<f64>().map_err(Into::into));
    setup.subject.demand("its objective is finite", value.is_finite(), || value.to_string());
    let slope = slopes.into_iter().flatten().find(|slope| !slope.is_finite());
    setup.subject.demand("its gradients are finite", slope.is_none(), || format!("{slope:?}"));
    costs(setup, &policy);
    if policy.needs_calibration() {
        calibrates(setup, &trajectory);
    }
}

/// A policy that calibrates itself can do so on a trace, and can be evaluated afterwards.
fn calibrates(setup: &Setup, trajectory: &Trajectory) {
    let mut policy = setup.policy(&[]);
    let trace = setup.subject.expect("its scores can be recorded", trajectory.calibration(&policy));
    setup.subject.expect("it can calibrate itself", policy.calibrate(&trace));
    setup.subject.expect("it can be evaluated after calibration", trajectory.record(&policy));
}

/// The objective, the regulariser and a soft policy's weights as one number.
fn differentiable(trajectory: &Trajectory, policy: &Policy, recipes: &[Recipe]) -> Result<Tensor> {
    let record = trajectory.record(policy)?;
    let mut total = sum([policy.regulariser(&record)?, record.weights].into_iter().flatten())?;
    for recipe in recipes {
        total = (total + trajectory.objective(policy, *recipe)?)?;
    }
    Ok(total)
}

/// At least one variable of a trained policy has a gradient.
fn learns(setup: &Setup, trajectory: &Trajectory, policy: &Policy, record: &HaltingRecord) {
    let variables = setup.deciders.all();
    // With D = 1 an online policy decides nothing.
    if variables.is_empty() || setup.settings.max_depth == 1 {
        return;
    }
    let promise = "a gradient reaches at least one of its variables";
    let slopes = || {
        let parts = [policy.regulariser(record)?, record.log_distribution.clone(), record.weights.clone()];
        let parts = sum(parts.into_iter().flatten().chain(record.gates.iter().cloned()))?;
        let recipes = setup.declaration.stages(setup.parameters());
        let last = recipes.last().map_or(setup.declaration.recipe, |stage| stage.recipe);
        gradients(&(parts + trajectory.objective(policy, last)?)?, &variables)
    };
    let slopes = setup.subject.expect(promise, slopes());
    let finite = slopes.iter().flatten().all(|slope| slope.is_finite());
    setup.subject.demand("its gradients are finite", finite, || "one is not".to_owned());
    let flows = slopes.iter().flatten().any(|slope| *slope != 0.0);
    setup.subject.demand(promise, flows, || format!("it reaches none of {}", variables.len()));
}

/// A decision made with weights costs something.
fn costs(setup: &Setup, policy: &Policy) {
    let flops = policy.decision_flops(setup.backbone.dimensions().d_model);
    let free = setup.deciders.all().is_empty();
    let right = (0.0..=MOST_FLOPS).contains(&flops) && (flops > 0.0 || free);
    setup.subject.demand("its decisions have a cost", right, || format!("{flops} operations"));
}

fn sum(parts: impl Iterator<Item = Tensor>) -> Result<Tensor> {
    let mut total = Tensor::zeros((), DType::F64, &candle_core::Device::Cpu)?;
    for part in parts {
        total = (total + weighted_sum(&part)?)?;
    }
    Ok(total)
}
