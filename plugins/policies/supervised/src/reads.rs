//! Which states a head reads: one of a sequence, their mean, or each token's own.

use haltbench_sdk::ops::gather_rows;
use haltbench_sdk::prelude::*;

/// What a head reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reads {
    /// The state of the first token of a sequence.
    First,
    /// The state of the last token of a sequence.
    Last,
    /// The mean state of a sequence.
    Mean,
    /// The state of each token, for itself.
    Token,
}

/// What a head reads of some rows.
pub struct Read {
    /// One state for each sequence among the rows, or for each row, `[read, d_model]`.
    pub states: Tensor,
    /// For each row, the place of its state in [`states`](Self::states).
    pub of_rows: Vec<usize>,
}

impl Reads {
    /// What `name` says.
    pub fn from_name(name: &str) -> Self {
        match name {
            "first" => Self::First,
            "mean" => Self::Mean,
            "token" => Self::Token,
            _ => Self::Last,
        }
    }

    /// Reads `states`, `[rows.len(), d_model]`, for `policy`. A sequence has all of its rows among `rows` or none, because its tokens halt
    /// together.
    ///
    /// # Errors
    /// If a sequence lacks its first tokens, unless each token is read for itself.
    pub fn of(self, policy: &str, states: &Tensor, rows: &RowSet, layout: &TokenLayout) -> Result<Read> {
        if self == Self::Token {
            return Ok(Read { states: states.clone(), of_rows: (0..rows.len()).collect() });
        }
        layout.require_whole(policy, "all tokens of a sequence halt together")?;
        let mut sequences: Vec<Vec<u32>> = Vec::new();
        let (mut of_rows, mut before) = (Vec::with_capacity(rows.len()), None);
        for (place, row) in rows.iter().enumerate() {
            let sequence = layout.sequence(row);
            if before.replace(sequence) != Some(sequence) {
                sequences.push(Vec::new());
            }
            if let Some(places) = sequences.last_mut() {
                places.push(place as u32);
            }
            of_rows.push(sequences.len() - 1);
        }
        let ends = |end: fn(&[u32]) -> Option<&u32>| -> Result<Tensor> {
            let ends: Vec<u32> = sequences.iter().filter_map(|places| end(places)).copied().collect();
            Ok(gather_rows(states, &ends.into())?)
        };
        let read = match self {
            Self::First => ends(<[u32]>::first)?,
            Self::Mean => means(states, &sequences, &of_rows)?,
            Self::Last | Self::Token => ends(<[u32]>::last)?,
        };
        Ok(Read { states: read, of_rows })
    }
}

/// Mean of the states of each sequence, `[sequences, d_model]`.
fn means(states: &Tensor, sequences: &[Vec<u32>], of_rows: &[usize]) -> Result<Tensor> {
    let (count, device) = (sequences.len(), states.device());
    let shares: Vec<f64> = sequences.iter().map(|places| (places.len() as f64).recip()).collect();
    let shares = Tensor::from_vec(shares, (count, 1), device)?.to_dtype(states.dtype())?;
    let of_rows: Vec<u32> = of_rows.iter().map(|place| *place as u32).collect();
    let nothing = Tensor::zeros((count, states.dim(1)?), states.dtype(), device)?;
    Ok(nothing.index_add(&Tensor::new(of_rows, device)?, states, 0)?.broadcast_mul(&shares)?)
}

impl Read {
    /// `values`, one for each state read, for each row.
    pub fn spread<T: Copy>(&self, values: &[T]) -> Vec<T> {
        self.of_rows.iter().map(|place| values[*place]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_reads_its_own_states() {
        let layout = TokenLayout::new(&[2, 1, 3], &[0, 1, 2]).unwrap();
        let rows = RowSet::from_mask(&[true, true, false, true, true, true]);
        let states = Tensor::new(&[[1.0f64], [2.0], [4.0], [5.0], [9.0]], &Device::Cpu).unwrap();
        for (name, expected) in [
            ("first", vec![1.0, 4.0]),
            ("last", vec![2.0, 9.0]),
            ("mean", vec![1.5, 6.0]),
            ("token", vec![1.0, 2.0, 4.0, 5.0, 9.0]),
        ] {
            let read = Reads::from_name(name).of("q-halting", &states, &rows, &layout).unwrap();
            let found: Vec<f64> = read.states.flatten_all().unwrap().to_vec1().unwrap();
            assert_eq!(found, expected, "{name}");
            let of_rows = if name == "token" { vec![0, 1, 2, 3, 4] } else { vec![0, 0, 1, 1, 1] };
            assert_eq!(read.of_rows, of_rows, "{name}");
        }
        let cut = TokenLayout::after(&[2], &[2], &[0]).unwrap();
        let states = states.narrow(0, 0, 2).unwrap();
        assert!(Reads::Token.of("q-halting", &states, &RowSet::all(2), &cut).is_ok());
        let error = Reads::Last.of("q-halting", &states, &RowSet::all(2), &cut).map(|_| ()).unwrap_err().to_string();
        let expected = "sequences of q-halting: expected whole ones, because all tokens of a sequence halt together, found one \
                        whose token 0 is at position 2";
        assert_eq!(error, expected);
    }
}
