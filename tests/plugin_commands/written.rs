//! What `plugin new` writes works as it stands.

use serde_json::Value;

use crate::outside::Outside;

const KINDS: [&str; 6] = ["early", "online", "soft", "select", "task", "backbone"];

/// A suite file of `plugin new`, made smaller still.
fn shrink(outside: &Outside, suite: &str) {
    outside.edit(suite, "seeds = [0, 1]", "seeds = [0]");
    outside.edit(suite, "steps = 300", "steps = 20");
    outside.edit(suite, "instances = 100", "instances = 20");
    outside.edit(suite, "depth = [1, 2, 3]", "depth = [1, 3]");
}

#[test]
fn every_kind_is_written_built_checked_tested_listed_and_run() {
    let outside = Outside::new();
    for kind in KINDS {
        let name = format!("my-{kind}");
        let written = outside.success(&["plugin", "new", &name, "--kind", kind]).stdout;
        for file in ["Cargo.toml", "src/lib.rs", "README.md", "suite.toml"] {
            assert!(written.contains(&format!("{name}/{file}\n")), "{written}");
        }
        let library = outside.success(&["plugin", "build", &name]).stdout;
        assert!(library.starts_with(outside.path("built").to_str().unwrap()), "{library}");
        let again = outside.success(&["plugin", "build", &name]);
        assert_eq!((again.stdout, again.stderr), (library.clone(), String::new()), "built a second time");

        let checked = outside.success(&["plugin", "check", &name]).stdout;
        assert!(checked.matches("  kept    ").count() > 15 && !checked.contains("broken"), "{checked}");
        let tested = outside.success(&["plugin", "test", &name]).stdout;
        assert!(tested.contains("tests::conforms ... ok"), "{tested}");

        let listed = outside.success(&["plugin", "list", "--json", "--plugin", &name]).stdout;
        let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
        let family = if ["task", "backbone"].contains(&kind) { kind } else { "policy" };
        let own: Vec<&Value> =
            listed.iter().filter(|plugin| plugin["names"][0] == format!("{family} {name}")).collect();
        assert_eq!(own.len(), 1, "{listed:?}");
        assert_eq!(own[0]["crate"], format!("haltbench_{family}_my_{kind}"));
        assert_eq!(own[0]["version"], "0.1.0");
        assert_eq!(own[0]["file"].as_str().unwrap(), library.trim_end());
        assert_eq!(own[0]["code"].as_str().unwrap().len(), 16);
        // Nothing finds it that does not name it.
        assert!(!outside.success(&["list"]).stdout.contains(&name));

        let suite = format!("{name}/suite.toml");
        shrink(&outside, &suite);
        let board = outside.success(&["run", &suite]).stdout;
        let ranked = if family == "policy" { name.as_str() } else { "anira-o" };
        let row = board.lines().find(|line| line.contains(ranked) && line.contains("1/1"));
        let rank = row.and_then(|row| row.split_whitespace().next()).unwrap_or_default();
        assert!(rank.starts_with(|digit: char| digit.is_ascii_digit()), "{name} is not ranked: {board}");
    }
}

#[test]
fn an_edit_is_built_by_the_next_command_that_needs_it_and_its_cells_are_computed_again() {
    let outside = Outside::new();
    outside.success(&["plugin", "new", "my-online", "--kind", "online", "--dir", "crate"]);
    shrink(&outside, "crate/suite.toml");
    let first = outside.success(&["run", "crate/suite.toml"]);
    assert!(first.stderr.contains("note: built haltbench_policy_my_online from "), "{}", first.stderr);
    assert!(first.stderr.contains("3 of 3 cells done, 0 failed; 2 models trained"), "{}", first.stderr);
    let second = outside.success(&["run", "crate/suite.toml"]);
    assert!(!second.stderr.contains("built"), "{}", second.stderr);
    assert_eq!(second.stdout, first.stdout);

    outside.edit("crate/src/lib.rs", "*score < self.threshold", "*score < self.threshold + 100.0");
    let board = outside.success(&["leaderboard", "crate/suite.toml"]).stderr;
    assert!(board.contains("note: built haltbench_policy_my_online"), "{board}");
    assert!(board.contains("made by other code"), "{board}");
    let third = outside.success(&["run", "crate/suite.toml"]);
    let kept = third.stderr.lines().filter(|line| line.starts_with('[') && line.contains("done already")).count();
    assert_eq!(kept, 2, "{}", third.stderr);
    assert_ne!(third.stdout, first.stdout, "the edited policy halts every token at once");
    let explained = outside.success(&["explain", "crate/suite.toml"]).stdout;
    assert!(explained.contains("| 3, 0 to do |"), "{explained}");
}

#[test]
fn a_single_file_and_a_table_of_a_suite_file_name_plugins_too() {
    let outside = Outside::new();
    outside.success(&["plugin", "new", "one", "--kind", "online"]);
    outside.success(&["plugin", "new", "two", "--kind", "early"]);
    let moved = outside.read("one/src/lib.rs");
    outside.write("elsewhere/one.rs", &moved);
    outside.success(&["list", "--plugin", "elsewhere/one.rs"]);
    outside.success(&["explain", "one", "--plugin", "elsewhere/one.rs"]);
    outside.success(&["plugin", "check", "elsewhere/one.rs"]);
    outside.success(&["plugin", "check", "one", "--plugin", "elsewhere/one.rs"]);

    // Paths are relative to the suite file, which is not in this folder.
    let suite = outside.read("one/suite.toml").replace("paths = [\".\"]", "paths = [\"one.rs\", \"../two\"]");
    outside.write("elsewhere/suite.toml", &format!("{suite}\n[[policy]]\nname = \"two\"\n"));
    shrink(&outside, "elsewhere/suite.toml");
    let board = outside.success(&["run", "elsewhere/suite.toml"]).stdout;
    assert!(board.contains(" one ") && board.contains(" two "), "{board}");
    assert_eq!(outside.success(&["leaderboard", "elsewhere/suite.toml"]).stdout, board);
    // A library that was built is a plugin as well.
    let library = outside.success(&["plugin", "build", "two"]).stdout;
    let listed = outside.success(&["list", "--plugin", library.trim_end()]).stdout;
    assert!(listed.contains("  two "), "{listed}");
}

#[test]
fn names_are_refused_that_do_not_fit_and_nothing_is_overwritten() {
    let outside = Outside::new();
    outside.refused(
        2,
        &["plugin", "new", "My_Policy", "--kind", "online"],
        &["`My_Policy`", "did you mean `my-policy`?"],
    );
    outside.refused(2, &["plugin", "new", "../up", "--kind", "online"], &["`../up`"]);
    outside.refused(2, &["plugin", "new", "fixed", "--kind", "early"], &["policy of haltbench_policy_controls"]);
    outside.refused(2, &["plugin", "new", "a", "--kind", "onlin"], &["similar value exists: 'online'"]);
    outside.refused(2, &["plugin", "new", "a", "--kind", "early", "--dir", "no/a"], &["there is no folder no"]);
    outside.write("taken/notes.txt", "mine");
    outside.refused(2, &["plugin", "new", "taken", "--kind", "early"], &["taken: expected a new folder"]);
    assert_eq!(outside.read("taken/notes.txt"), "mine");
    assert_eq!(std::fs::read_dir(outside.path("taken")).unwrap().count(), 1);
}
