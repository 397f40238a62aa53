//! Gains of the policies of a board over fixed depths and over surface cues.

use haltbench_analysis::{CostAccuracy, Crossed, Gain, Reason, Split, adapt_gain};
use haltbench_engine::store::GuessResult;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::policy::Role;

use crate::board::find;
use crate::cost::cost_accuracy;
use crate::evidence::Evidence;

/// The fixed depths that a policy is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Against {
    /// Fixed depths of all tokens.
    FixedDepths,
    /// Fixed depths of answers, with one step for prompts; includes the fixed depth 1.
    FixedAnswerDepths,
}

impl Against {
    fn holds(self, row: &Evidence) -> bool {
        match self {
            Against::FixedDepths => row.is_fixed_depth(),
            Against::FixedAnswerDepths => {
                row.has_role(Role::FixedAnswerDepth) || row.is_fixed_depth() && depth(row) == Some(1)
            }
        }
    }
}

/// The number of steps of a fixed depth policy.
pub(crate) fn depth(row: &Evidence) -> Option<i64> {
    match row.plan.policy.parameters.values().get("depth") {
        Some(Value::Integer(depth)) => Some(*depth),
        _ => None,
    }
}

/// The rows of a board, and what all gains need.
pub(crate) struct Gains<'a> {
    /// The rows.
    pub board: &'a [Evidence<'a>],
    /// Accuracy of the best guess at trained sizes.
    pub guess: Option<f64>,
}

impl<'a> Gains<'a> {
    /// Gains of a board with these guesses.
    pub fn of(board: &'a [Evidence<'a>], guesses: &[GuessResult]) -> Self {
        let accuracy = |guess: &GuessResult| {
            find(&guess.metrics, "token_accuracy", Some(Split::InRange.name())).and_then(|metric| metric.value)
        };
        Gains { board, guess: guesses.iter().filter_map(accuracy).max_by(f64::total_cmp) }
    }

    /// Gain of a policy at its own seeds, so that every comparison is paired.
    ///
    /// [`Reason::NotApplicable`] for a fixed depth of the frontier itself, [`Reason::NoFrontier`] without fixed depths,
    /// [`Reason::MissingCells`] if a fixed depth lacks a seed of the policy or was evaluated on other sequences.
    pub fn gain(&self, row: &Evidence, against: Against) -> Result<Gain, Reason> {
        if against.holds(row) {
            return Err(Reason::NotApplicable);
        }
        self.gain_at(row, &row.seeds, against)
    }

    fn gain_at(&self, row: &Evidence, seeds: &[u64], against: Against) -> Result<Gain, Reason> {
        if seeds.is_empty() {
            return Err(Reason::Empty);
        }
        let own = point(row, seeds)?;
        let fixed = self.board.iter().filter(|other| against.holds(other));
        adapt_gain(&own, &fixed.map(|other| point(other, seeds)).collect::<Result<Vec<_>, _>>()?, self.guess)
    }

    /// Accuracy of a control minus the accuracy of the policy whose depths it reads, at trained sizes.
    pub fn against_source(&self, row: &Evidence) -> Result<Crossed, String> {
        let reads = row.plan.source.is_some();
        let source = row.of.filter(|_| reads).ok_or("it reads no other policy's depths")?;
        let policy = self.board.iter().find(|other| other.named == source);
        let policy = policy.ok_or_else(|| format!("the board has no {source}"))?;
        let accuracy = |of: &Evidence| point(of, &row.seeds).map(|point| point.accuracy);
        let difference = accuracy(row).and_then(|own| own.minus(&accuracy(policy)?));
        difference.map_err(|reason| match reason {
            Reason::MissingCells => format!("some cells of {source} are missing"),
            reason => reason.to_string(),
        })
    }

    /// Gain of a policy over fixed depths minus the gain of its best surface cue; also returns this cue. The interval
    /// is paired and ignores that the data chose the best cue.
    pub fn beyond_cues(&self, row: &Evidence) -> Result<(Crossed, String), String> {
        let borrows = |other: &&Evidence| other.plan.source.is_some() && other.of == Some(row.named);
        let cues: Vec<&Evidence> =
            self.board.iter().filter(borrows).filter(|other| other.has_role(Role::Cue)).collect();
        if cues.is_empty() {
            return Err("the board has no surface cue of it".to_owned());
        }
        let exact = |gain: Result<Gain, Reason>, what: &str| match gain {
            Ok(Gain::Exact(table)) => Ok(table),
            Ok(Gain::Bounds { .. }) => Err(format!("{what} costs less than the cheapest fixed depth")),
            Err(Reason::MissingCells) => Err(format!("some cells of the fixed depths or of {what} are missing")),
            Err(reason) => Err(reason.to_string()),
        };
        let own = exact(self.gain(row, Against::FixedDepths), "it")?;
        let mut least: Option<(Crossed, String)> = None;
        for cue in cues {
            let of_cue = exact(self.gain_at(cue, &row.seeds, Against::FixedDepths), &cue.label)?;
            let difference = own.minus(&of_cue).map_err(|reason| reason.to_string())?;
            if least.as_ref().is_none_or(|(known, _)| difference.mean() < known.mean()) {
                least = Some((difference, cue.label.clone()));
            }
        }
        least.ok_or_else(|| "the board has no surface cue of it".to_owned())
    }
}

/// Cost and accuracy of these seeds at trained sizes.
fn point(row: &Evidence, seeds: &[u64]) -> Result<CostAccuracy, Reason> {
    if seeds == row.seeds {
        return row.in_range.clone();
    }
    cost_accuracy(&row.tables_of(seeds).ok_or(Reason::MissingCells)?)
}
