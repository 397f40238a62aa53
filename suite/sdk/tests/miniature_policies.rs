//! One miniature policy of each of the four kinds: they show that the contract suffices, and that the conformance kit
//! accepts correct policies.

use haltbench_sdk::candle_core::Result as TensorResult;
use haltbench_sdk::candle_nn::ops::sigmoid;
use haltbench_sdk::conformance::{MINIATURE, check_backbone, check_policy, check_policy_with};
use haltbench_sdk::layers::Linear;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::policy::{Combine, Phase};
use haltbench_sdk::prelude::*;

const DOCUMENTATION: &str = "## What it computes\n\nSee the test.";

// ---------------------------------------------------------------------------------------------------------- early

const EARLY: PolicyDeclaration = PolicyDeclaration {
    summary: "A distribution over depths from a linear map of h(0).",
    documentation: DOCUMENTATION,
    reference: "a miniature of ANIRA-E, arXiv 2602.08864 section 3.2",
    parameters: &[
        HaltingRule::PARAMETERS_MODE[0],
        HaltingRule::PARAMETERS_MODE[1],
        ParameterSpec::real("gamma", 0.1, (0.0, 10.0), "weight of the divergence from the uniform prior"),
    ],
    ..PolicyDeclaration::new("early-linear", PolicyKind::Early, build_early)
};
static EARLY_DECLARATION: PolicyDeclaration = EARLY;

struct Early {
    logits: Linear,
    rule: HaltingRule,
    gamma: f64,
}

fn build_early(context: &PolicyContext) -> Result<Policy> {
    Ok(Policy::early(Early {
        logits: Linear::with_bias(context.d_model, context.max_depth, context.variables.pp("scores"))?,
        rule: HaltingRule::from_parameters(context.parameters)?,
        gamma: context.parameters.real("gamma")?,
    }))
}

/// KL(q || uniform) of each row, from log q.
fn divergence(record: &HaltingRecord, gamma: f64) -> Result<Option<Tensor>> {
    let Some(log) = &record.log_distribution else { return Ok(None) };
    let divergence = (log.exp()? * (log + (record.max_depth as f64).ln())?)?.sum(1)?;
    Ok(Some((divergence * gamma)?))
}

impl EarlyPolicy for Early {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        Ok(EarlyDecision::Logits(self.logits.forward(view.states())?))
    }

    fn rule(&self) -> HaltingRule {
        self.rule
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        divergence(record, self.gamma)
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        8.0 * d_model as f64
    }
}

// --------------------------------------------------------------------------------------------------------- online

static ONLINE_DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "A halting probability from a linear map of h(d) and of its last move.",
    documentation: DOCUMENTATION,
    reference: "a miniature of PonderNet, arXiv 2107.05407",
    recipe: Recipe::EVERY_STEP,
    parameters: &HaltingRule::PARAMETERS_MEDIAN,
    ..PolicyDeclaration::new("online-linear", PolicyKind::Online, build_online)
};

struct Online {
    hazard: Linear,
    rule: HaltingRule,
}

fn build_online(context: &PolicyContext) -> Result<Policy> {
    Ok(Policy::online(Online {
        hazard: Linear::with_bias(2 * context.d_model, 1, context.variables.pp("hazard"))?,
        rule: HaltingRule::from_parameters(context.parameters)?,
    }))
}

impl OnlinePolicy for Online {
    fn observe(&self, view: &View, memory: &mut RowMemory) -> Result<OnlineDecision> {
        let previous = memory.replace("state", view.states());
        let moved = match previous {
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
        divergence(record, 0.01)
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        4.0 * d_model as f64
    }
}

// ----------------------------------------------------------------------------------------------------------- soft

static SOFT_DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Graves' adaptive computation time.",
    documentation: DOCUMENTATION,
    reference: "Graves 2016, arXiv 1603.08983, equations 5 to 9",
    parameters: &[
        ParameterSpec::real("epsilon", 0.01, (0.0, 0.5), "halts once the sum reaches 1 - epsilon"),
        ParameterSpec::real("tau", 0.01, (0.0, 1.0), "weight of the ponder cost"),
    ],
    examples: &[
        Example { title: "h = .3, .25, .6, .9 halts after three steps", run: golden, expect: "3: 0.30 0.25 0.45" },
        Example { title: "capped at two steps, the second takes the rest", run: capped, expect: "2: 0.30 0.70" },
    ],
    ..PolicyDeclaration::new("act", PolicyKind::Soft, build_soft)
};

struct Act {
    halting: Linear,
    epsilon: f64,
    tau: f64,
}

fn build_soft(context: &PolicyContext) -> Result<Policy> {
    Ok(Policy::soft(Act {
        halting: Linear::with_bias(context.d_model, 1, context.variables.pp("halting"))?,
        epsilon: context.parameters.real("epsilon")?,
        tau: context.parameters.real("tau")?,
    }))
}

impl Act {
    /// Weights from the halting probabilities of the rows after step `view.step()`.
    fn decide(&self, halting: &Tensor, view: &View, memory: &mut RowMemory) -> Result<SoftDecision> {
        let sum = match memory.get("sum") {
            Some(sum) => sum.clone(),
            None => halting.zeros_like()?,
        };
        let reached = (&sum + halting)?;
        let remainder = sum.affine(-1.0, 1.0)?;
        memory.replace("sum", &reached);
        let reached: Vec<f64> = reached.to_dtype(DType::F64)?.to_vec1()?;
        let running: Vec<bool> = reached.iter().map(|sum| *sum < 1.0 - self.epsilon && !view.is_last()).collect();
        let mask: Vec<u8> = running.iter().map(|runs| u8::from(*runs)).collect();
        let mask = Tensor::from_vec(mask, running.len(), halting.device())?;
        Ok(SoftDecision::new(mask.where_cond(halting, &remainder)?, running))
    }
}

impl SoftPolicy for Act {
    fn weigh(&self, view: &View, memory: &mut RowMemory) -> Result<SoftDecision> {
        let rows = view.rows().len();
        if view.step() == 0 {
            let weight = Tensor::zeros(rows, view.states().dtype(), view.states().device())?;
            return Ok(SoftDecision::new(weight, vec![true; rows]));
        }
        let halting = sigmoid(&self.halting.forward(view.states())?.squeeze(1)?)?;
        self.decide(&halting, view, memory)
    }

    /// The ponder cost N + R; the weight of the last step is R.
    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let Some(weights) = &record.weights else { return Ok(None) };
        let last = Tensor::from_slice(&record.depths, (record.depths.len(), 1), weights.device())?;
        let remainder = weights.gather(&last, 1)?.squeeze(1)?;
        let steps = last.squeeze(1)?.to_dtype(weights.dtype())?;
        Ok(Some(((remainder + steps)? * self.tau)?))
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        2.0 * d_model as f64
    }
}

/// Weights of one token with given halting probabilities.
fn worked(halting: &[f64], max_depth: usize) -> Result<String> {
    let variables = haltbench_sdk::initialise::Variables::new(0, DType::F64, &Device::Cpu);
    let act = Act { halting: Linear::with_bias(1, 1, variables.builder())?, epsilon: 0.01, tau: 0.0 };
    let layout = TokenLayout::new(&[1], &[0])?;
    let (rows, mut memory, mut weights) = (RowSet::all(1), RowMemory::default(), Vec::new());
    let logits = || Err(Error::contract("act", "it needs no logits"));
    for (step, halting) in (1..).zip(halting) {
        let halting = Tensor::new(&[*halting], &Device::Cpu)?;
        let view = View::new(step, max_depth, &layout, &rows, &halting, &logits, Phase::Evaluation, 0, None);
        let decision = act.decide(&halting, &view, &mut memory)?;
        weights.push(format!("{:.2}", decision.weight.get(0)?.to_scalar::<f64>()?));
        if !decision.running[0] {
            break;
        }
    }
    Ok(format!("{}: {}", weights.len(), weights.join(" ")))
}

fn golden() -> Result<String> {
    worked(&[0.3, 0.25, 0.6, 0.9], 4)
}

fn capped() -> Result<String> {
    worked(&[0.3, 0.25, 0.6, 0.9], 2)
}

// --------------------------------------------------------------------------------------------------------- select

static SELECT_DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "The tokens of a sequence with the highest scores take part in a step.",
    documentation: DOCUMENTATION,
    reference: "a miniature of Mixture-of-Depths, arXiv 2404.02258",
    causal: Holds::Never,
    parameters: &[
        ParameterSpec::real("capacity", 0.5, (0.0, 1.0), "share of a sequence that takes part"),
        ParameterSpec::choice("combine", "residual", &["residual", "added"], "how a result joins the state"),
    ],
    ..PolicyDeclaration::new("top-share", PolicyKind::Select, build_select)
};

struct TopShare {
    router: Linear,
    capacity: f64,
    combine: Combine,
}

fn build_select(context: &PolicyContext) -> Result<Policy> {
    Ok(Policy::select(TopShare {
        router: Linear::new(context.d_model, 1, context.variables.pp("router"))?,
        capacity: context.parameters.real("capacity")?,
        combine: if context.parameters.text("combine")? == "added" { Combine::Added } else { Combine::Residual },
    }))
}

impl SelectPolicy for TopShare {
    fn select(&self, view: &View, _: &mut RowMemory) -> Result<Selection> {
        let gate = self.router.forward(view.states())?.squeeze(1)?;
        let scores: Vec<f64> = gate.to_dtype(DType::F64)?.to_vec1()?;
        let layout = view.layout();
        let mut chosen = vec![false; layout.rows()];
        for sequence in 0..layout.sequences() {
            let mut rows: Vec<usize> = layout.rows_of(sequence).collect();
            let count = (self.capacity * rows.len() as f64).floor() as usize;
            rows.sort_by(|left, right| scores[*right].total_cmp(&scores[*left]).then(left.cmp(right)));
            rows.iter().take(count).for_each(|row| chosen[*row] = true);
        }
        Ok(Selection { gate: Some(gate), combine: self.combine, ..Selection::new(chosen) })
    }

    /// The router's z-loss: the mean square of its scores over the steps.
    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let squares = record.gates.iter().map(Tensor::sqr).collect::<TensorResult<Vec<_>>>()?;
        Ok(Some(Tensor::stack(&squares, 0)?.mean(0)?))
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        2.0 * d_model as f64
    }
}

// ---------------------------------------------------------------------------------------------------------- tests

#[test]
fn an_early_policy_conforms() {
    check_policy(&EARLY_DECLARATION);
    for rule in ["mean", "median"] {
        check_policy_with(&EARLY_DECLARATION, &[("rule", Value::Text(rule.to_owned()))]);
    }
}

#[test]
fn an_online_policy_conforms() {
    check_policy(&ONLINE_DECLARATION);
    check_policy_with(&ONLINE_DECLARATION, &[("rule", Value::Text("mode".to_owned()))]);
}

#[test]
fn a_soft_policy_conforms() {
    check_policy(&SOFT_DECLARATION);
}

#[test]
fn a_selecting_policy_conforms() {
    check_policy(&SELECT_DECLARATION);
    let added = ("combine", Value::Text("added".to_owned()));
    check_policy_with(&SELECT_DECLARATION, &[added, ("capacity", Value::Real(1.0))]);
}

#[test]
fn the_miniature_backbone_conforms() {
    check_backbone(&MINIATURE);
}
