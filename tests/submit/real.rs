//! A real Slurm.

use std::path::Path;
use std::process::Command;

use crate::program::built;

/// Takes about five minutes; needs Debian's packages of Slurm, which the script fetches, and no rights.
#[test]
#[ignore = "needs Debian's packages of Slurm and minutes"]
fn a_real_slurm_ends_with_the_bytes_of_one_run() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("slurm/run.sh");
    let stress = built().join("deps/libhaltbench_stress.so");
    let status = Command::new(script).arg(built().join("haltbench")).arg(stress).status().unwrap();
    assert!(status.success(), "{status}");
}
