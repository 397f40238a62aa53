//! Checks of a policy.

use super::promise::Subject;
use super::setup::{SEEDS, Setup};
use super::{passes, training};
use crate::parameters::Value;
use crate::policy::PolicyDeclaration;

/// Checks that the policy keeps the promises of its declaration and of its kind.
///
/// The checks: texts, parameters and worked examples; the kind built; the same pass gives the same result, whatever
/// was run before and, unless declared `stochastic`, whatever the seed; finite numbers, depths in 1..=D (0..=D for
/// selecting policies), weights that sum to one; batch composition changes nothing; for causal policies no suffix
/// changes what is before it; complexities are read only by those that declare it; the regulariser and the weights
/// of soft policies have the gradients of finite differences; a policy that is trained has a gradient; decisions
/// have a cost; depth does not fall as a threshold rises; recipes suit the kind; a policy that calibrates itself chooses
/// finite numbers. They run in f64 with D = 4.
///
/// # Panics
/// If a promise is broken; the message names the policy and the promise.
pub fn check_policy(declaration: &'static PolicyDeclaration) {
    check_policy_with(declaration, &[]);
}

/// [`check_policy`] with other values of some parameters.
///
/// # Panics
/// If a promise is broken; the message names the policy and the promise.
pub fn check_policy_with(declaration: &'static PolicyDeclaration, parameters: &[(&str, Value)]) {
    let subject = Subject { kind: "policy", name: declaration.name };
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
    for seed in SEEDS {
        let setup = Setup::new(subject, declaration, parameters, seed);
        check_recipes(&setup);
        passes::check(&setup);
        training::check(&setup);
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
