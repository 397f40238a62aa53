//! Two policies of a suite, compared in every measure: paired differences, and what so many seeds could have shown.

use haltbench_analysis::power::PairedDesign;
use haltbench_analysis::significance::{holm, p_value};
use haltbench_analysis::{Crossed, Estimate, Reason};
use haltbench_engine::plan::Suite;
use haltbench_engine::store::RunFolder;
use haltbench_engine::{Error, Result};

use crate::analyses::{ANALYSIS_SCHEMA, Analysis, Column, Findings, Sheet, Unit, Value};
use crate::criterion::Criterion;
use crate::evidence::{Evidence, Group, groups, names};
use crate::gain::Gains;
use crate::settings::choices;
use crate::target::Target;

/// Probability with which a difference should be found.
const POWER: f64 = 0.8;

/// Measures with one unit, and the unit of their values and of their differences.
struct Kind {
    name: &'static str,
    title: &'static str,
    unit: Unit,
    difference: Unit,
    criteria: &'static [Criterion],
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "accuracy",
        title: "Accuracy",
        unit: Unit::Share,
        difference: Unit::ShareDifference,
        criteria: &[
            Criterion::Accuracy,
            Criterion::ExactMatch,
            Criterion::Embedded,
            Criterion::Between,
            Criterion::Beyond,
        ],
    },
    Kind {
        name: "gain",
        title: "Accuracy above fixed depths at the same cost",
        unit: Unit::ShareDifference,
        difference: Unit::ShareDifference,
        criteria: &[Criterion::AdaptGain, Criterion::AdaptGainAnswers],
    },
    Kind {
        name: "depth",
        title: "Steps",
        unit: Unit::Steps,
        difference: Unit::StepsDifference,
        criteria: &[Criterion::AnswerDepth, Criterion::Depth],
    },
    Kind {
        name: "cost",
        title: "Executed operations per token",
        unit: Unit::Operations,
        difference: Unit::Operations,
        criteria: &[Criterion::Flops],
    },
    Kind {
        name: "alignment",
        title: "Correlation of depth with complexity within sizes",
        unit: Unit::Correlation,
        difference: Unit::Correlation,
        criteria: &[Criterion::Alignment],
    },
];

/// The comparison of the policies labelled `first` and `second` on every board of a suite that has both. A policy whose
/// knobs have several settings is named by one of them, or without its knobs for the setting that the leaderboard shows.
///
/// # Errors
/// [`Error::Usage`] if no board has both; [`Damaged`](Error::Damaged) or [`File`](Error::File), naming the file, if a
/// finished cell cannot be read or does not verify.
pub fn compare(suite: &Suite, run: &RunFolder, [first, second]: [&str; 2], target: Target) -> Result<Analysis> {
    let groups = groups(suite, run)?;
    for label in [first, second] {
        if !groups.iter().any(|group| find(group, label, target).is_some()) {
            return Err(unknown(&groups, label));
        }
    }
    let of_board = |(name, group): (String, &Group)| {
        let pair = Pair { first: find(group, first, target)?, second: find(group, second, target)? };
        Some(Findings { board: name, missing: group.missing.len(), ..pair.findings(group) })
    };
    let boards: Vec<Findings> = names(&groups).into_iter().zip(&groups).filter_map(of_board).collect();
    if boards.is_empty() {
        return Err(Error::Usage(format!("compare: no board has both {first} and {second}")));
    }
    Ok(Analysis { schema: ANALYSIS_SCHEMA, suite: suite.name.clone(), analysis: "comparison".to_owned(), boards })
}

/// The policy with this label, or the shown setting of the policy with this name in the suite.
fn find<'g, 'a>(group: &'g Group<'a>, label: &str, target: Target) -> Option<&'g Evidence<'a>> {
    let exact = group.rows.iter().find(|row| row.label == label);
    exact.or_else(|| {
        let choices = choices(&group.rows, target);
        let is_it = |row: &Evidence| row.first.family == label || row.named == label;
        let shown = group.rows.iter().zip(&choices).filter(|(row, choice)| is_it(row) && choice.is_shown());
        shown.map(|(row, _)| row).next()
    })
}

fn unknown(groups: &[Group], label: &str) -> Error {
    let mut known: Vec<&str> = groups.iter().flat_map(|group| &group.rows).map(|row| row.label.as_str()).collect();
    known.extend(groups.iter().flat_map(|group| &group.rows).map(|row| row.first.family.as_str()));
    known.sort_unstable();
    known.dedup();
    haltbench_sdk::Error::unknown("policy of this suite", label, known).into()
}

struct Pair<'g, 'a> {
    first: &'g Evidence<'a>,
    second: &'g Evidence<'a>,
}

/// A measure of both policies.
struct Compared {
    criterion: Criterion,
    values: [std::result::Result<Crossed, Reason>; 2],
    difference: std::result::Result<Crossed, Reason>,
    /// p value of the difference.
    p: std::result::Result<f64, Reason>,
}

impl Pair<'_, '_> {
    fn findings(&self, group: &Group) -> Findings {
        let (complexity, guesses) = (group.headline().unwrap_or_default(), group.guesses());
        let gains = Gains::of(&group.rows, &guesses);
        let compared: Vec<(&Kind, Vec<Compared>)> = KINDS
            .iter()
            .map(|kind| {
                let all = kind.criteria.iter().map(|criterion| self.compared(*criterion, &gains, complexity));
                (kind, all.filter(Compared::exists).collect::<Vec<_>>())
            })
            .filter(|(_, all)| !all.is_empty())
            .collect();
        // One family of hypotheses: that the two do not differ in a measure.
        let every: Vec<&Compared> = compared.iter().flat_map(|(_, all)| all).collect();
        let tested: Vec<f64> = every.iter().filter_map(|own| own.p.ok()).collect();
        let mut adjusted = holm(&tested).unwrap_or_default().into_iter();
        let mut adjusted_of = |own: &Compared| own.p.ok().and_then(|_| adjusted.next());
        let mut sheets = Vec::new();
        for (kind, all) in &compared {
            let mut sheet = self.blank(kind);
            sheet.rows = all.iter().map(|own| own.row(adjusted_of(own), self.first.seeds.len())).collect();
            sheets.push(sheet);
        }
        let verdict = every.first().map(|own| self.verdict(own)).into_iter().collect();
        sheets.extend(every.first().and_then(|own| self.by_seed(own)));
        Findings {
            verdict,
            sheets,
            notes: vec![
                "Differences are the first policy minus the second, paired by seed and problem; their intervals treat both as \
                 crossed random effects."
                    .to_owned(),
                "p, Holm: adjusted for all measures of this comparison.".to_owned(),
                format!(
                    "detectable: the smallest difference that so many seeds find with a probability of {} %; seeds: how many \
                     find the observed one. Both rest on the spread between these few seeds, which is itself uncertain.",
                    100.0 * POWER
                ),
            ],
            ..Findings::default()
        }
    }

    fn blank(&self, kind: &Kind) -> Sheet {
        let columns = vec![
            Column::new("measure", "measure", Unit::Text),
            Column::new("first", "first", kind.unit),
            Column::new("second", "second", kind.unit),
            Column::new("difference", "first − second", kind.difference),
            Column::new("p_value", "p", Unit::Probability),
            Column::new("p_adjusted", "p, Holm", Unit::Probability),
            Column::new("detectable", "detectable", kind.difference),
            Column::new("seeds_needed", "seeds", Unit::Count),
        ];
        Sheet::new(kind.name, kind.title, columns)
    }

    fn compared(&self, criterion: Criterion, gains: &Gains, complexity: &str) -> Compared {
        // Where less is better, a criterion's score is the measure with its sign changed.
        let natural = |table: Crossed| if criterion.order().ascending { table.negated() } else { table };
        let of = |row: &Evidence| criterion.score(row, gains, complexity).map(natural);
        let values = [of(self.first), of(self.second)];
        let difference = match &values {
            _ if self.first.seeds != self.second.seeds => Err(Reason::MissingCells),
            [Ok(first), Ok(second)] => first.minus(second),
            [Err(reason), _] | [_, Err(reason)] => Err(*reason),
        };
        let p = difference.as_ref().map_err(|reason| *reason).and_then(|table| p_value(table, 0.0));
        Compared { criterion, values, difference, p }
    }

    /// Whether the two can be told apart in the first measure.
    fn verdict(&self, own: &Compared) -> String {
        let (first, second) = (&self.first.label, &self.second.label);
        let (measure, seeds) = (own.criterion.name(), self.first.seeds.len());
        let (table, estimate) = match &own.difference {
            Ok(table) => (table, table.estimate()),
            Err(reason) => return format!("{first} and {second} cannot be compared in {measure}: {reason}."),
        };
        let points = |value: f64| format!("{:.1} points", 100.0 * value);
        let value = estimate.value.unwrap_or_default();
        if estimate.excludes(0.0) {
            let (better, worse) = if value > 0.0 { (first, second) } else { (second, first) };
            return format!("In {measure}, {better} is ahead of {worse} by {}.", points(value.abs()));
        }
        let design = PairedDesign::of(table);
        let shown = design.and_then(|design| design.smallest_difference(seeds, POWER));
        let more = match shown {
            Ok(least) => format!("; {seeds} seeds show differences from {} on", points(least)),
            Err(_) => String::new(),
        };
        format!("In {measure}, {first} and {second} cannot be told apart{more}.")
    }

    /// Both policies seed by seed in the first measure.
    fn by_seed(&self, own: &Compared) -> Option<Sheet> {
        let ([Ok(first), Ok(second)], true) = (&own.values, self.first.seeds == self.second.seeds) else {
            return None;
        };
        let columns = vec![
            Column::new("seed", "seed", Unit::Count),
            Column::new("first", "first", Unit::Share),
            Column::new("second", "second", Unit::Share),
            Column::new("difference", "first − second", Unit::ShareDifference),
        ];
        let mut sheet = Sheet::new("seeds", format!("Seed by seed: {}", own.criterion.name()), columns);
        let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let point = |value: f64| Value::Estimate(Estimate::point(value, first.count() / first.seeds().max(1)));
        for ((seed, one), other) in self.first.seeds.iter().zip(first.values()).zip(second.values()) {
            let (one, other) = (mean(one), mean(other));
            sheet.rows.push(vec![Value::Count(*seed as usize), point(one), point(other), point(one - other)]);
        }
        Some(sheet)
    }
}

impl Compared {
    /// Whether the suite has what is measured.
    fn exists(&self) -> bool {
        !self.values.iter().all(|value| matches!(value, Err(Reason::Empty | Reason::NoFrontier)))
    }

    fn row(&self, adjusted: Option<f64>, seeds: usize) -> Vec<Value> {
        let shown = |table: &std::result::Result<Crossed, Reason>| match table {
            Ok(table) => Value::Estimate(table.estimate()),
            Err(reason) => Value::missing(words(*reason)),
        };
        let number = |found: std::result::Result<f64, Reason>| match found {
            Ok(value) => Value::Estimate(Estimate::point(value, seeds)),
            Err(reason) => Value::missing(words(reason)),
        };
        let difference = || self.difference.as_ref().map_err(|reason| *reason);
        let design = || difference().and_then(PairedDesign::of);
        let needed = design().and_then(|design| design.seeds_needed(difference()?.mean(), POWER));
        vec![
            Value::text(self.criterion.name()),
            shown(&self.values[0]),
            shown(&self.values[1]),
            shown(&self.difference),
            number(self.p),
            adjusted.map_or(Value::missing("it was not tested"), |p| number(Ok(p))),
            number(design().and_then(|design| design.smallest_difference(seeds, POWER))),
            match needed {
                Ok(seeds) => Value::Count(seeds),
                Err(Reason::TooFew { .. }) => Value::missing("more problems are needed, or there is one seed alone"),
                Err(reason) => Value::missing(words(reason)),
            },
        ]
    }
}

/// Why a measure is missing, in words that fit here.
fn words(reason: Reason) -> String {
    match reason {
        Reason::NotApplicable => "a fixed depth is part of the frontier".to_owned(),
        Reason::MissingCells => "the two have different seeds or sequences".to_owned(),
        Reason::Constant => "nothing varies".to_owned(),
        Reason::OutOfRange => "there is no difference".to_owned(),
        reason => reason.to_string(),
    }
}
