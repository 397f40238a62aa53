//! Chooses the knob setting of every policy that a board shows.

use std::collections::BTreeMap;

use haltbench_sdk::policy::Role;

use crate::board::{Chosen as ChosenSetting, Setting};
use crate::evidence::Evidence;
use crate::target::{Calibrated, Chosen, Target, choose};

/// The choice for a row.
pub(crate) enum Choice {
    /// The only setting of its policy.
    Only,
    /// One of several settings.
    Setting(Setting),
}

impl Choice {
    /// Whether the row is shown when only chosen settings are shown.
    pub fn is_shown(&self) -> bool {
        match self {
            Self::Only => true,
            Self::Setting(setting) => setting.chosen != ChosenSetting::Other,
        }
    }
}

/// The choice for every row.
pub(crate) fn choices(rows: &[Evidence], target: Target) -> Vec<Choice> {
    let best_fixed = best_fixed(rows);
    let mut sweeps: BTreeMap<usize, Vec<&Evidence>> = BTreeMap::new();
    rows.iter()
        .filter(|row| row.has_role(Role::Policy))
        .for_each(|row| sweeps.entry(row.first.sweep).or_default().push(row));
    let of_row = |row: &Evidence| {
        let sweep = sweeps.get(&row.first.sweep).filter(|sweep| row.has_role(Role::Policy) && sweep.len() > 1);
        let Some(sweep) = sweep else { return Choice::Only };
        let of = |chosen, reason: Option<String>| {
            Choice::Setting(Setting {
                policy: row.first.family.clone(),
                settings: sweep.len(),
                chosen,
                calibrated: row.calibrated,
                reason,
            })
        };
        let own = sweep.iter().position(|other| std::ptr::eq(*other, row));
        let known: Option<Vec<Calibrated>> =
            sweep.iter().map(|other| other.calibrated.filter(|_| other.is_complete())).collect();
        let Some(known) = known else {
            // An incomplete sweep has no chosen setting; its first one is shown.
            let chosen = if own == Some(0) { ChosenSetting::Closest } else { ChosenSetting::Other };
            return of(chosen, Some("cells of some settings of its knobs are missing: none is chosen".to_owned()));
        };
        match choose(&known, target, best_fixed) {
            Some(Chosen::Reached(place)) if own == Some(place) => of(ChosenSetting::Reached, None),
            Some(Chosen::Closest(place)) if own == Some(place) => {
                let reason = match (target, best_fixed) {
                    (Target::Accuracy(_), None) => {
                        "no fixed depth has a calibration to compare with: the most accurate setting is shown"
                            .to_owned()
                    }
                    _ => format!(
                        "no setting of its knobs reaches {} on calibration: the closest is shown",
                        target.text()
                    ),
                };
                of(ChosenSetting::Closest, Some(reason))
            }
            _ => of(ChosenSetting::Other, Some("another setting of its knobs is chosen".to_owned())),
        }
    };
    rows.iter().map(of_row).collect()
}

/// Accuracy of the best fixed depth on the calibration part.
fn best_fixed(rows: &[Evidence]) -> Option<f64> {
    let fixed = rows.iter().filter(|row| row.is_fixed_depth() && row.is_complete());
    fixed.filter_map(|row| row.calibrated).map(|point| point.accuracy).max_by(f64::total_cmp)
}
