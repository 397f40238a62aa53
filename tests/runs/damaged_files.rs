//! Changed, cut or lost files are noticed, named and computed again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{POLICIES, Running, Workspace, assert_same, suite, until, work_of};

/// A file of a cell, and the damage to it.
type Damage<'a> = (&'a str, fn(&Path));

/// Damage to a file, and whether the cell then starts over.
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

/// Changes the first decimal after `"value": 0.`.
fn raise_a_digit(path: &Path) {
    let mut text = fs::read(path).unwrap();
    let key = b"\"value\": 0.";
    let found = text.windows(key.len()).position(|window| window == key).unwrap() + key.len();
    text[found] = if text[found] == b'9' { b'8' } else { text[found] + 1 };
    fs::write(path, text).unwrap();
}

#[test]
fn invariant_8_damage_to_a_finished_cell_is_named_and_the_cell_computed_again() {
    let workspace = Workspace::new(&suite(&POLICIES[..2]));
    workspace.run(&[]).well();
    let expected = workspace.files();
    let cases: &[Damage] = &[
        ("tokens.parquet", flip),
        ("tokens.parquet", cut),
        ("tokens.parquet", lose),
        ("vocabulary.json", flip),
        ("plan.toml", flip),
        ("result.json", raise_a_digit),
        ("result.json", cut),
        ("result.json", lose),
    ];
    for (number, (name, damage)) in cases.iter().enumerate() {
        let file = workspace.cell("anira-e 0").join(name);
        damage(&file);
        let outcome = workspace.outcome("leaderboard", &[]);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (4, ""), "{name}: {}", outcome.stderr);
        let start = format!("error: {}: damaged: ", file.display());
        assert!(outcome.stderr.starts_with(&start), "{name}: {}", outcome.stderr);
        assert_eq!(outcome.stderr.lines().count(), 1, "{name}: {}", outcome.stderr);
        let again = workspace.run(&[]).well();
        again.says(&["done already  mano-stream · anira · fixed", "started  mano-stream · anira · anira-e"]);
        again.says(&["done already  model mano-stream · anira · anira-e", "; 0 models trained, 1 there already"]);
        again
            .says(&[&format!("computed again  mano-stream · anira · anira-e · seed 0: {}: damaged: ", file.display())]);
        let log = fs::read_to_string(workspace.cell("anira-e 0").join("log.txt")).unwrap();
        assert!(log.contains(&format!("computed again: {}: damaged: ", file.display())), "{log}");
        let kept = format!("; what was there is kept in {}", aside(&workspace, "anira-e 0", number + 1).display());
        assert!(again.stderr.contains(&kept) && log.contains(&kept), "{name}: {}{log}", again.stderr);
        assert!(aside(&workspace, "anira-e 0", number + 1).join("log.txt").exists(), "{name}");
        assert_same(&workspace.files(), &expected);
        workspace.outcome("leaderboard", &[]).well();
    }
}

/// A model is verified when it is needed: by a cell that is not done, or to overwrite it.
#[test]
fn invariant_8_damage_to_a_model_is_named_once_it_is_needed_and_the_model_trained_again() {
    let workspace = Workspace::new(&suite(&POLICIES[..2]));
    workspace.run(&[]).well();
    let expected = workspace.files();
    let cases: &[Damage] = &[
        ("metrics.jsonl", flip),
        ("metrics.jsonl", lose),
        ("weights.safetensors", flip),
        ("weights.safetensors", cut),
        ("config.json", lose),
        ("plan.toml", flip),
        ("result.json", flip),
        ("result.json", cut),
        ("result.json", lose),
    ];
    for (number, (name, damage)) in cases.iter().enumerate() {
        let (cell, model) = (workspace.cell("anira-e 0"), workspace.model("anira-e 0"));
        let file = model.join(name);
        damage(&file);
        if number == 0 {
            let kept = workspace.run(&[]).well();
            kept.says(&["done already  mano-stream · anira · anira-e", "; 0 models trained, 0 there already"]);
            workspace.outcome("leaderboard", &[]).well();
        }
        fs::remove_dir_all(&cell).unwrap();
        let again = workspace.run(&[]).well();
        let aside = model.with_extension(format!("damaged-{}", number + 1));
        let said =
            format!("computed again  model mano-stream · anira · anira-e · seed 0: {}: damaged: ", file.display());
        let kept = format!("; what was there is kept in {}", aside.display());
        again.says(&[
            &said,
            &kept,
            "started  model mano-stream · anira · anira-e",
            "; 1 model trained, 0 there already",
        ]);
        again.says(&["done already  mano-stream · anira · fixed", "2 of 2 cells done, 0 failed"]);
        let log = fs::read_to_string(model.join("log.txt")).unwrap();
        assert!(
            log.contains(&format!("computed again: {}: damaged: ", file.display())) && log.contains(&kept),
            "{log}"
        );
        assert!(aside.join("log.txt").exists(), "{name}");
        assert_same(&workspace.files(), &expected);
    }
    flip(&workspace.model("anira-e 0").join("weights.safetensors"));
    workspace.run(&["--overwrite", "--only", "anira-e"]).well().says(&["; 1 model trained, 0 there already"]);
    assert_same(&workspace.files(), &expected);
}

/// A cell that reads the depths of a finished cell computes them again, on its model.
#[test]
fn invariant_8_damage_to_the_model_of_a_source_is_repaired_for_who_reads_its_depths() {
    let workspace = Workspace::new(&suite(&[POLICIES[1], "name = \"random-trained\"\nof = \"anira-e\""]));
    workspace.run(&[]).well();
    let expected = workspace.files();
    let title = "random-trained:anira-e 0";
    let damages: [fn(&Path); 2] =
        [|model| flip(&model.join("weights.safetensors")), |model| fs::remove_dir_all(model).unwrap()];
    for damage in damages {
        for folder in [workspace.cell(title), workspace.model(title)] {
            fs::remove_dir_all(folder).unwrap();
        }
        damage(&workspace.model("anira-e 0"));
        let again = workspace.run(&[]).well();
        again.says(&["done already  mano-stream · anira · anira-e", "started  model mano-stream · anira · anira-e"]);
        again.says(&["2 of 2 cells done, 0 failed; 2 models trained, 0 there already"]);
        assert_same(&workspace.files(), &expected);
    }
}

/// The folder where a cell is set aside for the `number`-th time.
fn aside(workspace: &Workspace, title: &str, number: usize) -> PathBuf {
    workspace.cell(title).with_extension(format!("damaged-{number}"))
}

/// The message of a run about a cell that it computes.
const STARTED: &str = "started  mano-stream · anira · ";

#[test]
fn invariant_8_a_result_that_verifies_is_kept_whatever_became_of_its_status() {
    let workspace = Workspace::new(&suite(&POLICIES[..1]));
    workspace.run(&[]).well();
    let expected = workspace.files();
    let board = workspace.outcome("leaderboard", &[]).well().stdout;
    let status = workspace.cell("fixed 0").join("status.json");
    let damages: [(&str, &dyn Fn()); 4] = [
        ("lost", &|| lose(&status)),
        ("cut", &|| cut(&status)),
        ("of another version", &|| fs::write(&status, "{\"state\": \"archived\"}").unwrap()),
        ("of a run that was killed", &|| fs::write(&status, "{\"state\": \"running\"}").unwrap()),
    ];
    for (name, damage) in damages {
        damage();
        assert_eq!(workspace.outcome("leaderboard", &[]).well().stdout, board, "{name}");
        let again = workspace.run(&[]).well();
        again.says(&["done already  mano-stream · anira · fixed"]);
        assert!(!again.stderr.contains(STARTED), "{name}: {}", again.stderr);
        assert_same(&workspace.files(), &expected);
    }
}

#[test]
fn invariant_8_a_folder_of_another_cell_or_version_is_set_aside_whole() {
    let workspace = Workspace::new(&suite(&POLICIES[..2]));
    workspace.run(&[]).well();
    let expected = workspace.files();
    let (cell, other) = (workspace.cell("anira-e 0"), workspace.cell("fixed 0"));
    let foreign = || {
        fs::remove_dir_all(&cell).unwrap();
        copy(&other, &cell);
    };
    let old = || {
        // A result of another version, including its hash.
        let text = fs::read_to_string(cell.join("result.json")).unwrap().replacen("\"schema\": 7", "\"schema\": 3", 1);
        fs::write(cell.join("result.json"), &text).unwrap();
        fs::remove_file(cell.join("status.json")).unwrap();
    };
    let cases: [(&dyn Fn(), &str); 2] =
        [(&foreign, "it is the result of cell "), (&old, "its schema is 3, this program reads 7")];
    for (number, (damage, reason)) in cases.into_iter().enumerate() {
        damage();
        let before = fs::read(cell.join("result.json")).unwrap();
        let outcome = workspace.outcome("leaderboard", &[]);
        let start = format!("error: {}: damaged: {reason}", cell.join("result.json").display());
        assert!(outcome.status == 4 && outcome.stderr.starts_with(&start), "{}", outcome.stderr);
        workspace.run(&[]).well().says(&[reason, "done already  mano-stream · anira · fixed"]);
        let aside = cell.with_extension(format!("damaged-{}", number + 1));
        assert_eq!(fs::read(aside.join("result.json")).unwrap(), before);
        assert_same(&workspace.files(), &expected);
        workspace.outcome("leaderboard", &[]).well();
    }
}

#[test]
fn invariant_8_what_cannot_be_read_fails_its_cell_and_is_not_touched() {
    let workspace = Workspace::new(&suite(&POLICIES[..2]));
    workspace.run(&[]).well();
    let expected = workspace.files();
    // Nobody can read a folder in the place of a file.
    for (name, action, status) in
        [("tokens.parquet", "read", 2), ("result.json", "read", 2), ("status.json", "written", 1)]
    {
        let file = workspace.cell("fixed 0").join(name);
        let hidden = workspace.suite().with_file_name("hidden");
        fs::rename(&file, &hidden).unwrap();
        fs::create_dir(&file).unwrap();
        let outcome = workspace.run(&[]);
        assert_eq!(outcome.status, status, "{}", outcome.stderr);
        let failed = format!("failed  mano-stream · anira · fixed · seed 0: {}: cannot be {action}", file.display());
        outcome.says(&[&failed, "; its files were left unchanged", "done already  mano-stream · anira · anira-e"]);
        assert!(!outcome.stderr.contains(STARTED), "{}", outcome.stderr);
        fs::remove_dir(&file).unwrap();
        fs::rename(&hidden, &file).unwrap();
        assert_same(&workspace.files(), &expected);
        workspace.run(&[]).well().says(&["done already  mano-stream · anira · fixed"]);
    }
}

#[test]
fn invariant_8_a_cell_that_is_being_computed_is_not_overwritten() {
    let workspace = Workspace::new(&suite(&POLICIES[1..2]));
    let mut first = workspace.start(LONG);
    until("a checkpoint", || workspace.is_resumable("anira-e 0"));
    let mut second = workspace.start(&[LONG, &["--overwrite"]].concat());
    until("both ends", || first.ended().is_some() && second.ended().is_some());
    assert!(first.wait().success() && second.wait().success(), "{}", workspace.said());
    assert!(workspace.said().contains("1 of 1 cells done, 0 failed"), "{}", workspace.said());
    let whole = Workspace::new(&suite(&POLICIES[1..2]));
    whole.run(LONG).well();
    assert_same(&workspace.files(), &whole.files());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// Training that takes long enough to be stopped in the middle.
const LONG: &[&str] = &["--set", "training.steps=200"];

/// A suite whose only cell was stopped in training, and its results when it is not stopped.
fn stopped() -> (Workspace, BTreeMap<String, Vec<u8>>) {
    let whole = Workspace::new(&suite(&POLICIES[1..2]));
    whole.run(LONG).well();
    (stopped_at_seed(0), whole.files())
}

fn stopped_at_seed(seed: u64) -> Workspace {
    let workspace = Workspace::new(&suite(&POLICIES[1..2]).replacen("seeds = [0]", &format!("seeds = [{seed}]"), 1));
    let mut run: Running = workspace.start(LONG);
    let title = format!("anira-e {seed}");
    let metrics = || {
        let work = workspace.models().get(&title).into_iter().flat_map(|model| work_of(model)).next()?;
        fs::read(work.join("metrics.jsonl")).ok()
    };
    until("a third line of metrics", || {
        metrics().is_some_and(|bytes| bytes.iter().filter(|byte| **byte == b'\n').count() >= 3)
    });
    run.signal("INT");
    until("the end of the run", || run.ended().is_some());
    assert_eq!(run.wait().code(), Some(130), "{}", workspace.said());
    workspace
}

/// Makes the only cell and its model look unfinished. Returns an empty folder in which the model is trained on.
fn forget(workspace: &Workspace) -> PathBuf {
    let model = workspace.model("anira-e 0");
    work_of(&model).into_iter().for_each(|work| fs::remove_dir_all(work).unwrap());
    for name in ["log.txt", "status.json", "result.json"] {
        let _ = fs::remove_file(model.join(name));
    }
    let _ = fs::remove_dir_all(workspace.runs().join("tiny"));
    let work = model.join("work-of-another-run");
    fs::create_dir(&work).unwrap();
    work
}

#[test]
fn invariant_8_a_damaged_checkpoint_costs_its_steps_and_nothing_else() {
    let (workspace, expected) = stopped();
    let (model, work) = (workspace.model("anira-e 0"), workspace.work("anira-e 0"));
    let saved = fs::read(work.join("training.safetensors")).unwrap();
    let metrics = fs::read(work.join("metrics.jsonl")).unwrap();
    for (damage, reason) in
        [(cut as fn(&Path), "training.safetensors: damaged"), (flip, "training.safetensors: damaged")]
    {
        let work = forget(&workspace);
        let file = work.join("training.safetensors");
        fs::write(&file, &saved).unwrap();
        fs::write(work.join("metrics.jsonl"), &metrics).unwrap();
        damage(&file);
        workspace.run(LONG).well();
        let log = fs::read_to_string(model.join("log.txt")).unwrap();
        assert!(log.contains("started over: ") && log.contains(reason), "{log}");
        assert_same(&workspace.files(), &expected);
    }
}

#[test]
fn invariant_8_a_checkpoint_of_another_model_is_not_resumed() {
    let (workspace, expected) = stopped();
    let model = workspace.model("anira-e 0");
    let other = stopped_at_seed(1);
    let name = "training.safetensors";
    fs::copy(other.work("anira-e 1").join(name), workspace.work("anira-e 0").join(name)).unwrap();
    workspace.run(LONG).well();
    let log = fs::read_to_string(model.join("log.txt")).unwrap();
    assert!(log.contains("started over: ") && log.contains("training.safetensors: damaged: it is of model "), "{log}");
    assert_same(&workspace.files(), &expected);
}

#[test]
fn invariant_8_torn_or_lost_metrics_end_as_if_nothing_had_happened() {
    let (workspace, expected) = stopped();
    let (model, work) = (workspace.model("anira-e 0"), workspace.work("anira-e 0"));
    let names = ["metrics.jsonl", "training.safetensors"];
    let saved = names.map(|name| fs::read(work.join(name)).unwrap());
    let torn = |path: &Path| fs::write(path, &saved[0][..saved[0].len() - 9]).unwrap();
    let ahead = |path: &Path| fs::write(path, [&saved[0][..], b"{\"step\": 1"].concat()).unwrap();
    let cases: [Mishap; 3] = [(&torn, true), (&|path: &Path| lose(path), true), (&ahead, false)];
    for (damage, over) in cases {
        let work = forget(&workspace);
        for (name, bytes) in names.iter().zip(&saved) {
            fs::write(work.join(name), bytes).unwrap();
        }
        damage(&work.join("metrics.jsonl"));
        workspace.run(LONG).well();
        let log = fs::read_to_string(model.join("log.txt")).unwrap();
        assert_eq!(log.contains("started over: ") && log.contains("metrics.jsonl"), over, "{log}");
        assert_same(&workspace.files(), &expected);
    }
}

#[test]
fn leftovers_of_a_killed_write_do_not_stay() {
    let workspace = Workspace::new(&suite(&POLICIES[..1]));
    workspace.run(&[]).well();
    let expected = workspace.files();
    let (cell, model) = (workspace.cell("fixed 0"), workspace.model("fixed 0"));
    for folder in [&cell, &model] {
        for name in ["status.json", "result.json"] {
            fs::remove_file(folder.join(name)).unwrap();
        }
    }
    for (folder, names) in
        [(cell, ["result.json", "tokens.parquet"]), (model, ["weights.safetensors", "training.safetensors"])]
    {
        for name in names {
            fs::write(folder.join(format!("{name}.new")), "torn").unwrap();
        }
    }
    workspace.run(&[]).well();
    assert_same(&workspace.files(), &expected);
}

#[test]
fn cells_of_another_version_are_mentioned_and_left_alone() {
    let workspace = Workspace::new(&suite(&POLICIES[..1]));
    let old = workspace.runs().join("tiny/0123456789abcdef");
    fs::create_dir_all(&old).unwrap();
    fs::write(old.join("plan.toml"), "schema = 1\nlabel = \"fixed\"\nseed = 0\n").unwrap();
    fs::write(old.join("result.json"), "{}").unwrap();
    let mentioned = "holds 1 cell of another version of haltbench (plan schema 3 is read); they are left as they are";
    workspace.run(&[]).well().says(&[mentioned, "1 of 1 cells done, 0 failed"]);
    workspace.outcome("leaderboard", &[]).well().says(&[mentioned]);
    assert_eq!(fs::read_to_string(old.join("result.json")).unwrap(), "{}");
    fs::remove_dir_all(&old).unwrap();
    assert!(!workspace.outcome("leaderboard", &[]).well().stderr.contains("another version"));
}
