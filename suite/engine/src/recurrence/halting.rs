//! When rows halt: the loop of early and online policies over any pass that can take a step.

use std::sync::Arc;

use haltbench_sdk::candle_core::Tensor;
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::policy::{
    EarlyDecision, EarlyPolicy, HazardHistory, OnlineDecision, OnlinePolicy, Policy, RowMemory, View,
};

use super::{decision, shrink};
use crate::Result;
use crate::model::Model;

/// A forward pass that this loop drives.
pub(crate) trait Pass {
    /// The model.
    fn model(&self) -> &Model;

    /// Which row is which token.
    fn layout(&self) -> &Arc<TokenLayout>;

    /// One step for the rows in `running`; `settled` halted one step ago. Returns the states of all rows.
    fn step(&mut self, step: usize, states: &Tensor, running: &RowSet, settled: &RowSet) -> Result<Tensor>;

    /// The steps after the last row has halted, of which `done` were taken.
    fn idle(&mut self, done: usize, states: &Tensor) -> Result<()>;

    /// Shows the policy some rows with their states, out of the states of all rows, and charges a read-out of logits.
    fn show<T>(
        &mut self,
        step: usize,
        view: (&RowSet, &Tensor, &Tensor),
        ask: impl FnOnce(&View) -> haltbench_sdk::Result<T>,
    ) -> Result<T>;

    /// Charges a decision about each of `rows`.
    fn charge(&mut self, rows: &RowSet);

    /// Hears the numbers that were compared with a threshold after `step` steps, one for each of `rows`.
    fn hear(&mut self, _step: usize, _rows: &RowSet, _scores: &[f64]) {}

    /// Shows the policy some rows and charges its decision.
    fn ask<T>(
        &mut self,
        step: usize,
        view: (&RowSet, &Tensor, &Tensor),
        ask: impl FnOnce(&View) -> haltbench_sdk::Result<T>,
    ) -> Result<T> {
        let answer = self.show(step, view, ask)?;
        self.charge(view.0);
        Ok(answer)
    }
}

/// States after the last step, depths, and a distribution over the depths 1..=D for each row where the policy has one.
pub(crate) type Outcome = (Tensor, Vec<u32>, Option<Vec<Vec<f64>>>);

/// Halts every row where an early policy says, from the states `first`.
pub(crate) fn early(pass: &mut impl Pass, policy: &dyn EarlyPolicy, first: Tensor) -> Result<Outcome> {
    let (rows, most) = (pass.layout().rows(), pass.model().max_depth);
    let all = RowSet::all(rows);
    let decision = pass.ask(0, (&all, &first, &first), |view| policy.decide(view))?;
    let (depths, distributions) = match decision {
        EarlyDecision::Depths(depths) => (decision::depths(pass.model(), depths, rows)?, None),
        EarlyDecision::Scores(scores) => {
            let values = decision::judged(pass.model(), "scores", &scores, &[rows, most], &first)?;
            let distributions: Vec<Vec<f64>> = values.chunks_exact(most).map(decision::softmax).collect();
            let depths = distributions.iter().map(|q| policy.rule().depth(q)).collect();
            (depths, Some(distributions))
        }
    };
    let states = run_to(pass, &depths, first)?;
    Ok((states, depths, distributions))
}

/// The states after every row has taken as many steps as `depths` says.
pub(crate) fn run_to(pass: &mut impl Pass, depths: &[u32], first: Tensor) -> Result<Tensor> {
    let mut states = first;
    let deepest = depths.iter().copied().max().unwrap_or(0);
    for step in 1..=deepest {
        let rows_where = |keep: &dyn Fn(u32) -> bool| {
            RowSet::from_mask(&depths.iter().map(|depth| keep(*depth)).collect::<Vec<bool>>())
        };
        let running = rows_where(&|depth| depth >= step);
        let settled = rows_where(&|depth| depth + 1 == step);
        states = pass.step(step as usize, &states, &running, &settled)?;
    }
    pass.idle(deepest as usize, &states)?;
    Ok(states)
}

/// [`run_to`] with the policy asked as often as otherwise, and its answers ignored: what decisions cost at given depths.
pub(crate) fn forced(pass: &mut impl Pass, policy: &Policy, depths: &[u32], first: Tensor) -> Result<Tensor> {
    let all = RowSet::all(pass.layout().rows());
    let policy = match policy {
        Policy::Online(policy) => policy.as_ref(),
        Policy::Early(policy) => {
            pass.ask(0, (&all, &first, &first), |view| policy.decide(view).map(|_| ()))?;
            return run_to(pass, depths, first);
        }
        Policy::Soft(_) | Policy::Select(_) => return run_to(pass, depths, first),
    };
    let rows_where = |keep: &dyn Fn(usize) -> bool| {
        RowSet::from_mask(&depths.iter().map(|depth| keep(*depth as usize)).collect::<Vec<bool>>())
    };
    let mut memory = RowMemory::default();
    pass.show(0, (&all, &first, &first), |view| policy.init(view, &mut memory))?;
    let (mut states, mut asked) = (first, all);
    let most = pass.model().max_depth;
    for step in 1..=most {
        let running = rows_where(&|depth| depth >= step);
        if running.is_empty() {
            pass.idle(step - 1, &states)?;
            break;
        }
        shrink(&mut memory, &asked, &running, &states)?;
        states = pass.step(step, &states, &running, &rows_where(&|depth| depth + 1 == step))?;
        if step < most {
            let seen = running.select(&states)?;
            pass.ask(step, (&running, &seen, &states), |view| policy.observe(view, &mut memory).map(|_| ()))?;
        }
        asked = running;
    }
    Ok(states)
}

/// Halts every row where an online policy says, from the states `first`. The score of a hazard is F(d), the probability of
/// having halted by now, which the rules median and threshold compare.
pub(crate) fn online(pass: &mut impl Pass, policy: &dyn OnlinePolicy, first: Tensor) -> Result<Outcome> {
    let (rows, most) = (pass.layout().rows(), pass.model().max_depth);
    let mut states = first;
    let mut memory = RowMemory::default();
    let mut running = RowSet::all(rows);
    pass.show(0, (&running, &states, &states), |view| policy.init(view, &mut memory))?;
    let mut settled = RowSet::from_mask(&vec![false; rows]);
    let mut depths = vec![most as u32; rows];
    let mut histories: Vec<HazardHistory> = vec![HazardHistory::default(); rows];
    let mut has_distribution = false;
    let mut last = most;
    for step in 1..=most {
        states = pass.step(step, &states, &running, &settled)?;
        if step == most {
            break;
        }
        let seen = running.select(&states)?;
        let decision = pass.ask(step, (&running, &seen, &states), |view| policy.observe(view, &mut memory))?;
        let halts = match decision {
            OnlineDecision::Halt(halts) => decision::flags(pass.model(), "flags", halts, running.len())?,
            OnlineDecision::Scored { scores, halts } => {
                let (scores, halts) = decision::scored(pass.model(), scores, halts, running.len())?;
                pass.hear(step, &running, &scores);
                halts
            }
            OnlineDecision::Hazards(hazards) => {
                has_distribution = true;
                let values = decision::judged(pass.model(), "hazards", &hazards, &[running.len()], &seen)?;
                let (mut scores, mut halts) = (Vec::with_capacity(values.len()), Vec::with_capacity(values.len()));
                for (row, logit) in running.iter().zip(values) {
                    histories[row].push(decision::sigmoid(logit));
                    scores.push(histories[row].cumulative());
                    halts.push(histories[row].halts(policy.rule(), most));
                }
                pass.hear(step, &running, &scores);
                halts
            }
        };
        let mut still = vec![false; rows];
        let mut halted_now = vec![false; rows];
        for (row, halts) in running.iter().zip(halts) {
            if halts {
                depths[row] = step as u32;
                halted_now[row] = true;
            } else {
                still[row] = true;
            }
        }
        let still = RowSet::from_mask(&still);
        if still.is_empty() {
            last = step;
            break;
        }
        shrink(&mut memory, &running, &still, &states)?;
        (running, settled) = (still, RowSet::from_mask(&halted_now));
    }
    pass.idle(last, &states)?;
    let distributions = || histories.iter().map(|history| history.distribution(most)).collect();
    Ok((states, depths, has_distribution.then(distributions)))
}

/// The rows of `settled` that a row of `running` can still see: later ones of the same sequence. No other needs keys and
/// values any more, and so no row's cost depends on other sequences.
pub(crate) fn still_seen(layout: &TokenLayout, settled: &RowSet, running: &RowSet) -> RowSet {
    let mut last_running = vec![None; layout.sequences()];
    running.iter().for_each(|row| last_running[layout.sequence(row)] = Some(row));
    let mut seen = vec![false; layout.rows()];
    settled.iter().for_each(|row| seen[row] = last_running[layout.sequence(row)] > Some(row));
    RowSet::from_mask(&seen)
}
