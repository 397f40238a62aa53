//! Analyses of finished runs: the questions of "Understanding Dynamic Compute Allocation in Recurrent Transformers"
//! (arXiv 2602.08864), each with intervals and controls.
//!
//! Every [`Kind`] is a module with one function from the evidence about a board to [`Findings`]: sentences, tables and
//! charts. Nothing is random, and the same run folder gives the same bytes.

mod alignment;
mod explained;
mod frontier;
mod generalization;
mod kind;
mod needed_depth;
mod questions;
mod sheet;
mod timing;

use haltbench_engine::plan::Suite;
use haltbench_engine::store::RunFolder;
use haltbench_engine::{Error, Result};

pub use self::kind::Kind;
pub use self::sheet::{ANALYSIS_SCHEMA, Analysis, Chart, Column, Findings, Line, Panel, Point, Sheet, Unit, Value};
use crate::evidence::{Evidence, Group, groups, names};
use crate::settings::{Choice, choices};
use crate::target::Target;

/// What an analysis covers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AnalysisOptions {
    /// The complexities, or all if none is named.
    pub complexities: Vec<String>,
    /// The target for choosing settings of knobs.
    pub target: Target,
    /// Whether settings that were not chosen are covered too.
    pub curve: bool,
}

/// What a kind of analysis works on.
pub(crate) struct Subject<'a> {
    /// The board's cells.
    pub group: &'a Group<'a>,
    /// The policies that are shown: of each knob, the chosen setting.
    pub rows: Vec<&'a Evidence<'a>>,
    /// The complexities.
    pub complexities: Vec<String>,
    /// The complexity that reports show first, if there is a result.
    pub headline: Option<String>,
    /// Called with the label of each policy before its turn.
    pub progress: &'a dyn Fn(&str),
}

/// The analysis of a suite from the finished cells in its run folder. `progress` is called with a policy's label before
/// its turn.
///
/// # Errors
/// [`Error::Usage`] if a complexity is unknown; [`Damaged`](Error::Damaged) or [`File`](Error::File), naming the file, if
/// a finished cell cannot be read or does not verify.
pub fn analyze(
    suite: &Suite,
    run: &RunFolder,
    kind: Kind,
    options: &AnalysisOptions,
    progress: &dyn Fn(&str),
) -> Result<Analysis> {
    let groups = groups(suite, run)?;
    check_complexities(&groups, &options.complexities)?;
    let has_findings = |row: &&Evidence| !row.tables.is_empty() && !row.is_forced_depth();
    let of_board = |(name, group): (String, &Group)| {
        let known = complexities(group);
        let wanted = |name: &String| options.complexities.is_empty() || options.complexities.contains(name);
        let choices = choices(&group.rows, options.target);
        let is_shown = |(row, choice): (_, &Choice)| (options.curve || choice.is_shown()).then_some(row);
        let subject = Subject {
            group,
            rows: group.rows.iter().zip(&choices).filter_map(is_shown).filter(has_findings).collect(),
            complexities: known.into_iter().filter(wanted).collect(),
            headline: group.headline().map(str::to_owned),
            progress,
        };
        let mut findings = kind.of(&subject);
        findings.board = name;
        findings.missing = group.missing.len();
        findings
    };
    let boards = names(&groups).into_iter().zip(&groups).map(of_board).collect();
    Ok(Analysis { schema: ANALYSIS_SCHEMA, suite: suite.name.clone(), analysis: kind.name().to_owned(), boards })
}

/// The complexities of a board's finished cells, by name.
fn complexities(group: &Group) -> Vec<String> {
    let table = group.rows.iter().find_map(|row| row.tables.first());
    table.map(|table| table.columns().complexities.keys().cloned().collect()).unwrap_or_default()
}

fn check_complexities(groups: &[Group], wanted: &[String]) -> Result<()> {
    let mut known: Vec<String> = groups.iter().flat_map(complexities).collect();
    known.sort_unstable();
    known.dedup();
    match wanted.iter().find(|name| !known.contains(name)) {
        // Without a finished cell nothing is known.
        Some(name) if !known.is_empty() => {
            let known = known.iter().map(String::as_str);
            Err(Error::from(haltbench_sdk::Error::unknown("--complexity", name, known)))
        }
        _ => Ok(()),
    }
}
