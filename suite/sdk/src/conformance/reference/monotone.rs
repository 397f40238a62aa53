//! Early and online policies: a token that has halted stays halted.

use candle_core::Tensor;

use super::unroll::{choose, keep, not, numbers, sized};
use super::{Halted, Unroll};
use crate::error::{Error, Result};
use crate::key_values::HaltedKeysValues;
use crate::layout::RowSet;
use crate::policy::{EarlyDecision, EarlyPolicy, HaltingRule, HazardHistory, OnlineDecision, OnlinePolicy, RowMemory};

/// Decides from h(0), then steps each token to its depth.
pub(super) fn early(policy: &dyn EarlyPolicy, unroll: &mut Unroll, start: Tensor) -> Result<Halted> {
    let (rows, max_depth) = (unroll.rows(), unroll.settings.max_depth);
    let decision = unroll.look(0, &unroll.all, &start, |view| policy.decide(view))?;
    let (chosen, expected_depths) = match decision {
        EarlyDecision::Scores(scores) => {
            let distributions = depth_distribution(&scores, rows, max_depth)?;
            let depths = distributions.iter().map(|q| policy.rule().depth(q)).collect();
            (depths, Some(distributions.iter().map(|q| expectation(q)).collect()))
        }
        EarlyDecision::Depths(depths) => (depths, None),
    };
    sized("depths", &chosen, rows)?;
    if let Some(depth) = chosen.iter().find(|depth| !(1..=max_depth as u32).contains(depth)) {
        return Err(Error::contract("policy", format!("depths are in 1..={max_depth}, found {depth}")));
    }
    let (states, depths) =
        iterate(unroll, start, |_, step, _, _| Ok(chosen.iter().map(|depth| *depth as usize <= step).collect()))?;
    Ok(Halted { states, depths, expected_depths, weights: None })
}

/// Asks after every step which tokens halt.
pub(super) fn online(policy: &dyn OnlinePolicy, unroll: &mut Unroll, start: Tensor) -> Result<Halted> {
    let max_depth = unroll.settings.max_depth;
    let mut memory = RowMemory::default();
    let mut tracks: Vec<HazardTrack> = vec![HazardTrack::default(); unroll.rows()];
    unroll.look(0, &unroll.all, &start, |view| policy.init(view, &mut memory))?;
    let (states, depths) = iterate(unroll, start, |unroll, step, running, states| {
        let rows = RowSet::from_mask(running);
        let decision = unroll.look(step, &rows, states, |view| policy.observe(view, &mut memory))?;
        let halts = halting_rows(decision, policy.rule(), max_depth, &rows, &mut tracks)?;
        keep(&mut memory, &not(&halts), states.device())?;
        let mut halted = not(running);
        for (row, halts) in rows.iter().zip(halts) {
            halted[row] = halts;
        }
        Ok(halted)
    })?;
    let expected: Option<Vec<f64>> = tracks.iter().map(|track| track.expected_depth(max_depth)).collect();
    Ok(Halted { states, depths, expected_depths: expected, weights: None })
}

/// Steps all rows up to D times. After each step `halting` says which rows have halted by then, given those that ran
/// and the states of all rows.
fn iterate(
    unroll: &mut Unroll,
    start: Tensor,
    mut halting: impl FnMut(&Unroll, usize, &[bool], &Tensor) -> Result<Vec<bool>>,
) -> Result<(Tensor, Vec<u32>)> {
    let mut halted = vec![false; unroll.rows()];
    let mut depths = vec![0; unroll.rows()];
    // What tokens have to show, frozen where they have halted, and what the core reads: the same except under
    // run-on, where the core goes on with tokens that have halted.
    let (mut shown, mut read) = (start.clone(), start);
    for step in 1..=unroll.settings.max_depth {
        let candidate = unroll.apply(step, &read, &halted)?;
        let running = not(&halted);
        shown = choose(&running, &candidate, &shown)?;
        read = if unroll.settings.halted == HaltedKeysValues::RunOn { candidate } else { shown.clone() };
        for (depth, _) in depths.iter_mut().zip(&running).filter(|(_, running)| **running) {
            *depth = step as u32;
        }
        halted = halting(unroll, step, &running, &shown)?;
        if !halted.contains(&false) {
            break;
        }
    }
    Ok((shown, depths))
}

/// What one token's hazards have amounted to.
#[derive(Debug, Clone, Default)]
pub(in crate::conformance) struct HazardTrack(Option<HazardHistory>);

impl HazardTrack {
    /// Records the next hazard and says whether `rule` halts the token now.
    pub fn push(&mut self, logit: f64, rule: HaltingRule, max_depth: usize) -> bool {
        let history = self.0.get_or_insert_default();
        history.push(1.0 / (1.0 + (-logit).exp()));
        history.halts(rule, max_depth)
    }

    fn expected_depth(&self, max_depth: usize) -> Option<f64> {
        self.0.as_ref().map(|history| history.expected_depth(max_depth))
    }
}

fn halting_rows(
    decision: OnlineDecision,
    rule: HaltingRule,
    max_depth: usize,
    rows: &RowSet,
    tracks: &mut [HazardTrack],
) -> Result<Vec<bool>> {
    match decision {
        OnlineDecision::Halt(halts) => {
            sized("halting flags", &halts, rows.len())?;
            Ok(halts)
        }
        OnlineDecision::Scored { scores, halts } => {
            sized("scores", &scores, rows.len())?;
            sized("halting flags", &halts, rows.len())?;
            Ok(halts)
        }
        OnlineDecision::Hazards(logits) => {
            let logits = numbers("hazards", &logits, &[rows.len()])?;
            Ok(rows.iter().zip(logits).map(|(row, logit)| tracks[row].push(logit, rule, max_depth)).collect())
        }
    }
}

/// Softmax of each row of `scores` `[rows, D]`.
pub(in crate::conformance) fn depth_distribution(
    scores: &Tensor,
    rows: usize,
    max_depth: usize,
) -> Result<Vec<Vec<f64>>> {
    let scores = numbers("scores", scores, &[rows, max_depth])?;
    let softmax = |scores: &[f64]| {
        let largest = scores.iter().copied().fold(f64::MIN, f64::max);
        let powers: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
        let total: f64 = powers.iter().sum();
        powers.iter().map(|power| power / total).collect()
    };
    Ok(scores.chunks(max_depth).map(softmax).collect())
}

/// Expected depth under the probabilities `q` of the depths 1..=D.
fn expectation(q: &[f64]) -> f64 {
    q.iter().zip(1..).map(|(mass, depth)| mass * f64::from(depth)).sum()
}
