//! `calm`: halts a token once its confidence reaches a threshold, which may decay and may be calibrated.

use haltbench_sdk::prelude::*;

use crate::classifier_loss::ClassifierLoss;
use crate::confidence::Confidence;
use crate::decay::Decay;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "CALM: halts a token once its confidence reaches a threshold that may fall with the position.",
    documentation: "\
## What it computes

A confidence c(d): the difference of the two largest token probabilities (`softmax`), the largest one (`softmax-maximum`), the
cosine of h(d) and h(d-1) (`state`), or a classifier of h(d) (`classifier`), trained in a stage of its own to tell whether the
prediction is already that of step D.

## When it halts

At the first step with c(d) >= lambda_t, the `threshold` decayed with the position t as `decay` says. With `calibrate`,
Learn-then-Test chooses the smallest threshold for which at most a share `tolerated` of predictions differs from step D, with
error `level`; if none passes, no token halts. Set `threshold` above 1 to disable the exit: a confidence may round to 1.
With `decay = \"paper\"`, lambda_t stays within 0 and 1. With a vocabulary of one token, the difference is 1.

## Objective

Of the second stage, for the classifier's probability m(d), at answer tokens. `balanced`: the mean over the exits before D of the
cross-entropy of m(d) and 1[argmax(d) = argmax(D)], each class weighted by the share of the other one in the batch. `geometric`:
-log of the probability of the first exit that agrees with D, where the probability of exit d is m(d) times the product of 1 - m
over all earlier exits, divided by its sum over all exits. The classifier's biases start at 0: m(d) is near 1/2, below the
default threshold, so an untrained classifier halts few tokens.

## Cost

A read-out of the logits at each step (`softmax`, `softmax-maximum`), or a few products over d_model.

## Published code

google-research/t5x (CALM), whose confidences and losses the tests compare. It sums losses over tokens, here their mean counts; its
default confidence is the largest probability; it halts a batch on its least confidence, here each token for itself. With
`geometric`, a later exit may disagree again, as there. Its threshold decays as `decay = \"t5x\"`, that of the paper as `paper`. In
the paper, `state` is first compared at step 2; here at step 1, with h(0). raymin0223/fast_robust_early_exit halts only where the
confidence exceeds the threshold.",
    reference: "Schuster et al. 2022, arXiv 2207.07061; calibration: Angelopoulos et al. 2021, arXiv 2110.01052",
    recipe: Recipe::EVERY_EXIT,
    stages: &[
        RecipeStage { share: 1.0, recipe: Recipe::EVERY_EXIT, when: Holds::Always },
        RecipeStage { share: 0.25, recipe: Recipe::OBJECTIVE, when: Holds::When("confidence", "classifier") },
    ],
    parameters: &[
        ParameterSpec::choice(
            "confidence",
            "softmax",
            &["softmax", "softmax-maximum", "state", "classifier"],
            "what is compared",
        ),
        ClassifierLoss::PARAMETER,
        ParameterSpec::real("threshold", 0.9, (0.0, 2.0), "least confidence that halts").knob(Trend::Deeper),
        Decay::LAW,
        Decay::TEMPERATURE,
        Decay::LENGTH,
        ParameterSpec::flag("calibrate", false, "Learn-then-Test chooses the threshold").knob(Trend::None),
        ParameterSpec::real("tolerated", 0.1, (0.0, 1.0), "share of predictions that may change").knob(Trend::None),
        ParameterSpec::real("level", 0.05, (1e-9, 1.0), "error level of Learn-then-Test").knob(Trend::None),
    ],
    examples: &[Decay::EXAMPLE],
    ..PolicyDeclaration::new("calm", PolicyKind::Online, |context| {
        let (confidence, decay) = (Confidence::new(context)?, Decay::new(context.parameters)?);
        let (parameters, threshold) = (context.parameters.clone(), context.parameters.real("threshold")?);
        let loss = ClassifierLoss::new(&parameters)?;
        Ok(Policy::online(Calm { parameters, confidence, loss, threshold, decay }))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct Calm {
    parameters: Parameters,
    confidence: Confidence,
    loss: ClassifierLoss,
    threshold: f64,
    decay: Decay,
}

impl OnlinePolicy for Calm {
    fn init(&self, view: &View, memory: &mut RowMemory) -> Result<()> {
        self.confidence.init(view, memory);
        Ok(())
    }

    fn observe(&self, view: &View, memory: &mut RowMemory) -> Result<OnlineDecision> {
        let scores = self.confidence.scores(view, memory)?;
        let least = |row| self.decay.threshold(self.threshold, view.layout().position(row));
        let halts = view.rows().iter().zip(&scores).map(|(row, score)| *score >= least(row)).collect();
        Ok(OnlineDecision::Scored { scores, halts })
    }

    fn objective(&self, pass: &TrainingPass) -> Result<Objective> {
        let answers = match (&self.confidence, pass.recipe.loss) {
            (Confidence::Classifier(head), LossAt::Objective) => self.loss.costs(head, pass)?,
            _ => pass.losses.clone(),
        };
        Ok(Objective { answers, tokens: None })
    }

    fn needs_calibration(&self) -> bool {
        self.parameters.flag("calibrate").unwrap_or(false)
    }

    fn calibrate(&mut self, trace: &CalibrationTrace) -> Result<Calibrated> {
        let (tolerated, level) = (self.parameters.real("tolerated")?, self.parameters.real("level")?);
        let decayed = |lambda, position| self.decay.threshold(lambda, position);
        let (threshold, chosen) = trace.learn_then_test(tolerated, level, decayed);
        self.threshold = threshold;
        Ok(chosen)
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        self.confidence.flops(d_model)
    }
}
