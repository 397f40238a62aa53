//! Where tensors live.

use haltbench_sdk::candle_core::Device;

use crate::error::{Error, Result};

/// The device called `name`: `cpu` or `cuda:N`.
///
/// # Errors
/// [`Error::Usage`] if the name is not one of these, the program was built without CUDA, or there is no such device.
pub fn open(name: &str) -> Result<Device> {
    if name == "cpu" {
        return Ok(Device::Cpu);
    }
    let ordinal = match name.split_once(':') {
        None if name == "cuda" => Some(0),
        Some(("cuda", ordinal)) => ordinal.parse::<usize>().ok(),
        _ => None,
    };
    let Some(ordinal) = ordinal else {
        return Err(Error::Usage(format!("device: expected cpu or cuda:N, found `{name}`")));
    };
    if !cfg!(feature = "cuda") {
        return Err(Error::Usage(format!(
            "device {name}: this program was built without CUDA; build it with `--features cuda`, or use --device cpu"
        )));
    }
    // The driver is loaded on first use, and its absence is a panic in the bindings.
    let opened = std::panic::catch_unwind(|| Device::new_cuda(ordinal));
    match opened {
        Ok(Ok(device)) => Ok(device),
        Ok(Err(error)) => {
            Err(Error::Usage(format!("device {name}: not available: {}; use --device cpu", first_line(&error))))
        }
        Err(_) => {
            Err(Error::Usage(format!("device {name}: no CUDA driver was found on this machine; use --device cpu")))
        }
    }
}

fn first_line(error: &impl std::fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
