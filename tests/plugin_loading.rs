//! Plugins are found, fingerprinted, opened and refused as invariants 1 to 3 require.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

use haltbench_engine::plugins::{Catalogue, PluginError, SearchFolder, catalogue, catalogue_in, load};
use haltbench_sdk::candle_core::{Result as TensorResult, Var};
use haltbench_sdk::fingerprint::{LENGTH, MAGIC};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::policy::Phase;
use haltbench_sdk::prelude::*;
use haltbench_sdk_dylib as _;
use tempfile::TempDir;

/// The library that cargo built for the plugin `package`, in the folder of this test.
fn library(package: &str) -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let file = program.with_file_name(format!("lib{package}.so"));
    assert!(file.exists(), "{} was not built: is {package} a dev-dependency of haltbench_tests?", file.display());
    file
}

fn refusal(file: &Path) -> PluginError {
    let error = load(file).unwrap_err();
    assert!(error.to_string().contains(&file.display().to_string()), "does not name the file: {error}");
    error
}

/// Whether a file is mapped into this process, as opened libraries are.
fn is_open(file: &Path) -> bool {
    fs::read_to_string("/proc/self/maps").unwrap().contains(file.to_str().unwrap())
}

fn stress(fault: &str) -> Policy {
    let plugin = load(&library("haltbench_stress")).unwrap();
    let catalogue = Catalogue::new(&[plugin]).unwrap();
    let declaration = catalogue.policy("stress").unwrap();
    let given = BTreeMap::from([("fault".to_owned(), Value::Text(fault.to_owned()))]);
    let parameters = Parameters::resolve("stress", declaration.parameters, &given).unwrap();
    let context = PolicyContext {
        d_model: 4,
        d_ff: 8,
        vocabulary: 5,
        max_depth: 3,
        parameters: &parameters,
        variables: VarBuilder::zeros(DType::F32, &Device::Cpu),
        source: None,
        seed: 0,
    };
    (declaration.build)(&context).unwrap()
}

fn observe(policy: &Policy, states: &Tensor) -> Result<Tensor> {
    let rows = states.dim(0)?;
    let layout = TokenLayout::new(&[rows], &[1])?;
    let all = RowSet::all(rows);
    let no_logits = || Err(Error::contract("test", "asks for logits"));
    let view = View::new(1, 3, &layout, &all, states, &no_logits, Phase::Evaluation, 1, None);
    match policy.decide(&view, &mut RowMemory::default())?.halting {
        Halting::Hazards { logits, .. } => Ok(logits),
        _ => Err(Error::contract("stress", "expected hazards")),
    }
}

#[test]
fn invariant_1_gradients_through_program_and_plugin_are_right() {
    let policy = stress("none");
    let mut seen = BTreeSet::new();
    // With two copies of candle, about one trial in twelve is wrong, depending on which ids collide.
    for trial in 0..60_usize {
        let gradient = || -> TensorResult<(Vec<Vec<f32>>, Vec<String>)> {
            let ahead: Vec<Tensor> =
                (0..trial).map(|_| Tensor::zeros(1, DType::F32, &Device::Cpu)).collect::<TensorResult<_>>()?;
            let states = Var::from_slice(&[1f32, 2., 3., 4., 5., 6., 7., 8.], (2, 4), &Device::Cpu)?;
            let hazards = observe(&policy, states.as_tensor()).unwrap();
            let squares = states.sqr()?;
            // loss = sum of h² + sum of x², where h is the mean of a row of x: its gradient is 2 h / 4 + 2 x.
            let loss = (hazards.sqr()?.sum_all()? + squares.sum_all()?)?;
            let mut ids: Vec<String> = ahead.iter().map(|tensor| format!("{:?}", tensor.id())).collect();
            ids.extend([&states, &hazards, &squares, &loss].map(|tensor| format!("{:?}", tensor.id())));
            let gradients = loss.backward()?;
            let gradient = gradients.get(states.as_tensor()).map(Tensor::to_vec2).transpose()?;
            Ok((gradient.unwrap_or_default(), ids))
        };
        let (gradient, ids) = gradient().unwrap();
        assert_eq!(gradient, [[3.25, 5.25, 7.25, 9.25], [13.25, 15.25, 17.25, 19.25]]);
        for id in ids {
            assert!(seen.insert(id.clone()), "{id} was given out twice");
        }
    }
}

#[test]
fn invariant_1_a_plugins_panic_and_errors_reach_the_program() {
    let states = Tensor::ones((2, 4), DType::F32, &Device::Cpu).unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| observe(&stress("panic"), &states))).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "stress panics on purpose at step 1");
    let error = observe(&stress("error"), &states).unwrap_err();
    assert_eq!(error.to_string(), "stress broke the contract: fails on purpose at step 1");
    let numbers: Vec<f32> = observe(&stress("nan"), &states).unwrap().to_vec1().unwrap();
    assert!(numbers.iter().all(|number| number.is_nan()));
    assert_eq!(observe(&stress("wrong-shape"), &states).unwrap().dims(), [4]);
}

#[test]
fn invariant_1_a_plugin_with_its_own_copy_of_the_sdk_is_refused() {
    let file = library("haltbench_misbehaving_unshared");
    for _ in 0..2 {
        let error = refusal(&file);
        assert!(matches!(error, PluginError::NotShared { .. }), "{error:?}");
        assert!(error.to_string().contains("use haltbench_sdk_dylib as _;"), "{error}");
        assert_eq!(error.exit_status(), 3);
    }
    assert!(Catalogue::new(&[]).unwrap().policy("unshared").is_err());
}

/// If two commands build a crate below candle with different features, they build different candles in libraries of the
/// same name; see suite/kernels/Cargo.toml.
#[test]
fn invariant_1_every_command_builds_the_same_sdk() {
    let tree = |arguments: &[&str]| -> BTreeSet<String> {
        let output = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
            .args(["tree", "--offline", "--no-dedupe", "--prefix=none"])
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    };
    let expected = tree(&["--package=haltbench_sdk", "--edges=normal,build", "--format={p}|{f}"]);
    let package = |line: &str| line.split('|').next().unwrap_or_default().to_owned();
    let below: BTreeSet<String> = expected.iter().map(|line| package(line)).collect();
    let commands = [
        vec!["--workspace", "--edges=normal,build"],
        vec!["--workspace", "--edges=normal,build,dev"],
        vec!["--package=haltbench", "--edges=normal,build"],
        vec!["--package=haltbench_engine", "--edges=normal,build,dev"],
        vec!["--package=haltbench_sdk", "--edges=normal,build,dev"],
        vec!["--package=haltbench_tests", "--edges=normal,build,dev"],
    ];
    for command in commands {
        let mut lines = tree(&[&command[..], &["--format={p}|{f}"]].concat());
        lines.retain(|line| below.contains(&package(line)));
        let differing: Vec<&String> = lines.symmetric_difference(&expected).collect();
        assert!(
            differing.is_empty(),
            "{command:?} builds crates below the SDK with features that the SDK alone does not ask for; add them to \
             the dependencies of suite/kernels: {differing:#?}"
        );
    }
    // The kernels alone have fewer crates below them, but no additional ones.
    let mut kernels = tree(&["--package=haltbench_kernels", "--edges=normal,build,dev", "--format={p}|{f}"]);
    kernels.retain(|line| below.contains(&package(line)) && !expected.contains(line));
    assert!(kernels.is_empty(), "the kernels alone are built with other features: {kernels:#?}");
}

/// Kernels are half of what the SDK runs, so an edited kernel is another program too.
#[test]
fn invariant_2_the_fingerprint_covers_the_sources_of_sdk_and_kernels() {
    fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.is_dir() {
                true => sources(&path, files),
                false => files.extend(path.extension().is_some_and(|ending| ending == "rs").then_some(path)),
            }
        }
    }
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("suite");
    let mut files = vec![suite.join("kernels/Cargo.toml"), suite.join("sdk/Cargo.toml")];
    ["kernels/src", "sdk/src"].iter().for_each(|folder| sources(&suite.join(folder), &mut files));
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in &files {
        hasher.update(file.strip_prefix(&suite).unwrap().to_str().unwrap().as_bytes());
        hasher.update(&fs::read(file).unwrap());
    }
    let hash = hasher.finalize().to_hex()[..16].to_owned();
    assert!(haltbench_sdk::fingerprint::own_fields().contains(&("sdk".to_owned(), hash)));
}

/// A copy of a plugin with one field of its fingerprint changed.
fn patched(folder: &TempDir, field: &str, value: &str) -> PathBuf {
    let mut bytes = fs::read(library("haltbench_stress")).unwrap();
    let start = bytes.windows(MAGIC.len()).position(|window| window == MAGIC.as_bytes()).unwrap();
    let section = &mut bytes[start..start + LENGTH];
    let text = String::from_utf8(section.to_vec()).unwrap();
    let change = |part: &str| match part.split_once('=') {
        Some((name, _)) if name == field => format!("{name}={value}"),
        _ => part.to_owned(),
    };
    let text: Vec<String> = text.trim_end_matches('\0').split(';').map(change).collect();
    let mut text = text.join(";").into_bytes();
    text.resize(LENGTH, 0);
    section.copy_from_slice(&text);
    let file = folder.path().join(format!("lib{field}.so"));
    fs::write(&file, bytes).unwrap();
    file
}

#[test]
fn invariant_2_another_fingerprint_is_refused_before_anything_runs() {
    let folder = TempDir::new().unwrap();
    for (field, value) in
        [("rustc", "1.80.0 0"), ("sdk", "0123456789abcdef"), ("features", "cuda"), ("profile", "release")]
    {
        let file = patched(&folder, field, value);
        let error = refusal(&file);
        assert!(!is_open(&file), "{field}: the library was opened");
        let PluginError::Mismatch(mismatch) = &error else { panic!("expected a mismatch, found {error:?}") };
        assert_eq!(mismatch.differing(), [field]);
        let found = mismatch.fields.iter().find(|found| found.name == field).unwrap();
        for text in [found.host.as_deref().unwrap(), value, "the folder of its crate"] {
            assert!(error.to_string().contains(text), "lacks `{text}`: {error}");
        }
        assert_eq!(error.exit_status(), 3);
    }
    let good = load(&library("haltbench_stress")).unwrap();
    assert!(is_open(good.file()));
}

#[test]
fn invariant_2_what_is_no_plugin_is_refused_unopened() {
    let folder = TempDir::new().unwrap();
    let written = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        file
    };
    let whole = fs::read(library("haltbench_stress")).unwrap();
    let text = refusal(&written("text.so", b"[[cell]]\n"));
    assert!(matches!(text, PluginError::NotALibrary { .. }), "{text:?}");
    let missing = refusal(&folder.path().join("test.so"));
    assert!(matches!(&missing, PluginError::Missing { nearest: Some(name), .. } if name == "text.so"), "{missing:?}");
    assert_eq!(missing.exit_status(), 2);
    let directory = refusal(folder.path());
    assert!(directory.to_string().ends_with("found a directory"), "{directory}");
    for length in [20, 64, whole.len() / 2, whole.len() - 1] {
        let file = written("cut.so", &whole[..length]);
        let error = refusal(&file);
        assert!(matches!(error, PluginError::Truncated { .. }), "{length} bytes: {error:?}");
        assert!(!is_open(&file));
    }
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let libc =
        maps.lines().find_map(|line| line.find('/').map(|at| &line[at..]).filter(|file| file.contains("libc.so")));
    let libc = refusal(Path::new(libc.unwrap()));
    assert!(matches!(libc, PluginError::NotAPlugin { .. }), "{libc:?}");
}

#[test]
fn invariant_2_a_plugin_stays_loaded_and_is_loaded_once() {
    let folder = TempDir::new().unwrap();
    let file = library("haltbench_stress");
    let name = load(&file).unwrap().items()[0].declaration.name();
    assert_eq!(name, "stress");
    let (link, symbolic) = (folder.path().join("hard.so"), folder.path().join("symbolic.so"));
    std::os::unix::fs::symlink(&file, &symbolic).unwrap();
    let mut ways = vec![file.clone(), symbolic];
    // There are no hard links to a temporary folder on another file system.
    ways.extend(fs::hard_link(&file, &link).is_ok().then_some(link));
    let first = load(&file).unwrap();
    for way in &ways {
        let again = load(way).unwrap();
        assert!(std::ptr::eq(first.items()[0], again.items()[0]), "{}", way.display());
    }
    let (catalogue, _) = catalogue_in(&ways, &[]).unwrap();
    assert_eq!(catalogue.of_kind("policy").count(), 1);
}

#[test]
fn invariant_3_plugins_are_found_by_their_names_and_listed_with_their_files() {
    assert_eq!(Catalogue::new(&[]).unwrap().entries().count(), 0, "a plugin is linked into this program");
    let (found, _) = catalogue(&[library("haltbench_stress")]).unwrap();
    assert_eq!(found.policy("fixed").unwrap().name, "fixed");
    let entry = found.find("policy", "fixed").unwrap();
    assert_eq!(entry.provider, "haltbench_policy_controls");
    assert_eq!(entry.file, library("haltbench_policy_controls").canonicalize().unwrap());
    assert_eq!(entry.fingerprint, haltbench_sdk::fingerprint::own_fields());
    let error = found.policy("stres").unwrap_err();
    assert_eq!(error.to_string(), "unknown policy `stres`; did you mean `stress`?");

    let folder = TempDir::new().unwrap();
    let found_file = folder.path().join("libhaltbench_policy_stress.so");
    fs::copy(library("haltbench_stress"), &found_file).unwrap();
    let stale = folder.path().join("libhaltbench_policy_stale.so");
    fs::rename(patched(&folder, "sdk", "0"), &stale).unwrap();
    let search = [SearchFolder { path: folder.path().to_owned(), required: true }];
    let (found, skipped) = catalogue_in(&[], &search).unwrap();
    assert_eq!(found.find("policy", "stress").unwrap().file, found_file.canonicalize().unwrap());
    assert_eq!(skipped.len(), 1);
    assert_eq!(skipped[0].file, stale);
    assert!(skipped[0].reason.headline().contains("differs from this program's in sdk"), "{:?}", skipped[0]);
    assert!(matches!(catalogue_in(&[stale], &search), Err(PluginError::Mismatch(_))));
}

#[test]
fn invariant_3_a_name_provided_twice_is_refused_with_both_files() {
    let second = library("haltbench_misbehaving_duplicate");
    let error = catalogue(std::slice::from_ref(&second)).unwrap_err();
    let message = error.to_string();
    for part in [
        "policy `fixed` is provided twice",
        "haltbench_misbehaving_duplicate",
        second.canonicalize().unwrap().to_str().unwrap(),
        "haltbench_policy_controls",
        library("haltbench_policy_controls").canonicalize().unwrap().to_str().unwrap(),
    ] {
        assert!(message.contains(part), "lacks `{part}`: {message}");
    }
    assert_eq!(error.exit_status(), 3);
}
