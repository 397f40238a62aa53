//! Replays of a trace against evaluation and against plain loops, for every kind of policy.

use std::collections::BTreeMap;
use std::path::Path;

use haltbench_engine::Error as EngineError;
use haltbench_engine::batch::Batch;
use haltbench_engine::model::Model;
use haltbench_engine::recurrence::{Execution, evaluate};
use haltbench_engine::trace::{Replay, ReplayedToken, Trace, TraceWriter, replay};
use haltbench_sdk::key_values::{HaltedKeysValues, KeyValues};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::policy::{Phase, Privileged};
use haltbench_sdk::prelude::*;

use crate::miniatures::GATED;
use crate::setup::{LENGTHS, Setup, Subject, close, for_all, subjects, tolerance};

/// States after 0 to D steps of all rows, and logits after 1 to D.
fn dense(model: &Model, batch: &Batch) -> (Vec<Tensor>, Vec<Tensor>) {
    let all = RowSet::all(batch.rows());
    let layers = model.backbone.dimensions().core_layers;
    let mut key_values = KeyValues::new(HaltedKeysValues::FreezeState, layers, batch.rows());
    let mut states = vec![model.backbone.begin(&batch.tokens, &mut BeginContext::new(&batch.layout)).unwrap().states];
    let mut logits = Vec::new();
    for step in 1..=model.max_depth {
        key_values.begin_dense(&all, &vec![false; batch.rows()], &states[step - 1]).unwrap();
        let mut context = StepContext::new(step, &batch.layout, &all, &mut key_values);
        states.push(model.backbone.step(&states[step - 1], &mut context).unwrap());
        logits.push(model.backbone.coda(&states[step], &batch.layout, &all, None).unwrap());
    }
    (states, logits)
}

/// Writes everything about a batch and the policy's weights.
fn write(path: &Path, model: &Model, batch: &Batch, privileged: &Privileged) {
    let (states, logits) = dense(model, batch);
    let device = Device::Cpu;
    let layout = &batch.layout;
    let column = |values: Vec<i64>| Tensor::new(values, &device).unwrap();
    let sequences = 0..layout.sequences();
    let mut targets = vec![-1; batch.rows()];
    batch.readout.iter().zip(batch.targets.iter()).for_each(|(row, target)| targets[row] = i64::from(*target));
    let mut tensors = BTreeMap::from([
        ("states".to_owned(), Tensor::stack(&states, 0).unwrap()),
        ("logits".to_owned(), Tensor::stack(&logits, 0).unwrap()),
        ("lengths".to_owned(), column(sequences.clone().map(|s| layout.rows_of(s).len() as i64).collect())),
        ("identities".to_owned(), column(sequences.map(|s| layout.identity(layout.rows_of(s).start) as i64).collect())),
        ("targets".to_owned(), column(targets)),
        ("complexity.c".to_owned(), Tensor::new(privileged.complexity.clone(), &device).unwrap()),
    ]);
    for (name, weight) in model.variables.weights().unwrap() {
        if let Some(short) = name.strip_prefix("decider.") {
            tensors.insert(format!("policy.{short}"), weight);
        }
    }
    let (least, most) = privileged.range;
    let metadata = BTreeMap::from([("headline_range".to_owned(), format!("{least} {most}"))]);
    let room = tensors.iter().map(|(name, tensor)| (name.clone(), (tensor.dtype(), tensor.dims().to_vec()))).collect();
    let writer = TraceWriter::create(path, &metadata, &room).unwrap();
    tensors.iter().for_each(|(name, tensor)| writer.write(name, 0, tensor).unwrap());
    writer.finish().unwrap();
}

fn replayed(subject: &Subject, setup: &Setup, path: &Path) -> Result<Vec<ReplayedToken>, EngineError> {
    let parameters = Parameters::resolve(subject.declaration.name, subject.declaration.parameters, &subject.given)?;
    let mut tokens = Vec::new();
    let asked = Replay {
        declaration: subject.declaration,
        parameters: &parameters,
        max_depth: None,
        seed: setup.seed,
        stage: None,
    };
    replay(&Trace::open(path)?, &asked, |token| {
        tokens.push(token.clone());
        Ok::<(), EngineError>(())
    })?;
    Ok(tokens)
}

/// The choices of a selecting policy on given states.
fn chosen(model: &Model, batch: &Batch) -> Vec<u32> {
    let (states, logits) = dense(model, batch);
    let all = RowSet::all(batch.rows());
    let mut memory = haltbench_sdk::policy::RowMemory::default();
    let mut depths = vec![0; batch.rows()];
    for (step, states) in states[..model.max_depth].iter().enumerate() {
        let read = || Ok(logits[step - 1].clone());
        let phase = Phase::Evaluation;
        let view = View::new(step, model.max_depth, &batch.layout, &all, states, &read, phase, model.seed, None);
        let Halting::Choose(chosen) = model.policy.decide(&view, &mut memory).unwrap().halting else {
            panic!("not a selecting policy")
        };
        for (depth, chosen) in depths.iter_mut().zip(chosen) {
            *depth += u32::from(chosen);
        }
    }
    depths
}

/// Probabilities of the depths of each row, from the halting probabilities after every step of the given states; `None` for
/// a policy without them.
fn distributions(model: &Model, batch: &Batch) -> Option<Vec<Vec<f64>>> {
    let (states, logits) = dense(model, batch);
    let all = RowSet::all(batch.rows());
    let mut memory = haltbench_sdk::policy::RowMemory::default();
    let mut masses: Vec<(Vec<f64>, f64)> = vec![(Vec::new(), 1.0); batch.rows()];
    for (step, states) in states[..model.max_depth].iter().enumerate() {
        let read = || Ok(logits[step - 1].clone());
        let phase = Phase::Evaluation;
        let view = View::new(step, model.max_depth, &batch.layout, &all, states, &read, phase, model.seed, None);
        let halting = model.policy.decide(&view, &mut memory).unwrap().halting;
        if step == 0 {
            continue;
        }
        let Halting::Hazards { logits, .. } = halting else { return None };
        let logits: Vec<f64> = logits.to_dtype(DType::F64).unwrap().to_vec1().unwrap();
        for ((masses, rest), logit) in masses.iter_mut().zip(logits) {
            let hazard = 1.0 / (1.0 + (-logit).exp());
            masses.push(*rest * hazard);
            *rest *= 1.0 - hazard;
        }
    }
    Some(masses.into_iter().map(|(masses, rest)| [masses, vec![rest]].concat()).collect())
}

/// A policy with halting probabilities, whose replay knows those after the halt too.
fn equals_distributions(what: &str, found: &[ReplayedToken], expected: &[Vec<f64>], setup: &Setup) {
    for (token, expected) in found.iter().zip(expected) {
        close(what, token.distribution.as_ref().unwrap(), expected, tolerance(setup.dtype));
        let mean: f64 = expected.iter().zip(1..).map(|(mass, depth)| mass * f64::from(depth)).sum();
        close(what, &[token.expected_depth.unwrap()], &[mean], tolerance(setup.dtype));
    }
}

/// Depth of the rules that evaluation, which cannot see the steps after the halt, applies to an estimate.
fn by_rule(rule: &str, masses: &[f64]) -> u32 {
    let depths = 1..=masses.len() as u32;
    if rule == "mean" {
        let mean: f64 = masses.iter().zip(depths).map(|(mass, depth)| mass * f64::from(depth)).sum();
        return mean.round() as u32;
    }
    let mut best = 1;
    for depth in depths {
        if masses[depth as usize - 1] > masses[best as usize - 1] {
            best = depth;
        }
    }
    best
}

/// Whether the policy reads logits before the first step, which a trace does not have.
fn reads_too_early(subject: &Subject) -> bool {
    matches!(subject.declaration.kind, PolicyKind::Early | PolicyKind::Select) && subject.reads_logits()
}

/// Under run-on a halting token changes nothing for the others, so evaluation sees the trajectory of the trace.
fn equals_evaluation(subject: &Subject, setup: &Setup) -> bool {
    let what = format!("{} {setup:?}", subject.label());
    let model = subject.model(setup);
    let (batch, privileged) = setup.pack_for(&model, &setup.sequences(&LENGTHS));
    let folder = std::env::temp_dir().join(format!("haltbench-traces-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("trace.safetensors");
    write(&path, &model, &batch, &privileged);
    let found = replayed(subject, setup, &path);
    std::fs::remove_dir_all(&folder).unwrap();
    if subject.declaration.source.has_depths() {
        assert!(found.unwrap_err().to_string().contains("reads the depths of another cell"), "{what}");
        return subject.varies;
    }
    if subject.given.get("calibrate") == Some(&Value::Flag(true)) {
        assert!(found.unwrap_err().to_string().contains("calibrates itself"), "{what}");
        return subject.varies;
    }
    if reads_too_early(subject) {
        assert!(found.unwrap_err().to_string().contains("those after 1 step or more"), "{what}");
        return subject.varies;
    }
    let found = found.unwrap();
    let depths: Vec<u32> = found.iter().map(|token| token.depth).collect();
    if subject.declaration.kind == PolicyKind::Select {
        assert_eq!(depths, chosen(&model, &batch), "{what}");
        return depths.iter().any(|depth| *depth != depths[0]);
    }
    let has = |name: &str, texts: &[&str]| {
        subject.given.get(name).is_some_and(|value| texts.iter().any(|text| *value == Value::Text((*text).to_owned())))
    };
    if ["carry", "offers"].iter().any(|name| subject.given.get(*name) == Some(&Value::Flag(true)))
        || ["fixed-point", "ponderlm-mask", "stick-breaking"].contains(&subject.declaration.name)
        || has("scope", &["causal", "token"])
        || has("gate", &["each"])
    {
        // These steps read more than the previous states, so the trace lacks them.
        return subject.varies;
    }
    if subject.declaration.name == GATED.name {
        // The same for gated steps.
        return subject.varies;
    }
    if setup.around > 0 && subject.reads_logits() {
        // A coda with attention computes logits from the states with which other tokens halted.
        return subject.varies;
    }
    if subject.declaration.name == "fixed-answers" {
        // The trace has no targets, so no token is part of an answer.
        assert!(depths.iter().all(|depth| *depth == 1), "{what}");
        return subject.varies;
    }
    let expected = evaluate(&model, &batch, Execution::Compacted, Some(&privileged)).unwrap();
    let online = subject.declaration.kind == PolicyKind::Online;
    let known = if online { distributions(&model, &batch) } else { None };
    match (&known, subject.given.get("rule").or(subject.given.get("exit"))) {
        (Some(known), Some(Value::Text(rule))) if ["mode", "mean", "argmax"].contains(&rule.as_str()) => {
            let expected: Vec<u32> = known.iter().map(|masses| by_rule(rule, masses)).collect();
            assert_eq!(depths, expected, "{what}");
        }
        _ => assert_eq!(depths, expected.depths, "{what}"),
    }
    match expected.beliefs {
        Some(_) if known.is_some() => equals_distributions(&what, &found, &known.unwrap_or_default(), setup),
        None => assert!(found.iter().all(|token| token.expected_depth.is_none()), "{what}"),
        Some(beliefs) => {
            let means: Vec<f64> = found.iter().map(|token| token.expected_depth.unwrap()).collect();
            close(&what, &means, &beliefs.expected, tolerance(setup.dtype));
            for (token, expected) in found.iter().zip(beliefs.distributions) {
                let masses = token.weights.as_ref().or(token.distribution.as_ref()).unwrap();
                let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
                close(&what, masses, &expected, 1e-5);
            }
        }
    }
    let is_asked = |token: &ReplayedToken| token.scores.iter().take_while(|score| score.is_some()).count();
    for token in found.iter().filter(|token| is_asked(token) > 0) {
        if subject.given.get("force_remainder") == Some(&Value::Flag(false)) {
            assert_eq!(is_asked(token), token.depth as usize, "{what}: the last step's weight depends on its score");
            continue;
        }
        let asked = (token.depth as usize).min(setup.max_depth - 1);
        assert_eq!(is_asked(token), asked, "{what}: asked after every step but the last: {token:?}");
        assert_eq!(token.scores.iter().flatten().count(), asked, "{what}");
        if let Some(distribution) = &token.distribution {
            let before: f64 = distribution[..asked - 1].iter().sum();
            let hazard = distribution[asked - 1] / (1.0 - before);
            let (score, tolerance) = match subject.declaration.name {
                "elbayad-geometric" => (hazard, 1e-6),
                "adaponder" => (1.0 - hazard, 1e-6),
                _ => (before + distribution[asked - 1], 1e-9),
            };
            assert!((score - token.scores[asked - 1].unwrap()).abs() < tolerance, "{what}: {token:?}");
        }
    }
    depths.iter().any(|depth| *depth != depths[0])
}

#[test]
fn a_replay_gives_the_decisions_of_an_evaluation_in_which_halting_changes_nothing_else() {
    let setups = Setup::both_types().into_iter().filter(|setup| setup.halted == HaltedKeysValues::RunOn);
    for_all(&setups.collect::<Vec<Setup>>(), equals_evaluation);
    assert!(subjects().iter().any(|subject| subject.declaration.kind == PolicyKind::Soft));
}
