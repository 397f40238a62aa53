//! A policy that does harm while its library is opened or closed, in the way that the variable `HALTBENCH_CONSTRUCTOR` names. Its
//! library may lie in a folder with plugins that a suite does not even use.

use std::process;
use std::thread;
use std::time::Duration;

use haltbench_sdk::prelude::*;
use haltbench_sdk_dylib as _;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Does harm while it is opened, for tests of the suite.",
    reference: "tests of the suite",
    ..PolicyDeclaration::new("misbehaving-constructor", PolicyKind::Early, |_| Ok(Policy::early(One)))
};

haltbench_sdk::register_policy!(DECLARATION);

struct One;

impl EarlyPolicy for One {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        Ok(EarlyDecision::Depths(vec![1; view.rows().len()]))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = misbehave;

extern "C" fn misbehave() {
    match std::env::var("HALTBENCH_CONSTRUCTOR").as_deref() {
        Ok("exit") => process::exit(0),
        Ok("abort") => process::abort(),
        Ok("hang") => loop {
            thread::sleep(Duration::from_secs(60));
        },
        // As if it knew that it is on trial.
        Ok("exit-after-trial") if std::env::args().nth(1).as_deref() != Some("trial") => process::exit(0),
        _ => {}
    }
}

#[used]
#[unsafe(link_section = ".fini_array")]
static DESTRUCTOR: extern "C" fn() = misbehave_at_the_end;

extern "C" fn misbehave_at_the_end() {
    while std::env::var("HALTBENCH_CONSTRUCTOR").as_deref() == Ok("hang-at-the-end") {
        thread::sleep(Duration::from_secs(60));
    }
}
