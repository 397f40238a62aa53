//! Recipes without the policy: the loss by hand, and gradients that stop where the recipe says.

use haltbench_engine::batch::Batch;
use haltbench_engine::model::Model;
use haltbench_engine::recurrence::Noise;
use haltbench_engine::training;
use haltbench_sdk::key_values::KeyValues;
use haltbench_sdk::policy::{LossAt, Per, StepWeights, Unroll};
use haltbench_sdk::prelude::*;

use crate::fixed::{trajectory, unrolled};
use crate::miniatures::STILL;
use crate::processes::in_one_thread;
use crate::setup::{Setup, Subject, close, numbers};

/// Half the distance of a central difference.
const STEP: f64 = 1e-5;
/// Elements of each variable whose gradient is compared with a finite difference.
const ELEMENTS: usize = 4;

fn setup(core_layers: usize) -> Setup {
    Setup { d_model: 8, d_ff: 12, vocabulary: 7, max_depth: 4, core_layers, ..Setup::PLAIN }
}

fn model(setup: &Setup, recipe: Recipe) -> (Model, Batch) {
    let mut model = Subject::new(&STILL, &[]).model(setup);
    model.recipe = recipe;
    (model, setup.pack(&setup.sequences(&[5, 1, 3])).0)
}

fn cross_entropies(logits: &Tensor, batch: &Batch) -> Vec<f64> {
    let rows = logits.to_vec2::<f64>().unwrap();
    let of = |(row, target): (&Vec<f64>, &u32)| {
        row.iter().map(|logit| logit.exp()).sum::<f64>().ln() - row[*target as usize]
    };
    rows.iter().zip(batch.targets.iter()).map(of).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn losses_at_every_step_have_the_weights_of_their_names() {
    let weights = [
        (StepWeights::Uniform, 2.0, [0.25, 0.25, 0.25, 0.25]),
        (StepWeights::Linear, 2.0, [0.1, 0.2, 0.3, 0.4]),
        (StepWeights::Geometric, 2.0, [1.0 / 15.0, 2.0 / 15.0, 4.0 / 15.0, 8.0 / 15.0]),
        (StepWeights::Geometric, 0.5, [8.0 / 15.0, 4.0 / 15.0, 2.0 / 15.0, 1.0 / 15.0]),
    ];
    for (step_weights, ratio, weights) in weights {
        let (model, batch) = model(&setup(2), Recipe { step_weights, ratio, ..Recipe::EVERY_STEP });
        let steps: Vec<f64> =
            unrolled(&model, &batch).iter().map(|logits| mean(&cross_entropies(logits, &batch))).collect();
        let expected: f64 = steps.iter().zip(weights).map(|(step, weight)| step * weight).sum();
        let found = training::loss(&model, &batch, &Noise::Seeded(0), None).unwrap();
        close(&format!("{step_weights:?} {ratio}"), &numbers(&found.total), &[expected], 1e-12);
    }
}

/// The loss is at the drawn depth, and other steps draw other depths.
#[test]
fn the_loss_is_at_the_depth_that_is_drawn_for_the_batch() {
    let recipe = Recipe { unroll: Unroll::Uniform, ..Recipe::LAST_STEP };
    let (model, batch) = model(&setup(1), recipe);
    let steps = unrolled(&model, &batch);
    let mut drawn = Vec::new();
    for step in 0..30 {
        let found = training::loss(&model, &batch, &Noise::Seeded(step), None).unwrap();
        let depth = found.depths[0];
        assert!(found.depths.iter().all(|other| *other == depth));
        let expected = mean(&cross_entropies(&steps[depth as usize - 1], &batch));
        close("at the depth drawn", &numbers(&found.total), &[expected], 1e-12);
        drawn.push(depth);
    }
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!(drawn, [1, 2, 3, 4]);
}

/// Tokens that halt at different depths read out their own states: if a sequence has one depth, its rows' losses are
/// the losses at this depth, because rows do not see other sequences.
#[test]
fn sequences_take_the_depths_that_are_drawn_for_them() {
    let recipe = Recipe { unroll: Unroll::Uniform, per: Per::Sequence, ..Recipe::LAST_STEP };
    let (model, batch) = model(&setup(1), recipe);
    let steps: Vec<Vec<f64>> = unrolled(&model, &batch).iter().map(|logits| cross_entropies(logits, &batch)).collect();
    let mut mixed = false;
    for step in 0..10 {
        let found = training::loss(&model, &batch, &Noise::Seeded(step), None).unwrap();
        let own = |(place, row): (usize, usize)| steps[found.depths[row] as usize - 1][place];
        let expected = mean(&batch.readout.iter().enumerate().map(own).collect::<Vec<f64>>());
        close("by sequence", &numbers(&found.total), &[expected], 1e-12);
        mixed |= found.depths.iter().any(|depth| *depth != found.depths[0]);
    }
    assert!(mixed);
}

/// The loss of the last `kept` of `depth` steps, from fixed earlier states that do not depend on the weights.
fn loss_of_the_last(model: &Model, batch: &Batch, before: &Tensor, (depth, kept): (usize, usize)) -> f64 {
    let rows = RowSet::all(batch.rows());
    let layers = model.backbone.dimensions().core_layers;
    let mut key_values = KeyValues::new(model.halted_keys_values, layers, batch.rows());
    let mut states = before.clone();
    for step in depth - kept + 1..=depth {
        key_values.begin_dense(&rows, &vec![false; batch.rows()], &states).unwrap();
        let mut context = StepContext::new(step, &batch.layout, &rows, &mut key_values);
        states = model.backbone.step(&states, &mut context).unwrap();
    }
    let logits = model.backbone.coda(&states, &batch.layout, &batch.readout, None).unwrap();
    mean(&cross_entropies(&logits, batch))
}

#[test]
fn truncated_gradients_are_finite_differences_of_the_last_steps_alone() {
    in_one_thread(|| {
        for (core_layers, depth, kept) in [(1, 4, 1), (1, 3, 2), (2, 4, 2), (2, 2, 4)] {
            let recipe = Recipe { unroll: Unroll::Uniform, backpropagate: kept, ..Recipe::LAST_STEP };
            let (model, batch) = model(&setup(core_layers), recipe);
            let noise = Noise::Forced(vec![depth as u32; batch.rows()]);
            let gradients = training::loss(&model, &batch, &noise, None).unwrap().total.backward().unwrap();
            let kept = kept.min(depth);
            let before = trajectory(&model, &batch)[depth - kept].detach();
            for (name, variable) in model.variables.all() {
                let original = numbers(variable.as_tensor());
                let gradient = gradients.get(&variable).map_or(vec![0.0; original.len()], numbers);
                let is_before = kept < depth && (name.starts_with("prelude") || name.contains("embed"));
                if is_before {
                    assert!(gradient.iter().all(|slope| *slope == 0.0), "{name} is before the cut");
                    continue;
                }
                // Without a cut, weights before the core also change the states.
                if kept == depth && (name.starts_with("prelude") || name.contains("embed")) {
                    continue;
                }
                let stride = original.len().div_ceil(ELEMENTS).max(1);
                for index in (0..original.len()).step_by(stride) {
                    let at = |shift: f64| {
                        let mut moved = original.clone();
                        moved[index] += shift;
                        let moved = Tensor::from_vec(moved, variable.shape(), &Device::Cpu).unwrap();
                        model.variables.set(&name, &moved).unwrap();
                        loss_of_the_last(&model, &batch, &before, (depth, kept))
                    };
                    let difference = (at(STEP) - at(-STEP)) / (2.0 * STEP);
                    let what = format!("{core_layers} layers, {kept} of {depth}: {name}[{index}]");
                    close(&what, &[gradient[index]], &[difference], 1e-7);
                }
                let restored = Tensor::from_vec(original, variable.shape(), &Device::Cpu).unwrap();
                model.variables.set(&name, &restored).unwrap();
            }
        }
    });
}

/// The weights of a gradient, all variables in a row.
fn gradient(model: &Model, loss: &Tensor) -> Vec<f64> {
    let gradients = loss.backward().unwrap();
    let of = |(_, variable): (String, haltbench_sdk::candle_core::Var)| match gradients.get(&variable) {
        Some(gradient) => numbers(gradient),
        None => vec![0.0; variable.elem_count()],
    };
    model.variables.all().into_iter().flat_map(of).collect()
}

/// Loss and gradient are those of D steps and of some n + k steps with a gradient through the last k, mixed by the share.
#[test]
fn the_progressive_loss_is_a_truncated_loss_beside_that_of_all_steps() {
    in_one_thread(|| {
        const SHARE: f64 = 0.3;
        let whole = Recipe::LAST_STEP;
        let (mut model, batch) = model(&setup(1), whole);
        let mut evaluate = |recipe: Recipe, noise: Noise| {
            model.recipe = recipe;
            let total = training::loss(&model, &batch, &noise, None).unwrap().total;
            (numbers(&total)[0], gradient(&model, &total))
        };
        let all = evaluate(whole, Noise::Seeded(0));
        let pairs: Vec<(u32, usize)> =
            (1..=4).flat_map(|depth| (1..=depth as usize).map(move |kept| (depth, kept))).collect();
        let truncated: Vec<(f64, Vec<f64>)> = pairs
            .iter()
            .map(|(depth, kept)| {
                let recipe = Recipe { unroll: Unroll::Uniform, backpropagate: *kept, ..whole };
                evaluate(recipe, Noise::Forced(vec![*depth; batch.rows()]))
            })
            .collect();
        let mut seen = std::collections::BTreeSet::new();
        for step in 0..40 {
            let (found, slopes) = evaluate(Recipe { progressive: SHARE, ..whole }, Noise::Seeded(step));
            let mix = |whole: f64, part: f64| (1.0 - SHARE) * whole + SHARE * part;
            let fits = |(loss, gradient): &(f64, Vec<f64>)| {
                let near = |found: f64, expected: f64| (found - expected).abs() < 1e-12;
                near(found, mix(all.0, *loss))
                    && slopes
                        .iter()
                        .zip(all.1.iter().zip(gradient))
                        .all(|(found, (whole, part))| near(*found, mix(*whole, *part)))
            };
            let places: Vec<usize> = (0..pairs.len()).filter(|place| fits(&truncated[*place])).collect();
            assert_eq!(places.len(), 1, "step {step}: {places:?}");
            seen.insert(pairs[places[0]]);
        }
        assert!(seen.len() > 6, "{seen:?}");
    });
}

/// A recipe without the policy reads out each step once, whatever the model's policy would do.
#[test]
fn the_policy_takes_no_part() {
    for recipe in [
        Recipe::LAST_STEP,
        Recipe { step_weights: StepWeights::Linear, ..Recipe::EVERY_STEP },
        Recipe { unroll: Unroll::PoissonLognormal, per: Per::Token, ..Recipe::LAST_STEP },
    ] {
        let found: Vec<Vec<f64>> = [0.0, 10.0]
            .map(|threshold| {
                let subject = Subject::new(&STILL, &[("threshold", haltbench_sdk::parameters::Value::Real(threshold))]);
                let mut model = subject.model(&setup(1));
                model.recipe = recipe;
                let batch = setup(1).pack(&setup(1).sequences(&[5, 1, 3])).0;
                let loss = training::loss(&model, &batch, &Noise::Seeded(4), None).unwrap();
                let count = if recipe.loss == LossAt::EveryStep { 4 } else { 1 };
                assert_eq!(loss.logits.len(), count);
                numbers(&loss.total)
            })
            .into();
        assert_eq!(found[0], found[1]);
    }
}
