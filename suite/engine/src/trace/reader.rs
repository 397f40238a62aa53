//! Reads a trace. Large tensors stay in the file until a part of them is requested.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use haltbench_sdk::candle_core::{DType, Device, Tensor};
use safetensors::tensor::Dtype;

use super::format::{COMPLEXITY, POLICY, Place, read_header, width};
use crate::error::{Error, Result};
use crate::files;

/// Largest length, position or target.
const MOST: i64 = u32::MAX as i64;

/// Numbers that are checked at a time.
const PIECE: usize = 1 << 20;

/// A trace, with its small tensors in memory.
pub struct Trace {
    path: PathBuf,
    file: File,
    places: BTreeMap<String, Place>,
    /// Metadata of the file, including the keys of the format.
    pub metadata: BTreeMap<String, String>,
    /// Steps that were recorded, D.
    pub max_depth: usize,
    /// Tokens of each sequence.
    pub lengths: Vec<usize>,
    /// Target of each token; -1 without a target.
    pub targets: Option<Vec<i64>>,
    /// Position of each token in its sequence.
    pub positions: Option<Vec<u32>>,
    /// Id of each sequence, the same in every run.
    pub identities: Option<Vec<u64>>,
    /// Complexities of each token by name; NaN where undefined.
    pub complexities: BTreeMap<String, Vec<f32>>,
}

impl Trace {
    /// Opens and checks the trace at `path`.
    ///
    /// # Errors
    /// [`Error::File`], or [`Error::Damaged`] that names the tensor, what was expected and what was found.
    pub fn open(path: &Path) -> Result<Self> {
        let (mut file, _) = files::open(path).map_err(Error::file(path, "cannot be opened"))?;
        let header = read_header(&mut file, path)?;
        let mut trace = Self {
            path: path.to_owned(),
            file,
            places: header.places,
            metadata: header.metadata,
            max_depth: 0,
            lengths: Vec::new(),
            targets: None,
            positions: None,
            identities: None,
            complexities: BTreeMap::new(),
        };
        trace.read_small()?;
        for name in ["states", "logits"] {
            trace.check_numbers(name)?;
        }
        Ok(trace)
    }

    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// Width of a state, if there are states.
    pub fn d_model(&self) -> Option<usize> {
        self.place("states").map(|place| place.shape[2])
    }

    /// Number of tokens in the vocabulary, if there are logits.
    pub fn vocabulary(&self) -> Option<usize> {
        self.place("logits").map(|place| place.shape[2])
    }

    /// The widest type of states, logits and weights, in which a policy computes.
    pub fn dtype(&self) -> DType {
        let counts = |name: &str| ["states", "logits"].contains(&name) || name.starts_with(POLICY);
        let is_wide = |(name, place): (&String, &Place)| counts(name) && place.dtype == Dtype::F64;
        if self.places.iter().any(is_wide) { DType::F64 } else { DType::F32 }
    }

    /// States after 0, 1, ... steps or logits after 1, 2, ... steps of the tokens `tokens`, `[tokens, ...]` each, for the
    /// first `steps` entries; `None` if the trace has none.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn entries(&self, name: &str, steps: usize, tokens: &Range<usize>) -> Result<Option<Vec<Tensor>>> {
        let Some(place) = self.place(name) else { return Ok(None) };
        let (total, columns) = (place.shape[1], place.shape[2]);
        let entry = |step: usize| {
            let first = (step * total + tokens.start) * columns;
            let bytes = self.bytes(place, first, tokens.len() * columns)?;
            let dtype = if place.dtype == Dtype::F64 { DType::F64 } else { DType::F32 };
            let tensor = Tensor::from_raw_buffer(&bytes, dtype, &[tokens.len(), columns], &Device::Cpu)?;
            Ok(tensor.to_dtype(self.dtype())?)
        };
        (0..steps).map(entry).collect::<Result<Vec<Tensor>>>().map(Some)
    }

    /// All numbers of the tensor `name` with their shape; `None` if there is none.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn numbers(&self, name: &str) -> Result<Option<(Vec<usize>, Vec<f64>)>> {
        let Some(place) = self.place(name) else { return Ok(None) };
        let bytes = self.bytes(place, 0, place.shape.iter().product())?;
        Ok(Some((place.shape.clone(), floats(place.dtype, &bytes).collect())))
    }

    /// Names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// An error about this file.
    pub fn damaged(&self, message: impl Into<String>) -> Error {
        Error::Damaged { path: self.path.clone(), message: message.into() }
    }

    fn place(&self, name: &str) -> Option<&Place> {
        self.places.get(name)
    }

    fn bytes(&self, place: &Place, first: usize, count: usize) -> Result<Vec<u8>> {
        let width = width(place.dtype);
        let mut bytes = vec![0; count * width as usize];
        let read = self.file.read_exact_at(&mut bytes, place.start + first as u64 * width);
        read.map_err(Error::file(&self.path, "cannot be read"))?;
        Ok(bytes)
    }

    /// Whole numbers of a tensor that must have `count` of them.
    fn whole(&self, name: &str, count: Option<(usize, &str)>) -> Result<Option<Vec<i64>>> {
        let Some(place) = self.place(name) else { return Ok(None) };
        self.check_column(name, place, count)?;
        let bytes = self.bytes(place, 0, place.shape[0])?;
        Ok(Some(bytes.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()))
    }

    fn check_column(&self, name: &str, place: &Place, count: Option<(usize, &str)>) -> Result<()> {
        let expected =
            count.map_or_else(|| "[sequences]".to_owned(), |(count, of)| format!("[{count}], one for each {of}"));
        let is_right = place.shape.len() == 1 && count.is_none_or(|(count, _)| place.shape[0] == count);
        if is_right {
            return Ok(());
        }
        Err(self.damaged(format!("tensor `{name}`: expected the shape {expected}, found {:?}", place.shape)))
    }

    /// Reads everything but states, logits and weights.
    fn read_small(&mut self) -> Result<()> {
        let lengths = self.whole("lengths", None)?;
        let lengths = lengths.ok_or_else(|| self.damaged("expected the tensor `lengths`, found no such tensor"))?;
        if lengths.is_empty() {
            return Err(self.damaged("tensor `lengths`: expected at least one sequence, found none"));
        }
        if let Some(place) = lengths.iter().position(|length| !(1..=MOST).contains(length)) {
            let found = lengths[place];
            return Err(
                self.damaged(format!("tensor `lengths`, sequence {place}: expected 1 to {MOST} tokens, found {found}"))
            );
        }
        self.lengths = lengths.iter().map(|length| *length as usize).collect();
        self.check_steps()?;
        let (tokens, sequences) = ((self.tokens(), "token"), (self.lengths.len(), "sequence"));
        self.targets = self.whole("targets", Some(tokens))?;
        let targets = self.targets.iter().flatten().enumerate();
        let last = self.vocabulary().map_or(MOST, |vocabulary| vocabulary as i64 - 1);
        if let Some((token, target)) = targets.clone().find(|(_, target)| !(-1..=last).contains(*target)) {
            let message = format!("tensor `targets`, token {token}: expected -1 to {last}, found {target}");
            return Err(self.damaged(message));
        }
        if let Some(positions) = self.whole("positions", Some(tokens))? {
            self.positions = Some(self.checked_positions(&positions)?);
        }
        let identities = self.whole("identities", Some(sequences))?;
        self.identities = identities.map(|names| names.iter().map(|name| name.cast_unsigned()).collect());
        let names: Vec<String> = self.names().filter(|name| name.starts_with(COMPLEXITY)).map(str::to_owned).collect();
        for name in names {
            if let Some(place) = self.place(&name) {
                self.check_column(&name, place, Some(tokens))?;
            }
            let values = self.numbers(&name)?.map(|(_, values)| values).unwrap_or_default();
            let short = name[COMPLEXITY.len()..].to_owned();
            self.complexities.insert(short, values.iter().map(|value| *value as f32).collect());
        }
        Ok(())
    }

    /// Checks that positions fit and increase within each sequence.
    fn checked_positions(&self, positions: &[i64]) -> Result<Vec<u32>> {
        let wrong = |token: usize, expected: &str| {
            let found = positions[token];
            self.damaged(format!("tensor `positions`, token {token}: expected {expected}, found {found}"))
        };
        let narrow = |(token, position): (usize, &i64)| {
            u32::try_from(*position).map_err(|_| wrong(token, &format!("a position from 0 to {MOST}")))
        };
        let narrowed = positions.iter().enumerate().map(narrow).collect::<Result<Vec<u32>>>()?;
        let mut start = 0;
        for length in &self.lengths {
            for token in start + 1..start + length {
                let before = narrowed[token - 1];
                if narrowed[token] <= before {
                    let expected = format!("a position above {before}, that of the token before it in its sequence");
                    return Err(wrong(token, &expected));
                }
            }
            start += length;
        }
        Ok(narrowed)
    }

    /// Checks that states and logits have the same steps and all tokens.
    fn check_steps(&mut self) -> Result<()> {
        let tokens = self.tokens();
        let mut recorded: Option<(&str, usize)> = None;
        for (name, before, last) in [("states", 1, "width"), ("logits", 0, "vocabulary")] {
            let Some(place) = self.place(name) else { continue };
            let steps = if before == 1 { "D + 1" } else { "D" };
            let shape = &place.shape;
            let wrong = |expected: String| {
                self.damaged(format!("tensor `{name}`: expected the shape {expected}, found {shape:?}"))
            };
            if shape.len() != 3 || shape[2] == 0 || shape[0] <= before {
                return Err(wrong(format!("[{steps}, tokens, {last}] with D and {last} at least 1")));
            }
            if shape[1] != tokens {
                return Err(wrong(format!("[{steps}, {tokens}, {last}], as `lengths` sum to {tokens}")));
            }
            if let Some((other, depth)) = recorded.filter(|(_, depth)| *depth != shape[0] - before) {
                return Err(wrong(format!("[{depth}, {tokens}, {last}], as `{other}` has h(0) and {depth} steps")));
            }
            recorded = Some((name, shape[0] - before));
        }
        let (_, depth) =
            recorded.ok_or_else(|| self.damaged("expected the tensor `states` or `logits`, found neither"))?;
        self.max_depth = depth;
        Ok(())
    }

    /// Refuses NaN and infinite numbers. Only a logit may be minus infinity, which stands for probability 0; a token needs
    /// at least one other.
    fn check_numbers(&self, name: &str) -> Result<()> {
        let Some(place) = self.place(name) else { return Ok(()) };
        let (total, columns): (usize, usize) = (place.shape.iter().product(), place.shape[2]);
        let are_logits = name == "logits";
        let is_sound = |value: &f64| value.is_finite() || (are_logits && *value == f64::NEG_INFINITY);
        let wrong = |row: usize, expected: &str, found: &str| {
            let (step, token) = (row / place.shape[1] + usize::from(are_logits), row % place.shape[1]);
            self.damaged(format!("tensor `{name}`, step {step}, token {token}: expected {expected}, found {found}"))
        };
        // Whole rows at a time.
        let piece = (PIECE / columns).max(1) * columns;
        for first in (0..total).step_by(piece) {
            let bytes = self.bytes(place, first, piece.min(total - first))?;
            let (mut has_finite, mut column, mut row) = (false, 0, first / columns);
            for value in floats(place.dtype, &bytes) {
                if !is_sound(&value) {
                    let expected = if are_logits { "finite numbers or minus infinity" } else { "finite numbers" };
                    return Err(wrong(row, expected, &value.to_string()));
                }
                has_finite |= value.is_finite();
                column += 1;
                if column == columns {
                    if !has_finite {
                        return Err(wrong(row, "at least one finite number", "minus infinity alone"));
                    }
                    (has_finite, column, row) = (false, 0, row + 1);
                }
            }
        }
        Ok(())
    }
}

/// The numbers of a tensor of floats.
fn floats(dtype: Dtype, bytes: &[u8]) -> Box<dyn Iterator<Item = f64> + '_> {
    if dtype == Dtype::F64 {
        return Box::new(bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)));
    }
    Box::new(bytes.as_chunks().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))))
}
