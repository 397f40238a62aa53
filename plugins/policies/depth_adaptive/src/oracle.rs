//! Oracle depths, the stages that all three policies are trained in, and their objective.

use haltbench_sdk::prelude::*;

/// Parameters that all three policies share.
pub const ORACLE: ParameterSpec = ParameterSpec::choice(
    "oracle",
    "likelihood",
    &["likelihood", "correctness"],
    "score of an exit: log-likelihood of the target in nats, or 1 if it is predicted and 0 if not",
);
/// Width of the smoothing kernel.
pub const SMOOTHING: ParameterSpec = ParameterSpec::real(
    "smoothing",
    0.0,
    (0.0, 1e6),
    "sigma of the kernel exp(-|t - t'|^2 / sigma) that sums scores of nearby answers; 0: no smoothing",
);
/// Price of a step.
pub const LAMBDA: ParameterSpec = ParameterSpec::real("lambda", 0.05, (0.0, 1e6), "score that one step costs");
/// Weight of the exit loss.
pub const ALPHA: ParameterSpec = ParameterSpec::real("alpha", 0.1, (0.0, 1e6), "weight of the exit loss");

/// First all exits without the exit loss, then both; the paper's first 50 000 updates.
pub const STAGES: &[RecipeStage] = &[
    RecipeStage {
        share: 0.25,
        recipe: Recipe { step_weights: StepWeights::Uniform, ..Recipe::EVERY_EXIT },
        when: Holds::Always,
    },
    RecipeStage { share: 0.75, recipe: OBJECTIVE, when: Holds::Always },
];
/// Recipe of the second stage.
pub const OBJECTIVE: Recipe = Recipe { trains: Trains::All, ..Recipe::OBJECTIVE };

/// What one target of the exit loss is about.
#[derive(Clone, Copy, PartialEq)]
pub enum Target {
    /// One depth for each answer.
    Token,
    /// One depth for each sequence.
    Sequence,
}

/// The oracle and the weight of the loss that trains exits towards it.
pub struct Oracle {
    is_likelihood: bool,
    smoothing: f64,
    lambda: f64,
    alpha: f64,
}

impl Oracle {
    /// The oracle that the parameters describe. Scores of a sequence are sums, so a sequence has no smoothing.
    pub fn new(parameters: &Parameters, target: Target) -> Result<Self> {
        Ok(Self {
            is_likelihood: parameters.text("oracle")? == "likelihood",
            smoothing: if target == Target::Token { parameters.real("smoothing")? } else { 0.0 },
            lambda: parameters.real("lambda")?,
            alpha: parameters.real("alpha")?,
        })
    }

    /// The uniform mean of the losses of all exits, plus `alpha` times the cross-entropy between the oracle's depth and the
    /// policy's distribution over depths.
    pub fn objective(&self, pass: &TrainingPass, target: Target) -> Result<Objective> {
        if pass.recipe.loss != LossAt::Objective {
            return Ok(Objective { answers: pass.losses.clone(), tokens: None });
        }
        let answers = pass.mean_losses()?;
        let Some(log_q) = &pass.record.log_distribution else { return Ok(Objective { answers, tokens: None }) };
        let scores = self.scores(pass)?;
        if target == Target::Token {
            let exits = self.cross_entropy(&pass.answers.select(log_q)?, &scores)?;
            return Ok(Objective { answers: (answers + exits)?, tokens: None });
        }
        let first = |sequence: usize| pass.layout.rows_of(sequence).start as u32;
        let firsts: Vec<u32> = (0..pass.layout.sequences()).map(first).collect();
        let log_q = log_q.index_select(&Tensor::new(firsts, log_q.device())?, 0)?;
        let exits = self.cross_entropy(&log_q, &sums(&scores, &pass.answers_of_sequences(), pass.record.max_depth))?;
        Ok(Objective { answers, tokens: pass.per_sequence(&exits)? })
    }

    /// `alpha` times -log q(n*) for each row of `log_q`, `[targets, D]`, where n* is the best depth under `scores`.
    fn cross_entropy(&self, log_q: &Tensor, scores: &[Vec<f64>]) -> Result<Tensor> {
        let places: Vec<u32> = scores.iter().map(|scores| best(scores, self.lambda) - 1).collect();
        let places = Tensor::from_vec(places, (scores.len(), 1), log_q.device())?;
        Ok((log_q.contiguous()?.gather(&places, 1)?.squeeze(1)? * -self.alpha)?)
    }

    /// Scores of every answer after the steps 1..=D.
    fn scores(&self, pass: &TrainingPass) -> Result<Vec<Vec<f64>>> {
        let mut scores = vec![Vec::with_capacity(pass.record.max_depth); pass.answers.len()];
        for step in 1..=pass.record.max_depth {
            let of_step: Vec<f64> = if self.is_likelihood {
                pass.step_losses(step)?.neg()?.to_dtype(DType::F64)?.to_vec1()?
            } else {
                pass.right(step)?.iter().map(|right| f64::from(u8::from(*right))).collect()
            };
            scores.iter_mut().zip(of_step).for_each(|(scores, score)| scores.push(score));
        }
        if self.smoothing == 0.0 {
            return Ok(scores);
        }
        let positions: Vec<usize> = pass.answers.iter().map(|row| pass.layout.position(row)).collect();
        Ok(smoothed(&scores, &positions, &pass.answers_of_sequences(), self.smoothing))
    }
}

/// The depth n with the largest score minus `lambda` n, 1-based; the smallest of several.
pub fn best(scores: &[f64], lambda: f64) -> u32 {
    let (mut best, mut most) = (1, f64::NEG_INFINITY);
    for (score, depth) in scores.iter().zip(1u32..) {
        let value = score - lambda * f64::from(depth);
        if value > most {
            (best, most) = (depth, value);
        }
    }
    best
}

/// For each answer, the sum over the answers of its sequence of exp(-|t - t'|^2 / `sigma`) times their scores.
pub fn smoothed(scores: &[Vec<f64>], positions: &[usize], sequences: &[Vec<usize>], sigma: f64) -> Vec<Vec<f64>> {
    let mut smooth: Vec<Vec<f64>> = scores.iter().map(|scores| vec![0.0; scores.len()]).collect();
    for places in sequences {
        for place in places {
            for other in places {
                let distance = positions[*place].abs_diff(positions[*other]) as f64;
                let weight = (-distance * distance / sigma).exp();
                // A weight of 0 would make an infinite score NaN.
                if weight > 0.0 {
                    smooth[*place].iter_mut().zip(&scores[*other]).for_each(|(sum, score)| *sum += weight * score);
                }
            }
        }
    }
    smooth
}

/// For each sequence, the sum of the scores of its answers.
fn sums(scores: &[Vec<f64>], sequences: &[Vec<usize>], max_depth: usize) -> Vec<Vec<f64>> {
    let sum = |places: &Vec<usize>| {
        let mut sum = vec![0.0; max_depth];
        places.iter().for_each(|place| sum.iter_mut().zip(&scores[*place]).for_each(|(sum, score)| *sum += score));
        sum
    };
    sequences.iter().map(sum).collect()
}

/// The oracle's depths for three adjacent answers with given log-likelihoods of three exits.
pub fn worked_example(sigma: f64, lambda: f64) -> String {
    let likelihoods = [vec![-2.0, -1.5, -1.45], vec![-0.5, -0.6, -0.4], vec![-3.0, -1.0, -0.9]];
    let scores = match sigma {
        0.0 => likelihoods.to_vec(),
        sigma => smoothed(&likelihoods, &[0, 1, 2], &[vec![0, 1, 2]], sigma),
    };
    format!("{:?}", scores.iter().map(|scores| best(scores, lambda)).collect::<Vec<u32>>())
}
