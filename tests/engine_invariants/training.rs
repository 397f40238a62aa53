//! Training schemes without randomness: the loss against a computation by hand, its gradient against finite
//! differences.

use haltbench_engine::batch::Batch;
use haltbench_engine::model::Model;
use haltbench_engine::recurrence::Noise;
use haltbench_engine::training;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::fixed::{trajectory, unrolled};
use crate::miniatures::{ACT, GAMMA, HAZARDS, POSITIVE, SCORES, STILL, SURE, TOP_SHARE};
use crate::processes::in_one_thread;
use crate::setup::{LENGTHS, Setup, Subject, close, numbers};

/// Elements of each variable whose gradient is compared with a finite difference.
const ELEMENTS: usize = 3;
/// Half the distance of a central difference.
const STEP: f64 = 1e-5;

pub fn small(setup: Setup) -> Setup {
    Setup { d_model: 8, d_ff: 12, vocabulary: 7, max_depth: 4, ..setup }
}

fn batch(setup: &Setup) -> Batch {
    setup.pack(&setup.sequences(&[5, 1, 3])).0
}

fn matrix(tensor: &Tensor) -> Vec<Vec<f64>> {
    tensor.to_vec2().unwrap()
}

fn cross_entropies(logits: &Tensor, batch: &Batch) -> Vec<f64> {
    let loss =
        |(row, target): (Vec<f64>, &u32)| row.iter().map(|logit| logit.exp()).sum::<f64>().ln() - row[*target as usize];
    matrix(logits).into_iter().zip(batch.targets.iter()).map(loss).collect()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

fn variable(model: &Model, name: &str) -> Vec<f64> {
    let all = model.variables.all();
    numbers(all.iter().find(|(known, _)| known == name).unwrap().1.as_tensor())
}

/// weight · x + bias.
fn affine(weight: &[f64], bias: f64, x: &[f64]) -> f64 {
    assert_eq!(weight.len(), x.len());
    weight.iter().zip(x).map(|(weight, x)| weight * x).sum::<f64>() + bias
}

/// q of every row from its hazards: q(d) = r(d-1) alpha(d), and the last depth gets the rest.
fn from_hazards(model: &Model, states: &[Vec<Vec<f64>>]) -> Vec<Vec<f64>> {
    let (weight, bias) = (variable(model, "decider.hazard.weight"), variable(model, "decider.hazard.bias")[0]);
    let rows = 0..states[0].len();
    rows.map(|row| {
        let (mut q, mut survival) = (Vec::new(), 1.0);
        for step in 1..model.max_depth {
            let (now, before) = (&states[step][row], &states[step.saturating_sub(1)][row]);
            let moved = now.iter().zip(before).map(|(now, before)| if step == 1 { 0.0 } else { now - before });
            let seen: Vec<f64> = now.iter().copied().chain(moved).collect();
            let alpha = 1.0 / (1.0 + (-affine(&weight, bias, &seen)).exp());
            q.push(survival * alpha);
            survival *= 1.0 - alpha;
        }
        q.push(survival);
        q
    })
    .collect()
}

/// q of every row as the softmax of its logits for h(0).
fn from_scores(model: &Model, states: &[Vec<Vec<f64>>]) -> Vec<Vec<f64>> {
    let (weight, bias) = (variable(model, "decider.scores.weight"), variable(model, "decider.scores.bias"));
    let softmax = |state: &Vec<f64>| {
        let score = |(weight, bias): (&[f64], &f64)| affine(weight, *bias, state).exp();
        let powers: Vec<f64> = weight.chunks(state.len()).zip(&bias).map(score).collect();
        let total: f64 = powers.iter().sum();
        powers.iter().map(|power| power / total).collect()
    };
    states[0].iter().map(softmax).collect()
}

/// The mean over answer tokens of sum over d of q(d) times the cross-entropy after d steps, and the mean over all
/// tokens of GAMMA · KL(q || uniform).
#[test]
fn the_loss_at_every_step_by_hand() {
    for (_, halted) in haltbench_sdk::key_values::HaltedKeysValues::ALL {
        for (declaration, core_layers, max_depth) in
            [(&HAZARDS, 1, 4), (&HAZARDS, 2, 1), (&HAZARDS, 2, 5), (&SCORES, 1, 1), (&SCORES, 2, 4)]
        {
            let setup = Setup { core_layers, max_depth, halted, ..small(Setup::PLAIN) };
            let (model, batch) = (Subject::new(declaration, &[]).model(&setup), batch(&setup));
            let states: Vec<Vec<Vec<f64>>> = trajectory(&model, &batch).iter().map(matrix).collect();
            let q = match declaration.kind {
                PolicyKind::Online => from_hazards(&model, &states),
                _ => from_scores(&model, &states),
            };
            let steps: Vec<Vec<f64>> =
                unrolled(&model, &batch).iter().map(|logits| cross_entropies(logits, &batch)).collect();
            let answers: Vec<usize> = batch.readout.iter().collect();
            let weighted = |place: usize| (0..max_depth).map(|step| q[answers[place]][step] * steps[step][place]).sum();
            let cross_entropy = mean((0..answers.len()).map(weighted));
            let divergence = |q: &Vec<f64>| q.iter().map(|mass| mass * (mass * max_depth as f64).ln()).sum::<f64>();
            let regulariser = GAMMA * mean(q.iter().map(divergence));
            let found = training::loss(&model, &batch, &Noise::Seeded(0), None).unwrap();
            let what = format!("{} {setup:?}", declaration.name);
            close(&what, &[found.cross_entropy, found.regulariser], &[cross_entropy, regulariser], 1e-12);
            close(&what, &numbers(&found.total), &[cross_entropy + regulariser], 1e-12);
        }
    }
}

#[test]
fn the_loss_at_full_depth_by_hand() {
    for setup in Setup::all(DType::F64) {
        for declaration in [&STILL, &SURE] {
            let setup = small(setup);
            let (model, batch) = (Subject::new(declaration, &[]).model(&setup), batch(&setup));
            let last = unrolled(&model, &batch).pop().unwrap();
            let expected = mean(cross_entropies(&last, &batch).into_iter());
            let found = training::loss(&model, &batch, &Noise::Seeded(0), None).unwrap();
            close(declaration.name, &numbers(&found.total), &[expected], 1e-12);
            assert_eq!(found.depths, vec![setup.max_depth as u32; batch.rows()]);
        }
    }
}

/// The gradient of the whole loss for some elements of every weight of backbone and policy.
pub fn gradient(subject: &Subject, setup: &Setup) {
    let (model, batch) = (subject.model(setup), batch(setup));
    let loss = || training::loss(&model, &batch, &Noise::Seeded(0), None).unwrap();
    let (first, mut reached) = (loss(), 0);
    let gradients = first.total.backward().unwrap();
    for (name, variable) in model.variables.all() {
        let original = numbers(variable.as_tensor());
        let gradient = match gradients.get(&variable) {
            Some(gradient) => numbers(gradient),
            None => vec![0.0; original.len()],
        };
        reached += usize::from(name.starts_with("decider.") && gradient.iter().any(|slope| *slope != 0.0));
        let largest = (0..gradient.len()).max_by(|a, b| gradient[*a].abs().total_cmp(&gradient[*b].abs()));
        let stride = original.len().div_ceil(ELEMENTS).max(1);
        for index in (0..original.len()).step_by(stride).chain(largest) {
            let at = |shift: f64| {
                let mut moved = original.clone();
                moved[index] += shift;
                model.variables.set(&name, &Tensor::from_vec(moved, variable.shape(), &Device::Cpu).unwrap()).unwrap();
                let loss = loss();
                let what = format!("{} {setup:?}: {name}[{index}]", subject.label());
                assert_eq!(loss.depths, first.depths, "{what}: the difference crosses a discrete choice");
                numbers(&loss.total)[0]
            };
            let difference = |step: f64| (at(step) - at(-step)) / (2.0 * step);
            let mut expected = difference(STEP);
            // A norm of a small branch has large third derivatives: two differences tell them apart.
            if (gradient[index] - expected).abs() > 1e-7 * (1.0 + expected.abs()) {
                expected = (4.0 * difference(STEP / 2.0) - expected) / 3.0;
            }
            let what = format!("{} {setup:?}: {name}[{index}]", subject.label());
            close(&what, &[gradient[index]], &[expected], 1e-7);
        }
        let restored = Tensor::from_vec(original, variable.shape(), &Device::Cpu).unwrap();
        model.variables.set(&name, &restored).unwrap();
    }
    let learns = subject.declaration.recipe.uses_policy();
    assert_eq!(
        reached > 0,
        learns,
        "{} {setup:?}: gradients reach {reached} weights of the policy, depths {:?}",
        subject.label(),
        first.depths
    );
}

fn gradients(declaration: &'static PolicyDeclaration, given: &[(&str, Value)]) {
    let mut setups = Setup::options(DType::F64);
    setups.push(Setup { around: 0, ..Setup::PLAIN });
    for setup in setups {
        gradient(&Subject::new(declaration, given), &small(setup));
    }
}

#[test]
fn gradients_of_the_loss_at_every_step_are_finite_differences() {
    in_one_thread(|| {
        gradients(&HAZARDS, &[]);
        gradients(&SCORES, &[]);
    });
}

#[test]
fn gradients_of_the_loss_at_full_depth_are_finite_differences() {
    in_one_thread(|| gradients(&STILL, &[]));
}

#[test]
fn gradients_of_a_soft_policy_are_finite_differences() {
    in_one_thread(|| {
        gradients(&ACT, &[]);
        gradients(&ACT, &[("carry", Value::Flag(true))]);
    });
}

#[test]
fn gradients_of_a_selecting_policy_are_finite_differences() {
    in_one_thread(|| {
        gradients(&TOP_SHARE, &[]);
        gradients(&POSITIVE, &[("combine", Value::Text("added".to_owned()))]);
    });
}

/// Every gradient of a training step, as bits.
fn bits(subject: &Subject, setup: &Setup) -> Vec<(String, Vec<u64>)> {
    let (model, batch) = (subject.model(setup), setup.pack(&setup.sequences(&LENGTHS)).0);
    let loss = training::loss(&model, &batch, &Noise::Seeded(0), None).unwrap();
    let gradients = model.variables.gradients(&loss.total.backward().unwrap()).unwrap();
    assert!(!gradients.is_empty());
    let bits = |gradient: &Tensor| numbers(gradient).into_iter().map(f64::to_bits).collect();
    gradients.into_iter().map(|(name, gradient)| (name, bits(&gradient))).collect()
}

#[test]
fn computing_steps_again_in_the_backward_pass_changes_no_bit() {
    let mut subjects = vec![Subject::registered("anira-e", &[]), Subject::registered("anira-o", &[])];
    subjects.extend([&HAZARDS, &STILL, &ACT, &TOP_SHARE].map(|declaration| Subject::new(declaration, &[])));
    for setup in Setup::options(DType::F32) {
        for subject in &subjects {
            if setup.halted == HaltedKeysValues::RunOn && subject.declaration.name.starts_with("anira") {
                continue;
            }
            let again = Setup { recompute: true, ..setup };
            assert_eq!(bits(subject, &setup), bits(subject, &again), "{} {setup:?}", subject.label());
        }
    }
}
