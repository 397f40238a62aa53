//! Labels name one policy each, can be seen as a whole, and serve as keys of overrides.

use std::fs;

use crate::program::{Workspace, suite};

/// The page of a suite with these policies, or what is said against it.
fn explained(policies: &[&str], arguments: &[&str]) -> (i32, String) {
    let outcome = Workspace::new(&suite(policies)).outcome("explain", arguments);
    assert!(!outcome.stderr.contains('\u{1b}'), "{}", outcome.stderr);
    (outcome.status, if outcome.status == 0 { outcome.stdout } else { outcome.stderr })
}

const CALM: &str = "name = \"calm\"\nof = \"fixed\"";

#[test]
fn a_label_that_two_policies_have_is_refused_even_if_nothing_refers_to_it() {
    for (policies, label, places) in [
        (&["name = \"anira-e\"\ngamma = 0.1", "name = \"anira-e\"\ngamma = 0.2"][..], "anira-e", "1 and 2"),
        (&["name = \"fixed\"", CALM, CALM], "calm:fixed", "2 and 3"),
        (&["name = \"fixed\"\nlabel = \"anira-e\"", "name = \"anira-e\""], "anira-e", "1 and 2"),
        (
            &["name = \"fixed\"\ndepth = [1, 2]", "name = \"random\"\nlabel = \"fixed(depth=2)\""],
            "fixed(depth=2)",
            "1 and 2",
        ),
        // The name of a sweep stands for all of its settings.
        (
            &["name = \"fixed\"", "name = \"calm\"\nof = \"fixed\"\nthreshold = [0.5, 0.7]", CALM],
            "calm:fixed",
            "2 and 3",
        ),
    ] {
        let (status, said) = explained(policies, &["--set", "evaluation.calibration=5"]);
        let expected = format!("found {label} for the policies {places} of the suite; give each a `label`");
        assert!(status == 2 && said.contains(&expected), "{said}");
    }
}

#[test]
fn a_reference_to_several_policies_lists_them() {
    let (status, said) = explained(&["name = \"fixed\"\ndepth = [1, 2]", CALM], &[]);
    let expected =
        "policy calm: of: expected the label of one policy, found fixed, which 2 have: fixed(depth=1), fixed(depth=2)";
    assert!(status == 2 && said.contains(expected), "{said}");
    let swept = "name = \"anira-e\"\nrule = \"threshold\"\nthreshold = [0.3, 0.5]";
    let (status, said) =
        explained(&[swept, "name = \"random-matched\"\nof = \"anira-e\""], &["--set", "evaluation.calibration=5"]);
    let expected = "found anira-e, which is anira-e(threshold=0.3), anira-e(threshold=0.5)";
    assert!(status == 2 && said.contains(expected), "{said}");
}

#[test]
fn an_override_reaches_the_entry_with_the_label() {
    let two = ["name = \"anira-e\"\nlabel = \"v1.2\"", "name = \"anira-e\"\nlabel = \"mild\""];
    let (status, page) = explained(&two, &["--set", "policy.\"v1.2\".gamma=0.7", "--set", "policy.mild.gamma=0.3"]);
    assert_eq!(status, 0, "{page}");
    for (label, gamma) in [("v1.2", "0.7"), ("mild", "0.3")] {
        let line = page.lines().find(|line| line.ends_with(&format!(": {label}"))).unwrap();
        assert!(line.contains(&format!("gamma={gamma},")), "{line}");
    }
    for (assignment, expected) in [
        ("policy.anira-e.gamma=1", "`policy` has 2 entries `anira-e`: expected one of policy.\"v1.2\", policy.mild"),
        ("policy.v1.2.gamma=1", "did you mean `policy.\"v1.2\"`?"),
        ("policy.milt.gamma=1", "did you mean `policy.mild`?"),
    ] {
        let (status, said) = explained(&two, &["--set", assignment]);
        assert!(status == 2 && said.contains(expected), "{said}");
    }
}

#[test]
fn a_label_that_cannot_be_seen_is_refused() {
    for (label, found) in [
        ("\"\"", ""),
        ("\" \"", " "),
        ("\" a\"", " a"),
        ("\"two\\nlines\"", "two\\nlines"),
        ("\"\\u001b[31mred\"", "\\u{1b}[31mred"),
        ("\"\\u200b\"", "\\u{200b}"),
        ("\"a\\u202eb\"", "a\\u{202e}b"),
        ("\"a\\u009b\"", "a\\u{9b}"),
    ] {
        let (status, said) = explained(&[&format!("name = \"anira-e\"\nlabel = {label}")], &[]);
        let expected = format!(
            "policy anira-e: label: expected a text on one line, without spaces around it or characters that are not shown, found \"{found}\"\n"
        );
        assert!(status == 2 && said.ends_with(&expected), "{said}{expected}");
    }
    let (status, said) = explained(&["name = \"anira-e\"\nlabel = 3"], &[]);
    assert!(status == 2 && said.contains("policy anira-e: label: expected a text, found 3"), "{said}");
}

/// A suite file is printed as text, not obeyed.
#[test]
fn a_suite_file_with_escape_codes_is_printed_without_them() {
    let workspace = Workspace::new(&suite(&["name = \"fixed\""]));
    let text = fs::read_to_string(workspace.suite()).unwrap();
    fs::write(workspace.suite(), format!("\u{feff}# caf\u{e9} \u{9b}31m\n{text}")).unwrap();
    let outcome = workspace.outcome("explain", &[]).well();
    assert!(outcome.stdout.contains("# caf\u{e9} \\u{9b}31m\n"), "{}", outcome.stdout);
}
