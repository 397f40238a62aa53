//! Which steps of a group of answers count in training, and for how much.

use haltbench_sdk::prelude::*;

/// Whether groups with the logits `scores` stop after `step` steps of `most`. A number of `uniform` below `exploration` draws
/// a least depth from 2..=D: given that it is so small, it is uniform there.
pub fn explored_stops(scores: &[f64], uniform: &[f64], exploration: f64, step: usize, most: usize) -> Vec<bool> {
    let least = |uniform: f64| match uniform < exploration && most >= 2 {
        true => 2 + ((uniform / exploration) * (most - 1) as f64) as usize,
        false => 1,
    };
    scores.iter().zip(uniform).map(|(score, uniform)| *score > 0.0 && step >= least(*uniform)).collect()
}

/// The last step that counts for each group, whose stop is stashed at the row given: its first stop, or D. D for a group
/// without a row or if nothing was stashed.
pub fn stops(pass: &TrainingPass, rows: &[Option<usize>]) -> Result<Vec<usize>> {
    let mut stops: Vec<usize> = rows.iter().map(|row| if row.is_some() { pass.record.max_depth } else { 0 }).collect();
    for stashed in pass.record.stashed("stops")?.iter().rev() {
        let stop: Vec<f64> = stashed.over_all_rows()?.to_dtype(DType::F64)?.to_vec1()?;
        for (last, row) in stops.iter_mut().zip(rows) {
            if row.is_some_and(|row| stop[row] > 0.0) {
                *last = stashed.step;
            }
        }
    }
    Ok(stops)
}

/// Weights of the steps 1..=D of each group: the same for all steps up to its stop, 0 afterwards. Their mean over the groups
/// that have a stop is the mean over all steps that count.
pub fn shares(stops: &[usize], max_depth: usize) -> Vec<Vec<f64>> {
    let groups = stops.iter().filter(|stop| **stop > 0).count() as f64;
    let share = groups / (stops.iter().sum::<usize>().max(1)) as f64;
    let of_group = |stop: &usize| (1..=max_depth).map(|step| if step <= *stop { share } else { 0.0 }).collect();
    stops.iter().map(of_group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_over_groups_is_the_mean_over_steps_that_count() {
        let losses = [[1.0, 2.0, 4.0], [8.0, 16.0, 32.0], [f64::NAN; 3]];
        let weighted: Vec<f64> = shares(&[1, 3, 0], 3)
            .iter()
            .zip(losses)
            .map(|(shares, losses)| {
                shares.iter().zip(losses).filter(|(share, _)| **share > 0.0).map(|(share, loss)| share * loss).sum()
            })
            .collect();
        assert!((weighted.iter().sum::<f64>() / 2.0 - (1.0 + 8.0 + 16.0 + 32.0) / 4.0).abs() < 1e-12);
        assert_eq!(shares(&[2, 2], 2), [[0.5, 0.5], [0.5, 0.5]]);
    }

    #[test]
    fn exploration_draws_a_least_depth_uniformly() {
        let count = 10_000;
        let uniform: Vec<f64> = (0..count).map(|place| (f64::from(place) + 0.5) / f64::from(count)).collect();
        let scores = vec![1.0; uniform.len()];
        for (step, expected) in [(1, 0.6), (2, 0.7), (3, 0.8), (4, 0.9), (5, 1.0)] {
            let stops = explored_stops(&scores, &uniform, 0.4, step, 5);
            let share = stops.iter().filter(|stops| **stops).count() as f64 / f64::from(count);
            assert!((share - expected).abs() < 1e-3, "step {step}: {share}");
        }
        assert_eq!(explored_stops(&[-1.0, 0.0, 1.0], &[0.9; 3], 0.4, 5, 5), [false, false, true]);
    }
}
