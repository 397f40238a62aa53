//! Controls in a run: their depths are functions of their inputs, and close to the depths of the policy that they
//! imitate.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use haltbench_analysis::{TokenColumns, TokenTable};
use haltbench_engine::store::read_tokens;

use crate::program::{Workspace, suite};

const CONTROLS: &[&str] = &[
    "name = \"anira-e\"",
    "name = \"fixed-answers\"\ndepth = 3",
    "name = \"token-role\"\nof = \"anira-e\"",
    "name = \"local-context\"\ntokens = 2\nof = \"anira-e\"",
    "name = \"position\"\nof = \"anira-e\"",
    "name = \"random-trained\"\nof = \"anira-e\"",
];

/// The inputs of a control for a row.
type Cue = fn(&TokenColumns, usize) -> Vec<u32>;

fn token(columns: &TokenColumns, row: usize) -> Vec<u32> {
    vec![columns.input_token[row], u32::from(columns.is_answer[row])]
}

fn two_tokens(columns: &TokenColumns, row: usize) -> Vec<u32> {
    let before = row.checked_sub(1).filter(|before| columns.instance[*before] == columns.instance[row]);
    [token(columns, row), before.map(|before| columns.input_token[before]).into_iter().collect()].concat()
}

fn place(columns: &TokenColumns, row: usize) -> Vec<u32> {
    vec![columns.size[row], columns.position[row], u32::from(columns.is_answer[row])]
}

fn mean(values: impl Iterator<Item = u32>) -> f64 {
    let values: Vec<u32> = values.collect();
    f64::from(values.iter().sum::<u32>()) / values.len() as f64
}

#[test]
fn depths_of_controls_are_functions_of_their_cues() {
    // A policy whose depths vary, because it is hardly trained and pays nothing for depth.
    let workspace = Workspace::new(&suite(CONTROLS));
    workspace.run(&["--set", "policy.anira-e.gamma=0", "--set", "evaluation.instances=120"]).well();
    let table = |cell: &Path| read_tokens(&cell.join("tokens.parquet")).unwrap();
    let of = |title: &str| -> TokenTable { table(&workspace.cell(title)) };
    let source = of("anira-e 0");
    let source = source.columns();
    let varied: BTreeSet<u32> = source.depth.iter().copied().collect();
    assert!(varied.len() > 1, "the source gives all tokens {varied:?} steps");
    let cues: [(&str, Cue); 3] =
        [("token-role:anira-e 0", token), ("local-context:anira-e 0", two_tokens), ("position:anira-e 0", place)];
    for (title, cue) in cues {
        let table = of(title);
        let columns = table.columns();
        assert_eq!(columns.instance, source.instance, "{title}: the same tokens in the same order");
        let mut seen: BTreeMap<Vec<u32>, Vec<usize>> = BTreeMap::new();
        for row in 0..table.len() {
            seen.entry(cue(columns, row)).or_default().push(row);
        }
        for (cue, rows) in &seen {
            let depths: BTreeSet<u32> = rows.iter().map(|row| columns.depth[*row]).collect();
            assert_eq!(depths.len(), 1, "{title}: {cue:?} has the depths {depths:?}");
            // Rounding takes at most half a step; the rest is because means come from training instances.
            let own = mean(rows.iter().map(|row| source.depth[*row]));
            let imitated = mean(rows.iter().map(|row| columns.depth[*row]));
            let is_in_range = rows.iter().all(|row| columns.size[*row] <= 2);
            assert!(
                !is_in_range || rows.len() < 40 || (own - imitated).abs() < 0.8,
                "{title}: {cue:?} {own} {imitated}"
            );
        }
    }
    let fixed = of("fixed-answers 0");
    let fixed = fixed.columns();
    assert!((0..fixed.depth.len()).all(|row| fixed.depth[row] == if fixed.is_answer[row] { 3 } else { 1 }));
    let random = of("random-trained:anira-e 0");
    let random = random.columns();
    for is_answer in [false, true] {
        let rows = |columns: &TokenColumns| {
            let kept =
                (0..columns.depth.len()).filter(|row| columns.is_answer[*row] == is_answer && columns.size[*row] <= 2);
            mean(kept.map(|row| columns.depth[row]))
        };
        assert!((rows(random) - rows(source)).abs() < 0.25, "{is_answer}: {} {}", rows(random), rows(source));
    }
}
