//! `plugin check` names the broken promise, and the smallest counterexample.

use crate::outside::Outside;

fn check(edits: &[(&str, &str)], kind: &str) -> (i32, String) {
    check_with(edits, kind, &[])
}

fn check_with(edits: &[(&str, &str)], kind: &str, options: &[&str]) -> (i32, String) {
    let outside = Outside::new();
    outside.success(&["plugin", "new", "mine", "--kind", kind]);
    for (part, replacement) in edits {
        outside.edit("mine/src/lib.rs", part, replacement);
    }
    let outcome = outside.run(&[&["plugin", "check", "mine"], options].concat());
    (outcome.status, outcome.stdout)
}

#[test]
fn a_policy_that_reads_the_batch_is_found_with_two_sequences() {
    let mean = "*score < scores.iter().sum::<f64>() / scores.len() as f64 && self.threshold > 0.0";
    let (status, text) = check(&[("*score < self.threshold", mean)], "online");
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("  kept    its results are finite\n"), "{text}");
    assert!(text.contains("  broken  batch composition changes no depth and no logit\n          found: "), "{text}");
    let smallest = text.split_once("; smallest counterexample (").map(|(_, smallest)| smallest).unwrap_or_default();
    assert!(smallest.contains("sequences of the tokens ["), "{text}");
}

#[test]
fn a_policy_that_reads_its_whole_sequence_is_found_in_a_short_one() {
    let future = "scores[view.rows().len() - 1] < *score";
    let (status, text) = check(&[("*score < self.threshold", future)], "online");
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("  broken  "), "{text}");
}

#[test]
fn a_task_whose_checker_accepts_everything_is_found_at_its_smallest_size() {
    let (status, text) =
        check(&[("answer.split_whitespace().eq([expected])", "!answer.is_empty() && expected != \"\"")], "task");
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("  broken  its checker refuses a corrupted answer\n          found: question `"), "{text}");
}

#[test]
fn a_plugin_that_ends_the_process_is_broken() {
    for (end, word) in [("std::process::abort()", "signal: 6"), ("std::process::exit(0)", "exit status: 0")] {
        let edit = format!("        {end};\n        #[allow(unreachable_code)]\n        let previous");
        let (status, text) = check(&[("        let previous", &edit)], "online");
        assert_eq!(status, 1, "{text}");
        assert!(text.contains("broken  it never ends the process") && text.contains(word), "{text}");
    }
}

#[test]
fn a_plugin_that_hangs_is_broken_and_ended() {
    let edit = "        std::thread::sleep(std::time::Duration::from_secs(600));\n        let previous";
    let started = std::time::Instant::now();
    let (status, text) = check_with(&[("        let previous", edit)], "online", &["--promise-timeout", "2"]);
    assert_eq!(status, 1, "{text}");
    assert!(
        text.contains("broken  it never hangs\n          found: no further promise was checked within 2 s"),
        "{text}"
    );
    assert!(started.elapsed().as_secs() < 300);
}
