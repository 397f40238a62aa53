//! In the first step of training, a gradient reaches every variable that is trained.

use std::collections::BTreeMap;

use haltbench_engine::model::Model;
use haltbench_engine::recurrence::Noise;
use haltbench_engine::training;
use haltbench_sdk::parameters::{Parameters, Value};
use haltbench_sdk::policy::Trains;
use haltbench_sdk::prelude::*;
use haltbench_sdk::registry::Declaration;

use crate::backbones::OTHERS;
use crate::processes::in_one_thread;
use crate::setup::{Setup, Subject, catalogue, numbers, variants};
use crate::training::small;

/// First steps with other draws: in one of them, no token may be drawn that a variable acts on.
const DRAWS: u64 = 8;

/// Sums over the first steps of the absolute gradients of each variable that `model` trains with `recipe`.
fn reached(model: &mut Model, setup: &Setup, recipe: Recipe, sums: &mut BTreeMap<String, f64>) {
    model.recipe = recipe;
    for draw in 0..DRAWS {
        let seeded = Setup { seed: draw, ..*setup };
        let (batch, privileged) = seeded.pack_for(model, &seeded.sequences(&[17, 1, 9]));
        let loss = training::loss(model, &batch, &Noise::Seeded(draw), Some(&privileged)).unwrap();
        let gradients = loss.total.backward().unwrap();
        for (name, variable) in model.variables.all() {
            let is_policys = name.starts_with("decider.");
            let is_trained = match recipe.trains {
                Trains::All => recipe.uses_policy() || !is_policys,
                Trains::Policy => is_policys,
                Trains::Backbone => !is_policys,
            };
            if is_trained {
                let own =
                    gradients.get(&variable).map_or(0.0, |gradient| numbers(gradient).iter().map(|x| x.abs()).sum());
                *sums.entry(name).or_default() += own;
            }
        }
    }
}

fn assert_all_reached(what: &str, sums: &BTreeMap<String, f64>) {
    assert!(!sums.is_empty(), "{what}: nothing is trained");
    let left: Vec<&String> =
        sums.iter().filter(|(_, sum)| **sum == 0.0 || !sum.is_finite()).map(|(name, _)| name).collect();
    assert!(left.is_empty(), "{what}: no gradient reaches {left:?}");
}

#[test]
fn every_variable_of_every_policy_has_a_gradient_in_the_first_step() {
    in_one_thread(|| {
        let mut trained = 0;
        for entry in catalogue().of_kind("policy") {
            let Declaration::Policy(declaration) = entry.declaration else { continue };
            for subject in variants(declaration) {
                let parameters = Parameters::resolve(declaration.name, declaration.parameters, &subject.given).unwrap();
                if declaration.source.has_depths() || !declaration.needs_training(&parameters) {
                    continue;
                }
                let setup = Setup { halted: fitting(declaration), ..small(Setup::PLAIN) };
                // What a choice does not combine with is refused when the policy is built.
                let Ok(mut model) = subject.fresh(&setup) else { continue };
                let mut sums = BTreeMap::new();
                for stage in declaration.stages(&parameters) {
                    reached(&mut model, &setup, stage.recipe, &mut sums);
                }
                assert_all_reached(&subject.label(), &sums);
                trained += 1;
            }
        }
        assert!(trained > 30, "only {trained} trained policies");
    });
}

fn fitting(declaration: &PolicyDeclaration) -> haltbench_sdk::key_values::HaltedKeysValues {
    declaration.fits.first().copied().unwrap_or(haltbench_sdk::key_values::HaltedKeysValues::FreezeState)
}

#[test]
fn every_variable_of_every_backbone_has_a_gradient_in_the_first_step() {
    in_one_thread(|| {
        for backbone in OTHERS {
            let setup = Setup { backbone, ..small(Setup::PLAIN) };
            let depth = ("depth", Value::Integer(setup.max_depth as i64));
            let mut model = Subject::registered("fixed", &[depth]).fresh(&setup).unwrap();
            let mut sums = BTreeMap::new();
            reached(&mut model, &setup, Recipe::LAST_STEP, &mut sums);
            assert_all_reached(&format!("{backbone:?}"), &sums);
        }
    });
}
