//! The conformance kit catches policies whose numbers depend on the clock, lose precision, or fail at the end of a
//! parameter's range, and names the smallest counterexample.

use std::panic::catch_unwind;
use std::time::{SystemTime, UNIX_EPOCH};

use haltbench_sdk::conformance::{check_policy, check_policy_with};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

/// What a [`Misbehaving`] does besides its work.
#[derive(Clone, Copy, PartialEq)]
enum Flaw {
    None,
    /// Its hazards grow with the fraction of the present second, too little to change a depth.
    Clock,
    /// The same of its scores.
    ClockInScores,
    /// It computes hazards from states in f32.
    NarrowStates,
    /// It returns hazards in f32.
    NarrowHazards,
    /// It computes scores in f16.
    NarrowScores,
    /// It returns halts alone, from norms in f32.
    NarrowHalts,
    /// The same in f64.
    WideHalts,
    /// It divides by `scale`.
    Division,
    /// It takes the logarithm of 1 - `share`.
    Logarithm,
    /// Its regulariser is finite at `scale` = 0, the gradient is not.
    Gradient,
    /// It looks up `steps` in a list that is one entry too short.
    List,
    /// It has forgotten one of the values of `form`.
    Form,
    /// It refuses the ends of its ranges by name.
    Refusal,
    /// Its last row of a batch halts one step later.
    LastRow,
}

struct Misbehaving {
    flaw: Flaw,
    scale: f64,
    share: f64,
    steps: usize,
    form: String,
    /// A weight that only the regulariser of [`Flaw::Gradient`] reads.
    weight: Option<Tensor>,
}

fn seconds() -> f64 {
    1e-9 * SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| f64::from(elapsed.subsec_nanos()))
}

impl Misbehaving {
    fn scores(&self, hazards: &Tensor) -> Result<Vec<f64>> {
        let scores: Vec<f64> = match self.flaw {
            Flaw::NarrowScores => hazards.to_dtype(DType::F16)?.to_dtype(DType::F64)?.to_vec1()?,
            _ => hazards.to_dtype(DType::F64)?.to_vec1()?,
        };
        let shift = if self.flaw == Flaw::ClockInScores { 1e-9 * seconds() } else { 0.0 };
        Ok(scores.into_iter().map(|score| score + shift).collect())
    }
}

impl OnlinePolicy for Misbehaving {
    fn observe(&self, view: &View, _: &mut RowMemory) -> Result<OnlineDecision> {
        let states = match self.flaw {
            Flaw::NarrowStates => view.states().to_dtype(DType::F32)?.to_dtype(view.states().dtype())?,
            _ => view.states().clone(),
        };
        if matches!(self.flaw, Flaw::NarrowHalts | Flaw::WideHalts) {
            let dtype = if self.flaw == Flaw::NarrowHalts { DType::F32 } else { DType::F64 };
            let (states, half) = (states.to_dtype(dtype)?, states.dim(1)? / 2);
            let norms = |from: usize| -> Result<Vec<f64>> {
                Ok(states.narrow(1, from, half)?.sqr()?.sum(1)?.sqrt()?.to_dtype(DType::F64)?.to_vec1()?)
            };
            return Ok(OnlineDecision::Halt(norms(0)?.into_iter().zip(norms(half)?).map(|(a, b)| a < b).collect()));
        }
        let hazards = states.mean(1)?;
        let hazards = match self.flaw {
            Flaw::Clock => (hazards + 1e-9 * seconds())?,
            Flaw::Division => (hazards / self.scale)?,
            Flaw::Logarithm => (hazards + (1.0 - self.share).ln())?,
            Flaw::NarrowHazards => hazards.to_dtype(DType::F32)?,
            Flaw::List => (hazards + [0.0, 0.1, 0.2][self.steps])?,
            Flaw::Form if self.form == "cubic" => {
                return Err(Error::contract("misbehaving", "cubic is not written yet"));
            }
            _ => hazards,
        };
        if matches!(self.flaw, Flaw::ClockInScores | Flaw::NarrowScores | Flaw::LastRow) {
            let scores = self.scores(&hazards)?;
            let mut halts: Vec<bool> = scores.iter().map(|score| *score > 0.1).collect();
            if let (Flaw::LastRow, Some(last)) = (self.flaw, halts.last_mut()) {
                *last &= view.step() > 1;
            }
            return Ok(OnlineDecision::Scored { scores, halts });
        }
        Ok(OnlineDecision::HazardLogits(hazards))
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let Some(weight) = &self.weight else { return Ok(None) };
        // The square root has an infinite slope at 0.
        let scaled = (weight * Tensor::full(self.scale, 1, weight.device())?)?;
        Ok(Some(record.expected_depths()?.broadcast_mul(&scaled)?.sqrt()?))
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        d_model as f64
    }
}

fn build(context: &PolicyContext, flaw: Flaw) -> Result<Policy> {
    let scale = context.parameters.real("scale")?;
    if flaw == Flaw::Refusal && scale == 0.0 {
        return Err(Error::invalid("scale", "a number above 0", scale));
    }
    let unit = Init::Const(1.0);
    let weight = || context.variables.get_with_hints(1, "weight", unit);
    Ok(Policy::online(Misbehaving {
        flaw,
        weight: (flaw == Flaw::Gradient).then(weight).transpose()?,
        scale,
        share: context.parameters.real("share")?,
        steps: context.parameters.integer("steps")?,
        form: context.parameters.text("form")?.to_owned(),
    }))
}

const DECENT: PolicyDeclaration = PolicyDeclaration {
    summary: "Misbehaves.",
    documentation: "## What it computes\n\nNothing good.",
    reference: "none",
    recipe: Recipe::EVERY_STEP,
    parameters: &[
        ParameterSpec::real("scale", 1.0, (0.0, 10.0), "divisor of the hazards"),
        ParameterSpec::real("share", 0.5, (0.0, 1.0), "share"),
        ParameterSpec::integer("steps", 1, (0, 3), "place in the list"),
        ParameterSpec::choice("form", "linear", &["linear", "square", "cubic"], "form"),
    ],
    ..PolicyDeclaration::new("misbehaving", PolicyKind::Online, |context| build(context, Flaw::None))
};

/// The message with which the kit refuses `declaration`.
fn complaint(declaration: &'static PolicyDeclaration) -> String {
    let panic = catch_unwind(|| check_policy(declaration)).expect_err("the kit lets it pass");
    panic.downcast_ref::<String>().cloned().expect("the kit panics with a text")
}

macro_rules! catches {
    ($($test:ident: $flaw:ident, $($message:literal),+;)+) => {$(
        #[test]
        fn $test() {
            static DECLARATION: PolicyDeclaration =
                PolicyDeclaration { build: |context| build(context, Flaw::$flaw), ..DECENT };
            let complaint = complaint(&DECLARATION);
            for message in [$($message),+] {
                assert!(complaint.contains(message), "{complaint}");
            }
        }
    )+};
}

catches! {
    hazards_that_read_the_clock: Clock,
        "no state leaks from one pass into the next: the decisions about token 0 of sequence 100 have the number",
        "smallest counterexample (D = 2, seed 1, sequences of the tokens [";
    scores_that_read_the_clock: ClockInScores, "no state leaks from one pass into the next: the decisions about token";
    states_cast_to_f32: NarrowStates,
        "with no cast to a narrower one: the hazards after 1 steps change",
        "not if it changes by 1e-12; smallest counterexample (D = 2, seed 1, sequences of the tokens [";
    hazards_in_f32: NarrowHazards, "with no cast to a narrower one: the hazards after 1 steps are F32, the states F64";
    scores_in_f16: NarrowScores, "with no cast to a narrower one: the scores after 1 steps change";
    halts_from_norms_in_f32: NarrowHalts, "with no cast to a narrower one: as the states of row";
    a_division_by_a_lower_end: Division, "also at the ends of its parameters' ranges: with scale = 0: ";
    a_logarithm_at_an_upper_end: Logarithm, "with share = 1: ";
    a_gradient_at_a_lower_end: Gradient, "its gradients are finite, also at", "with scale = 0: ";
    a_list_without_an_entry_for_an_upper_end: List,
        "it does not panic, also at the ends of its parameters' ranges: with steps = 3: index out of bounds",
        "smallest counterexample (D = 2, seed 1, sequences of the tokens [";
    a_choice_that_is_not_written: Form, "with form = cubic: cubic is not written yet";
    dependence_on_the_place_in_the_batch: LastRow,
        "batch composition changes no depth and no logit",
        "smallest counterexample (D = 2, seed";
}

#[test]
fn without_a_flaw_it_passes_and_so_does_one_that_refuses_an_end() {
    static DECLARATION: PolicyDeclaration = DECENT;
    check_policy(&DECLARATION);
    static REFUSING: PolicyDeclaration = PolicyDeclaration { build: |context| build(context, Flaw::Refusal), ..DECENT };
    check_policy(&REFUSING);
    static WIDE: PolicyDeclaration =
        PolicyDeclaration { recipe: Recipe::LAST_STEP, build: |context| build(context, Flaw::WideHalts), ..DECENT };
    check_policy(&WIDE);
}

#[test]
fn a_parameter_that_is_given_is_not_varied() {
    static DECLARATION: PolicyDeclaration = PolicyDeclaration { build: |context| build(context, Flaw::Form), ..DECENT };
    check_policy_with(&DECLARATION, &[("form", Value::Text("linear".to_owned()))]);
}
