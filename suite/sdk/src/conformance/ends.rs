//! Parameters at the ends of their declared ranges.

use super::promise::{Broken, Subject, attempt};
use super::setup::{Setup, Shape};
use super::{passes, training};
use crate::parameters::{Domain, ParameterSpec, Value};
use crate::policy::PolicyDeclaration;

/// Every value at an end of a range, and every choice, gives finite numbers in evaluation, training and calibration, or
/// the policy refuses it by name when it is built. Other parameters have their defaults, and then each of their choices
/// in turn: a parameter may act only beside one of them. Parameters in `given` are not varied.
pub(super) fn check(subject: Subject, declaration: &'static PolicyDeclaration, given: &[(&str, Value)], shape: Shape) {
    let free = || declaration.parameters.iter().filter(|spec| given.iter().all(|(name, _)| *name != spec.name));
    let alone = || free().flat_map(|spec| ends(spec).into_iter().map(move |value| (spec.name, value)));
    let choices = || {
        free().filter(|spec| is_choice(spec)).flat_map(|spec| ends(spec).into_iter().map(|value| (spec.name, value)))
    };
    let pairs = alone()
        .flat_map(|one| choices().filter(move |other| other.0 != one.0).map(move |other| vec![one.clone(), other]));
    // There are many settings, and what goes wrong at an end goes wrong in a small batch too.
    let shape = Shape {
        max_depth: shape.max_depth.min(3),
        lengths: if shape.lengths.len() > 1 { &[2, 1] } else { shape.lengths },
        ..shape
    };
    // Single values first, so that the message names no more than it must.
    for setting in alone().map(|one| vec![one]).chain(pairs) {
        let parameters: Vec<(&str, Value)> = given.iter().cloned().chain(setting.iter().cloned()).collect();
        let trial = || {
            let Some(setup) = Setup::unless_refused(subject, declaration, &parameters, shape) else { return };
            passes::check_finite(&setup);
            training::check_finite(&setup);
        };
        if let Some(Broken { promise, found }) = attempt(trial) {
            let setting: Vec<String> = setting.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            let promise = format!("{promise}, also at the ends of its parameters' ranges");
            subject.broken(&promise, &format!("with {}: {found}", setting.join(" and ")));
        }
    }
}

fn is_choice(spec: &ParameterSpec) -> bool {
    matches!(spec.domain, Domain::Choice { .. } | Domain::Flag { .. })
}

/// The values at the ends of a range and next to them, and every choice; not the default, which all other checks use.
fn ends(spec: &ParameterSpec) -> Vec<Value> {
    let mut values = match spec.domain {
        Domain::Flag { .. } => vec![Value::Flag(false), Value::Flag(true)],
        Domain::Integer { minimum, maximum, .. } => {
            let inner = [minimum.saturating_add(1).min(maximum), maximum.saturating_sub(1).max(minimum)];
            let mut all = vec![minimum, inner[0], inner[1], maximum];
            all.dedup();
            all.into_iter().map(Value::Integer).collect()
        }
        Domain::Real { minimum, maximum, .. } => vec![Value::Real(minimum), Value::Real(maximum)],
        Domain::Choice { choices, .. } => choices.iter().map(|choice| Value::Text((*choice).to_owned())).collect(),
        Domain::Text { .. } => Vec::new(),
    };
    values.retain(|value| *value != spec.default());
    values
}
