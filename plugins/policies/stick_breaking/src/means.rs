//! Means over the tokens of a sequence, of the rows that a view shows.

use haltbench_sdk::prelude::*;

/// What the perceptron of `gut` averages.
#[derive(Clone, Copy, PartialEq)]
pub enum Scope {
    /// All tokens of the sequence.
    Sequence {
        /// Whether a sequence of S tokens halts after S + 1 steps.
        is_capped: bool,
    },
    /// The tokens up to each one.
    Causal,
    /// Nothing.
    Token,
}

impl Scope {
    /// From the parameters `scope` and `length_cap`.
    pub fn from_parameters(parameters: &Parameters) -> Result<Self> {
        Ok(match parameters.text("scope")? {
            "causal" => Self::Causal,
            "token" => Self::Token,
            _ => Self::Sequence { is_capped: parameters.flag("length_cap")? },
        })
    }

    /// Refuses a view that lacks the start of a sequence, or tokens inside it, if tokens are averaged.
    pub fn check(self, view: &View) -> Result<()> {
        match self {
            Self::Token => Ok(()),
            _ => view.layout().require_whole("gut", "it averages over their tokens, unless scope = \"token\""),
        }
    }

    /// What the perceptron reads: means of `before` and `now`, `[rows, 2 d_model]`. In the scope `causal`, `frozen` is the
    /// sum of the states of the halted tokens before each token.
    pub fn pooled(self, view: &View, before: &Tensor, now: &Tensor, frozen: Option<&Tensor>) -> Result<Tensor> {
        let pair = Tensor::cat(&[before, now], 1)?;
        Ok(match (self, frozen) {
            (Self::Sequence { .. }, _) => of_sequences(view, &pair)?,
            (Self::Causal, Some(frozen)) => {
                let counts: Vec<f64> = view.rows().iter().map(|row| (view.layout().position(row) + 1) as f64).collect();
                let counts = Tensor::new(counts, pair.device())?.to_dtype(pair.dtype())?.unsqueeze(1)?;
                let sums = (running_sums(view, &pair)? + Tensor::cat(&[frozen, frozen], 1)?)?;
                sums.broadcast_div(&counts)?
            }
            _ => pair,
        })
    }

    /// The last step of a row.
    pub fn last(self, view: &View, row: usize) -> usize {
        match self {
            Self::Sequence { is_capped: true } => {
                let layout = view.layout();
                view.max_depth().min(layout.rows_of(layout.sequence(row)).len() + 1)
            }
            _ => view.max_depth(),
        }
    }
}

/// The mean of `values`, `[rows, width]`, over the rows of each sequence, for each row.
fn of_sequences(view: &View, values: &Tensor) -> Result<Tensor> {
    let layout = view.layout();
    let mut counts = vec![0.0f64; layout.sequences()];
    let sequences: Vec<u32> = view.rows().iter().map(|row| layout.sequence(row) as u32).collect();
    sequences.iter().for_each(|sequence| counts[*sequence as usize] += 1.0);
    let sequences = Tensor::new(sequences, values.device())?;
    let zero = Tensor::zeros((counts.len(), values.dim(1)?), values.dtype(), values.device())?;
    let sums = zero.index_add(&sequences, values, 0)?.index_select(&sequences, 0)?;
    let counts = Tensor::new(counts, values.device())?.to_dtype(values.dtype())?.index_select(&sequences, 0)?;
    Ok(sums.broadcast_div(&counts.unsqueeze(1)?)?)
}

/// The sum of `values`, `[rows, width]`, over the rows of the same sequence up to each row.
///
/// Reaches are doubled, so that a row's sum is the same to the bit whatever comes after it.
pub fn running_sums(view: &View, values: &Tensor) -> Result<Tensor> {
    let layout = view.layout();
    let mut place_in_sequence: Vec<usize> = Vec::with_capacity(view.rows().len());
    let mut last = None;
    for row in view.rows().iter() {
        let sequence = Some(layout.sequence(row));
        let place = if sequence == last { place_in_sequence.last().map_or(0, |place| place + 1) } else { 0 };
        place_in_sequence.push(place);
        last = sequence;
    }
    let longest = place_in_sequence.iter().copied().max().unwrap_or(0);
    let (mut sums, mut reach) = (values.clone(), 1);
    while reach <= longest {
        let reaches: Vec<bool> = place_in_sequence.iter().map(|place| *place >= reach).collect();
        let sources = (0u32..).zip(&reaches).map(|(row, reaches)| if *reaches { row - reach as u32 } else { row });
        let sources = Tensor::from_iter(sources, values.device())?;
        let share = indicator(&reaches, values)?.unsqueeze(1)?;
        sums = (&sums + sums.index_select(&sources, 0)?.broadcast_mul(&share)?)?;
        reach *= 2;
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_sequence_is_refused_where_tokens_are_averaged() {
        let rows = RowSet::all(3);
        let states = Tensor::zeros((3, 2), DType::F64, &Device::Cpu).unwrap();
        let read_out = || Err(Error::contract("test", "needs no logits"));
        let check = |scope: Scope, layout: &TokenLayout| {
            let view = View::new(0, 4, layout, &rows, &states, &read_out, Phase::Evaluation, 0, None);
            scope.check(&view).map_err(|error| error.to_string())
        };
        let whole = TokenLayout::new(&[1, 2], &[0, 1]).unwrap();
        // The second sequence begins with its fifth token.
        let cut = TokenLayout::after(&[0, 4], &[1, 2], &[0, 1]).unwrap();
        for scope in [Scope::Sequence { is_capped: false }, Scope::Causal] {
            assert!(check(scope, &whole).is_ok());
            let error = check(scope, &cut).unwrap_err();
            assert!(
                error.contains("expected whole ones") && error.ends_with("one whose token 0 is at position 4"),
                "{error}"
            );
        }
        assert!(check(Scope::Token, &cut).is_ok());
    }
}
