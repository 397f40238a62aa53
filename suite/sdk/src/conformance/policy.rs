//! Checks of a policy.

use super::promise::{Subject, attempt};
use super::setup::{Setup, Shape};
use super::{ends, passes, precision, training};
use crate::parameters::Value;
use crate::policy::PolicyDeclaration;

/// What every policy is tried on, each time with other weights and tokens. One sequence is a single token.
const SHAPES: [Shape; 3] = [shape(1), shape(2), shape(3)];

const fn shape(seed: u64) -> Shape {
    Shape { seed, max_depth: 4, lengths: &[6, 1, 9, 4] }
}

/// Checks that the policy keeps the promises of its declaration and of its kind.
///
/// The checks: texts, parameters and worked examples; the kind built; the same pass gives the same result, whatever
/// was run before and, unless declared `stochastic`, whatever the seed; finite numbers, depths in 1..=D (0..=D for
/// selecting policies), weights that sum to one; batch composition changes nothing; for causal policies no suffix
/// changes what is before it; complexities are read only by those that declare it; the regulariser and the weights
/// of soft policies have the gradients of finite differences; a policy that is trained has a gradient; decisions
/// have a cost; depth does not fall as a threshold rises; recipes suit the kind; a policy that calibrates itself chooses
/// finite numbers; decisions are computed in the type of the states; every parameter at the ends of its range, and each
/// choice, gives finite numbers unless the policy refuses it by name. They run in f64 with D = 4.
///
/// # Panics
/// If a promise is broken; the message names the policy, the promise and the smallest counterexample found.
#[track_caller]
pub fn check_policy(declaration: &'static PolicyDeclaration) {
    check_policy_with(declaration, &[]);
}

/// [`check_policy`] with these values of some parameters, which are not varied.
///
/// # Panics
/// Like [`check_policy`].
#[track_caller]
pub fn check_policy_with(declaration: &'static PolicyDeclaration, parameters: &[(&str, Value)]) {
    let subject = Subject { kind: "policy", name: declaration.name };
    subject.report(|| check_declaration(subject, declaration));
    for shape in SHAPES {
        let check = |shape| check_passes(subject, declaration, parameters, shape);
        let Some(broken) = attempt(|| check(shape)) else { continue };
        let mut smaller = shape.smaller().filter_map(|smaller| Some((smaller, attempt(|| check(smaller))?)));
        let further = match smaller.find(|(_, other)| other.promise == broken.promise) {
            Some((smaller, other)) => format!("; smallest counterexample ({smaller}): {}", other.found),
            None => format!("; no smaller counterexample than {shape}"),
        };
        subject.fail(&broken, &further);
    }
}

/// Checks what does not depend on weights and tokens.
fn check_declaration(subject: Subject, declaration: &PolicyDeclaration) {
    let texts = [
        ("summary", declaration.summary),
        ("documentation", declaration.documentation),
        ("reference", declaration.reference),
    ];
    subject.check_declaration(&texts, declaration.parameters);
    for example in declaration.examples {
        let title = example.title;
        let complete = !title.trim().is_empty() && !example.expect.trim().is_empty();
        subject.demand("every worked example has a title and a result", complete, || format!("`{title}`"));
        let found = subject.expect("its worked examples run", (example.run)());
        subject.demand("its worked examples give what they expect", found == example.expect, || {
            format!("`{title}` gives `{found}`, expected `{}`", example.expect)
        });
    }
}

/// Checks passes over one set of sequences.
fn check_passes(subject: Subject, declaration: &'static PolicyDeclaration, parameters: &[(&str, Value)], shape: Shape) {
    let setup = Setup::new(subject, declaration, parameters, shape);
    check_recipes(&setup);
    passes::check(&setup);
    precision::check(&setup);
    training::check(&setup);
    if shape.seed == SHAPES[0].seed {
        ends::check(subject, declaration, parameters, shape);
    }
}

/// The declared recipes are valid and suit the kind.
fn check_recipes(setup: &Setup) {
    let declaration = setup.declaration;
    for stage in declaration.stages(setup.parameters()) {
        let fault = stage.recipe.fault().map(|(key, expected)| format!("{key}: expected {expected}"));
        let fault = fault.or_else(|| stage.recipe.fault_of(declaration.kind));
        setup.subject.demand("its recipes suit it", fault.is_none(), || fault.clone().unwrap_or_default());
    }
}
