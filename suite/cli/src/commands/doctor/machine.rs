//! The machine: cores, instruction sets, memory, CUDA.

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use haltbench_engine::device;
use haltbench_sdk::candle_core::utils::get_num_threads;
use serde::Serialize;

/// What the machine offers.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: usize,
    /// Threads that tensor operations use.
    pub threads: usize,
    /// Instruction sets that tensor operations use.
    pub cpu_features: BTreeMap<&'static str, bool>,
    /// Memory that is available, in bytes; null if the system does not say.
    pub memory_available_bytes: Option<u64>,
    /// CUDA.
    pub cuda: Cuda,
}

/// Whether CUDA can be used.
#[derive(Debug, Serialize)]
pub struct Cuda {
    /// Whether the program was built with it.
    pub compiled: bool,
    /// Whether the first device opens.
    pub available: bool,
    /// Why not.
    pub reason: Option<String>,
}

impl Machine {
    /// Looks at this machine.
    pub fn examine() -> Self {
        let opened = device::open("cuda:0");
        Self {
            cores: thread::available_parallelism().map_or(1, usize::from),
            threads: get_num_threads(),
            cpu_features: cpu_features(),
            memory_available_bytes: fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(available),
            cuda: Cuda {
                compiled: cfg!(feature = "cuda"),
                available: opened.is_ok(),
                reason: opened.err().map(|error| error.to_string()),
            },
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn cpu_features() -> BTreeMap<&'static str, bool> {
    BTreeMap::from([
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("fma", std::is_x86_feature_detected!("fma")),
        ("avx512f", std::is_x86_feature_detected!("avx512f")),
    ])
}

#[cfg(not(target_arch = "x86_64"))]
fn cpu_features() -> BTreeMap<&'static str, bool> {
    BTreeMap::new()
}

/// The available memory in the text of `/proc/meminfo`.
fn available(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_available_memory() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:    2048 kB\n"), Some(2048 * 1024));
        assert_eq!(available("MemTotal: 9 kB\n"), None);
    }
}
