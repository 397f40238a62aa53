//! Small policies of all four kinds and of all training schemes.

use haltbench_sdk::candle_core::Result as TensorResult;
use haltbench_sdk::candle_nn::ops::{sigmoid, softmax};
use haltbench_sdk::layers::Linear;
use haltbench_sdk::policy::Combine;
use haltbench_sdk::prelude::*;

/// All of them.
pub const MINIATURES: [&PolicyDeclaration; 8] = [&SCORES, &HAZARDS, &STILL, &SURE, &GATED, &ACT, &TOP_SHARE, &POSITIVE];

const READS: ParameterSpec = ParameterSpec::flag("reads", false, "also asks for logits, for nothing");

/// Weight of the regularisers.
pub const GAMMA: f64 = 0.1;

/// GAMMA · KL(q || uniform) of each row.
fn divergence(record: &HaltingRecord) -> Result<Option<Tensor>> {
    let Some(log) = &record.log_distribution else { return Ok(None) };
    let divergence = (log.exp()? * (log + (record.max_depth as f64).ln())?)?.sum(1)?;
    Ok(Some((divergence * GAMMA)?))
}

fn values(tensor: &Tensor) -> Result<Vec<f64>> {
    Ok(tensor.to_dtype(DType::F64)?.to_vec1()?)
}

// ---------------------------------------------------------------------------------------------------------- early

/// Logits over depths: a linear map of h(0).
pub static SCORES: PolicyDeclaration = PolicyDeclaration {
    recipe: Recipe::EVERY_STEP,
    parameters: &[HaltingRule::PARAMETERS_MODE[0], HaltingRule::PARAMETERS_MODE[1], READS],
    ..PolicyDeclaration::new("scores", PolicyKind::Early, |context| {
        Ok(Policy::early(LinearLogits {
            logits: Linear::with_bias(context.d_model, context.max_depth, context.variables.pp("scores"))?,
            rule: HaltingRule::from_parameters(context.parameters)?,
            reads: context.parameters.flag("reads")?,
        }))
    })
};

struct LinearLogits {
    logits: Linear,
    rule: HaltingRule,
    reads: bool,
}

impl EarlyPolicy for LinearLogits {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        if self.reads {
            view.logits()?;
        }
        Ok(EarlyDecision::Logits(self.logits.forward(view.states())?))
    }

    fn rule(&self) -> HaltingRule {
        self.rule
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        divergence(record)
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        2.0 * d_model as f64
    }
}

// --------------------------------------------------------------------------------------------------------- online

/// A hazard from a linear map of h(d) and of the state's last change, which it remembers.
pub static HAZARDS: PolicyDeclaration = PolicyDeclaration {
    recipe: Recipe::EVERY_STEP,
    parameters: &[HaltingRule::PARAMETERS_MEDIAN[0], HaltingRule::PARAMETERS_MEDIAN[1], READS],
    ..PolicyDeclaration::new("hazards", PolicyKind::Online, |context| {
        Ok(Policy::online(Hazards {
            hazard: Linear::with_bias(2 * context.d_model, 1, context.variables.pp("hazard"))?,
            rule: HaltingRule::from_parameters(context.parameters)?,
            reads: context.parameters.flag("reads")?,
        }))
    })
};

struct Hazards {
    hazard: Linear,
    rule: HaltingRule,
    reads: bool,
}

impl OnlinePolicy for Hazards {
    fn observe(&self, view: &View, memory: &mut RowMemory) -> Result<OnlineDecision> {
        if self.reads {
            view.logits()?;
        }
        let moved = match memory.replace("state", view.states()) {
            Some(previous) => (view.states() - previous)?,
            None => view.states().zeros_like()?,
        };
        let seen = Tensor::cat(&[view.states(), &moved], 1)?;
        Ok(OnlineDecision::HazardLogits(self.hazard.forward(&seen)?.squeeze(1)?))
    }

    fn rule(&self) -> HaltingRule {
        self.rule
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        divergence(record)
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        4.0 * d_model as f64
    }
}

/// Halts a token once its state changes by less than a share of its norm.
pub static STILL: PolicyDeclaration = PolicyDeclaration {
    recipe: Recipe::LAST_STEP,
    parameters: &[ParameterSpec::real("threshold", 0.3, (0.0, 10.0), "largest relative step that halts")],
    ..PolicyDeclaration::new("still", PolicyKind::Online, |context| {
        Ok(Policy::online(Still { threshold: context.parameters.real("threshold")? }))
    })
};

struct Still {
    threshold: f64,
}

impl OnlinePolicy for Still {
    fn observe(&self, view: &View, memory: &mut RowMemory) -> Result<OnlineDecision> {
        let Some(previous) = memory.replace("state", view.states()) else {
            return Ok(OnlineDecision::Halt(vec![false; view.rows().len()]));
        };
        let norms = |states: &Tensor| values(&states.sqr()?.sum(1)?.sqrt()?);
        let steps = norms(&(view.states() - previous)?)?;
        let halts = steps.iter().zip(norms(view.states())?).map(|(step, norm)| *step < self.threshold * norm);
        Ok(OnlineDecision::Halt(halts.collect()))
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        4.0 * d_model as f64
    }
}

/// Halts a token once the most probable answer is probable enough: it reads logits.
pub static SURE: PolicyDeclaration = PolicyDeclaration {
    recipe: Recipe::LAST_STEP,
    parameters: &[ParameterSpec::real("confidence", 0.5, (0.0, 1.0), "least probability that halts")],
    ..PolicyDeclaration::new("sure", PolicyKind::Online, |context| {
        Ok(Policy::online(Sure { confidence: context.parameters.real("confidence")? }))
    })
};

struct Sure {
    confidence: f64,
}

impl OnlinePolicy for Sure {
    fn observe(&self, view: &View, _: &mut RowMemory) -> Result<OnlineDecision> {
        let confidence = values(&softmax(&view.logits()?, D::Minus1)?.max(D::Minus1)?)?;
        Ok(OnlineDecision::Halt(confidence.iter().map(|confidence| *confidence >= self.confidence).collect()))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        1.0
    }
}

/// Implements the engine's trait directly: halts a token once its gate is nearly shut; until then the gate scales the
/// residual of every step, including the first.
pub static GATED: PolicyDeclaration = PolicyDeclaration {
    parameters: &[ParameterSpec::real("least", 0.4, (0.0, 1.0), "gate below which a token halts")],
    ..PolicyDeclaration::new("gated", PolicyKind::Online, |context| {
        Ok(Policy::new(
            PolicyKind::Online,
            Gated {
                gate: Linear::with_bias(context.d_model, 1, context.variables.pp("gate"))?,
                least: context.parameters.real("least")?,
            },
        ))
    })
};

struct Gated {
    gate: Linear,
    least: f64,
}

impl HaltingPolicy for Gated {
    fn decide(&self, view: &View, _: &mut RowMemory) -> Result<Decision> {
        let gates = sigmoid(&self.gate.forward(view.states())?.squeeze(1)?)?;
        let scores = values(&gates)?;
        let halts = scores.iter().map(|gate| view.step() > 0 && *gate < self.least).collect();
        let gate = Some(Gate { values: gates, combine: Combine::Residual });
        Ok(Decision { scores: Some(scores), gate, ..Decision::new(Halting::Halt(halts)) })
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        2.0 * d_model as f64
    }
}

// ----------------------------------------------------------------------------------------------------------- soft

/// Graves' adaptive computation time (arXiv 1603.08983, equations 5 to 9).
pub static ACT: PolicyDeclaration = PolicyDeclaration {
    parameters: &[
        ParameterSpec::real("epsilon", 0.01, (0.0, 0.5), "halts once the sum reaches 1 - epsilon"),
        ParameterSpec::flag("carry", false, "every step starts from a shrunken state"),
        ParameterSpec::flag("offers", false, "keys and values are those of a shrunken state"),
        READS,
    ],
    ..PolicyDeclaration::new("act", PolicyKind::Soft, |context| {
        Ok(Policy::soft(Act {
            halting: Linear::with_bias(context.d_model, 1, context.variables.pp("halting"))?,
            epsilon: context.parameters.real("epsilon")?,
            carry: context.parameters.flag("carry")?,
            offers: context.parameters.flag("offers")?,
            reads: context.parameters.flag("reads")?,
        }))
    })
};

struct Act {
    halting: Linear,
    epsilon: f64,
    carry: bool,
    offers: bool,
    reads: bool,
}

impl SoftPolicy for Act {
    fn weigh(&self, view: &View, memory: &mut RowMemory) -> Result<SoftDecision> {
        let rows = view.rows().len();
        if view.step() == 0 {
            let weight = Tensor::zeros(rows, view.states().dtype(), view.states().device())?;
            return Ok(SoftDecision::new(weight, vec![true; rows]));
        }
        if self.reads {
            view.logits()?;
        }
        let halting = sigmoid(&self.halting.forward(view.states())?.squeeze(1)?)?;
        let sum = match memory.get("sum") {
            Some(sum) => sum.clone(),
            None => halting.zeros_like()?,
        };
        let reached = (&sum + &halting)?;
        memory.replace("sum", &reached);
        let goes_on = |sum: f64| sum < 1.0 - self.epsilon && !view.is_last();
        let running: Vec<bool> = values(&reached)?.into_iter().map(goes_on).collect();
        let mask = Tensor::from_vec(running.iter().map(|runs| u8::from(*runs)).collect(), rows, halting.device())?;
        let weight = mask.where_cond(&halting, &sum.affine(-1.0, 1.0)?)?;
        let shrunken = |wanted: bool, share: f64| wanted.then(|| view.states() * share).transpose();
        let (carry, keys_values) = (shrunken(self.carry, 0.75)?, shrunken(self.offers, 0.5)?);
        Ok(SoftDecision { carry, keys_values, ..SoftDecision::new(weight, running) })
    }

    /// GAMMA · (N + R); the weight of the last step is R.
    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let Some(weights) = &record.weights else { return Ok(None) };
        let last = Tensor::from_slice(&record.depths, (record.depths.len(), 1), weights.device())?;
        let remainder = weights.gather(&last, 1)?.squeeze(1)?;
        let steps = last.squeeze(1)?.to_dtype(weights.dtype())?;
        Ok(Some(((remainder + steps)? * GAMMA)?))
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        2.0 * d_model as f64
    }
}

// --------------------------------------------------------------------------------------------------------- select

const COMBINE: ParameterSpec =
    ParameterSpec::choice("combine", "residual", &["residual", "added"], "how a result joins the state");

/// The half of a sequence with the highest scores takes a step, so a token depends on later ones.
pub static TOP_SHARE: PolicyDeclaration = PolicyDeclaration {
    causal: Holds::Never,
    parameters: &[COMBINE, READS],
    ..PolicyDeclaration::new("top-share", PolicyKind::Select, |context| router(context, true))
};

/// Tokens with a positive score take a step.
pub static POSITIVE: PolicyDeclaration = PolicyDeclaration {
    parameters: &[COMBINE, READS],
    ..PolicyDeclaration::new("positive", PolicyKind::Select, |context| router(context, false))
};

struct Router {
    router: Linear,
    half: bool,
    combine: Combine,
    reads: bool,
}

fn router(context: &PolicyContext, half: bool) -> Result<Policy> {
    Ok(Policy::select(Router {
        router: Linear::new(context.d_model, 1, context.variables.pp("router"))?,
        half,
        combine: if context.parameters.text("combine")? == "added" { Combine::Added } else { Combine::Residual },
        reads: context.parameters.flag("reads")?,
    }))
}

impl SelectPolicy for Router {
    fn select(&self, view: &View, _: &mut RowMemory) -> Result<Selection> {
        if self.reads {
            view.logits()?;
        }
        let score = self.router.forward(view.states())?.squeeze(1)?;
        let scores = values(&score)?;
        let layout = view.layout();
        let mut chosen: Vec<bool> = scores.iter().map(|score| !self.half && *score > 0.0).collect();
        for sequence in (0..layout.sequences()).filter(|_| self.half) {
            let mut rows: Vec<usize> = layout.rows_of(sequence).collect();
            let count = rows.len() / 2;
            rows.sort_by(|left, right| scores[*right].total_cmp(&scores[*left]).then(left.cmp(right)));
            rows.iter().take(count).for_each(|row| chosen[*row] = true);
        }
        Ok(Selection { gate: Some(sigmoid(&score)?), combine: self.combine, ..Selection::new(chosen) })
    }

    /// GAMMA · the mean square of the gates over the steps.
    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let squares = record.gates.iter().map(Tensor::sqr).collect::<TensorResult<Vec<_>>>()?;
        Ok(Some((Tensor::stack(&squares, 0)?.mean(0)? * GAMMA)?))
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        2.0 * d_model as f64
    }
}
