//! Policies whose depths have collapsed: they no longer decide, or decide badly.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Share of answer tokens above which one depth counts as the only one.
const ALL: f64 = 0.99;
/// Share of answer tokens without a second step above which a low accuracy is put down to it.
const MOST: f64 = 0.5;
/// How far the accuracy must lie below that of the best fixed depth to be low.
const LOW: f64 = 0.05;
/// Share of tokens at D above which depth is censored so much that its alignment says little.
const MUCH_SATURATION: f64 = 0.2;

/// How depths have collapsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CollapseKind {
    /// More than 99 % of the answer tokens take no second step.
    FirstStep,
    /// More than 99 % of the answer tokens run to D.
    LastStep,
    /// More than half of the answer tokens take no second step, and accuracy is more than 5 points below the best fixed depth.
    Shallow,
    /// More than 20 % of the answer tokens run to D.
    Saturated,
}

/// A collapse and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Collapse {
    /// Which.
    pub kind: CollapseKind,
    /// The numbers behind it and what follows from them, in one sentence.
    pub explanation: String,
}

/// Shares of a policy's answer tokens at trained sizes.
pub(crate) struct Depths<'a> {
    /// Share that takes no second step.
    pub first: f64,
    /// Share that runs to D.
    pub last: f64,
    /// How far its accuracy lies below that of the best fixed depth, if there is one.
    pub below: Option<f64>,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// Share of all tokens at a depth before training, if known.
    pub initial: &'a dyn Fn(usize) -> Option<f64>,
}

/// How depths have collapsed, if they have.
pub(crate) fn collapse(depths: &Depths) -> Option<Collapse> {
    let Depths { first, last, below, max_depth, initial } = *depths;
    // With D = 1 there is nothing to decide.
    if max_depth == 1 {
        return None;
    }
    let percent = |share: f64| format!("{:.0} % of its answer tokens", (100.0 * share).floor());
    let (kind, explanation) = match below {
        _ if first > ALL => {
            (CollapseKind::FirstStep, format!("{} take no second step, as with fixed depth 1", percent(first)))
        }
        _ if last > ALL => (CollapseKind::LastStep, format!("{} run to D, as fixed depth D does", percent(last))),
        Some(below) if first > MOST && below > LOW => {
            let points = 100.0 * below;
            let halt = percent(first);
            let message = format!(
                "{halt} take no second step, and its accuracy is {points:.0} points below the best fixed depth"
            );
            (CollapseKind::Shallow, message)
        }
        _ if last > MUCH_SATURATION => {
            let ran = percent(last);
            (CollapseKind::Saturated, format!("{ran} ran to D; its depth is censored, and its alignment says little"))
        }
        _ => return None,
    };
    let depth = match kind {
        CollapseKind::FirstStep | CollapseKind::Shallow => 1,
        CollapseKind::LastStep | CollapseKind::Saturated => max_depth,
    };
    // Its initial bias has decided then, not training.
    let before = initial(depth).filter(|share| *share > MOST);
    let before = before.map(|share| format!("; before training {:.0} % of all tokens did", 100.0 * share));
    Some(Collapse { kind, explanation: format!("{explanation}{}", before.unwrap_or_default()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(first: f64, last: f64, below: Option<f64>, initial: Option<f64>) -> Option<(CollapseKind, String)> {
        let depths = Depths { first, last, below, max_depth: 8, initial: &|_| initial };
        collapse(&depths).map(|collapse| (collapse.kind, collapse.explanation))
    }

    #[test]
    fn collapses_are_told_apart_and_explained() {
        assert_eq!(found(0.3, 0.1, Some(0.4), None), None);
        assert_eq!(found(0.6, 0.1, Some(0.01), None), None, "shallow and as good as any fixed depth");
        assert_eq!(found(0.6, 0.1, None, None), None, "without fixed depths nothing says that accuracy is low");
        let (kind, text) = found(0.999, 0.0, None, Some(0.97)).unwrap();
        let expected = "99 % of its answer tokens take no second step, as with fixed depth 1; before training 97 % of all tokens did";
        assert_eq!((kind, text.as_str()), (CollapseKind::FirstStep, expected));
        let (kind, text) = found(0.0, 1.0, Some(0.0), Some(0.2)).unwrap();
        assert_eq!(
            (kind, text.as_str()),
            (CollapseKind::LastStep, "100 % of its answer tokens run to D, as fixed depth D does")
        );
        let (kind, text) = found(0.7, 0.25, Some(0.12), None).unwrap();
        let expected =
            "70 % of its answer tokens take no second step, and its accuracy is 12 points below the best fixed depth";
        assert_eq!((kind, text.as_str()), (CollapseKind::Shallow, expected));
        assert_eq!(found(0.2, 0.25, Some(0.12), None).unwrap().0, CollapseKind::Saturated);
        let one = Depths { first: 1.0, last: 1.0, below: None, max_depth: 1, initial: &|_| None };
        assert_eq!(collapse(&one), None, "with D = 1 there is nothing to decide");
    }
}
