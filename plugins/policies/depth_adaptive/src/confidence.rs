//! `elbayad-confidence`: the largest token probability is compared with a threshold of each step.

use haltbench_sdk::candle_nn::ops::softmax;
use haltbench_sdk::prelude::*;

use crate::thresholds::{THRESHOLDS, thresholds};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Depth-adaptive Transformer, confidence thresholding: a threshold of each step on the largest probability.",
    documentation: "\
## What it computes

The largest token probability after each step. Without weights of its own, it needs no initial halting bias.

## When it halts

At the first step before D at which the probability exceeds `threshold`, or the step's own entry of `thresholds`. With
`calibrate`, `samples` vectors of thresholds are drawn uniformly, and the one is kept that predicts most answers of the
calibration part rightly among those with a mean depth of at most `target_depth`, which is (D + 1) / 2 by default.

## Cost

A read-out of the logits at each step.

## Published code

None: transcribed from the paper, which keeps the best of 10 000 random vectors for each of several costs, where this keeps the
best for one.",
    reference: "Elbayad et al. 2020, arXiv 1910.10073, confidence thresholding; aligned training",
    recipe: Recipe { step_weights: StepWeights::Uniform, ..Recipe::EVERY_EXIT },
    parameters: &[
        ParameterSpec::real("threshold", 0.9, (0.0, 1.0), "probability above which a token halts").knob(Trend::Deeper),
        THRESHOLDS,
        ParameterSpec::flag("calibrate", false, "random search chooses the thresholds").knob(Trend::None),
        ParameterSpec::integer("samples", 10_000, (1, 1 << 20), "vectors that the search tries").knob(Trend::None),
        ParameterSpec::real("target_depth", 0.0, (0.0, 1e6), "largest mean depth of the search; 0: (D + 1) / 2")
            .knob(Trend::None),
    ],
    examples: &[Example {
        title: "exits of the confidences .4, .7, .8 under the thresholds .5 and .3, .9, and of a token that never exits",
        run: || {
            let exit = |thresholds: &[f64], scores: [f64; 3]| exit(thresholds, &scores.map(Some));
            Ok(format!(
                "{:?}",
                [exit(&[0.5; 2], [0.4, 0.7, 0.8]), exit(&[0.3, 0.9], [0.4, 0.7, 0.8]), exit(&[0.9; 2], [0.1, 0.2, 0.3])]
            ))
        },
        expect: "[2, 1, 3]",
    }],
    ..PolicyDeclaration::new("elbayad-confidence", PolicyKind::Online, |context| {
        let (parameters, most) = (context.parameters, context.max_depth as f64);
        let target = match parameters.real("target_depth")? {
            0.0 => f64::midpoint(1.0, most),
            target if (1.0..=most).contains(&target) => target,
            target => {
                let operand = format!("parameter `target_depth` of {}", DECLARATION.name);
                let expected = format!("0 or a number from 1 to max_depth = {most}");
                return Err(Error::invalid(operand, expected, target));
            }
        };
        Ok(Policy::online(Confidence {
            thresholds: thresholds(DECLARATION.name, context)?,
            vocabulary: context.vocabulary,
            search: if parameters.flag("calibrate")? { Some(parameters.integer("samples")?) } else { None },
            target,
            seed: context.seed,
        }))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct Confidence {
    /// One for each step before the last.
    thresholds: Vec<f64>,
    vocabulary: usize,
    /// Vectors that calibration tries.
    search: Option<usize>,
    target: f64,
    seed: u64,
}

/// The first step whose score exceeds its threshold, or D = one more than there are thresholds.
fn exit(thresholds: &[f64], scores: &[Option<f64>]) -> usize {
    let exceeds = |(score, threshold): (&Option<f64>, &f64)| score.is_some_and(|score| score > *threshold);
    scores.iter().zip(thresholds).position(exceeds).map_or(thresholds.len() + 1, |place| place + 1)
}

impl OnlinePolicy for Confidence {
    fn observe(&self, view: &View, _: &mut RowMemory) -> Result<OnlineDecision> {
        let scores: Vec<f64> = softmax(&view.logits()?.to_dtype(DType::F64)?, D::Minus1)?.max(1)?.to_vec1()?;
        let threshold = self.thresholds[view.step() - 1];
        let halts = scores.iter().map(|score| *score > threshold).collect();
        Ok(OnlineDecision::Scored { scores, halts })
    }

    fn needs_calibration(&self) -> bool {
        self.search.is_some()
    }

    fn calibrate(&mut self, trace: &CalibrationTrace) -> Result<Calibrated> {
        let count = trace.tokens.len().max(1) as f64;
        // Thresholds of 0 exit after step 1, which every target allows.
        let (mut chosen, mut best) = (vec![0.0; self.thresholds.len()], None);
        for sample in 0..=self.search.unwrap_or(0) {
            let mut stream = Stream::new(self.seed, DECLARATION.name, &[sample as u64]);
            let thresholds: Vec<f64> = match sample {
                0 => chosen.clone(),
                _ => chosen.iter().map(|_| stream.uniform()).collect(),
            };
            let exits: Vec<usize> = trace.tokens.iter().map(|token| exit(&thresholds, &token.scores)).collect();
            let right = trace.tokens.iter().zip(&exits);
            let right = right.filter(|(token, exit)| token.predictions[**exit - 1] == token.target).count();
            let is_reachable = exits.iter().sum::<usize>() as f64 / count <= self.target;
            if is_reachable && best.is_none_or(|best| right > best) {
                (chosen, best) = (thresholds, Some(right));
            }
        }
        self.thresholds.clone_from(&chosen);
        Ok(chosen.into_iter().enumerate().map(|(place, value)| (format!("threshold_{}", place + 1), value)).collect())
    }

    fn decision_flops(&self, _: usize) -> f64 {
        4.0 * self.vocabulary as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sixteen tokens whose first prediction is right if their first confidence is above 1/2, and whose second is always.
    #[test]
    fn the_search_keeps_the_best_thresholds_within_the_target() {
        let token = |place: usize| {
            let confidence = (place as f64 + 0.5) / 16.0;
            CalibrationToken {
                sequence: place,
                position: 0,
                scores: vec![Some(confidence), None],
                predictions: vec![u32::from(confidence > 0.5), 1],
                target: 1,
            }
        };
        let trace = CalibrationTrace { max_depth: 2, tokens: (0..16).map(token).collect() };
        for (target, least, right) in [(1.5, 0.4, 16), (1.25, 0.2, 12), (1.0, 0.0, 8)] {
            let thresholds = vec![0.9];
            let mut policy = Confidence { thresholds, vocabulary: 2, search: Some(500), target, seed: 3 };
            let chosen = policy.calibrate(&trace).unwrap()["threshold_1"];
            let exits: Vec<usize> = trace.tokens.iter().map(|token| exit(&policy.thresholds, &token.scores)).collect();
            let found = (0..16).filter(|place| trace.tokens[*place].predictions[exits[*place] - 1] == 1).count();
            assert!(chosen >= least && found == right, "{target}: {chosen} gives {found}");
            assert!(exits.iter().sum::<usize>() as f64 / 16.0 <= target);
        }
    }
}
