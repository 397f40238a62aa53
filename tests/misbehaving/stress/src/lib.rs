//! `stress`: an online policy that fails on request, at a chosen step and in a chosen way. Without a fault it is well
//! behaved, with hazards that depend on the states. It shows that a failing cell does not affect others.

use std::ffi::c_int;
use std::process;
use std::thread;
use std::time::Duration;

use haltbench_sdk::prelude::*;
use haltbench_sdk_dylib as _;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Fails on purpose, for tests of the suite.",
    documentation: "\
## What it computes

alpha(d) = sigmoid of the mean of h(d), until step `at_step`, where it commits `fault`; step 0 is while it is built.

## When it halts

At the median: the first step with F(d) >= 0.5.

## Cost

One addition per element of the state.",
    reference: "tests of the suite",
    parameters: &[
        ParameterSpec::choice("fault", "none", FAULTS, "what it does at step `at_step`"),
        ParameterSpec::integer(
            "at_step",
            1,
            (0, i64::MAX),
            "step after which it does so, 1-based; 0 while it is built",
        ),
    ],
    ..PolicyDeclaration::new("stress", PolicyKind::Online, build)
};

/// The faults of the policy.
pub const FAULTS: &[&str] = &["none", "panic", "error", "abort", "segfault", "hang", "exit", "nan", "wrong-shape"];

/// Signal number of a segmentation fault on Linux.
const SIGSEGV: c_int = 11;

haltbench_sdk::register_policy!(DECLARATION);

struct Stress {
    fault: String,
    at_step: usize,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    let fault = context.parameters.text("fault")?.to_owned();
    let at_step = context.parameters.integer("at_step")?;
    if at_step == 0 {
        fail(&fault, "while it is built")?;
    }
    Ok(Policy::online(Stress { fault, at_step }))
}

impl OnlinePolicy for Stress {
    fn observe(&self, view: &View, _: &mut RowMemory) -> Result<OnlineDecision> {
        let hazards = view.states().mean(1)?;
        let fault = if view.step() == self.at_step { self.fault.as_str() } else { "none" };
        fail(fault, &format!("at step {}", self.at_step))?;
        Ok(OnlineDecision::HazardLogits(match fault {
            "nan" => (hazards * f64::NAN)?,
            "wrong-shape" => Tensor::cat(&[&hazards, &hazards], 0)?,
            _ => hazards,
        }))
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        d_model as f64
    }
}

/// Performs the faults that return nothing.
fn fail(fault: &str, when: &str) -> Result<()> {
    match fault {
        "panic" => panic!("stress panics on purpose {when}"),
        "error" => Err(Error::contract("stress", format!("fails on purpose {when}"))),
        "abort" => process::abort(),
        "segfault" => segfault(),
        "hang" => hang(),
        "exit" => process::exit(0),
        _ => Ok(()),
    }
}

unsafe extern "C" {
    fn raise(signal: c_int) -> c_int;
}

/// Ends the process with SIGSEGV. The first signal reaches Rust's handler for stack overflows, which restores the
/// default action and returns.
fn segfault() -> ! {
    loop {
        // SAFETY: `raise` of the C library has this signature and takes any signal number.
        unsafe { raise(SIGSEGV) };
    }
}

/// Never returns, without using the CPU.
fn hang() -> ! {
    loop {
        thread::sleep(Duration::from_secs(60));
    }
}

#[cfg(test)]
mod tests {
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conforms_without_a_fault() {
        let none = [("fault", Value::Text("none".to_owned()))];
        haltbench_sdk::conformance::check_policy_with(&super::DECLARATION, &none);
    }
}
