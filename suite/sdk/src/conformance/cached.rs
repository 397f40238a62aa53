//! Decoding with a cache: a backbone must compute the same logits as in one pass over whole sequences.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::Sequence;
use super::promise::Subject;
use super::reference::replace_rows;
use crate::backbone::{Backbone, BeginContext, Start, StepContext};
use crate::cache::KeyValueCache;
use crate::error::Result;
use crate::key_values::{HaltedKeysValues, KeyValues};
use crate::layout::{RowSet, TokenLayout};

/// Steps that a token may take.
const STEPS: usize = 3;

/// After how many steps the token at a position of a sequence halts.
fn depth(identity: u64, position: usize) -> usize {
    1 + (2 * identity as usize + position) % STEPS
}

/// Checks that logits of tokens decoded in rounds equal the logits of one pass over all tokens.
pub(super) fn check(
    subject: &Subject,
    backbone: &dyn Backbone,
    sequences: &[Sequence],
    (option, tolerance): (HaltedKeysValues, f64),
) {
    let promise = format!("new tokens against a cache give what all tokens give at once, under {}", option.name());
    let numbers = |logits: Result<Tensor>| {
        let rows = logits.and_then(|logits| Ok(logits.to_dtype(DType::F64)?.to_vec2::<f64>()?));
        subject.expect(&promise, rows)
    };
    let (expected, found) =
        (numbers(whole(backbone, sequences, option)), numbers(in_rounds(backbone, sequences, option)));
    subject.demand(&promise, found.len() == expected.len(), || format!("{} rows of {}", found.len(), expected.len()));
    for (row, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let near = |(found, expected): (&f64, &f64)| (found - expected).abs() <= tolerance * (1.0 + expected.abs());
        subject.demand(&promise, found.iter().zip(expected).all(near), || {
            format!("logits of row {row} begin with {:.6?} and with {:.6?}", &found[..2], &expected[..2])
        });
    }
}

/// Logits of every token of `sequences`, one after the other, from all tokens at once.
fn whole(backbone: &dyn Backbone, sequences: &[Sequence], option: HaltedKeysValues) -> Result<Tensor> {
    let lengths: Vec<usize> = sequences.iter().map(|sequence| sequence.tokens.len()).collect();
    let (tokens, layout) = packed(sequences, &vec![0; sequences.len()], &lengths)?;
    let rows = layout.rows();
    let all = RowSet::all(rows);
    let mut key_values = KeyValues::new(option, backbone.dimensions().core_layers, rows);
    let mut begin = BeginContext { max_depth: STEPS, ..BeginContext::new(&layout) };
    let Start { mut states, input } = backbone.begin(&tokens, &mut begin)?;
    for step in 1..=STEPS {
        let halted: Vec<bool> = (0..rows).map(|row| depth_of(&layout, row) < step).collect();
        let running = RowSet::from_mask(&halted.iter().map(|halted| !halted).collect::<Vec<bool>>());
        key_values.begin_dense(&all, &halted, &states)?;
        let context = StepContext::new(step, &layout, &all, &mut key_values).with_input(input.as_ref());
        let moved = backbone.step(&states, &mut StepContext { max_depth: STEPS, ..context })?;
        states = replace_rows(&states, &running, &running.select(&moved)?)?;
    }
    backbone.coda(&states, &layout, &all, None)
}

/// Logits of every token, decoded in rounds: two tokens of every sequence, then one of every sequence that has more.
fn in_rounds(backbone: &dyn Backbone, sequences: &[Sequence], option: HaltedKeysValues) -> Result<Tensor> {
    let mut rounds = Rounds::new(backbone, sequences.len(), option)?;
    let mut present: Vec<(usize, usize)> = (0..sequences.len()).map(|place| (place, 0)).collect();
    let mut logits: Vec<Vec<Tensor>> = vec![Vec::new(); sequences.len()];
    let mut piece = 2;
    while !present.is_empty() {
        let named: Vec<Sequence> = present.iter().map(|(place, _)| sequences[*place].clone()).collect();
        let before: Vec<usize> = present.iter().map(|(_, done)| *done).collect();
        let ends = named.iter().zip(&before);
        let lengths: Vec<usize> = ends.map(|(sequence, before)| piece.min(sequence.tokens.len() - before)).collect();
        let (tokens, layout) = packed(&named, &before, &lengths)?;
        let found = rounds.advance(&tokens, &layout)?;
        for (sequence, (place, done)) in present.iter_mut().enumerate() {
            let rows = layout.rows_of(sequence);
            logits[*place].push(found.narrow(0, rows.start, rows.len())?);
            *done += rows.len();
        }
        let goes_on: Vec<bool> = present.iter().map(|(place, done)| *done < sequences[*place].tokens.len()).collect();
        rounds.keep(&goes_on);
        let mut goes_on = goes_on.into_iter();
        present.retain(|_| goes_on.next().unwrap_or(false));
        piece = 1;
    }
    Ok(Tensor::cat(&logits.into_iter().flatten().collect::<Vec<Tensor>>(), 0)?)
}

/// New tokens of some sequences, `lengths` of each after `before`.
fn packed(sequences: &[Sequence], before: &[usize], lengths: &[usize]) -> Result<(Tensor, Arc<TokenLayout>)> {
    let identities: Vec<u64> = sequences.iter().map(|sequence| sequence.identity).collect();
    let pieces = sequences.iter().zip(before.iter().zip(lengths));
    let tokens: Vec<u32> = pieces
        .flat_map(|(sequence, (before, length))| sequence.tokens[*before..*before + *length].iter().copied())
        .collect();
    Ok((Tensor::new(tokens, &Device::Cpu)?, Arc::new(TokenLayout::after(before, lengths, &identities)?)))
}

fn depth_of(layout: &TokenLayout, row: usize) -> usize {
    depth(layout.identity(row), layout.position(row))
}

/// The caches of all parts.
struct Rounds<'a> {
    backbone: &'a dyn Backbone,
    option: HaltedKeysValues,
    prelude: KeyValueCache,
    core: KeyValues,
    coda: KeyValueCache,
}

impl<'a> Rounds<'a> {
    fn new(backbone: &'a dyn Backbone, sequences: usize, option: HaltedKeysValues) -> Result<Self> {
        let once = || KeyValueCache::new(HaltedKeysValues::LatestKv, 1, sequences);
        let layers = backbone.dimensions().core_layers;
        let core = KeyValues::cached(option, layers, KeyValueCache::new(option, STEPS, sequences)?);
        Ok(Self { backbone, option, prelude: once()?, core, coda: once()? })
    }

    /// Logits of all new tokens.
    fn advance(&mut self, tokens: &Tensor, layout: &Arc<TokenLayout>) -> Result<Tensor> {
        let all = RowSet::all(layout.rows());
        for cache in [Some(&mut self.prelude), self.core.cache(), Some(&mut self.coda)].into_iter().flatten() {
            cache.extend(layout)?;
        }
        self.prelude.begin(1, layout, &all, &[]);
        let begin = BeginContext { max_depth: STEPS, ..BeginContext::new(layout) };
        let Start { mut states, input } = self.backbone.begin(tokens, &mut begin.cached(&mut self.prelude))?;
        for step in 1..=STEPS {
            let mask = |of: &dyn Fn(usize) -> bool| {
                RowSet::from_mask(&(0..layout.rows()).map(|row| of(depth_of(layout, row))).collect::<Vec<bool>>())
            };
            let running = mask(&|depth| depth >= step);
            // A step may have only keys and values to project, of rows that halted before it.
            let settled: Vec<(u32, u32)> = match self.option {
                HaltedKeysValues::FreezeState => {
                    mask(&|depth| depth + 1 == step).iter().map(|row| (row as u32, step as u32 - 1)).collect()
                }
                _ => Vec::new(),
            };
            self.core.begin_cached(step, layout, &running, &settled, &states)?;
            let input = input.as_ref().map(|input| running.select(input)).transpose()?;
            let context = StepContext::new(step, layout, &running, &mut self.core).with_input(input.as_ref());
            let moved =
                self.backbone.step(&running.select(&states)?, &mut StepContext { max_depth: STEPS, ..context })?;
            if !running.is_empty() {
                states = replace_rows(&states, &running, &moved)?;
            }
        }
        self.coda.begin(1, layout, &all, &[]);
        self.backbone.coda(&states, layout, &all, Some(&mut self.coda))
    }

    fn keep(&mut self, kept: &[bool]) {
        for cache in [Some(&mut self.prelude), self.core.cache(), Some(&mut self.coda)].into_iter().flatten() {
            cache.keep(kept);
        }
    }
}
