//! Sources that cannot be built, and dependencies of a plugin.

use crate::outside::Outside;

fn written() -> Outside {
    let outside = Outside::new();
    outside.success(&["plugin", "new", "mine", "--kind", "online"]);
    outside
}

#[test]
fn the_compilers_errors_are_shown_as_they_are() {
    let outside = written();
    outside.edit("mine/src/lib.rs", "*score < self.threshold", "*score < self.treshold");
    let words = ["mine: does not compile", "error[E0609]: no field `treshold`", "--> src/lib.rs:", "^^^^^^^^"];
    for arguments in [&["plugin", "build", "mine"][..], &["list", "--plugin", "mine"], &["run", "mine/suite.toml"]] {
        outside.refused(2, arguments, &words);
    }
}

#[test]
fn what_is_no_plugin_says_what_was_expected() {
    let outside = written();
    outside.refused(2, &["plugin", "build", "min"], &["min: no such file; did you mean `mine`?"]);
    outside.refused(2, &["plugin", "build", "mine/suite.toml"], &["expected a folder with a crate"]);
    outside.refused(2, &["list", "--plugin", "."], &["a folder without Cargo.toml; it holds mine"]);
    outside.write("my policy.rs", "");
    outside.refused(2, &["plugin", "build", "my policy.rs"], &["found `my policy.rs`"]);
    outside.write("empty.rs", "");
    outside.refused(3, &["plugin", "build", "empty.rs"], &["not a Haltbench plugin", "register_policy!"]);
    outside.edit("mine/Cargo.toml", "[package]", "[package");
    outside.refused(2, &["plugin", "build", "mine"], &["mine: Cargo.toml: "]);
}

#[test]
fn a_second_copy_of_candle_is_refused_and_other_crates_are_not() {
    let outside = written();
    outside.edit("mine/Cargo.toml", "[dependencies]\n", "[dependencies]\ncandle-core = \"0.11\"\n");
    outside.refused(2, &["plugin", "build", "mine"], &["candle-core", "use haltbench_sdk::candle_core"]);

    outside.edit("mine/Cargo.toml", "candle-core = \"0.11\"", "helper = { path = \"../helper\" }");
    outside.write("helper/Cargo.toml", "[package]\nname = \"helper\"\nversion = \"0.0.0\"\nedition = \"2024\"\n");
    outside.write("helper/src/lib.rs", "pub const LEAST: f64 = 0.25;\n");
    outside.edit("mine/src/lib.rs", "< self.threshold", "< self.threshold.max(helper::LEAST)");
    outside.success(&["plugin", "build", "mine"]);
    // Cargo sees an edit of the helper.
    outside.write("helper/src/lib.rs", "pub const LEAST: f64 = 0.5;\n");
    let built = outside.success(&["plugin", "build", "mine"]).stderr;
    assert!(built.contains("note: built haltbench_policy_mine"), "{built}");
}

/// Cargo would take the sources of one for those of the other: they have the same name and paths.
#[test]
fn two_crates_of_one_name_are_two_plugins() {
    let outside = written();
    outside.success(&["plugin", "new", "mine", "--kind", "online", "--dir", "other"]);
    outside.edit("other/src/lib.rs", "Halts a token once", "Another one halts a token once");
    for (folder, starts) in [("mine", "Halts"), ("other", "Another"), ("mine", "Halts")] {
        let listed = outside.success(&["list", "policies", "--plugin", folder]).stdout;
        let line = listed.lines().find(|line| line.contains("  mine ")).unwrap().to_owned();
        assert!(line.contains(starts), "{folder}: {line}");
    }
    outside.refused(3, &["list", "--plugin", "mine", "--plugin", "other"], &["policy `mine` is provided twice"]);
}

#[test]
fn a_missing_compiler_is_named() {
    let outside = written();
    let mut command = std::process::Command::new(crate::outside::program());
    command.current_dir(outside.path(".")).env("HALTBENCH_BUILD", outside.path("built"));
    let output = command.env("CARGO", "/nowhere/cargo").args(["plugin", "build", "mine"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("/nowhere/cargo cannot be started") && said.contains("https://rustup.rs"), "{said}");
}
