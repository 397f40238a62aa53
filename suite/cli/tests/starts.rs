//! The program starts and finds the libraries that it needs. Because of this test, `cargo test --workspace` builds the
//! program, which the command-line tests run.

use std::process::Command;

#[test]
fn says_its_version() {
    let output = Command::new(env!("CARGO_BIN_EXE_haltbench")).arg("--version").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("haltbench {}\n", env!("CARGO_PKG_VERSION")));
}
