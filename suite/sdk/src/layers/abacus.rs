//! Abacus positions: places of digits within their numbers.

use candle_core::{Device, Tensor};
use candle_nn::{Init, VarBuilder};

use crate::backbone::BeginContext;
use crate::error::{Error, Result};
use crate::policy::Phase;
use crate::random::Stream;
use crate::vocabulary::Vocabulary;

/// A table of places (McLeish et al. 2024, arXiv 2405.17399, section 3): the first digit of a number is in place 1, the next
/// in place 2, and every other token in place 0. Numbers are runs of digits. In training, the places of all digits of a
/// sequence are shifted by one random number, so that large places are trained with short numbers.
pub struct Abacus {
    /// One row for each place, `[places, d_model]`.
    table: Tensor,
    /// The tokens that are digits, ascending.
    digits: Vec<u32>,
    /// Largest shift in training.
    shift: u32,
}

impl Abacus {
    /// A table of `places` rows, `prelude.positions.weight`, with the variance 1 / d_model of the embedding at the start.
    ///
    /// # Errors
    /// [`Error::Invalid`] if no token is a digit; if a stored table has another shape.
    pub fn new(
        vocabulary: Vocabulary,
        (places, d_model): (usize, usize),
        shift: u32,
        variables: &VarBuilder,
    ) -> Result<Self> {
        if vocabulary.digits.is_empty() {
            let expected = "rope, none or learned, because no token of the task is a decimal digit";
            return Err(Error::invalid("positions", expected, "abacus"));
        }
        let init = Init::Randn { mean: 0.0, stdev: (d_model.max(1) as f64).sqrt().recip() };
        let table = variables.pp("prelude").pp("positions").get_with_hints((places, d_model), "weight", init)?;
        Ok(Self { table, digits: vocabulary.digits.to_vec(), shift })
    }

    /// The embedded `tokens` of whole sequences, `[rows, d_model]`, with their places.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a place is beyond the table, or if the rows are not whole sequences.
    pub fn add(&self, embedded: &Tensor, tokens: &Tensor, context: &BeginContext) -> Result<Tensor> {
        let tokens: Vec<u32> = tokens.to_device(&Device::Cpu)?.to_vec1()?;
        let places = self.places(&tokens, context)?;
        let count = self.table.dim(0)?;
        if let Some(place) = places.iter().find(|place| **place as usize >= count) {
            let expected = format!("a number below {count}, the learned positions, shift included");
            return Err(Error::invalid("place of a digit", expected, place));
        }
        let index = Tensor::from_slice(&places, places.len(), embedded.device())?;
        Ok((embedded + self.table.index_select(&index, 0)?)?)
    }

    /// The place of each row.
    fn places(&self, tokens: &[u32], context: &BeginContext) -> Result<Vec<u32>> {
        let layout = context.layout;
        layout.require_whole("positions = \"abacus\"", "a digit's place depends on the digits before it")?;
        let mut places = Vec::with_capacity(tokens.len());
        for sequence in 0..layout.sequences() {
            let rows = layout.rows_of(sequence);
            let shift = match context.phase {
                Phase::Training(progress) if self.shift > 0 && !rows.is_empty() => {
                    let key = [layout.key(rows.start), progress.step];
                    Stream::new(context.seed, "abacus", &key).below(u64::from(self.shift) + 1) as u32
                }
                _ => 0,
            };
            let mut place = 0;
            for token in &tokens[rows] {
                place = if self.digits.binary_search(token).is_ok() { place + 1 } else { 0 };
                places.push(if place > 0 { place + shift } else { 0 });
            }
        }
        Ok(places)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candle_core::DType;

    use super::*;
    use crate::initialise::Variables;
    use crate::layout::TokenLayout;
    use crate::policy::Progress;

    fn abacus(places: usize, shift: u32) -> Abacus {
        let variables = Variables::new(1, DType::F64, &Device::Cpu);
        let vocabulary = Vocabulary { size: 5, digits: &[2, 3] };
        Abacus::new(vocabulary, (places, 4), shift, &variables.builder()).unwrap()
    }

    #[test]
    fn places_count_from_the_first_digit_of_each_number() {
        let layout = Arc::new(TokenLayout::new(&[6, 3], &[4, 5]).unwrap());
        let tokens = [2, 3, 0, 3, 2, 2, 3, 1, 2];
        let expected = [1, 2, 0, 1, 2, 3, 1, 0, 1];
        let context = BeginContext::new(&layout);
        let table = abacus(4, 9);
        assert_eq!(table.places(&tokens, &context).unwrap(), expected);
        let embedded = Tensor::zeros((9, 4), DType::F64, &Device::Cpu).unwrap();
        let added = table.add(&embedded, &Tensor::new(&tokens, &Device::Cpu).unwrap(), &context).unwrap();
        let row = |tensor: &Tensor, row: usize| tensor.get(row).unwrap().to_vec1::<f64>().unwrap();
        for (place, expected) in expected.into_iter().enumerate() {
            assert_eq!(row(&added, place), row(&table.table, expected as usize));
        }
        let error = abacus(3, 0).add(&embedded, &Tensor::new(&tokens, &Device::Cpu).unwrap(), &context).unwrap_err();
        assert_eq!(
            error.to_string(),
            "place of a digit: expected a number below 3, the learned positions, shift included, found 3"
        );
    }

    #[test]
    fn training_shifts_the_digits_of_a_sequence_alike_in_any_batch() {
        let phase = |step: u64| Phase::Training(Progress { step, total: 100 });
        let places = |lengths: &[usize], ids: &[u64], tokens: &[u32], step: u64| {
            let layout = Arc::new(TokenLayout::new(lengths, ids).unwrap());
            abacus(64, 20).places(tokens, &BeginContext { phase: phase(step), ..BeginContext::new(&layout) }).unwrap()
        };
        let mut shifts = std::collections::BTreeSet::new();
        for step in 0..300 {
            let both = places(&[4, 3], &[4, 5], &[2, 3, 0, 3, 2, 2, 1], step);
            let shift = both[0] - 1;
            assert_eq!(both[..4], [1 + shift, 2 + shift, 0, 1 + shift]);
            assert_eq!(both[4..], places(&[3], &[5], &[2, 2, 1], step));
            shifts.insert(shift);
        }
        assert!(shifts.into_iter().eq(0..=20), "every shift is drawn");
    }

    #[test]
    fn a_task_without_digits_is_refused() {
        let variables = Variables::new(1, DType::F64, &Device::Cpu);
        let error = Abacus::new(Vocabulary::new(5), (8, 4), 0, &variables.builder()).err().unwrap();
        assert_eq!(
            error.to_string(),
            "positions: expected rope, none or learned, because no token of the task is a decimal digit, found abacus"
        );
    }
}
