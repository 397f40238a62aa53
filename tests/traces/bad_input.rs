//! Errors about a trace are one line with the tensor, the expectation and what was found.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use safetensors::tensor::Dtype;

use crate::replayed::{haltbench, replay};
use crate::written::{RIGHT, Raw, bytes, floats, whole};

/// Two sequences of 3 and 2 tokens, 4 steps, width 2, a vocabulary of 3.
fn sound() -> BTreeMap<&'static str, Raw> {
    BTreeMap::from([
        ("lengths", whole(&[3, 2])),
        ("states", floats(&[5, 5, 2], |index| 1.0 / (1 + index) as f32)),
        ("logits", floats(&[4, 5, 3], |index| (index % 7) as f32)),
        ("targets", whole(&[-1, 0, 2, -1, 1])),
        ("positions", whole(&[0, 1, 2, 4, 9])),
        ("complexity.height", floats(&[5], |index| if index == 0 { f32::NAN } else { index as f32 })),
    ])
}

/// Exit status and message of a replay of these bytes.
fn refused(bytes: &[u8], arguments: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.safetensors");
    fs::write(&file, bytes).unwrap();
    let outcome = haltbench(&[&["replay", file.to_str().unwrap()], arguments].concat());
    assert_eq!(outcome.stdout, "", "{arguments:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    (outcome.status, outcome.stderr.replace(file.to_str().unwrap(), "FILE"))
}

#[test]
fn a_sound_trace_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.safetensors");
    fs::write(&file, bytes(&sound(), &RIGHT)).unwrap();
    let lines = replay(&file, "fixed-answers", &["--set", "depth=3"]);
    let told: Vec<(u64, u64, u64)> = lines
        .iter()
        .map(|line| ["sequence", "position", "depth"].map(|key| line[key].as_u64().unwrap()).into())
        .collect();
    assert_eq!(told, [(0, 0, 1), (0, 1, 3), (0, 2, 3), (1, 4, 1), (1, 9, 3)]);
    // The oracle reads the only complexity: 1 to 4, over 4 steps.
    let depths = crate::replayed::depths(&replay(&file, "oracle-complexity", &[]));
    assert_eq!(depths, [1, 1, 2, 3, 4]);
    assert_eq!(crate::replayed::depths(&replay(&file, "oracle-complexity", &["--max-depth", "1"])), [1; 5]);
}

#[test]
fn what_is_wrong_with_a_tensor_is_named() {
    let with = |name: &'static str, raw: Raw| {
        let mut tensors = sound();
        tensors.insert(name, raw);
        bytes(&tensors, &RIGHT)
    };
    let without = |names: &[&str]| {
        let mut tensors = sound();
        tensors.retain(|name, _| !names.contains(name));
        bytes(&tensors, &RIGHT)
    };
    let nan_at = |place: usize| move |index: usize| if index == place { f32::NAN } else { 1.0 };
    let as_f16 = (Dtype::F16, vec![5, 5, 2], vec![0; 100]);
    for (trace, expected) in [
        (
            with("lengths", whole(&[3, 3])),
            "tensor `states`: expected the shape [D + 1, 6, width], as `lengths` sum to 6, found [5, 5, 2]",
        ),
        (with("lengths", whole(&[3, 2, 0])), "tensor `lengths`, sequence 2: expected 1 to 4294967295 tokens, found 0"),
        (with("lengths", whole(&[6, -1])), "tensor `lengths`, sequence 1: expected 1 to 4294967295 tokens, found -1"),
        (with("lengths", whole(&[])), "tensor `lengths`: expected at least one sequence, found none"),
        (with("lengths", floats(&[2], |_| 2.5)), "tensor `lengths`: expected I64, found F32"),
        (without(&["lengths"]), "expected the tensor `lengths`, found no such tensor"),
        (without(&["states", "logits"]), "expected the tensor `states` or `logits`, found neither"),
        (
            with("logits", floats(&[5, 5, 3], |_| 0.0)),
            "tensor `logits`: expected the shape [4, 5, vocabulary], as `states` has h(0) and 4 steps, found [5, 5, 3]",
        ),
        (
            with("logits", floats(&[4, 5], |_| 0.0)),
            "tensor `logits`: expected the shape [D, tokens, vocabulary] with D and vocabulary at least 1, found [4, 5]",
        ),
        (
            with("states", floats(&[1, 5, 2], |_| 0.0)),
            "tensor `states`: expected the shape [D + 1, tokens, width] with D and width at least 1, found [1, 5, 2]",
        ),
        (with("states", floats(&[5, 5, 0], |_| 0.0)), "found [5, 5, 0]"),
        (with("states", as_f16), "tensor `states`: expected F32 or F64, found F16"),
        (
            with("states", floats(&[5, 5, 2], nan_at(23))),
            "tensor `states`, step 2, token 1: expected finite numbers, found NaN",
        ),
        (
            with("logits", floats(&[4, 5, 3], nan_at(16))),
            "tensor `logits`, step 2, token 0: expected finite numbers or minus infinity, found NaN",
        ),
        (with("targets", whole(&[0])), "tensor `targets`: expected the shape [5], one for each token, found [1]"),
        (with("targets", whole(&[0, 0, 3, 0, 0])), "tensor `targets`, token 2: expected -1 to 2, found 3"),
        (
            with("positions", whole(&[0, 1, -2, 0, 1])),
            "tensor `positions`, token 2: expected a position from 0 to 4294967295, found -2",
        ),
        (
            with("positions", whole(&[0, 1, 2, 4, 4])),
            "tensor `positions`, token 4: expected a position above 4, that of the token before it in its sequence, found 4",
        ),
        (
            with("logits", floats(&[4, 5, 3], |index| if index / 3 == 7 { f32::NEG_INFINITY } else { 0.0 })),
            "tensor `logits`, step 2, token 2: expected at least one finite number, found minus infinity alone",
        ),
        (
            with("identities", whole(&[1])),
            "tensor `identities`: expected the shape [2], one for each sequence, found [1]",
        ),
        (
            with("complexity.size", floats(&[4], |_| 0.0)),
            "tensor `complexity.size`: expected the shape [5], one for each token, found [4]",
        ),
        (with("state", floats(&[1], |_| 0.0)), "unknown tensor `state`; did you mean `states`?"),
    ] {
        let (status, message) = refused(&trace, &["--policy", "fixed"]);
        assert_eq!(status, 4, "{message}");
        assert!(message.starts_with("error: FILE: damaged: ") && message.contains(expected), "{message}\n{expected}");
    }
}

#[test]
fn a_file_that_is_no_trace_is_refused() {
    let whole_file = bytes(&sound(), &RIGHT);
    for (trace, expected) in [
        (whole_file[..whole_file.len() - 1].to_vec(), "as its header says, found"),
        (whole_file[..100].to_vec(), "expected a safetensors file with a header of"),
        (Vec::new(), "expected a safetensors file, found 0 bytes"),
        (b"sequence,position,depth\n0,0,1\n".to_vec(), "expected a safetensors file with a header of"),
        ([&whole_file[..], &[0]].concat(), "as its header says, found"),
        (bytes(&sound(), &[]), "metadata key `format`: expected `haltbench-trace`, found no such key"),
        (bytes(&sound(), &[("format", "pt")]), "metadata key `format`: expected `haltbench-trace`, found `pt`"),
        (
            bytes(&sound(), &[("format", "haltbench-trace"), ("version", "2")]),
            "metadata key `version`: expected `1`, found `2`",
        ),
        (
            bytes(&sound(), &[RIGHT[0], RIGHT[1], ("d_ff", "wide")]),
            "metadata key `d_ff`: expected a whole number from 1 to 1073741824, found `wide`",
        ),
    ] {
        let (status, message) = refused(&trace, &["--policy", "fixed"]);
        assert_eq!(status, 4, "{message}");
        assert!(message.starts_with("error: FILE: damaged: ") && message.contains(expected), "{message}\n{expected}");
    }
    let missing = haltbench(&["replay", "/nowhere", "--policy", "fixed"]);
    assert_eq!(
        (missing.status, missing.stderr.contains("/nowhere: cannot be opened")),
        (2, true),
        "{}",
        missing.stderr
    );
    assert!(!Path::new("/nowhere.new").exists());
}

#[test]
fn what_does_not_fit_the_trace_is_refused() {
    let mut states_alone = sound();
    states_alone.retain(|name, _| ["lengths", "states"].contains(name));
    let states_alone = bytes(&states_alone, &RIGHT);
    let mut logits_alone = sound();
    logits_alone.retain(|name, _| ["lengths", "logits"].contains(name));
    logits_alone.insert("policy.halting.weight", floats(&[1, 2], |_| 1.0));
    let logits_alone = bytes(&logits_alone, &RIGHT);
    let mut large = sound();
    large.insert("states", floats(&[5, 5, 2], |_| 3e38));
    large.insert("policy.gate.weight", floats(&[1, 2], |_| 1.0));
    large.insert("policy.gate.bias", floats(&[1], |_| 0.0));
    let large = bytes(&large, &RIGHT);
    let mut misnamed = sound();
    misnamed.insert("policy.norm.weigth", floats(&[2], |_| 1.0));
    let misnamed = bytes(&misnamed, &RIGHT);
    let mut several = sound();
    several.insert("complexity.size", floats(&[5], |_| 1.0));
    let sound = bytes(&sound(), &RIGHT);
    for (trace, arguments, expected) in [
        (&sound, &["--policy", "anria-e"][..], "unknown policy `anria-e`; did you mean `anira-e`?"),
        (&sound, &["--policy", "fixed", "--set", "dept=2"], "unknown parameter of fixed `dept`; did you mean `depth`?"),
        (&sound, &["--policy", "fixed", "--set", "depth=x"], "parameter `depth` of fixed: expected a whole number"),
        (
            &sound,
            &["--policy", "fixed", "--set", "depth=5"],
            "expected a whole number from 1 to max_depth = 4, found 5",
        ),
        (
            &sound,
            &["--policy", "fixed", "--max-depth", "5"],
            "max_depth: expected 1 to 4, the steps of the trace, found 5",
        ),
        (
            &sound,
            &["--policy", "fixed", "--max-depth", "0"],
            "max_depth: expected 1 to 4, the steps of the trace, found 0",
        ),
        (&sound, &["--policy", "random-matched"], "policy random-matched reads the depths of another cell"),
        (&sound, &["--policy", "random-trained"], "policy random-trained reads the depths of another cell"),
        (
            &sound,
            &["--policy", "fixed", "--set", "depth=2", "--set", "depth=3"],
            "--set depth: expected one value, found two, 2 and 3",
        ),
        // The missing states, not the width of the weights, which depends on them.
        (&logits_alone, &["--policy", "act"], "states for policy act: expected the tensor `states` in the trace"),
        (&logits_alone, &["--policy", "pondernet"], "states for policy pondernet: expected the tensor `states`"),
        (&logits_alone, &["--policy", "anira-e"], "states for policy anira-e: expected the tensor `states`"),
        (
            &large,
            &["--policy", "ouro"],
            "policy ouro: hazards are not finite (inf at index 0): expected states, logits and weights in the trace that \
             do not overflow f32; write them as f64",
        ),
        (&misnamed, &["--policy", "anira-e"], "found no such tensor"),
        (&misnamed, &["--policy", "anira-o"], "found no such tensor"),
        (
            &states_alone,
            &["--policy", "calm"],
            "logits for policy calm: expected the tensor `logits` in the trace, found no such tensor",
        ),
        (
            &states_alone,
            &["--policy", "oracle-complexity"],
            "policy oracle-complexity reads complexities: expected one tensor",
        ),
        (
            &states_alone,
            &["--policy", "first-consistent"],
            "logits for policy first-consistent: expected the tensor `logits` in the trace, found no such tensor",
        ),
        (
            &logits_alone,
            &["--policy", "first-correct"],
            "targets: expected the tensor `targets` in the trace, found no such tensor",
        ),
        (&bytes(&several, &RIGHT), &["--policy", "oracle-complexity"], "found height, size and no such key"),
    ] {
        let (status, message) = refused(trace, arguments);
        assert_eq!(status, 2, "{message}");
        assert!(message.starts_with("error: ") && message.contains(expected), "{message}\n{expected}");
    }
}
