//! `calm`: halts a token once the model is confident, at a threshold that may decay and may be calibrated.

use haltbench_sdk::candle_nn::ops::softmax;
use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;

use crate::confidence::{Decay, cosines, differences};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "CALM: halts a token once its confidence reaches a threshold that may fall with the position.",
    documentation: "\
## What it computes

A confidence c(d): the difference of the two largest entries of the softmax of the logits read out from h(d) (`softmax`),
the cosine of h(d) and h(d-1), h(0) included (`state`), or a trained classifier of h(d) (`classifier`), which learns in a
stage of its own whether the prediction is already that of step D, classes balanced at each step, the rest frozen.

## When it halts

At the first step with c(d) >= lambda_t, which `decay` makes of `threshold` and the position t. Where `calibrate` is set,
Learn-then-Test chooses the smallest threshold at which at most a share `tolerated` of a sequence's predictions differs from
those of step D, with error `level`; if none passes, no token halts. A confidence may round to 1: only above 1 means never.

## Cost

At each step a read-out of the logits (`softmax`), or some products over d_model.",
    reference: "Schuster et al. 2022, arXiv 2207.07061; calibration: Angelopoulos et al. 2021, arXiv 2110.01052",
    recipe: Recipe::EVERY_EXIT,
    stages: &[
        RecipeStage { share: 1.0, recipe: Recipe::EVERY_EXIT, when: Holds::Always },
        RecipeStage { share: 0.25, recipe: Recipe::OBJECTIVE, when: Holds::When("confidence", "classifier") },
    ],
    parameters: &[
        ParameterSpec::choice("confidence", "softmax", &["softmax", "state", "classifier"], "what is compared"),
        ParameterSpec::real("threshold", 0.9, (0.0, 2.0), "least confidence that halts; above 1: never")
            .knob(Trend::Deeper),
        Decay::PARAMETERS[0],
        Decay::PARAMETERS[1],
        Decay::PARAMETERS[2],
        ParameterSpec::flag("calibrate", false, "Learn-then-Test chooses the threshold").knob(Trend::None),
        ParameterSpec::real("tolerated", 0.1, (0.0, 1.0), "share of predictions that may change").knob(Trend::None),
        ParameterSpec::real("level", 0.05, (1e-9, 1.0), "error level of Learn-then-Test").knob(Trend::None),
    ],
    ..PolicyDeclaration::new("calm", PolicyKind::Online, |context| {
        let (parameters, d_model) = (context.parameters.clone(), context.d_model);
        let classifier = match parameters.text("confidence")? {
            "classifier" => Some(Linear::with_bias(d_model, 2, context.variables.pp("classifier"))?),
            _ => None,
        };
        let (threshold, decay) = (parameters.real("threshold")?, Decay::new(&parameters)?);
        Ok(Policy::online(Calm { parameters, threshold, decay, classifier, vocabulary: context.vocabulary }))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct Calm {
    parameters: Parameters,
    threshold: f64,
    decay: Decay,
    classifier: Option<Linear>,
    vocabulary: usize,
}

impl OnlinePolicy for Calm {
    fn init(&self, view: &View, memory: &mut RowMemory) -> Result<()> {
        if self.parameters.text("confidence")? == "state" {
            memory.replace("state", view.states());
        }
        Ok(())
    }

    fn observe(&self, view: &View, memory: &mut RowMemory) -> Result<OnlineDecision> {
        let scores = match (&self.classifier, self.parameters.text("confidence")?) {
            (Some(classifier), _) => {
                softmax(&classifier.forward(view.states())?, 1)?.get_on_dim(1, 1)?.to_dtype(DType::F64)?.to_vec1()?
            }
            (None, "state") => cosines(view.states(), &memory.replaced("state", view.states())?)?,
            _ => differences(&view.logits()?)?,
        };
        let pairs = view.rows().iter().zip(&scores);
        let halts = pairs.map(|(row, c)| *c >= self.decay.threshold(self.threshold, view.layout().position(row)));
        Ok(OnlineDecision::Scored { halts: halts.collect(), scores })
    }

    /// Class-balanced cross-entropy of 1[argmax(d) = argmax(D)] at every exit but the last.
    fn objective(&self, pass: &TrainingPass) -> Result<Objective> {
        let (Some(classifier), LossAt::Objective) = (&self.classifier, pass.recipe.loss) else {
            return Ok(Objective { answers: pass.losses.clone(), tokens: None });
        };
        let most = pass.record.max_depth;
        let (last, mut answers) = (pass.predictions(most)?, pass.losses.zeros_like()?);
        for step in 1..most {
            let agrees: Vec<bool> = pass.predictions(step)?.iter().zip(&last).map(|(now, last)| now == last).collect();
            let share = agrees.iter().filter(|agrees| **agrees).count() as f64 / agrees.len() as f64;
            let targets = pass.constant(agrees.iter().map(|agrees| f64::from(u8::from(*agrees))).collect())?;
            let weights = agrees.iter().map(|agrees| if *agrees { 1.0 - share } else { share } / (most - 1) as f64);
            let logits = classifier.forward(&pass.answers.select(pass.states(step)?)?)?;
            let logit = (logits.get_on_dim(1, 1)? - logits.get_on_dim(1, 0)?)?;
            answers = (answers + (binary_cross_entropy(&logit, &targets)? * pass.constant(weights.collect())?)?)?;
        }
        Ok(Objective { answers, tokens: None })
    }

    fn needs_calibration(&self) -> bool {
        self.parameters.flag("calibrate").unwrap_or(false)
    }

    fn calibrate(&mut self, trace: &CalibrationTrace) -> Result<Calibrated> {
        let (tolerated, level) = (self.parameters.real("tolerated")?, self.parameters.real("level")?);
        let found = trace.learn_then_test(tolerated, level, |lambda, position| self.decay.threshold(lambda, position));
        self.threshold = found["threshold"];
        Ok(found)
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        match (&self.classifier, self.parameters.text("confidence")) {
            (Some(_), _) => 4.0 * d_model as f64,
            (None, Ok("state")) => 6.0 * d_model as f64,
            _ => 4.0 * self.vocabulary as f64,
        }
    }
}
