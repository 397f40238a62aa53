//! A plugin of the repository that was edited is built again before it is used, whatever started the program. In a test
//! program of its own, so that nothing else uses the library meanwhile.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

#[test]
fn an_edited_plugin_of_the_repository_is_built_again() {
    let test = std::env::current_exe().unwrap().canonicalize().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let library = folder.join("deps/libhaltbench_policy_routing.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/policies/routing/src/lib.rs");
    let time = |file: &Path| fs::metadata(file).unwrap().modified().unwrap();
    let list = || {
        let mut command = Command::new(folder.join("haltbench"));
        let output = command.args(["list", "policies"]).env_remove("HALTBENCH_PLUGINS").output().unwrap();
        let [out, said] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert!(output.status.success(), "{said}");
        assert!(out.contains("  mor-expert-choice "), "{out}");
        said
    };
    File::options().write(true).open(&source).unwrap().set_modified(SystemTime::now()).unwrap();
    assert!(time(&source) > time(&library));
    let said = list();
    assert!(said.contains("note: built again: haltbench_policy_routing, because "), "{said}");
    assert!(time(&library) >= time(&source));
    assert_eq!(list(), "", "it is built once");
}
