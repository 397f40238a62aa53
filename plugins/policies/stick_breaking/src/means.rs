//! Means over the tokens of a sequence, of the rows that a view shows.

use haltbench_sdk::prelude::*;

/// Refuses a view that lacks the start of a sequence, or tokens inside it.
pub fn check_whole(view: &View) -> Result<()> {
    let layout = view.layout();
    let start = |row: usize| layout.position(row) as i64 - (row - layout.start(row)) as i64;
    match view.rows().iter().find(|row| start(*row) != 0) {
        None => Ok(()),
        Some(row) => Err(Error::invalid(
            "sequences under policy gut",
            "whole sequences, because it averages over their tokens; scope = \"token\" reads each token alone",
            format!("token {} of a sequence whose earlier tokens are not in the batch", layout.position(row)),
        )),
    }
}

/// The mean of `values`, `[rows, width]`, over the rows of each sequence, for each row.
pub fn of_sequences(view: &View, values: &Tensor) -> Result<Tensor> {
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
