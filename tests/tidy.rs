//! Rules for the sources: who may depend on whom, and what files must not contain.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use haltbench_sdk_dylib as _;
use toml::{Table, Value};

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the workspace").to_owned()
}

/// Paths relative to the workspace of tracked files that end in `ending`.
fn tracked(ending: &str) -> Vec<String> {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().expect("git");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let all = String::from_utf8(output.stdout).expect("names");
    let exists = |path: &&str| root().join(path).is_file();
    let found: Vec<String> =
        all.split('\0').filter(|path| path.ends_with(ending)).filter(exists).map(str::to_owned).collect();
    assert!(!found.is_empty(), "git knows no file that ends in {ending}");
    found
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All source lines, with their places.
fn source_lines() -> Vec<(String, String)> {
    let lines = |path: String| {
        let text = text(&path);
        let line = |(number, line): (usize, &str)| (format!("{path}:{}", number + 1), line.to_owned());
        text.lines().enumerate().map(line).collect::<Vec<_>>()
    };
    tracked(".rs").into_iter().flat_map(lines).collect()
}

/// A package of this repository.
struct Package {
    name: String,
    folder: String,
    manifest: Table,
}

impl Package {
    /// Names and specifications of the dependencies in these sections.
    fn dependencies(&self, sections: &[&str]) -> Vec<(String, Value)> {
        let targets = self.manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
        let places = targets.filter_map(Value::as_table).chain([&self.manifest]);
        let tables = places.flat_map(|place| sections.iter().filter_map(|section| place.get(*section)?.as_table()));
        tables.flatten().map(|(name, specification)| (name.clone(), specification.clone())).collect()
    }

    /// Names of this repository's packages that it depends on in these sections.
    fn ours(&self, sections: &[&str]) -> BTreeSet<String> {
        let names = self.dependencies(sections).into_iter().map(|(name, _)| name);
        names.filter(|name| name.starts_with("haltbench")).collect()
    }
}

const SECTIONS: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];

/// The sections that are compiled into a package, without tests.
const BUILT: [&str; 2] = ["dependencies", "build-dependencies"];

fn packages() -> Vec<Package> {
    let manifests = tracked("Cargo.toml").into_iter().filter(|path| path != "Cargo.toml");
    let package = |path: String| {
        let manifest: Table = toml::from_str(&text(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let name = manifest["package"]["name"].as_str().expect("a name").to_owned();
        let folder = path.trim_end_matches("/Cargo.toml").to_owned();
        Package { name, folder, manifest }
    };
    manifests.map(package).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn is_plugin(package: &Package) -> bool {
    ["tasks/", "plugins/", "baselines/"].iter().any(|folder| package.folder.starts_with(folder))
}

#[test]
fn invariant_1_plugins_depend_on_nothing_of_ours_but_the_sdk() {
    let packages = packages();
    let plugins: Vec<&Package> = packages.iter().filter(|package| is_plugin(package)).collect();
    assert!(plugins.len() >= 4, "plugins were not found");
    for plugin in plugins {
        let ours = plugin.ours(&SECTIONS);
        assert_eq!(ours, set(&["haltbench_sdk", "haltbench_sdk_dylib"]), "{}", plugin.name);
        let kinds: Vec<&str> = plugin.manifest["lib"]["crate-type"]
            .as_array()
            .expect("crate types")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(kinds, ["rlib", "cdylib"], "{}", plugin.name);
        for (name, _) in plugin.dependencies(&SECTIONS) {
            assert!(!name.starts_with("candle"), "{}: {name} is to be taken from the SDK", plugin.name);
        }
        let source = text(&format!("{}/src/lib.rs", plugin.folder));
        assert!(source.contains("use haltbench_sdk_dylib as _;"), "{} does not link the shared library", plugin.name);
    }
}

#[test]
fn invariant_11_imports_point_downwards() {
    let packages = packages();
    let ours = |name: &str, sections: &[&str]| {
        let package = packages.iter().find(|package| package.name == name);
        package.unwrap_or_else(|| panic!("no package {name}")).ours(sections)
    };
    for (name, below) in [
        ("haltbench_kernels", &[][..]),
        ("haltbench_sdk", &["haltbench_kernels"]),
        ("haltbench_analysis", &[]),
        ("haltbench_sdk_dylib", &["haltbench_sdk"]),
        ("haltbench_engine", &["haltbench_sdk", "haltbench_analysis"]),
        ("haltbench_report", &["haltbench_sdk", "haltbench_analysis", "haltbench_engine"]),
    ] {
        let above: Vec<String> = ours(name, &BUILT).difference(&set(below)).cloned().collect();
        assert!(above.is_empty(), "{name} depends on {above:?}");
    }
    let plugins: BTreeSet<String> =
        packages.iter().filter(|package| is_plugin(package)).map(|package| package.name.clone()).collect();
    for name in ours("haltbench", &BUILT) {
        let layers =
            ["haltbench_sdk", "haltbench_sdk_dylib", "haltbench_analysis", "haltbench_engine", "haltbench_report"];
        assert!(layers.contains(&name.as_str()) || plugins.contains(&name), "haltbench depends on {name}");
    }
    for package in &packages {
        let is_above = package.name == "haltbench" || package.folder.starts_with("tests");
        assert!(is_above || !package.ours(&SECTIONS).contains("haltbench_report"), "{}", package.name);
    }
}

#[test]
fn invariant_11_analysis_knows_no_models_and_the_sdk_no_files() {
    let packages = packages();
    let analysis = packages.iter().find(|package| package.name == "haltbench_analysis").expect("analysis");
    for (name, _) in analysis.dependencies(&BUILT) {
        assert!(!["candle-core", "candle-nn", "safetensors", "parquet"].contains(&name.as_str()), "analysis: {name}");
    }
    for (place, line) in source_lines() {
        let knows_files = ["std::fs", "fs::", "File::"].iter().any(|name| line.contains(name));
        let may_not =
            ["kernels", "sdk", "analysis"].iter().any(|name| place.starts_with(&format!("suite/{name}/src/")));
        assert!(!(may_not && knows_files), "{place}: {line}");
    }
}

#[test]
fn invariant_3_every_plugin_has_conformance_tests() {
    let sources = tracked(".rs");
    let mut registrations = 0;
    for package in packages().iter().filter(|package| is_plugin(package)) {
        let mine = sources.iter().filter(|path| path.starts_with(&format!("{}/", package.folder)));
        let mine: Vec<(&String, String)> = mine.map(|path| (path, text(path))).collect();
        let tests = mine.iter().filter(|(_, text)| text.contains("conformance::"));
        let tests: String = tests.map(|(_, text)| text.as_str()).collect();
        for (path, text) in &mine {
            for kind in ["task", "policy", "backbone"] {
                for registered in text.split(&format!("register_{kind}!(")).skip(1) {
                    registrations += 1;
                    let declaration = registered.split(')').next().unwrap_or_default();
                    let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str()).expect("a file's name");
                    // `DECLARATION` of the file itself, or `module::DECLARATION`.
                    let module = declaration.rsplit("::").nth(1).unwrap_or(stem);
                    let here = text.contains("super::DECLARATION") && text.contains("conformance::");
                    let is_checked = here || tests.contains(&format!("{module}::DECLARATION"));
                    let calls = tests.contains(&format!("check_{kind}"));
                    assert!(calls && is_checked, "{path}: no conformance::check_{kind} of {module}::DECLARATION");
                }
            }
        }
    }
    assert!(registrations >= 9, "only {registrations} registrations were found");
}

#[test]
fn versions_stand_in_the_workspace_only() {
    let workspace: Table = toml::from_str(&text("Cargo.toml")).expect("the workspace's manifest");
    let declared = workspace["workspace"]["dependencies"].as_table().expect("dependencies");
    for package in packages() {
        for (name, specification) in package.dependencies(&SECTIONS) {
            let inherited = specification.get("workspace").is_some_and(|inherited| inherited == &Value::Boolean(true));
            let ours = name.starts_with("haltbench") && specification.get("path").is_some();
            assert!(inherited || ours, "{}: {name} is not of the workspace: {specification}", package.name);
            assert!(specification.get("version").is_none(), "{}: {name} has a version of its own", package.name);
            assert!(!inherited || declared.contains_key(&name), "{}: {name} is not declared", package.name);
        }
        let inherits =
            |key: &str| package.manifest["package"].get(key).and_then(|value| value.get("workspace")).is_some();
        // The shared library is not a member, so it cannot inherit.
        if package.name != "haltbench_sdk_dylib" {
            assert!(
                ["version", "edition", "rust-version", "license"].iter().all(|key| inherits(key)),
                "{}",
                package.name
            );
            assert!(package.manifest.contains_key("lints"), "{}: does not have the workspace's lints", package.name);
        }
    }
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let lines = source_lines();
    let mut found = 0;
    for (number, (place, line)) in lines.iter().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let begins = ["unsafe {", "unsafe impl ", "unsafe fn "].iter().any(|start| code.contains(start));
        if !begins || code.contains('"') {
            continue;
        }
        found += 1;
        let file = |place: &str| place.rsplit_once(':').map(|(file, _)| file.to_owned());
        let above = lines[..number].iter().rev().take_while(|(other, _)| file(other) == file(place));
        let above: Vec<&str> = above.map(|(_, line)| line.trim()).collect();
        // The comment may be longer than three lines, but it must end within them.
        let code_between = above.iter().position(|line| line.starts_with("//")).unwrap_or(above.len());
        let mut comment = above.iter().skip(code_between).take_while(|line| line.starts_with("//"));
        let said = code_between < 3 && comment.any(|line| line.contains("SAFETY:") || line.contains("# Safety"));
        assert!(said, "{place}: no SAFETY comment within three lines above: {line}");
    }
    assert!(found > 0, "the search finds nothing");
}

#[test]
fn no_order_of_a_hash_map_can_reach_a_result() {
    let names = ["Map", "Set"].map(|kind| format!("Hash{kind}"));
    for (place, line) in source_lines() {
        let code = line.split("//").next().unwrap_or_default();
        assert!(!names.iter().any(|name| code.contains(name)), "{place}: {line}");
    }
}

#[test]
fn files_are_short() {
    const LONGEST: usize = 500;
    const LONG: usize = 300;
    let mut lengths: Vec<(usize, String)> = tracked(".rs")
        .into_iter()
        .map(|path| (text(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > LONG)
        .collect();
    lengths.sort();
    for (lines, path) in &lengths {
        println!("{lines:5} lines  {path}");
    }
    let too_long: Vec<_> = lengths.iter().filter(|(lines, _)| *lines > LONGEST).collect();
    assert!(too_long.is_empty(), "more than {LONGEST} lines: {too_long:?}");
}

/// A policy fits in a file of about 60 lines; longer ones are listed.
#[test]
fn invariant_3_a_policy_is_one_short_file() {
    const LONGEST: usize = 200;
    for path in tracked(".rs") {
        let is_policy = path.starts_with("plugins/policies/") || path.starts_with("baselines/");
        let text = text(&path);
        if !is_policy || !text.contains("PolicyDeclaration::new(") {
            continue;
        }
        // The page that `explain` shows does not count.
        let page = text.split("documentation: \"").nth(1).and_then(|rest| rest.split("reference: ").next());
        let lines = text.lines().count() - page.map_or(0, |page| page.lines().count());
        if lines > 100 {
            println!("{lines:5} lines  {path}");
        }
        assert!(lines <= LONGEST, "{path} has {lines} lines");
    }
}

#[test]
fn licences_are_there_and_named() {
    for (file, words) in [("LICENSE-MIT", "Permission is hereby granted"), ("LICENSE-APACHE", "Apache License")] {
        assert!(text(file).contains(words), "{file}");
    }
    let workspace: Table = toml::from_str(&text("Cargo.toml")).expect("the workspace's manifest");
    assert_eq!(workspace["workspace"]["package"]["license"].as_str(), Some("MIT OR Apache-2.0"));
}

/// The product speaks for itself: nothing mentions how it came about.
#[test]
fn nothing_mentions_how_the_product_came_about() {
    let words = [["../sha", "red"], ["/work/", "shared"], ["issue ", "#"], ["sess", "ion"]].map(|parts| parts.concat());
    let texts = ["rs", "toml", "md", "py", "txt", "snap", "json", "html", "css", "js"];
    for path in tracked("") {
        let is_text = path.rsplit_once('.').is_some_and(|(_, ending)| texts.contains(&ending));
        if !is_text {
            continue;
        }
        for (number, line) in text(&path).lines().enumerate() {
            let line = line.to_lowercase();
            let found = words.iter().find(|word| line.contains(word.as_str()));
            assert!(found.is_none(), "{path}:{}: {line}", number + 1);
        }
    }
}

/// What the pages promise is guarded by the tests that they name.
#[test]
fn every_test_that_a_page_names_exists() {
    let tests: BTreeSet<String> = source_lines()
        .into_iter()
        .filter_map(|(_, line)| Some(line.trim().strip_prefix("fn ")?.split_once("()")?.0.to_owned()))
        .collect();
    let mut named = 0;
    for page in ["README.md", "docs/reliability.md"] {
        for name in text(page).split('`').skip(1).step_by(2) {
            let is_test =
                name.matches('_').count() > 3 && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
            if is_test {
                assert!(tests.contains(name), "{page}: there is no test `{name}`");
                named += 1;
            }
        }
    }
    assert!(named > 30, "{named}");
}
