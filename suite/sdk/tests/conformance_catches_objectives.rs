//! The conformance kit catches objectives, stashes, calibrations and recipes that an engine would refuse later.

use std::panic::catch_unwind;

use haltbench_sdk::conformance::check_policy;
use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;

/// What is wrong with [`Hazard`].
#[derive(Clone, Copy, PartialEq)]
enum Flaw {
    None,
    AnswersOfRows,
    AnswersAsOneNumber,
    TokensOfAnswers,
    OtherStash,
    ShortStash,
    InfiniteThreshold,
    NanThreshold,
    PanicInCalibration,
}

/// Hazards from a linear map of the state, trained by an objective of its own, with a calibrated threshold.
struct Hazard {
    layer: Linear,
    flaw: Flaw,
}

impl OnlinePolicy for Hazard {
    fn observe(&self, view: &View, memory: &mut RowMemory) -> Result<OnlineDecision> {
        let logits = self.layer.forward(view.states())?.squeeze(1)?;
        let stashed = if self.flaw == Flaw::ShortStash { logits.narrow(0, 0, 1)? } else { logits.clone() };
        memory.stash("logits", &stashed);
        Ok(OnlineDecision::HazardLogits(logits))
    }

    fn objective(&self, pass: &TrainingPass) -> Result<Objective> {
        let name = if self.flaw == Flaw::OtherStash { "logit" } else { "logits" };
        let mut tokens = pass.record.expected_depths()?;
        for stashed in pass.record.stashed(name)? {
            tokens = (tokens + stashed.over_all_rows()?.sqr()?)?;
        }
        let answers = match self.flaw {
            Flaw::AnswersOfRows => tokens.clone(),
            Flaw::AnswersAsOneNumber => pass.losses.mean_all()?,
            _ => pass.losses.clone(),
        };
        let tokens = if self.flaw == Flaw::TokensOfAnswers { pass.answers.select(&tokens)? } else { tokens };
        Ok(Objective { answers, tokens: Some(tokens) })
    }

    fn needs_calibration(&self) -> bool {
        true
    }

    fn calibrate(&mut self, trace: &CalibrationTrace) -> Result<Calibrated> {
        assert!(self.flaw != Flaw::PanicInCalibration, "calibration is not written yet");
        let scores = trace.tokens.iter().flat_map(|token| token.scores.iter().flatten());
        let threshold = match self.flaw {
            Flaw::InfiniteThreshold => f64::INFINITY,
            Flaw::NanThreshold => f64::NAN,
            _ => scores.sum::<f64>() / trace.tokens.len() as f64,
        };
        Ok(Calibrated::from([("threshold".to_owned(), threshold)]))
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        2.0 * d_model as f64
    }
}

fn hazard(context: &PolicyContext, flaw: Flaw) -> Result<Policy> {
    Ok(Policy::online(Hazard { layer: Linear::new(context.d_model, 1, context.variables.pp("hazard"))?, flaw }))
}

const HAZARD: PolicyDeclaration = PolicyDeclaration {
    summary: "Misbehaves in training.",
    documentation: "## What it computes\n\nNothing good.",
    reference: "none",
    recipe: Recipe::EVERY_STEP,
    ..PolicyDeclaration::new("misbehaving", PolicyKind::Online, |context| hazard(context, Flaw::None))
};

fn caught(declaration: &'static PolicyDeclaration, message: &str) {
    let panic = catch_unwind(|| check_policy(declaration)).expect_err("the kit lets it pass");
    let complaint = match panic.downcast_ref::<String>() {
        Some(text) => text.clone(),
        None => (*panic.downcast_ref::<&str>().expect("the kit panics with a text")).to_owned(),
    };
    assert!(complaint.contains(message), "{complaint}");
}

macro_rules! catches {
    ($($test:ident: $flaw:ident, $message:literal;)+) => {$(
        #[test]
        fn $test() {
            static DECLARATION: PolicyDeclaration =
                PolicyDeclaration { build: |context| hazard(context, Flaw::$flaw), ..HAZARD };
            caught(&DECLARATION, $message);
        }
    )+};
}

catches! {
    costs_of_answers_for_all_rows: AnswersOfRows, "its objective's answers have the shape [20], expected [10]";
    costs_of_answers_as_one_number: AnswersAsOneNumber, "its objective's answers have the shape [], expected [10]";
    costs_of_tokens_for_answers: TokensOfAnswers, "its objective's tokens have the shape [10], expected [20]";
    a_stash_that_nobody_stashed: OtherStash, "unknown stash of the policy `logit`; did you mean `logits`?";
    a_stash_of_too_few_rows: ShortStash, "its stash `logits` has the shape [1], expected [20, ...]";
    a_threshold_that_is_infinite: InfiniteThreshold, "its calibrated `threshold` is inf, expected a finite number";
    a_threshold_that_is_nan: NanThreshold, "its calibrated `threshold` is NaN, expected a finite number";
    a_calibration_that_panics: PanicInCalibration, "calibration is not written yet";
}

#[test]
fn without_a_flaw_it_passes() {
    static DECLARATION: PolicyDeclaration = HAZARD;
    check_policy(&DECLARATION);
}

#[test]
fn parameters_that_are_keys_of_suite_files() {
    static DEPTH: PolicyDeclaration = PolicyDeclaration {
        parameters: &[ParameterSpec::real("max_depth", 0.5, (0.0, 1.0), "a share of D")],
        ..HAZARD
    };
    caught(&DEPTH, "its parameters have names of their own: `max_depth` is a key of suite files");
}

#[test]
fn recipes_that_do_not_suit_the_kind() {
    struct All;
    impl SelectPolicy for All {
        fn select(&self, view: &View, _: &mut RowMemory) -> Result<Selection> {
            Ok(Selection::new(vec![true; view.rows().len()]))
        }

        fn decision_flops(&self, _: usize) -> f64 {
            0.0
        }
    }
    static SELECT: PolicyDeclaration =
        PolicyDeclaration { kind: PolicyKind::Select, build: |_| Ok(Policy::select(All)), ..HAZARD };
    caught(&SELECT, "its recipes suit it: expected loss = \"halted\" and unroll = \"policy\", because it is select");
    static FAULTY: PolicyDeclaration =
        PolicyDeclaration { recipe: Recipe { backpropagate: 3, ..Recipe::EVERY_STEP }, ..HAZARD };
    caught(&FAULTY, "its recipes suit it: backpropagate: expected 0 unless depths are drawn, found 3");
}
