//! Proof that a plugin and the program share one copy of the SDK and of candle.
//!
//! The proof needs two facts, because each alone can mislead. First, a static of the SDK has the same address in both.
//! Second, tensors created by the program, the plugin and the program again have consecutive ids: candle numbers
//! tensors with a static counter and looks up gradients by id, so a plugin with its own counter would reuse ids.

use std::panic::{AssertUnwindSafe, catch_unwind};

use haltbench_sdk::registry::{ANCHOR, Registration, SharingProbe, probe};

/// Attempts: other threads may create a tensor between two of ours, but not this often in a row.
const ATTEMPTS: usize = 3;

/// Runs the proof on one registered item. The error gives the evidence that the copies differ.
///
/// # Errors
/// If the plugin sees another copy of the SDK, if the tensors are not numbered by one counter, or if the probe fails.
pub fn prove(item: &Registration) -> Result<(), String> {
    let anchor = (&raw const ANCHOR).addr();
    let mut numbers = Vec::new();
    for _ in 0..ATTEMPTS {
        let before = number(probe())?;
        let plugin = catch_unwind(AssertUnwindSafe(item.probe)).map_err(|_| "its sharing probe panicked".to_owned())?;
        let after = number(probe())?;
        if let Some(found) = plugin.as_ref().map(|seen| seen.anchor).filter(|found| *found != anchor) {
            return Err(format!("it sees the SDK at {found:#x}, the program at {anchor:#x}"));
        }
        let plugin = number(plugin)?;
        if before.checked_add(1) == Some(plugin) && plugin.checked_add(1) == Some(after) {
            return Ok(());
        }
        numbers.push(format!("{before}, {plugin}, {after}"));
    }
    Err(format!(
        "tensors made by the program, the plugin and the program are numbered {}, expected consecutive numbers",
        numbers.join("; then ")
    ))
}

/// The number in `TensorId(number)`.
fn number(probe: Option<SharingProbe>) -> Result<u64, String> {
    let tensor = probe.ok_or("its sharing probe could not make a tensor")?.tensor;
    let digits = tensor.strip_prefix("TensorId(").and_then(|rest| rest.strip_suffix(')'));
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| format!("expected a tensor number like TensorId(7), found {tensor}"))
}

#[cfg(test)]
mod tests {
    use haltbench_sdk::fingerprint::FINGERPRINT;
    use haltbench_sdk::policy::{PolicyDeclaration, PolicyKind};
    use haltbench_sdk::registry::Declaration;

    use super::*;

    static POLICY: PolicyDeclaration =
        PolicyDeclaration::new("probed", PolicyKind::Early, |_| Err(haltbench_sdk::Error::contract("probed", "no")));

    fn verdict(probe: fn() -> Option<SharingProbe>) -> Result<(), String> {
        let declaration = Declaration::Policy(&POLICY);
        prove(&Registration { declaration, provider: "test", version: "0.0.0", fingerprint: &FINGERPRINT, probe })
    }

    fn here(tensor: &str) -> Option<SharingProbe> {
        Some(SharingProbe { anchor: (&raw const ANCHOR).addr(), tensor: tensor.to_owned() })
    }

    #[test]
    fn invariant_1_tells_copies_apart_by_address_and_by_tensor_numbers() {
        assert_eq!(verdict(probe), Ok(()));
        let elsewhere = verdict(|| Some(SharingProbe { anchor: 1, ..probe()? })).unwrap_err();
        assert!(elsewhere.starts_with("it sees the SDK at 0x1, the program at 0x"), "{elsewhere}");
        let counts_alone = verdict(|| here("TensorId(1)")).unwrap_err();
        assert!(counts_alone.contains("expected consecutive numbers"), "{counts_alone}");
        assert_eq!(verdict(|| here("?")).unwrap_err(), "expected a tensor number like TensorId(7), found ?");
        assert_eq!(verdict(|| None).unwrap_err(), "its sharing probe could not make a tensor");
        assert_eq!(verdict(|| panic!("on purpose")).unwrap_err(), "its sharing probe panicked");
    }
}
