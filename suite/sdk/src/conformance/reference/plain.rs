//! The loop: every step computes every row, and a mask restores the states of the rows that did not take part.

use candle_core::{DType, Tensor};

use super::unroll::{choose, keep, not, numbers, replace_rows, sized};
use super::{Halted, Unroll};
use crate::error::{Error, Result};
use crate::key_values::HaltedKeysValues;
use crate::layout::RowSet;
use crate::policy::{Blend, Combine, Decision, Gate, Halting, HaltingRule, HazardHistory, Policy, RowMemory};

/// Tolerance on the sum of a token's weights.
const TOLERANCE: f64 = 1e-6;

/// Runs `policy` from h(0).
///
/// A resting token has keys and values of its present state (freeze-state), keys and values of the last step that it
/// took part in (latest-kv), or none (skip). Under run-on, a halted token takes all steps, but only its keys and values
/// change; for a policy that chooses rows, every step is computed for all rows and the results of resting rows are
/// discarded. Under latest-kv, the first step is computed for all rows as well, because a token that rests from the
/// start has no earlier keys and values.
pub(super) fn plain(policy: &Policy, unroll: &mut Unroll, start: Tensor) -> Result<Halted> {
    let (rows, max_depth) = (unroll.rows(), unroll.settings.max_depth);
    let runs_on = unroll.settings.halted == HaltedKeysValues::RunOn;
    let mut memory = RowMemory::default();
    let (mut depths, mut decided) = (vec![0; rows], vec![Vec::new(); rows]);
    let mut next = Next { takes: vec![true; rows], plan: None, chooses: false };
    let mut beliefs = Beliefs { tracks: vec![HazardTrack::default(); rows], distributions: None };
    let mut blended: Option<Blended> = None;
    let mut gate: Option<(RowSet, Gate)> = None;
    // The visible states, frozen for halted tokens, and the core's input. They differ only under run-on.
    let (mut shown, mut read) = (start.clone(), start);
    let (mut before, mut log_key_weights): (Option<Tensor>, Option<Tensor>) = (None, None);
    for step in 0..=max_depth {
        if step > 0 {
            let takes = next.at(step);
            if !takes.contains(&true) && !next.chooses {
                break;
            }
            let none_has_stepped = unroll.settings.halted == HaltedKeysValues::LatestKv && step == 1;
            let resting = if none_has_stepped { vec![false; rows] } else { not(&takes) };
            unroll.planned.clone_from(&next.plan);
            let candidate = unroll.apply(step, &read, &resting)?;
            let joined = join(gate.take(), &shown, &candidate)?;
            before = Some(shown.clone());
            shown = choose(&takes, &joined, &shown)?;
            read = if runs_on && !next.chooses { candidate } else { shown.clone() };
            depths.iter_mut().zip(&takes).for_each(|(depth, takes)| *depth += u32::from(*takes));
        }
        if !policy.is_asked(step, max_depth) {
            continue;
        }
        let asked = RowSet::from_mask(&if next.chooses { vec![true; rows] } else { next.at(step) });
        let decision = unroll.look(step, &asked, &shown, |view| policy.decide(view, &mut memory))?;
        memory.take_stashed(asked.len())?;
        for Emitted { values, .. } in emitted(&decision, asked.len())? {
            asked.iter().zip(values).for_each(|(row, values)| decided[row].extend(values));
        }
        if let Some(output) = &decision.output {
            let weights = numbers("weights", &output.weight, &[asked.len()])?;
            let blended = blended.get_or_insert(Blended::new(&shown)?);
            if let (Some(weights), Some(before)) = (&output.before, &before) {
                let weights = numbers("weights", weights, &[asked.len()])?;
                blended.add_before(step, &asked, &weights, before)?;
            }
            blended.add(step, &asked, &weights, output.blend, &shown)?;
        }
        next.hear(decision.halting, step, &asked, policy.rule(), max_depth, &mut beliefs)?;
        if let Some(gate) = &decision.gate {
            numbers("gates", &gate.values, &[asked.len()])?;
        }
        gate = decision.gate.map(|gate| (asked.clone(), gate));
        if let Some(carry) = &decision.carry {
            let carry = carry.to_dtype(shown.dtype())?;
            (shown, read) = (replace_rows(&shown, &asked, &carry)?, replace_rows(&read, &asked, &carry)?);
        }
        unroll.offer(match &decision.keys_values {
            Some(offered) => {
                let whole = replace_rows(&read, &asked, &offered.to_dtype(read.dtype())?)?;
                Some(choose(&next.at(step + 1), &whole, &read)?)
            }
            None => None,
        });
        if let Some(weights) = &decision.log_key_weights {
            numbers("logarithms of key weights", weights, &[asked.len()])?;
            let (column, all) = (weights.unsqueeze(1)?, log_key_weights.take());
            let all = all.map_or(Ok(column.clone()), |all| replace_rows(&all, &asked, &column))?;
            unroll.weigh(all.clone());
            log_key_weights = Some(all);
        }
        if !next.chooses {
            let takes = next.at(step + 1);
            let goes_on: Vec<bool> = asked.iter().map(|row| takes[row]).collect();
            keep(&mut memory, &goes_on, shown.device())?;
        }
    }
    let expected_depths = beliefs.expected(max_depth);
    match blended {
        None => Ok(Halted { states: shown, depths, expected_depths, weights: None, decided }),
        Some(blended) => {
            let weights = blended.finish(max_depth)?;
            if let Some(row) = depths.iter().position(|depth| *depth == 0) {
                return Err(Error::contract("policy", format!("every token takes a step, but row {row} stops before")));
            }
            let mean =
                |weights: &Vec<f64>| weights.iter().zip(0..).map(|(weight, step)| weight * f64::from(step)).sum();
            let expected = expected_depths.or_else(|| Some(weights.iter().map(mean).collect()));
            let (states, weights) = (blended.output, Some(weights));
            Ok(Halted { states, depths, expected_depths: expected, weights, decided })
        }
    }
}

/// Numbers of one kind in a decision.
pub(in crate::conformance) struct Emitted {
    /// What they are.
    pub what: &'static str,
    /// Their type, for tensors.
    pub dtype: Option<DType>,
    /// For each row of the decision, its numbers.
    pub values: Vec<Vec<f64>>,
}

/// The numbers in a decision about `rows` rows.
pub(in crate::conformance) fn emitted(decision: &Decision, rows: usize) -> Result<Vec<Emitted>> {
    let mut all = Vec::new();
    if let Some(scores) = &decision.scores {
        sized("scores", scores, rows)?;
        all.push(Emitted { what: "scores", dtype: None, values: scores.iter().map(|score| vec![*score]).collect() });
    }
    let (hazards, logits) = match &decision.halting {
        Halting::Hazards { logits, .. } => (Some(logits), None),
        Halting::Logits(logits) => (None, Some(logits)),
        _ => (None, None),
    };
    let weights = decision.output.as_ref().map(|output| &output.weight);
    let before = decision.output.as_ref().and_then(|output| output.before.as_ref());
    let gates = decision.gate.as_ref().map(|gate| &gate.values);
    let tensors = [
        ("hazards", hazards),
        ("logits", logits),
        ("weights", weights),
        ("weights of the states before", before),
        ("gates", gates),
        ("logarithms of key weights", decision.log_key_weights.as_ref()),
    ];
    for (what, tensor) in tensors {
        // The loop refuses other shapes with a message of its own.
        let Some(tensor) = tensor.filter(|tensor| tensor.dims().first() == Some(&rows)) else { continue };
        let wide = tensor.detach().to_dtype(DType::F64)?.reshape((rows, ()))?;
        all.push(Emitted { what, dtype: Some(tensor.dtype()), values: wide.to_vec2()? });
    }
    Ok(all)
}

/// Combines `old` and the candidates `new` of all rows through the gate.
fn join(gate: Option<(RowSet, Gate)>, old: &Tensor, new: &Tensor) -> Result<Tensor> {
    let Some((rows, Gate { values, combine })) = gate else { return Ok(new.clone()) };
    let all = Tensor::zeros((old.dim(0)?, 1), old.dtype(), old.device())?;
    let values = replace_rows(&all, &rows, &values.unsqueeze(1)?.to_dtype(old.dtype())?)?;
    Ok(match combine {
        Combine::Residual => (old + (new - old)?.broadcast_mul(&values)?)?,
        Combine::Added => (old + new.broadcast_mul(&values)?)?,
    })
}

/// Which rows take the next steps.
struct Next {
    takes: Vec<bool>,
    plan: Option<Vec<u32>>,
    chooses: bool,
}

impl Next {
    fn at(&self, step: usize) -> Vec<bool> {
        match &self.plan {
            Some(depths) => depths.iter().map(|depth| *depth as usize >= step).collect(),
            None => self.takes.clone(),
        }
    }

    fn hear(
        &mut self,
        halting: Halting,
        step: usize,
        asked: &RowSet,
        rule: HaltingRule,
        max_depth: usize,
        beliefs: &mut Beliefs,
    ) -> Result<()> {
        let halts = match halting {
            Halting::GoOn => return Ok(()),
            Halting::Choose(chosen) => {
                sized("chosen flags", &chosen, asked.len())?;
                (self.takes, self.chooses) = (chosen, true);
                return Ok(());
            }
            Halting::Depths(depths) => {
                sized("depths", &depths, asked.len())?;
                if let Some(depth) = depths.iter().find(|depth| !(1..=max_depth as u32).contains(depth)) {
                    return Err(Error::contract("policy", format!("depths are in 1..={max_depth}, found {depth}")));
                }
                self.plan = Some(depths);
                return Ok(());
            }
            Halting::Logits(logits) => {
                let distributions = depth_distribution(&logits, asked.len(), max_depth)?;
                self.plan = Some(distributions.iter().map(|q| rule.depth(q)).collect());
                beliefs.distributions = Some(distributions);
                return Ok(());
            }
            Halting::Halt(halts) => {
                sized("halting flags", &halts, asked.len())?;
                if step == 0 && halts.contains(&true) {
                    return Err(Error::contract("policy", "every token takes a step, but one stops before"));
                }
                halts
            }
            Halting::Hazards { logits, halts } => {
                let logits = numbers("hazards", &logits, &[asked.len()])?;
                let by_rule: Vec<bool> = asked
                    .iter()
                    .zip(logits)
                    .map(|(row, logit)| beliefs.tracks[row].push(logit, rule, max_depth))
                    .collect();
                let halts = halts.unwrap_or(by_rule);
                sized("halting flags", &halts, asked.len())?;
                halts
            }
        };
        asked.iter().zip(halts).for_each(|(row, halts)| self.takes[row] &= !halts);
        Ok(())
    }
}

/// Distributions over depths.
struct Beliefs {
    tracks: Vec<HazardTrack>,
    distributions: Option<Vec<Vec<f64>>>,
}

impl Beliefs {
    fn expected(&self, max_depth: usize) -> Option<Vec<f64>> {
        match &self.distributions {
            Some(distributions) => Some(distributions.iter().map(|q| expectation(q)).collect()),
            None => self.tracks.iter().map(|track| track.expected_depth(max_depth)).collect(),
        }
    }
}

/// Outputs that blend the states of several steps.
struct Blended {
    output: Tensor,
    /// Effective weights of the steps, for each row.
    weights: Vec<Vec<f64>>,
    must_sum_to_one: bool,
}

impl Blended {
    fn new(states: &Tensor) -> Result<Self> {
        let weights = vec![Vec::new(); states.dim(0)?];
        Ok(Self { output: states.zeros_like()?, weights, must_sum_to_one: true })
    }

    fn add(&mut self, step: usize, rows: &RowSet, weights: &[f64], blend: Blend, states: &Tensor) -> Result<()> {
        self.must_sum_to_one &= blend == Blend::Mixture;
        let mut share = vec![0.0; rows.total()];
        rows.iter().zip(weights).for_each(|(row, weight)| share[row] = *weight);
        let column = |values: Vec<f64>| -> Result<Tensor> {
            Ok(Tensor::from_vec(values, (rows.total(), 1), states.device())?.to_dtype(states.dtype())?)
        };
        if blend == Blend::Interpolation {
            let kept: Vec<f64> = share.iter().map(|weight| 1.0 - weight).collect();
            for (weights, kept) in self.weights.iter_mut().zip(&kept) {
                weights.iter_mut().for_each(|weight| *weight *= kept);
            }
            self.output = self.output.broadcast_mul(&column(kept)?)?;
        }
        for (weights, share) in self.weights.iter_mut().zip(&share) {
            weights.resize(step, 0.0);
            weights.push(*share);
        }
        self.output = (&self.output + states.broadcast_mul(&column(share)?)?)?;
        Ok(())
    }

    /// Adds the states that the rows started step `step` from.
    fn add_before(&mut self, step: usize, rows: &RowSet, weights: &[f64], states: &Tensor) -> Result<()> {
        let mut share = vec![0.0; rows.total()];
        rows.iter().zip(weights).for_each(|(row, weight)| share[row] = *weight);
        for (weights, share) in self.weights.iter_mut().zip(&share) {
            weights.resize(step, 0.0);
            weights[step - 1] += share;
        }
        let column = Tensor::from_vec(share, (rows.total(), 1), states.device())?.to_dtype(states.dtype())?;
        self.output = (&self.output + states.broadcast_mul(&column)?)?;
        Ok(())
    }

    fn finish(&self, max_depth: usize) -> Result<Vec<Vec<f64>>> {
        let mut all = self.weights.clone();
        all.iter_mut().for_each(|weights| weights.resize(max_depth + 1, 0.0));
        // A half-precision run rounds every weight to about three digits.
        let exact = matches!(self.output.dtype(), DType::F32 | DType::F64);
        let tolerance = if exact { TOLERANCE } else { 0.02 };
        for (row, weights) in all.iter().enumerate() {
            let total: f64 = weights.iter().sum();
            if self.must_sum_to_one && (total - 1.0).abs() > tolerance {
                return Err(Error::contract(
                    "policy",
                    format!(
                        "soft weights sum to one, unless blend is Sum or Interpolation; found {total} in row {row}"
                    ),
                ));
            }
            if let Some(weight) = weights.iter().find(|weight| **weight < -tolerance) {
                return Err(Error::contract("policy", format!("soft weights are not negative, found {weight}")));
            }
        }
        Ok(all)
    }
}

/// Halting probabilities of one token so far.
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

/// Softmax of each row of `logits` `[rows, D]`.
pub(in crate::conformance) fn depth_distribution(
    logits: &Tensor,
    rows: usize,
    max_depth: usize,
) -> Result<Vec<Vec<f64>>> {
    let logits = numbers("logits", logits, &[rows, max_depth])?;
    let softmax = |logits: &[f64]| {
        let largest = logits.iter().copied().fold(f64::MIN, f64::max);
        let powers: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
        let total: f64 = powers.iter().sum();
        powers.iter().map(|power| power / total).collect()
    };
    Ok(logits.chunks(max_depth).map(softmax).collect())
}

/// Expected depth under the probabilities `q` of the depths 1..=D.
fn expectation(q: &[f64]) -> f64 {
    q.iter().zip(1..).map(|(mass, depth)| mass * f64::from(depth)).sum()
}
