//! Decision timing (paper §6.4 and A.8): is depth explained by what the prompt shows, or by the state of the algorithm?
//!
//! 1. Of two features with |r| above 0.8, the one that follows depth less leaves; then features leave until all variance
//!    inflation factors are below 5.
//! 2. ΔR² of every feature that is left.
//! 3. Features with ΔR² above 0.005 stay.
//! 4. The fit is repeated with the size as categories.
//!
//! Beside this pipeline of the paper, all features compete in groups: the size as categories, static features, state
//! features. ΔR² of a group is what only this group explains; Shapley shares divide what several groups explain.

use haltbench_analysis::measures::Depth;
use haltbench_analysis::regression::{Dropped, Limits, Players, Regression, Share, jackknifed};
use haltbench_analysis::{Crossed, Estimate, Population, Reason};
use haltbench_sdk::policy::Role;

use super::Subject;
use super::explained::{Explained, SIZE, STATE, STATIC, target};
use super::sheet::{Column, Findings, Sheet, Unit, Value};
use crate::evidence::Evidence;

/// Share of the variance that a feature must explain alone to stay (paper A.8).
const LEAST: f64 = 0.005;

/// ΔR² up to which a feature explains nothing but rounding.
const NOTHING: f64 = 1e-9;

const POPULATIONS: [(Population, &str); 2] = [(Population::CorrectOnly, "correct"), (Population::All, "all")];

/// The findings about one board.
pub(super) fn findings(subject: &Subject) -> Findings {
    let mut sheets = Sheets::new();
    for row in subject.rows.iter().filter(|row| row.has_role(Role::Policy)) {
        (subject.progress)(&row.label);
        for (population, words) in POPULATIONS {
            sheets.add(row, population, words);
        }
    }
    let verdict = verdict(&sheets.groups);
    let Sheets { groups, coefficients, log } = sheets;
    Findings {
        verdict,
        sheets: vec![groups, coefficients, log],
        notes: vec![
            "Answer tokens of trained sizes that have the headline complexity. The target is the mean of the policy's \
             distribution over depths, or its steps if it has none."
                .to_owned(),
            "correct: only sequences whose answers are all right, as in the paper; policies of different accuracy are then \
             compared on different sequences."
                .to_owned(),
            "ΔR²: what R² loses without the group, or without the feature. share: Shapley value; the shares of all groups add \
             up to R². R², new: of problems that the fit has not seen, cross-validated over 5 folds."
                .to_owned(),
            "coefficient: standard deviations of depth for one of the feature, with the size as categories.".to_owned(),
        ],
        ..Findings::default()
    }
}

struct Sheets {
    groups: Sheet,
    coefficients: Sheet,
    log: Sheet,
}

impl Sheets {
    fn new() -> Self {
        let start = [Column::new("policy", "policy", Unit::Text), Column::new("population", "sequences", Unit::Text)];
        let with = |more: &[Column]| start.iter().chain(more).copied().collect::<Vec<Column>>();
        Self {
            groups: Sheet::new(
                "groups",
                "What groups of features explain of the depth",
                with(&[
                    Column::new("target", "target", Unit::Text),
                    Column::new("r_squared", "R² %", Unit::Share),
                    Column::new("cross_validated", "R², new %", Unit::Share),
                    Column::new("unique_static", "ΔR² static %", Unit::Share),
                    Column::new("unique_state", "ΔR² state %", Unit::Share),
                    Column::new("share_size", "share size %", Unit::Share),
                    Column::new("share_static", "share static %", Unit::Share),
                    Column::new("share_state", "share state %", Unit::Share),
                    Column::new("tokens", "tokens", Unit::Count),
                ]),
            ),
            coefficients: Sheet::new(
                "coefficients",
                "The pipeline of the paper: features that stay",
                with(&[
                    Column::new("feature", "feature", Unit::Text),
                    Column::new("kind", "kind", Unit::Text),
                    Column::new("coefficient", "coefficient", Unit::Correlation),
                    Column::new("unique", "ΔR² %", Unit::Share),
                ]),
            ),
            log: Sheet::new(
                "log",
                "The pipeline of the paper: features that leave",
                with(&[Column::new("step", "step", Unit::Text), Column::new("left_out", "left out", Unit::Text)]),
            ),
        }
    }

    fn add(&mut self, row: &Evidence, population: Population, words: &str) {
        let start = || vec![Value::text(&row.label), Value::text(words)];
        let target = target(row);
        let target_words = if target == Depth::Expected { "expected" } else { "steps" };
        let explained = match Explained::of(row, target, population) {
            Ok(explained) => explained,
            Err(reason) => {
                let values = self.groups.columns.len() - 4;
                let mut line = start();
                line.push(Value::text(target_words));
                line.extend((0..values).map(|_| Value::missing(reason.to_string())));
                line.push(Value::Count(0));
                self.groups.rows.push(line);
                return;
            }
        };
        let mut line = start();
        line.push(Value::text(target_words));
        line.extend(of_groups(&explained));
        line.push(Value::Count(explained.rows()));
        self.groups.rows.push(line);
        for undefined in &explained.undefined {
            let mut line = start();
            line.extend([Value::text("undefined"), Value::text(format!("{undefined}: not defined for most answers"))]);
            self.log.rows.push(line);
        }
        match Pipeline::of(&explained) {
            Ok(pipeline) => {
                for (step, words) in pipeline.log() {
                    let mut line = start();
                    line.extend([Value::text(step), Value::text(words)]);
                    self.log.rows.push(line);
                }
                for (feature, kind, coefficient, unique) in pipeline.stays {
                    let mut line = start();
                    line.extend([Value::text(feature), Value::text(kind)]);
                    line.extend([Value::Estimate(coefficient), Value::Estimate(unique)]);
                    self.coefficients.rows.push(line);
                }
            }
            Err(reason) => {
                let mut line = start();
                line.extend([Value::text("failed"), Value::text(reason.to_string())]);
                self.log.rows.push(line);
            }
        }
    }
}

fn shown(table: Result<Crossed, Reason>) -> Estimate {
    table.map_or_else(|reason| Estimate::missing(reason, 0), |table| table.estimate())
}

/// R² and what each group explains.
fn of_groups(explained: &Explained) -> Vec<Value> {
    let seeds = match explained.regressions(|_| true, true) {
        Ok(seeds) => seeds,
        Err(reason) => return (0..7).map(|_| Value::missing(reason.to_string())).collect(),
    };
    let of = |statistic: &dyn Fn(&Regression) -> Result<f64, Reason>| {
        Value::Estimate(shown(jackknifed(&seeds, statistic).map(|table| table.within(0.0, 1.0))))
    };
    let share = |regression: &Regression, group: &str, value: fn(&Share) -> f64| {
        let shares = regression.shares(Players::Groups)?;
        // A group without columns explains nothing.
        Ok(shares.iter().find(|share| share.name == group).map_or(0.0, value))
    };
    let folds: Result<Vec<f64>, Reason> = seeds.iter().map(|regression| regression.cross_validated(5)).collect();
    let folds = folds.map_or_else(
        |reason| Estimate::missing(reason, explained.rows()),
        |folds| haltbench_analysis::crossed::over_seeds(&folds, explained.rows()),
    );
    vec![
        of(&Regression::r_squared),
        Value::Estimate(folds),
        of(&|regression| share(regression, STATIC, |share| share.unique)),
        of(&|regression| share(regression, STATE, |share| share.unique)),
        of(&|regression| share(regression, SIZE, |share| share.shapley)),
        of(&|regression| share(regression, STATIC, |share| share.shapley)),
        of(&|regression| share(regression, STATE, |share| share.shapley)),
    ]
}

/// The pipeline of the paper's A.8.
struct Pipeline {
    screened: Vec<Dropped>,
    weak: Vec<(String, f64)>,
    /// Features that explain nothing beside the size as categories.
    of_size: Vec<String>,
    /// Feature, kind, standardised coefficient and ΔR² in the last fit.
    stays: Vec<(String, &'static str, Estimate, Estimate)>,
}

impl Pipeline {
    fn of(explained: &Explained) -> Result<Self, Reason> {
        // Features are chosen once, over all seeds, so that all seeds fit the same ones.
        let pooled = explained.pooled(|_| true, false)?;
        let screened = pooled.screen(Limits::default())?;
        let unique = screened.unique(Players::Features)?;
        let (mut strong, weak): (Vec<_>, Vec<_>) = unique.into_iter().partition(|own| own.r_squared > LEAST);
        let mut of_size = Vec::new();
        if !strong.is_empty() {
            let refitted = explained.pooled(|name| strong.iter().any(|own| own.name == name), true)?;
            let unique = refitted.unique(Players::Features)?;
            let is_left = |name: &str| unique.iter().any(|own| own.name == name && own.r_squared > NOTHING);
            (strong, of_size) = strong.into_iter().partition(|own| is_left(&own.name));
        }
        let is_strong = |name: &str| strong.iter().any(|own| own.name == name);
        let mut stays = Vec::new();
        if !strong.is_empty() {
            let seeds = explained.regressions(is_strong, true)?;
            for own in &strong {
                let coefficient = |regression: &Regression| {
                    let fit = regression.fit()?;
                    let found = fit.coefficients.iter().find(|coefficient| coefficient.name == own.name);
                    Ok(found.map_or(0.0, |coefficient| coefficient.standardised))
                };
                let unique = |regression: &Regression| {
                    let all = regression.unique(Players::Features)?;
                    Ok(all.iter().find(|other| other.name == own.name).map_or(0.0, |other| other.r_squared))
                };
                let kind = explained.kind(&own.name);
                let unique = jackknifed(&seeds, unique).map(|table| table.within(0.0, 1.0));
                stays.push((own.name.clone(), kind, shown(jackknifed(&seeds, coefficient)), shown(unique)));
            }
        }
        let weak = weak.into_iter().map(|own| (own.name, own.r_squared)).collect();
        let of_size = of_size.into_iter().map(|own| own.name).collect();
        Ok(Self { screened: screened.dropped().to_vec(), weak, of_size, stays })
    }

    /// The steps at which features left, with the reasons.
    fn log(&self) -> Vec<(&'static str, String)> {
        let screened = self.screened.iter().map(|dropped| ("1 screened", dropped.to_string()));
        let weak = self.weak.iter().map(|(name, unique)| ("3 too little", format!("{name}: ΔR² {unique:.4}")));
        let of_size = self.of_size.iter().map(|name| ("4 refitted", format!("{name}: nothing beside the size")));
        screened.chain(weak).chain(of_size).collect()
    }
}

/// For how many policies state explains more than static features, in the population of all sequences.
fn verdict(groups: &Sheet) -> Vec<String> {
    let mut lines: Vec<(String, f64, f64, f64)> = Vec::new();
    for row in 0..groups.rows.len() {
        let (Some(Value::Text(label)), Some(Value::Text(words))) =
            (groups.get(row, "policy"), groups.get(row, "population"))
        else {
            continue;
        };
        let number = |column: &str| groups.get(row, column).and_then(Value::number);
        let found = (number("r_squared"), number("unique_static"), number("unique_state"));
        if let ("all", (Some(whole), Some(fixed), Some(state))) = (words.as_str(), found) {
            lines.push((label.clone(), whole, fixed, state));
        }
    }
    let Some((best, whole, fixed, state)) = lines.iter().max_by(|left, right| left.3.total_cmp(&right.3)) else {
        return vec!["No policy's depth varies in a way that a regression can explain.".to_owned()];
    };
    let more = lines.iter().filter(|(_, _, fixed, state)| state > fixed).count();
    vec![
        format!(
            "State features explain more of the depth than static ones, each beyond the other groups, for {more} of {} \
             policies.",
            lines.len()
        ),
        format!(
            "Most for {best}: of R² = {:.1} %, state alone has {:.1} points and static features {:.1}.",
            100.0 * whole,
            100.0 * state,
            100.0 * fixed
        ),
    ]
}
