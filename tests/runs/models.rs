//! Models are separate from cells: each is trained once for all cells that need it.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::program::{POLICIES, Workspace, assert_same, built, json, suite, until};

/// The ids of all models that were started.
fn models(workspace: &Workspace) -> BTreeSet<PathBuf> {
    fs::read_dir(workspace.runs().join("models")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn another_suite_with_other_labels_trains_nothing() {
    let workspace = Workspace::new(&suite(POLICIES));
    workspace.run(&[]).well().says(&["4 of 4 cells done, 0 failed; 3 models trained, 0 there already"]);
    let (trained, files) = (models(&workspace), workspace.files());
    assert_eq!(trained.len(), 3);
    let copy = [
        "name = \"fixed\"\nlabel = \"two\"\ndepth = 2",
        "name = \"anira-e\"\nlabel = \"E\"",
        "name = \"anira-o\"\nlabel = \"O\"",
        "name = \"random-matched\"\nlabel = \"shuffled\"\nof = \"E\"",
    ];
    fs::write(workspace.suite(), suite(&copy).replace("name = \"tiny\"", "name = \"copy\"")).unwrap();
    let outcome = workspace.run(&[]).well();
    outcome.says(&["4 of 4 cells done, 0 failed; 0 models trained, 3 there already"]);
    assert!(!outcome.stderr.contains("started  model"), "{}", outcome.stderr);
    assert_eq!(models(&workspace), trained);
    // A name is not part of a plan, so the cells also equal the other suite's cells, byte by byte.
    let pairs =
        [("fixed 0", "two 0"), ("anira-e 0", "E 0"), ("anira-o 0", "O 0"), ("random-matched:anira-e 0", "shuffled 0")];
    let after = workspace.files();
    for (title, copied) in pairs {
        assert_eq!(workspace.cell(title).file_name(), workspace.cell(copied).file_name(), "{title}");
        for (name, bytes) in files.iter().filter(|(name, _)| name.starts_with(&format!("{title}: "))) {
            assert_eq!(&after[&name.replacen(title, copied, 1)], bytes, "{name}");
        }
    }
}

#[test]
fn policies_that_take_no_part_in_training_share_a_model() {
    let workspace = Workspace::new(&suite(&[
        "name = \"fixed\"\ndepth = 3",
        "name = \"random\"\nrecipe = { loss = \"last\", unroll = \"full\" }",
        "name = \"fixed\"\nlabel = \"early exit\"\ndepth = 2\nof = \"fixed\"",
        "name = \"fixed\"\nlabel = \"two\"\ndepth = 2",
    ]));
    workspace.run(&[]).well().says(&["4 of 4 cells done, 0 failed; 2 models trained, 0 there already"]);
    let model = workspace.model("fixed 0");
    for title in ["random 0", "early exit 0"] {
        assert_eq!(workspace.model(title), model, "{title}");
    }
    assert_ne!(workspace.model("two 0"), model, "trained at its own depth");
    let plan = fs::read_to_string(model.join("plan.toml")).unwrap();
    assert!(!plan.contains("[policy]"), "nothing of a policy is in it: {plan}");
    let results = ["fixed 0", "random 0", "early exit 0"].map(|title| json(&workspace.cell(title).join("result.json")));
    assert!(results.iter().all(|result| result["model"] == results[0]["model"]));
    assert_eq!(results[2]["policy"], "fixed");
}

#[test]
fn what_acts_in_evaluation_alone_trains_no_model_of_its_own() {
    let rules = "name = \"anira-e\"\nrule = [\"mode\", \"median\", \"mean\"]";
    let options = "name = \"anira-o\"\nhalted_keys_values = [\"freeze-state\", \"run-on\"]";
    let workspace = Workspace::new(&suite(&[rules, options]));
    workspace.run(&[]).well().says(&["5 of 5 cells done, 0 failed; 2 models trained, 0 there already"]);
    let titles = ["mode", "median", "mean"].map(|rule| format!("anira-e(rule={rule}) 0"));
    let cells: BTreeSet<PathBuf> = titles.iter().map(|title| workspace.cell(title)).collect();
    let models: BTreeSet<PathBuf> = titles.iter().map(|title| workspace.model(title)).collect();
    assert_eq!((cells.len(), models.len()), (3, 1));
    let [frozen, run_on] = ["freeze-state", "run-on"].map(|option| format!("anira-o(halted_keys_values={option}) 0"));
    assert_eq!(workspace.model(&frozen), workspace.model(&run_on));
    let option = |title: &str| json(&workspace.cell(title).join("result.json"))["halted_keys_values"].clone();
    assert_eq!([option(&frozen), option(&run_on)], ["freeze-state", "run-on"]);
    // The board names the option that training did not meet.
    let board = workspace.outcome("leaderboard", &["--format", "json"]).well().stdout;
    let board: serde_json::Value = serde_json::from_str(&board).unwrap();
    let warnings = board["boards"][0]["warnings"].as_array().unwrap().clone();
    let unmet: Vec<&str> =
        warnings.iter().filter_map(|warning| warning.as_str()).filter(|text| text.contains("did not meet")).collect();
    let expected = "anira-o(halted_keys_values=run-on): trained with freeze-state, evaluated with halted keys and values \
                    run-on, which training did not meet";
    assert_eq!(unmet, [expected]);
}

/// Training that takes long enough for another run to meet it.
const LONG: &[&str] = &["--set", "training.steps=300"];

#[test]
fn two_suites_that_run_at_once_train_each_model_once() {
    let text = suite(&POLICIES[..2]);
    let workspace = Workspace::new(&text);
    let other = workspace.suite().with_file_name("other.toml");
    fs::write(&other, text.replace("name = \"tiny\"", "name = \"other\"")).unwrap();
    let mut first = workspace.start(LONG);
    until("training", || workspace.is_resumable("fixed 0") || workspace.is_resumable("anira-e 0"));
    let mut command = crate::program::command();
    command.arg("run").arg(&other).arg("--runs").arg(workspace.runs()).args(LONG);
    let output = command.output().unwrap();
    let second = String::from_utf8(output.stderr).unwrap();
    until("the end of the first run", || first.ended().is_some());
    let said = workspace.said();
    assert!(first.wait().success() && output.status.success(), "{said}{second}");
    assert_eq!(models(&workspace).len(), 2);
    let alone = Workspace::new(&text);
    alone.run(LONG).well();
    let count = |text: &str| {
        let lines = [said.as_str(), second.as_str()].into_iter().flat_map(str::lines);
        lines.filter(|line| line.starts_with(text)).count()
    };
    assert_eq!(count("trained in "), 2, "{said}{second}");
    assert!(count("another run works on  model ") > 0 && count("trained by another run  ") > 0, "{said}{second}");
    assert_eq!(count("started  model "), 2, "{said}{second}");
    let trained = |title: &str| json(&workspace.model(title).join("timings.json"))["training_steps"].clone();
    for title in ["fixed 0", "anira-e 0"] {
        assert_eq!(trained(title), 300);
        let log = fs::read_to_string(workspace.model(title).join("log.txt")).unwrap();
        assert!(!log.contains("computed again") && !log.contains("started over"), "{log}");
    }
    assert_same(&workspace.files(), &alone.files());
}

#[test]
fn a_model_that_fails_takes_with_it_what_needs_it_and_no_other() {
    let plugin = built().join("deps/libhaltbench_stress.so").to_str().unwrap().to_owned();
    let workspace = Workspace::new(&suite(&[
        "name = \"fixed\"\ndepth = 2",
        "name = \"stress\"\nfault = \"error\"\nat_step = 2",
        "name = \"stress\"\nlabel = \"follower\"\nstart = \"stress\"",
        "name = \"token-role\"\nof = \"stress\"",
        "name = \"stress\"\nlabel = \"well\"",
    ]));
    let outcome = workspace.run(&["--plugin", &plugin]);
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    outcome.says(&["2 of 5 cells done, 3 failed; 2 models trained, 0 there already"]);
    let id = workspace.model("stress 0").file_name().unwrap().display().to_string();
    let failed = format!("mano-stream · anira · stress · seed 0 ({id}) failed: ");
    for (title, role) in [("stress 0", "model"), ("token-role:stress 0", "model"), ("follower 0", "start")] {
        let (state, cause) = workspace.state(title);
        assert_eq!(state, "failed", "{title}");
        assert!(cause.contains(&format!("its {role} {failed}")), "{title}: {cause}");
        assert!(cause.contains("fails on purpose at step 2"), "{title}: {cause}");
    }
    for title in ["fixed 0", "well 0"] {
        assert_eq!(workspace.state(title).0, "done", "{title}");
    }
}
