//! Packed batches: the tokens of all sequences in a row, without padding.
//!
//! A tensor of token states has the shape `[rows, d_model]`. Row `r` is the token at `position(r)` of the sequence
//! `sequence(r)`, so the tokens that a causal attention of row `r` may see are the rows `start(r)..=r`.

use std::fmt;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};
use crate::ops::{Sequences, gather_rows};

/// Which row of a packed batch is which token.
#[derive(Clone)]
pub struct TokenLayout {
    starts: Vec<u32>,
    sequence: Vec<u32>,
    position: Vec<u32>,
    /// Keys of the engine's draws, one for each sequence.
    key: Vec<u64>,
    /// Ids that plugins see, one for each sequence.
    identity: Vec<u64>,
    /// Whether a row's prediction is part of an answer.
    answer: Vec<bool>,
}

impl TokenLayout {
    /// The layout of sequences with these lengths. `identities` holds an id for each sequence, the same in every run:
    /// random draws and recorded depths are keyed by this id, never by the place in a batch.
    ///
    /// # Errors
    /// If a sequence is empty or the two slices differ in length.
    pub fn new(lengths: &[usize], identities: &[u64]) -> Result<Self> {
        Self::after(&vec![0; lengths.len()], lengths, identities)
    }

    /// The layout of the next tokens of sequences that already have `before` tokens: positions continue from there.
    ///
    /// # Errors
    /// Like [`new`](Self::new).
    pub fn after(before: &[usize], lengths: &[usize], identities: &[u64]) -> Result<Self> {
        for (name, found) in [("identities", identities.len()), ("tokens before", before.len())] {
            if lengths.len() != found {
                return Err(Error::invalid(name, format!("{} of them", lengths.len()), found));
            }
        }
        if let Some(sequence) = lengths.iter().position(|length| *length == 0) {
            return Err(Error::invalid(format!("sequence {sequence}"), "at least one token", 0));
        }
        let mut layout = Self {
            starts: vec![0],
            sequence: vec![],
            position: vec![],
            key: identities.to_vec(),
            identity: identities.to_vec(),
            answer: vec![],
        };
        for (sequence, (before, length)) in before.iter().zip(lengths).enumerate() {
            layout.sequence.extend(std::iter::repeat_n(sequence as u32, *length));
            layout.position.extend(*before as u32..(*before + *length) as u32);
            layout.starts.push(layout.sequence.len() as u32);
        }
        layout.answer = vec![false; layout.rows()];
        Ok(layout)
    }

    /// This layout with `rows` marked as answers: rows whose prediction is part of an answer.
    ///
    /// The places of answers belong to the task's format. A policy that claims to learn where to compute should not
    /// read them; controls do.
    #[must_use]
    pub fn with_answers(mut self, rows: &RowSet) -> Self {
        self.answer.fill(false);
        rows.iter().for_each(|row| self.answer[row] = true);
        self
    }

    /// This layout with other ids for plugins to see, one for each sequence. Draws of [`View::uniform`] and of
    /// [`random_states`] stay keyed by the ids that it was made with, which nobody can read.
    ///
    /// The engine's ids say which stream an instance was drawn from, so a policy that knew them could draw it too.
    ///
    /// # Errors
    /// If there are not as many ids as sequences.
    ///
    /// [`View::uniform`]: crate::policy::View::uniform
    /// [`random_states`]: crate::layers::random_states
    pub fn with_identities(mut self, identities: Vec<u64>) -> Result<Self> {
        if identities.len() != self.sequences() {
            return Err(Error::invalid("identities", format!("{} of them", self.sequences()), identities.len()));
        }
        self.identity = identities;
        Ok(self)
    }

    /// This layout with the given positions, one for each row: a recorded pass may hold only some tokens of a sequence.
    ///
    /// # Errors
    /// If there are not as many positions as rows.
    pub fn with_positions(mut self, positions: Vec<u32>) -> Result<Self> {
        if positions.len() != self.rows() {
            return Err(Error::invalid("positions", format!("{} of them", self.rows()), positions.len()));
        }
        self.position = positions;
        Ok(self)
    }

    /// Number of tokens.
    pub fn rows(&self) -> usize {
        self.sequence.len()
    }

    /// Number of sequences.
    pub fn sequences(&self) -> usize {
        self.identity.len()
    }

    /// The rows of a sequence.
    pub fn rows_of(&self, sequence: usize) -> std::ops::Range<usize> {
        self.starts[sequence] as usize..self.starts[sequence + 1] as usize
    }

    /// The sequence that a row belongs to.
    pub fn sequence(&self, row: usize) -> usize {
        self.sequence[row] as usize
    }

    /// First row of the sequence that `row` belongs to.
    pub fn start(&self, row: usize) -> usize {
        self.starts[self.sequence(row)] as usize
    }

    /// 0-based position of a row within its sequence.
    pub fn position(&self, row: usize) -> usize {
        self.position[row] as usize
    }

    /// Refuses a layout that lacks tokens before one of its rows, for `policy`, which reads whole sequences because of `reason`.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the first row whose position in its sequence is not its place among the rows.
    pub fn require_whole(&self, policy: &str, reason: &str) -> Result<()> {
        let place = |row: usize| row - self.start(row);
        let Some(row) = (0..self.rows()).find(|row| self.position(*row) != place(*row)) else { return Ok(()) };
        let found = format!("one whose token {} is at position {}", place(row), self.position(row));
        Err(Error::invalid(format!("sequences of {policy}"), format!("whole ones, because {reason}"), found))
    }

    /// Whether the prediction of `row` is part of an answer; false for every row unless
    /// [`with_answers`](Self::with_answers) has marked some.
    pub fn is_answer(&self, row: usize) -> bool {
        self.answer[row]
    }

    /// Id of the sequence that `row` belongs to, the same in every run. It tells sequences apart and says nothing about
    /// them.
    pub fn identity(&self, row: usize) -> u64 {
        self.identity[self.sequence(row)]
    }

    /// What the engine's draws for `row` are keyed by.
    pub(crate) fn key(&self, row: usize) -> u64 {
        self.key[self.sequence(row)]
    }
}

/// Without the keys of draws, which comparisons would give away.
impl PartialEq for TokenLayout {
    fn eq(&self, other: &Self) -> bool {
        let Self { starts, sequence, position, identity, answer, key: _ } = self;
        (starts, sequence, position) == (&other.starts, &other.sequence, &other.position)
            && (identity, answer) == (&other.identity, &other.answer)
    }
}

/// Without the keys of draws.
impl fmt::Debug for TokenLayout {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let Self { starts, position, identity, answer, .. } = self;
        let mut written = formatter.debug_struct("TokenLayout");
        written.field("starts", starts).field("position", position).field("identity", identity);
        written.field("answer", answer).finish_non_exhaustive()
    }
}

/// Attention stays within sequences.
impl Sequences for TokenLayout {
    fn starts(&self) -> &[u32] {
        &self.starts
    }
}

/// An ascending set of rows of a packed batch.
#[derive(Debug, Clone, PartialEq)]
pub struct RowSet {
    rows: Arc<[u32]>,
    total: usize,
}

impl RowSet {
    /// All of `total` rows.
    pub fn all(total: usize) -> Self {
        Self { rows: (0..total as u32).collect(), total }
    }

    /// None of `total` rows.
    pub fn none(total: usize) -> Self {
        Self { rows: Arc::new([]), total }
    }

    /// The rows where `mask` is true.
    pub fn from_mask(mask: &[bool]) -> Self {
        let rows = mask.iter().enumerate().filter(|(_, set)| **set).map(|(row, _)| row as u32);
        Self { rows: rows.collect(), total: mask.len() }
    }

    /// Number of rows in the set.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the set has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether every row of the batch is in the set.
    pub fn is_all(&self) -> bool {
        self.rows.len() == self.total
    }

    /// Number of rows of the batch.
    pub fn total(&self) -> usize {
        self.total
    }

    /// The rows, ascending, behind a shared pointer.
    pub fn shared(&self) -> &Arc<[u32]> {
        &self.rows
    }

    /// The index within `other` of each of this set's rows; `other` must contain all of them.
    pub fn places_in(&self, other: &Self) -> Arc<[u32]> {
        if other.is_all() {
            return self.rows.clone();
        }
        let mut places = 0..other.len();
        let place = |row: &u32| places.find(|place| other.rows[*place] == *row).unwrap_or_default() as u32;
        self.rows.iter().map(place).collect()
    }

    /// The rows, ascending.
    pub fn as_slice(&self) -> &[u32] {
        &self.rows
    }

    /// The rows as indexes, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.rows.iter().map(|row| *row as usize)
    }

    /// The rows of `tensor` (`[total, ...]`) that are in the set, `[len, ...]`.
    ///
    /// # Errors
    /// If `tensor` does not have `total` rows.
    pub fn select(&self, tensor: &Tensor) -> Result<Tensor> {
        if self.is_all() {
            return Ok(tensor.clone());
        }
        Ok(gather_rows(tensor, &self.rows)?)
    }

    /// The rows as a tensor of u32, `[len]`.
    ///
    /// # Errors
    /// If the device refuses the memory.
    pub fn tensor(&self, device: &Device) -> Result<Tensor> {
        Ok(Tensor::from_slice(&self.rows, self.rows.len(), device)?)
    }
}

impl AsRef<[u32]> for RowSet {
    fn as_ref(&self) -> &[u32] {
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_a_subset_are_those_of_its_rows() {
        let set = |rows: &[usize]| RowSet::from_mask(&(0..9).map(|row| rows.contains(&row)).collect::<Vec<bool>>());
        assert_eq!(*set(&[2, 7]).places_in(&set(&[0, 2, 3, 7, 8])), [1, 3]);
        assert_eq!(*set(&[2, 7]).places_in(&RowSet::all(9)), [2, 7]);
        assert!(set(&[]).places_in(&set(&[1])).is_empty());
    }

    #[test]
    fn rows_know_their_token() {
        let layout = TokenLayout::new(&[3, 1, 2], &[10, 20, 30]).unwrap();
        assert_eq!((layout.rows(), layout.sequences()), (6, 3));
        assert_eq!((layout.sequence(4), layout.position(5), layout.start(5)), (2, 1, 4));
        assert_eq!((layout.identity(3), layout.rows_of(2)), (20, 4..6));
        let next = TokenLayout::after(&[3, 0], &[1, 2], &[10, 20]).unwrap();
        assert_eq!((next.position(0), next.position(2), next.sequence(2), next.start(2)), (3, 1, 1, 1));
        assert!(TokenLayout::new(&[2, 0], &[1, 2]).unwrap_err().to_string().contains("sequence 1"));
        let some = layout.clone().with_positions(vec![1, 4, 5, 0, 2, 7]).unwrap();
        assert_eq!((some.position(1), some.position(5), some.start(5)), (4, 7, 4));
        assert!(layout.require_whole("mine", "it averages").is_ok());
        let error = some.require_whole("mine", "it averages").unwrap_err().to_string();
        let expected =
            "sequences of mine: expected whole ones, because it averages, found one whose token 0 is at position 1";
        assert_eq!(error, expected);
        let error = layout.with_positions(vec![0]).unwrap_err().to_string();
        assert_eq!(error, "positions: expected 6 of them, found 1");
    }

    #[test]
    fn plugins_see_other_ids_than_draws_are_keyed_by() {
        let layout = TokenLayout::new(&[3, 1], &[4_100_001, 4_100_002]).unwrap().with_identities(vec![7, 8]).unwrap();
        assert_eq!((layout.identity(0), layout.identity(3)), (7, 8));
        assert_eq!((layout.key(0), layout.key(3)), (4_100_001, 4_100_002));
        assert!(!format!("{layout:?}").contains("410000"), "{layout:?}");
        let other = TokenLayout::new(&[3, 1], &[1, 2]).unwrap().with_identities(vec![7, 8]).unwrap();
        assert!(layout == other, "no comparison gives a key away");
        let error = layout.with_identities(vec![1]).unwrap_err().to_string();
        assert_eq!(error, "identities: expected 2 of them, found 1");
    }
}
