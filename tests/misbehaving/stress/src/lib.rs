//! `stress`: an online policy that fails on request, at a chosen step and in a chosen way. Without a fault it is well
//! behaved, with hazards that depend on the states. It shows that a failing cell does not affect others.

use std::ffi::c_int;
use std::fs;
use std::io::{Write, stderr, stdout};
use std::net::{TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
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
pub const FAULTS: &[&str] = &[
    "none",
    "panic",
    "error",
    "abort",
    "segfault",
    "hang",
    "hang-when-dropped",
    "hang-without-output",
    "exit",
    "nan",
    "wrong-shape",
    "leave-a-child",
    "raw-bytes",
    "endless-line",
    "exhaust-memory",
    "delete-others",
    "escape",
    "forge-measures",
    "forge-rows",
];

/// Signal number of a segmentation fault on Linux.
const SIGSEGV: c_int = 11;

haltbench_sdk::register_policy!(DECLARATION);

struct Stress {
    fault: String,
    at_step: usize,
}

impl Drop for Stress {
    fn drop(&mut self) {
        if self.fault == "hang-when-dropped" && argument("--work").is_some() {
            hang();
        }
    }
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
        "hang-without-output" => {
            // SAFETY: `close` takes any number; nothing here writes to these streams again.
            unsafe { (close(1), close(2)) };
            hang()
        }
        "leave-a-child" => broken(Command::new("sleep").arg("120").spawn().map(|_| ())),
        "raw-bytes" => {
            broken(stdout().write_all(b"\xff\xfe\n{\"progress\": 3}\n\"").and_then(|()| stderr().write_all(b"\xff\n")))
        }
        "endless-line" => {
            let megabyte = vec![b'x'; 1 << 20];
            broken((0..3).try_for_each(|_| stdout().write_all(&megabyte).and_then(|()| stderr().write_all(&megabyte))))
        }
        "delete-others" => broken(delete_others()),
        "exhaust-memory" => {
            std::hint::black_box(vec![1_u8; 1 << 52]);
            Ok(())
        }
        "escape" => escape(),
        "forge-measures" => forge(true),
        "forge-rows" => forge(false),
        _ => Ok(()),
    }
}

fn broken(outcome: std::io::Result<()>) -> Result<()> {
    outcome.map_err(|error| Error::contract("stress", error.to_string()))
}

/// The value of an argument of this process.
fn argument(name: &str) -> Option<PathBuf> {
    std::env::args().skip_while(|argument| argument != name).nth(1).map(PathBuf::from)
}

/// The folders of other cells that are done.
fn others() -> Vec<PathBuf> {
    let (Some(run), Some(work)) = (argument("--run"), argument("--work")) else { return Vec::new() };
    let folders = fs::read_dir(run).into_iter().flatten().flatten().map(|entry| entry.path());
    folders.filter(|folder| folder.join("result.json").exists() && !work.starts_with(folder)).collect()
}

/// Deletes the results of other cells.
fn delete_others() -> std::io::Result<()> {
    others().iter().try_for_each(|folder| fs::remove_file(folder.join("result.json")))
}

/// Fails if it can read or change the file that `HALTBENCH_STRESS_FILE` names, connect to the address that
/// `HALTBENCH_STRESS_ADDRESS` names, or send it a datagram.
fn escape() -> Result<()> {
    let text = |name: &str| std::env::var(name).unwrap_or_default();
    let (file, address) = (text("HALTBENCH_STRESS_FILE"), text("HALTBENCH_STRESS_ADDRESS"));
    let sent = UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.send_to(b"x", &address));
    let ways = [
        ("read a file", fs::read(&file).is_ok()),
        ("changed a file", fs::OpenOptions::new().append(true).open(&file).is_ok()),
        ("connected", TcpStream::connect(&address).is_ok()),
        ("sent a datagram", sent.is_ok()),
    ];
    match ways.iter().find(|(_, escaped)| *escaped) {
        Some((way, _)) => Err(Error::contract("stress", format!("escaped: {way}"))),
        None => Ok(()),
    }
}

/// Takes the result of another cell for its own, with or without better measures, and ends as if all were well.
fn forge(measures: bool) -> Result<()> {
    let (Some(work), Some(own), Some(other)) = (argument("--work"), argument("--cell"), others().pop()) else {
        return Ok(());
    };
    broken(take_over(&work, &own.display().to_string(), &other, measures))?;
    process::exit(0)
}

fn take_over(work: &Path, own: &str, other: &Path, measures: bool) -> std::io::Result<()> {
    for name in ["tokens.parquet", "calibration.parquet", "vocabulary.json"] {
        if other.join(name).exists() {
            fs::copy(other.join(name), work.join(name))?;
        }
    }
    let text = fs::read_to_string(other.join("result.json"))?;
    let mut result: serde_json::Value = serde_json::from_str(&text)?;
    let plan = fs::read(work.join("plan.toml"))?;
    result["cell"] = own.into();
    result["policy"] = "stress".into();
    let index: serde_json::Value = serde_json::from_str(&fs::read_to_string(other.with_file_name("index.json"))?)?;
    let listed = index["cells"].as_array().and_then(|cells| cells.iter().find(|cell| cell["cell"] == own));
    result["model"] = listed.map(|cell| cell["model"].clone()).unwrap_or_default();
    result["kind"] = "online".into();
    result["files"]["plan.toml"] = blake3::hash(&plan).to_hex().to_string().into();
    if measures {
        for metric in result["metrics"].as_array_mut().into_iter().flatten() {
            if metric["metric"] == "token_accuracy" {
                metric["value"] = 1.0.into();
            }
        }
    }
    fs::write(work.join("result.json"), serde_json::to_string_pretty(&result)?)
}

unsafe extern "C" {
    fn raise(signal: c_int) -> c_int;
    fn close(stream: c_int) -> c_int;
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
