//! The conformance kit catches policies that break their contract, and names the promise.

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU32, Ordering};

use haltbench_sdk::conformance::check_policy;
use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;

const DECENT: PolicyDeclaration = PolicyDeclaration {
    summary: "Misbehaves.",
    documentation: "## What it computes\n\nNothing good.",
    reference: "none",
    ..PolicyDeclaration::new("misbehaving", PolicyKind::Early, build_decent)
};

/// The message with which `check` panics.
fn complaint(check: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = catch_unwind(check).expect_err("the kit lets it pass");
    panic.downcast_ref::<String>().cloned().expect("the kit panics with a text")
}

fn caught(declaration: &'static PolicyDeclaration, promise: &str) {
    let complaint = complaint(|| check_policy(declaration));
    assert!(complaint.contains(declaration.name) && complaint.contains(promise), "{complaint}");
}

/// An early policy given by one function.
struct Depths<F>(F);

impl<F: Fn(&View) -> Result<Vec<u32>> + Send + Sync> EarlyPolicy for Depths<F> {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        Ok(EarlyDecision::Depths((self.0)(view)?))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}

fn depths(decide: impl Fn(&View) -> Result<Vec<u32>> + Send + Sync + 'static) -> Result<Policy> {
    Ok(Policy::early(Depths(decide)))
}

fn build_decent(_: &PolicyContext) -> Result<Policy> {
    depths(|view| Ok(vec![2; view.rows().len()]))
}

/// First number of each row's state, as an integer number of steps.
fn firsts(view: &View) -> Result<Vec<f64>> {
    Ok(view.states().narrow(1, 0, 1)?.squeeze(1)?.to_dtype(DType::F64)?.to_vec1()?)
}

fn steps(number: f64) -> u32 {
    1 + (number.abs() * 40.0) as u32 % 4
}

#[test]
fn a_policy_that_keeps_its_promises_passes() {
    static DECLARATION: PolicyDeclaration = DECENT;
    check_policy(&DECLARATION);
}

#[test]
fn a_look_at_the_last_token() {
    fn build(_: &PolicyContext) -> Result<Policy> {
        depths(|view| {
            let firsts = firsts(view)?;
            let last = |row: usize| view.layout().rows_of(view.layout().sequence(row)).end - 1;
            Ok(view.rows().iter().map(|row| steps(firsts[last(row)])).collect())
        })
    }
    static DECLARATION: PolicyDeclaration = PolicyDeclaration { build, ..DECENT };
    caught(&DECLARATION, "no suffix changes the depths and logits before it");
    static HONEST: PolicyDeclaration = PolicyDeclaration { build, causal: Holds::Never, ..DECENT };
    check_policy(&HONEST);
}

#[test]
fn dependence_on_the_batch() {
    fn build(_: &PolicyContext) -> Result<Policy> {
        depths(|view| {
            let firsts = firsts(view)?;
            let mean = firsts.iter().sum::<f64>() / firsts.len() as f64;
            Ok(firsts.iter().map(|number| steps(number - mean)).collect())
        })
    }
    static DECLARATION: PolicyDeclaration = PolicyDeclaration { build, ..DECENT };
    caught(&DECLARATION, "batch composition changes no depth and no logit");
}

#[test]
fn state_between_passes() {
    fn build(_: &PolicyContext) -> Result<Policy> {
        let calls = AtomicU32::new(0);
        depths(move |view| {
            let depth = 1 + calls.fetch_add(1, Ordering::Relaxed).min(3);
            Ok(vec![depth; view.rows().len()])
        })
    }
    static DECLARATION: PolicyDeclaration = PolicyDeclaration { build, ..DECENT };
    caught(&DECLARATION, "no state leaks from one pass into the next");
}

#[test]
fn undeclared_randomness() {
    fn build(_: &PolicyContext) -> Result<Policy> {
        depths(|view| Ok(view.uniform("depth").iter().map(|uniform| steps(*uniform)).collect()))
    }
    static DECLARATION: PolicyDeclaration = PolicyDeclaration { build, ..DECENT };
    caught(&DECLARATION, "it draws no random numbers in evaluation unless it declares `stochastic`");
    static HONEST: PolicyDeclaration = PolicyDeclaration { build, stochastic: Holds::Always, ..DECENT };
    check_policy(&HONEST);
}

#[test]
fn undeclared_use_of_labels() {
    fn build(_: &PolicyContext) -> Result<Policy> {
        depths(|view| {
            let complexity = &view.privileged()?.complexity;
            Ok(view.rows().iter().map(|row| if complexity[row] > 3.0 { 4 } else { 1 }).collect())
        })
    }
    static DECLARATION: PolicyDeclaration = PolicyDeclaration { build, ..DECENT };
    caught(&DECLARATION, "reads complexities without declaring uses_labels");
    static HONEST: PolicyDeclaration = PolicyDeclaration { build, uses_labels: Labels::Complexity, ..DECENT };
    check_policy(&HONEST);
}

#[test]
fn depths_out_of_range() {
    fn build(_: &PolicyContext) -> Result<Policy> {
        depths(|view| Ok(vec![view.max_depth() as u32 + 1; view.rows().len()]))
    }
    static DECLARATION: PolicyDeclaration = PolicyDeclaration { build, ..DECENT };
    caught(&DECLARATION, "depths are in 1..=4");
}

#[test]
fn soft_weights_that_do_not_sum_to_one() {
    struct Half;
    impl SoftPolicy for Half {
        fn weigh(&self, view: &View, _: &mut RowMemory) -> Result<SoftDecision> {
            let rows = view.rows().len();
            let weight = Tensor::full(0.5f64.powi(view.step() as i32 + 1), rows, &Device::Cpu)?;
            Ok(SoftDecision::new(weight, vec![true; rows]))
        }
        fn decision_flops(&self, _: usize) -> f64 {
            0.0
        }
    }
    fn build(_: &PolicyContext) -> Result<Policy> {
        Ok(Policy::soft(Half))
    }
    static DECLARATION: PolicyDeclaration = PolicyDeclaration { build, kind: PolicyKind::Soft, ..DECENT };
    caught(&DECLARATION, "soft weights sum to one, unless blend is Sum or Interpolation; found 0.96875");
    static WRONG_KIND: PolicyDeclaration = PolicyDeclaration { build, ..DECENT };
    caught(&WRONG_KIND, "it is of the kind it declares");
}

#[test]
fn a_wrong_example() {
    static DECLARATION: PolicyDeclaration = PolicyDeclaration {
        examples: &[Example { title: "one and one", run: || Ok("2".to_owned()), expect: "3" }],
        ..DECENT
    };
    caught(&DECLARATION, "its worked examples give what they expect: `one and one` gives `2`, expected `3`");
}

#[test]
fn missing_texts_and_illegal_defaults() {
    static UNNAMED: PolicyDeclaration = PolicyDeclaration { name: "Not_Kebab", ..DECENT };
    caught(&UNNAMED, "its name is in kebab-case");
    static SILENT: PolicyDeclaration = PolicyDeclaration { summary: " ", ..DECENT };
    caught(&SILENT, "its summary is written");
    static OUTSIDE: PolicyDeclaration =
        PolicyDeclaration { parameters: &[ParameterSpec::real("gamma", 2.0, (0.0, 1.0), "weight")], ..DECENT };
    caught(&OUTSIDE, "every default is allowed: parameter `gamma`");
}

/// The flaw of [`LinearLogits`].
#[derive(Clone, Copy, PartialEq)]
enum Flaw {
    None,
    /// Its regulariser treats q as a constant.
    Gradient,
    /// Its regulariser is one number for the whole batch.
    Shape,
    /// Its logits have no gradient.
    Detached,
    /// Its decisions are free.
    Free,
    /// A higher threshold halts earlier.
    Reversed,
}

/// Logits over depths, from a linear map of h(0), with sum q log q as the regulariser.
struct LinearLogits {
    layer: Linear,
    threshold: f64,
    flaw: Flaw,
}

impl EarlyPolicy for LinearLogits {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        let logits = self.layer.forward(view.states())?;
        Ok(EarlyDecision::Logits(if self.flaw == Flaw::Detached { logits.detach() } else { logits }))
    }

    fn rule(&self) -> HaltingRule {
        HaltingRule::Threshold(if self.flaw == Flaw::Reversed { 1.0 - self.threshold } else { self.threshold })
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let Some(log) = &record.log_distribution else { return Ok(None) };
        let q = if self.flaw == Flaw::Gradient { log.exp()?.detach() } else { log.exp()? };
        let entropy = (q * log)?.sum(1)?;
        Ok(match self.flaw {
            Flaw::Detached => None,
            Flaw::Shape => Some(entropy.mean_all()?),
            _ => Some(entropy),
        })
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        if self.flaw == Flaw::Free { 0.0 } else { 8.0 * d_model as f64 }
    }
}

fn logits(context: &PolicyContext, flaw: Flaw) -> Result<Policy> {
    let layer = Linear::new(context.d_model, context.max_depth, context.variables.pp("scores"))?;
    Ok(Policy::early(LinearLogits { layer, threshold: context.parameters.real("threshold")?, flaw }))
}

const LOGITS: PolicyDeclaration = PolicyDeclaration {
    parameters: &[
        ParameterSpec::choice("rule", "threshold", &["threshold"], "the only rule"),
        ParameterSpec::real("threshold", 0.5, (0.0, 1.0), "cumulative probability that halts").knob(Trend::Deeper),
    ],
    build: |context| logits(context, Flaw::None),
    ..DECENT
};

#[test]
fn gradients_that_are_wrong_or_missing() {
    static RIGHT: PolicyDeclaration = LOGITS;
    check_policy(&RIGHT);
    static WRONG: PolicyDeclaration = PolicyDeclaration { build: |context| logits(context, Flaw::Gradient), ..LOGITS };
    caught(&WRONG, "are those of finite differences: at decider.scores.weight");
    static MISSING: PolicyDeclaration =
        PolicyDeclaration { build: |context| logits(context, Flaw::Detached), ..LOGITS };
    caught(&MISSING, "a gradient reaches at least one of its variables");
    static UNTRAINED: PolicyDeclaration = PolicyDeclaration { recipe: Recipe::LAST_STEP, ..MISSING };
    check_policy(&UNTRAINED);
}

#[test]
fn a_regulariser_that_is_not_per_row() {
    static DECLARATION: PolicyDeclaration =
        PolicyDeclaration { build: |context| logits(context, Flaw::Shape), ..LOGITS };
    caught(&DECLARATION, "its regulariser is a finite number for each row");
}

#[test]
fn decisions_for_nothing() {
    static DECLARATION: PolicyDeclaration =
        PolicyDeclaration { build: |context| logits(context, Flaw::Free), ..LOGITS };
    caught(&DECLARATION, "its decisions have a cost");
}

#[test]
fn a_threshold_that_halts_earlier_as_it_rises() {
    static DECLARATION: PolicyDeclaration =
        PolicyDeclaration { build: |context| logits(context, Flaw::Reversed), ..LOGITS };
    caught(&DECLARATION, "mean depth does not fall as the threshold rises");
}

/// Remembers the states of all rows but one.
struct Forgetful;

impl OnlinePolicy for Forgetful {
    fn observe(&self, view: &View, memory: &mut RowMemory) -> Result<OnlineDecision> {
        let rows = view.rows().len();
        memory.replace("first states", &view.states().narrow(0, 0, rows.saturating_sub(1).max(1))?);
        let halts = view.rows().iter().map(|row| row % 2 == 0);
        Ok(OnlineDecision::Halt(halts.collect()))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        1.0
    }
}

#[test]
fn a_memory_of_other_rows_is_named() {
    static DECLARATION: PolicyDeclaration = PolicyDeclaration {
        recipe: Recipe::LAST_STEP,
        kind: PolicyKind::Online,
        build: |_| Ok(Policy::online(Forgetful)),
        ..DECENT
    };
    caught(&DECLARATION, "its memory `first states` has the shape");
}
