//! `--only`: whole words and numbers, or exact fields.

use crate::program::{Workspace, suite};

const TITLE: &str = "done in";

/// The cells that a run of these patterns computes.
fn computed(workspace: &Workspace, patterns: &[&str]) -> Vec<String> {
    let arguments: Vec<&str> =
        patterns.iter().flat_map(|pattern| ["--only", *pattern]).chain(["--overwrite"]).collect();
    let outcome = workspace.run(&arguments).well();
    let lines = outcome.stderr.lines().filter(|line| line.starts_with('[') && line.contains(TITLE));
    let mut cells: Vec<String> = lines
        .filter_map(|line| line.split_once("  "))
        .map(|(_, title)| title.replace("mano-stream · anira · ", ""))
        .collect();
    cells.sort();
    cells
}

#[test]
fn a_pattern_never_matches_the_start_of_a_number() {
    let text = suite(&["name = \"fixed\"", "name = \"fixed-answers\"\ndepth = 2"]);
    let workspace = Workspace::new(&text.replace("seeds = [0]", "seeds = [1, 10, 11]"));
    for (patterns, expected) in [
        (&["seed 1"][..], &["fixed · seed 1", "fixed-answers · seed 1"][..]),
        (&["seed=1"], &["fixed · seed 1", "fixed-answers · seed 1"]),
        (&["policy=fixed", "seed=11"], &["fixed · seed 11"]),
        (&["policy=fixed-answers", "seed 10"], &["fixed-answers · seed 10"]),
        (&["answers", "task=mano-stream", "backbone=anira", "seed=10"], &["fixed-answers · seed 10"]),
    ] {
        assert_eq!(computed(&workspace, patterns), expected, "{patterns:?}");
    }
    for pattern in ["seed=0", "seed 0", "policy=fix", "task=mano", "ixed", "seed 111"] {
        for verb in ["run", "leaderboard"] {
            let outcome = workspace.outcome(verb, &["--only", pattern]);
            assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""), "{}", outcome.stderr);
            outcome.says(&[
                &format!("error: --only {pattern}: matches none of the cells\n"),
                "  mano-stream · anira · fixed · seed 10\n",
            ]);
        }
    }
    // The leaderboard of some cells is that of a suite with these cells.
    let whole = Workspace::new(&text.replace("seeds = [0]", "seeds = [10]"));
    whole.run(&[]).well();
    workspace.run(&["--only", "seed=10"]).well();
    let board = |workspace: &Workspace, arguments: &[&str]| {
        let board = workspace.outcome("leaderboard", &[arguments, &["--format", "csv"]].concat()).well().stdout;
        // Times differ.
        board.lines().filter(|line| !line.contains("speed")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(board(&workspace, &["--only", "seed=10"]), board(&whole, &[]));
}
