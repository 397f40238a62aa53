//! Files that were changed, cut or lost: they are noticed, named, and computed again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::program::{Bench, POLICIES, Running, assert_same, suite, until};

/// A file of a cell, and what happens to it.
type Damage<'a> = (&'a str, fn(&Path));

/// What happens to a file, and whether the cell then starts over.
type Mishap<'a> = (&'a dyn Fn(&Path), bool);

/// Changes one bit in the middle of a file.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Cuts a file to half its length.
fn cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

fn lose(path: &Path) {
    fs::remove_file(path).unwrap();
}

/// Raises the first digit after `"value":` that can be raised.
fn raise_a_digit(path: &Path) {
    let mut text = fs::read(path).unwrap();
    let key = b"\"value\": 0.";
    let found = text.windows(key.len()).position(|window| window == key).unwrap() + key.len();
    text[found] = if text[found] == b'9' { b'8' } else { text[found] + 1 };
    fs::write(path, text).unwrap();
}

#[test]
fn invariant_8_damage_to_a_finished_cell_is_named_and_the_cell_computed_again() {
    let bench = Bench::new(&suite(&POLICIES[..2]));
    bench.run(&[]).well();
    let expected = bench.files();
    let cases: &[Damage] = &[
        ("tokens.parquet", flip),
        ("tokens.parquet", cut),
        ("tokens.parquet", lose),
        ("metrics.jsonl", flip),
        ("checkpoint/model.safetensors", flip),
        ("checkpoint/config.json", lose),
        ("plan.toml", flip),
        ("result.json", raise_a_digit),
        ("result.json", cut),
        ("result.json", lose),
    ];
    for (name, damage) in cases {
        let file = bench.cell("anira-e 0").join(name);
        damage(&file);
        let outcome = bench.outcome("leaderboard", &[]);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (4, ""), "{name}: {}", outcome.stderr);
        let start = format!("error: {}: damaged: ", file.display());
        assert!(outcome.stderr.starts_with(&start), "{name}: {}", outcome.stderr);
        assert_eq!(outcome.stderr.lines().count(), 1, "{name}: {}", outcome.stderr);
        let again = bench.run(&[]).well();
        again.says(&["done already  mano-stream · anira · fixed", "started  mano-stream · anira · anira-e"]);
        again
            .says(&[&format!("computed again  mano-stream · anira · anira-e · seed 0: {}: damaged: ", file.display())]);
        let log = fs::read_to_string(bench.cell("anira-e 0").join("log.txt")).unwrap();
        assert!(log.contains(&format!("computed again: {}: damaged: ", file.display())), "{log}");
        assert_same(&bench.files(), &expected);
        bench.outcome("leaderboard", &[]).well();
    }
}

/// Training that lasts long enough to be stopped in the middle.
const LONG: &[&str] = &["--set", "training.steps=200"];

/// A suite whose only cell was stopped in training, and what it ends with if it is not.
fn stopped() -> (Bench, BTreeMap<String, Vec<u8>>) {
    let whole = Bench::new(&suite(&POLICIES[1..2]));
    whole.run(LONG).well();
    let bench = Bench::new(&suite(&POLICIES[1..2]));
    let mut run: Running = bench.start(LONG);
    let metrics = || bench.cells().get("anira-e 0").map(|cell| fs::read(cell.join("metrics.jsonl")));
    until("a third line of metrics", || {
        metrics().is_some_and(|bytes| bytes.is_ok_and(|bytes| bytes.iter().filter(|byte| **byte == b'\n').count() >= 3))
    });
    run.signal("INT");
    until("the end of the run", || run.ended().is_some());
    assert_eq!(run.wait().code(), Some(130), "{}", bench.said());
    (bench, whole.files())
}

#[test]
fn invariant_8_a_damaged_checkpoint_costs_its_steps_and_nothing_else() {
    let (bench, expected) = stopped();
    let cell = bench.cell("anira-e 0");
    let saved = fs::read(cell.join("checkpoint/training.safetensors")).unwrap();
    let metrics = fs::read(cell.join("metrics.jsonl")).unwrap();
    for (damage, reason) in
        [(cut as fn(&Path), "training.safetensors: damaged"), (flip, "training.safetensors: damaged")]
    {
        let file = cell.join("checkpoint/training.safetensors");
        fs::write(&file, &saved).unwrap();
        fs::write(cell.join("metrics.jsonl"), &metrics).unwrap();
        fs::write(cell.join("log.txt"), "").unwrap();
        fs::remove_file(cell.join("status.json")).unwrap();
        damage(&file);
        bench.run(LONG).well();
        let log = fs::read_to_string(cell.join("log.txt")).unwrap();
        assert!(log.contains("started over: ") && log.contains(reason), "{log}");
        assert_same(&bench.files(), &expected);
    }
}

#[test]
fn invariant_8_torn_or_lost_metrics_end_as_if_nothing_had_happened() {
    let (bench, expected) = stopped();
    let cell = bench.cell("anira-e 0");
    let names = ["metrics.jsonl", "checkpoint/training.safetensors"];
    let saved = names.map(|name| fs::read(cell.join(name)).unwrap());
    let torn = |path: &Path| fs::write(path, &saved[0][..saved[0].len() - 9]).unwrap();
    let ahead = |path: &Path| fs::write(path, [&saved[0][..], b"{\"step\": 1"].concat()).unwrap();
    let cases: [Mishap; 3] = [(&torn, true), (&|path: &Path| lose(path), true), (&ahead, false)];
    for (damage, over) in cases {
        for (name, bytes) in names.iter().zip(&saved) {
            fs::write(cell.join(name), bytes).unwrap();
        }
        fs::write(cell.join("log.txt"), "").unwrap();
        let _ = fs::remove_file(cell.join("status.json"));
        damage(&cell.join("metrics.jsonl"));
        bench.run(LONG).well();
        let log = fs::read_to_string(cell.join("log.txt")).unwrap();
        assert_eq!(log.contains("started over: ") && log.contains("metrics.jsonl"), over, "{log}");
        assert_same(&bench.files(), &expected);
    }
}

#[test]
fn leftovers_of_a_killed_write_do_not_stay() {
    let bench = Bench::new(&suite(&POLICIES[..1]));
    bench.run(&[]).well();
    let expected = bench.files();
    let cell = bench.cell("fixed 0");
    fs::remove_file(cell.join("status.json")).unwrap();
    for name in ["result.json", "tokens.parquet", "checkpoint/model.safetensors", "checkpoint/training.safetensors"] {
        fs::write(cell.join(format!("{name}.new")), "torn").unwrap();
    }
    bench.run(&[]).well();
    assert_same(&bench.files(), &expected);
}

#[test]
fn cells_of_another_version_are_mentioned_and_left_alone() {
    let bench = Bench::new(&suite(&POLICIES[..1]));
    let old = bench.runs().join("tiny/0123456789abcdef");
    fs::create_dir_all(&old).unwrap();
    fs::write(old.join("plan.toml"), "schema = 1\nlabel = \"fixed\"\nseed = 0\n").unwrap();
    fs::write(old.join("result.json"), "{}").unwrap();
    let mentioned = "holds 1 cell of another version of haltbench (plan schema 2 is read); they are left as they are";
    bench.run(&[]).well().says(&[mentioned, "1 of 1 cells done, 0 failed"]);
    bench.outcome("leaderboard", &[]).well().says(&[mentioned]);
    assert_eq!(fs::read_to_string(old.join("result.json")).unwrap(), "{}");
    fs::remove_dir_all(&old).unwrap();
    assert!(!bench.outcome("leaderboard", &[]).well().stderr.contains("another version"));
}
