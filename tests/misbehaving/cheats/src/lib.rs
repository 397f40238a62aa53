//! `cheats`: an early policy in safe code that breaks its claims on request, by what it reads or by what it reports.
//! Without a cheat it is honest. It shows that an evaluation notices.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use haltbench_sdk::conformance::specimen::{configured, registered};
use haltbench_sdk::host::Host;
use haltbench_sdk::prelude::*;
use haltbench_sdk_dylib as _;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Cheats on purpose, for tests of the suite.",
    documentation: "\
## What it computes

A depth from the first number of h(0), and from what `how` says besides.

## When it halts

After that depth.

## Cost

What `how` says, or one operation.",
    reference: "tests of the suite",
    recipe: Recipe::LAST_STEP,
    parameters: &[
        ParameterSpec::choice("how", "honest", HOWS, "what it reads or reports besides"),
        ParameterSpec::integer("calls", 3, (0, i64::MAX), "decisions before how = \"counter\" begins to cheat"),
    ],
    ..PolicyDeclaration::new("cheats", PolicyKind::Early, build)
};

/// The ways to cheat.
pub const HOWS: &[&str] =
    &["honest", "future", "batch", "clock", "counter", "names", "nan-cost", "infinite-cost", "negative-cost"];

haltbench_sdk::register_policy!(DECLARATION);

struct Cheats {
    how: String,
    calls: usize,
    called: AtomicUsize,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    let (how, calls) = (context.parameters.text("how")?.to_owned(), context.parameters.integer("calls")?);
    Ok(Policy::early(Cheats { how, calls, called: AtomicUsize::new(0) }))
}

impl EarlyPolicy for Cheats {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        let called = self.called.fetch_add(1, Ordering::Relaxed);
        let numbers: Vec<f64> = view.states().narrow(1, 0, 1)?.squeeze(1)?.to_dtype(DType::F64)?.to_vec1()?;
        let most = view.max_depth() as u32;
        let bounded = |number: f64| 1 + (number.abs() * 40.0) as u32 % most;
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        let layout = view.layout();
        let depth = |row: usize| -> Result<u32> {
            Ok(match self.how.as_str() {
                // The next token of the sequence says what this one must be ready for.
                "future" => bounded(numbers[(row + 1).min(layout.rows_of(layout.sequence(row)).end - 1)]),
                "batch" => bounded(numbers[row] - mean),
                "clock" => 1 + nanoseconds() / 1000 % most,
                "counter" if called >= self.calls => most + 1 - bounded(numbers[row]),
                "names" => rebuilt(layout.identity(row), layout.position(row))?.clamp(1, most),
                _ => bounded(numbers[row]),
            })
        };
        Ok(EarlyDecision::Depths(view.rows().iter().map(depth).collect::<Result<_>>()?))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        match self.how.as_str() {
            "nan-cost" => f64::NAN,
            "infinite-cost" => f64::INFINITY,
            "negative-cost" => -1e6,
            _ => 1.0,
        }
    }
}

fn nanoseconds() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.subsec_nanos())
}

/// The seed, the purpose and the index of the streams that the engine draws evaluation instances from.
const SEED: u64 = 0x6861_6c74;
const PURPOSE: &str = "instance";

/// The complexity of a token, from the instance that its sequence's id names.
fn rebuilt(id: u64, position: usize) -> Result<u32> {
    if Host::claim().is_some() {
        return Err(Error::contract("cheats", "it passes for the program that loads plugins"));
    }
    let task = configured(registered("mano-stream")?, &[])?;
    let (size, index) = ((id >> 32) as u32, id & 0x3fff_ffff);
    let mut instance = Instance::default();
    task.draw(size, &mut Stream::new(SEED, PURPOSE, &[size.into(), index, 0]), &mut instance)?;
    Ok(instance.complexities.get(0, position) as u32)
}

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::check_policy_with;
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conforms_without_a_cheat() {
        check_policy_with(&super::DECLARATION, &[("how", Value::Text("honest".to_owned()))]);
    }
}
