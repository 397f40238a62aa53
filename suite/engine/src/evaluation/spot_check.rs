//! Checks of a policy's claims on a few sequences of every evaluation.
//!
//! What the evaluation found for some sequences is compared with what the policy decides about them once more, at the
//! end: alone, beside other sequences, and without their last tokens. Because the first pass is the evaluation itself, a
//! policy that behaves until it has been called often enough, or until it recognises a check, gives itself away.

use std::collections::BTreeSet;
use std::slice;
use std::sync::Arc;

use haltbench_sdk::candle_core::Tensor;
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::policy::Privileged;

use super::Evaluator;
use crate::batch::Batch;
use crate::data::{EvaluationInstance, opaque};
use crate::error::Result;
use crate::model::Model;
use crate::recurrence::{Evaluated, Execution, evaluate};
use crate::store::{Check, Checks};

/// One sequence in so many is checked, at least [`LEAST`] and at most [`MOST`]: with the prefixes, about 2 % of an
/// evaluation of a few hundred sequences.
const ONE_IN: usize = 100;
const LEAST: usize = 4;
const MOST: usize = 16;
/// Prefixes of the first, shortest sequence; of the others, one each. A policy that looks one token ahead differs only in
/// the last token of a prefix.
const PREFIXES: usize = 8;

/// How far numbers may be apart, relative to 1 + their size. On the CPU the engine's own numbers are equal to the bit;
/// a policy's own operations may round in another way for another number of rows.
const ON_CPU: f64 = 1e-5;
const ELSEWHERE: f64 = 1e-3;
/// Share of tokens that may differ on an accelerator, whose kernels round in another way for another batch.
const ALLOWED_ELSEWHERE: f64 = 0.02;

/// What a policy decided about the tokens of one sequence.
pub struct Seen {
    /// Index of the instance.
    place: usize,
    tokens: Vec<Token>,
}

/// What a policy decided about a token.
#[derive(Clone)]
struct Token {
    depth: u32,
    /// Scores after each step, probabilities of the depths, weights of the states, choices: those that there are.
    numbers: Vec<f64>,
    /// Of the prediction, if the token predicts an answer.
    confidence: Option<f32>,
}

impl Token {
    fn is_near(&self, other: &Self, tolerance: f64) -> bool {
        // NaN stands for a score that does not exist, and equals itself.
        let near = |a: f64, b: f64| a.to_bits() == b.to_bits() || (a - b).abs() <= tolerance * (1.0 + a.abs());
        let confidences = self.confidence.zip(other.confidence);
        self.depth == other.depth
            && self.numbers.len() == other.numbers.len()
            && self.numbers.iter().zip(&other.numbers).all(|(a, b)| near(*a, *b))
            && confidences.is_none_or(|(a, b)| near(a.into(), b.into()))
    }
}

/// A comparison in progress.
struct Comparison {
    check: Check,
    tolerance: f64,
}

impl Comparison {
    fn new(model: &Model, is_exact: bool) -> Self {
        let tolerance = match (model.device.is_cpu(), is_exact) {
            (true, true) => 0.0,
            (true, false) => ON_CPU,
            (false, _) => ELSEWHERE,
        };
        Self { check: Check::default(), tolerance }
    }

    /// Compares the tokens of a sequence of `length` tokens, or of its start.
    fn add(&mut self, expected: &[Token], found: &[Token], length: usize) {
        for (position, (expected, found)) in expected.iter().zip(found).enumerate() {
            self.check.tokens += 1;
            if expected.is_near(found, self.tolerance) {
                continue;
            }
            self.check.differing += 1;
            self.check.note.get_or_insert_with(|| {
                let token = format!("token {position} of a sequence of {length}");
                match (expected.depth, found.depth) {
                    (before, now) if before != now => format!("{token}, which took {before} and then {now} steps"),
                    (depth, _) => format!("{token}, which took {depth} steps both times with other scores"),
                }
            });
        }
    }

    fn finish(mut self, model: &Model) -> Check {
        if !model.device.is_cpu() {
            self.check.allowed = (ALLOWED_ELSEWHERE * self.check.tokens as f64).ceil() as u64;
        }
        self.check
    }
}

impl Evaluator<'_> {
    /// The places of the sequences that are checked: spread evenly, with the first and the last.
    fn sample(&self) -> BTreeSet<usize> {
        let count = self.instances.len();
        let wanted = (count / ONE_IN).clamp(LEAST, MOST).min(count);
        (0..wanted).map(|number| number * count.saturating_sub(1) / wanted.saturating_sub(1).max(1)).collect()
    }

    /// What an evaluated batch, whose first sequence is the instance `first`, says about the sequences that are checked.
    pub(super) fn seen(&self, first: usize, batch: &Batch, evaluated: &Evaluated) -> Vec<Seen> {
        let sequences = first..first + batch.layout.sequences();
        let places = self.sample().into_iter().filter(|place| sequences.contains(place));
        places.map(|place| Seen { place, tokens: tokens(batch, evaluated, place - first) }).collect()
    }

    /// Evaluates the sequences of `seen` again, and compares.
    ///
    /// # Errors
    /// If a pass fails.
    pub fn check(&self, model: &Model, seen: &[Seen]) -> Result<Checks> {
        let mut checks = Checks { sequences: seen.len() as u64, ..Checks::default() };
        let Some((first, others)) = seen.split_first() else { return Ok(checks) };
        let alone = self.again(model, &[first])?;
        let once_more = self.again(model, &[first])?;
        let mut repetition = Comparison::new(model, true);
        compare(&mut repetition, &alone, &once_more);
        let mut batch = Comparison::new(model, false);
        compare(&mut batch, slice::from_ref(&first.tokens), &alone);
        let reversed: Vec<&Seen> = others.iter().rev().collect();
        if !reversed.is_empty() {
            let expected: Vec<Vec<Token>> = reversed.iter().map(|seen| seen.tokens.clone()).collect();
            compare(&mut batch, &expected, &self.again(model, &reversed)?);
        }
        let mut batch = batch.finish(model);
        if batch.is_broken() {
            // The batch differs, and so does the time: the same batches once more tell which of them matters.
            self.repeat(model, seen, &mut repetition)?;
        }
        checks.repetition = repetition.finish(model);
        if checks.repetition.is_broken() {
            batch = Check::skipped("the same batch gives other depths the second time");
        }
        let is_causal = model.is_causal && model.backbone_is_causal();
        checks.causality = match () {
            () if !is_causal => Check::skipped("the policy or the backbone does not claim to be causal"),
            () if checks.repetition.is_broken() => Check::skipped("the same batch gives other depths the second time"),
            () if batch.is_broken() => Check::skipped("its depths depend on the other sequences of a batch"),
            () => self.causality(model, seen)?,
        };
        checks.batch = batch;
        Ok(checks)
    }

    /// Sequences evaluated in one batch, in this order.
    fn again(&self, model: &Model, seen: &[&Seen]) -> Result<Vec<Vec<Token>>> {
        let (batch, privileged) = self.pack(seen.iter().map(|seen| &self.instances[seen.place]), model)?;
        let evaluated = evaluate(model, &batch, Execution::Compacted, Some(&privileged))?;
        Ok((0..seen.len()).map(|sequence| tokens(&batch, &evaluated, sequence)).collect())
    }

    /// Compares the batches of the first and of the last checked sequence with the same batches evaluated once more.
    fn repeat(&self, model: &Model, seen: &[Seen], repetition: &mut Comparison) -> Result<()> {
        let ends = [seen.first(), seen.last()].into_iter().flatten().map(|seen| seen.place / self.batch);
        for number in ends.collect::<BTreeSet<usize>>() {
            let Some(chunk) = self.chunks().nth(number) else { continue };
            let (batch, privileged) = self.pack(chunk, model)?;
            let evaluated = evaluate(model, &batch, Execution::Compacted, Some(&privileged))?;
            for again in self.seen(number * self.batch, &batch, &evaluated) {
                for seen in seen.iter().filter(|seen| seen.place == again.place) {
                    repetition.add(&seen.tokens, &again.tokens, seen.tokens.len());
                }
            }
        }
        Ok(())
    }

    /// Compares sequences with their prefixes.
    fn causality(&self, model: &Model, seen: &[Seen]) -> Result<Check> {
        let prefixes: Vec<Prefix> = seen
            .iter()
            .enumerate()
            .flat_map(|(number, seen)| {
                let (length, wanted) = (seen.tokens.len(), if number == 0 { PREFIXES } else { 1 });
                let cut = move |part: usize| match wanted {
                    // Other sequences are cut at different shares of their lengths.
                    1 => length * (1 + number % 4) / 5,
                    _ => length * (part + 1) / (wanted + 1),
                };
                let cuts: BTreeSet<usize> =
                    (0..wanted).map(|part| cut(part).max(1)).filter(|cut| *cut < length).collect();
                cuts.into_iter().map(move |length| Prefix { seen, length })
            })
            .collect();
        if prefixes.is_empty() {
            return Ok(Check::skipped("no checked sequence has more than one token"));
        }
        let (batch, privileged) = self.pack_prefixes(model, &prefixes)?;
        let evaluated = evaluate(model, &batch, Execution::Compacted, Some(&privileged))?;
        let mut comparison = Comparison::new(model, false);
        for (sequence, Prefix { seen, .. }) in prefixes.iter().enumerate() {
            comparison.add(&seen.tokens, &tokens(&batch, &evaluated, sequence), seen.tokens.len());
        }
        Ok(comparison.finish(model))
    }

    fn pack_prefixes(&self, model: &Model, prefixes: &[Prefix]) -> Result<(Batch, Privileged)> {
        let entries: Vec<&EvaluationInstance> =
            prefixes.iter().map(|prefix| &self.instances[prefix.seen.place]).collect();
        let (whole, privileged) = self.pack(entries.iter().copied(), model)?;
        let layout = &whole.layout;
        let starts = prefixes.iter().enumerate();
        let rows: Vec<u32> = starts
            .flat_map(|(sequence, prefix)| {
                let start = layout.rows_of(sequence).start as u32;
                start..start + prefix.length as u32
            })
            .collect();
        let lengths: Vec<usize> = prefixes.iter().map(|prefix| prefix.length).collect();
        let ids: Vec<u64> = entries.iter().map(|entry| entry.id).collect();
        let seen = ids.iter().map(|id| opaque(*id)).collect();
        let answers: Vec<bool> = rows.iter().map(|row| layout.is_answer(*row as usize)).collect();
        let readout = match answers.contains(&true) {
            true => RowSet::from_mask(&answers),
            // A pass reads out something.
            false => RowSet::from_mask(&(0..rows.len()).map(|row| row == 0).collect::<Vec<bool>>()),
        };
        let cut = TokenLayout::new(&lengths, &ids)?.with_identities(seen)?.with_answers(&RowSet::from_mask(&answers));
        let of = |column: &[f32]| rows.iter().map(|row| column[*row as usize]).collect::<Vec<f32>>();
        let index = Tensor::from_slice(&rows, rows.len(), &model.device)?;
        let batch = Batch {
            layout: Arc::new(cut),
            tokens: whole.tokens.index_select(&index, 0)?,
            targets: Arc::new(vec![0; readout.len()]),
            readout,
            target_index: rows.iter().map(|row| whole.target_index[*row as usize]).collect(),
            complexity: of(&whole.complexity),
        };
        // A causal policy is no oracle of outcomes, which later tokens change.
        let privileged = Privileged { complexity: of(&privileged.complexity), range: privileged.range, outcomes: None };
        Ok((batch, privileged))
    }
}

/// The first tokens of a checked sequence.
struct Prefix<'a> {
    seen: &'a Seen,
    length: usize,
}

fn compare(comparison: &mut Comparison, expected: &[Vec<Token>], found: &[Vec<Token>]) {
    expected.iter().zip(found).for_each(|(expected, found)| comparison.add(expected, found, expected.len()));
}

/// What was decided about the tokens of a sequence.
fn tokens(batch: &Batch, evaluated: &Evaluated, sequence: usize) -> Vec<Token> {
    let mut confidences = vec![None; batch.rows()];
    batch.readout.iter().zip(&evaluated.confidence).for_each(|(row, confidence)| confidences[row] = Some(*confidence));
    let decided = &evaluated.decided;
    let token = |row: usize| {
        let mut numbers: Vec<f64> = decided.scores[row].iter().map(|score| score.unwrap_or(f64::NAN)).collect();
        for table in [&decided.distributions, &decided.weights].into_iter().flatten() {
            numbers.extend(&table[row]);
        }
        // A pass ends early if no row of its batch takes another step.
        let is_chosen = |step: usize| decided.chosen.get(step).is_some_and(|chosen| chosen[row]);
        numbers.extend((0..decided.scores[row].len()).map(|step| f64::from(u8::from(is_chosen(step)))));
        Token { depth: evaluated.depths[row], numbers, confidence: confidences[row] }
    };
    batch.layout.rows_of(sequence).map(token).collect()
}
