//! Turns decisions into halts: by the policy's rule in evaluation, by draws in training, or by given depths.

use haltbench_sdk::candle_core::{D, Tensor};
use haltbench_sdk::candle_nn::ops::{log_softmax, softmax};
use haltbench_sdk::layout::RowSet;
use haltbench_sdk::ops::log_sigmoid;
use haltbench_sdk::policy::{Halting, HazardHistory};
use haltbench_sdk::random::Stream;

use super::checks;
use super::course::Course;
use super::noise::Noise;
use crate::Result;
use crate::model::Model;

/// Turns decisions into halts.
pub(crate) enum Judge {
    /// By the policy's rule, as in evaluation.
    Rule(Rule),
    /// By given depths; the policy's decisions are ignored.
    Given {
        /// The depth of each row.
        depths: Vec<u32>,
        /// Whether the policy is asked nevertheless.
        asks: bool,
    },
    /// By draws, as in training.
    Drawn(Drawn),
}

/// The rows that a decision is about.
pub(super) struct Heard<'a> {
    /// Steps taken before the decision.
    pub step: usize,
    /// The rows.
    pub rows: &'a RowSet,
    /// Their states.
    pub states: &'a Tensor,
}

impl Judge {
    /// The judge of an evaluation.
    pub fn rule() -> Self {
        Self::Rule(Rule::default())
    }

    /// The judge of a recorded trajectory. It has the states after every step, so the hazards of all steps are known:
    /// the distribution over depths is exact, and the rule takes the depth from it.
    pub fn recorded() -> Self {
        Self::Rule(Rule { is_recorded: true, ..Rule::default() })
    }

    /// Whether the policy is asked about all rows, even halted ones.
    pub fn asks_all(&self) -> bool {
        matches!(self, Self::Drawn(_)) || self.collects_hazards()
    }

    /// Whether the policy is asked after every step, even if all rows have halted.
    pub fn collects_hazards(&self) -> bool {
        matches!(self, Self::Rule(rule) if rule.is_recorded && !rule.histories.is_empty())
    }

    /// Whether the policy is asked at all.
    pub fn asks(&self) -> bool {
        !matches!(self, Self::Given { asks: false, .. })
    }

    /// Updates `course` with a decision. Returns the scores if the engine compares them with a threshold.
    pub(super) fn hear(
        &mut self,
        model: &Model,
        heard: &Heard,
        halting: Halting,
        course: &mut Course,
    ) -> Result<Option<Vec<f64>>> {
        let (rows, count) = (heard.rows, heard.rows.len());
        match halting {
            Halting::GoOn => Ok(None),
            Halting::Halt(halts) => {
                let halts = checks::flags(model, "flags", halts, count)?;
                if let (0, Some(row)) = (heard.step, halts.iter().position(|halts| *halts)) {
                    return Err(model.broken(format!("row {row} stops before its first step")));
                }
                if self.obeys() {
                    halt(course, rows, &halts);
                }
                Ok(None)
            }
            Halting::Choose(chosen) => {
                let chosen = checks::flags(model, "choices", chosen, count)?;
                course.wakes = true;
                if course.plan.is_none() {
                    course.running = chosen;
                }
                Ok(None)
            }
            Halting::Depths(depths) => {
                let depths = checks::depths(model, depths, count)?;
                if self.obeys() {
                    course.plan = Some(depths);
                }
                Ok(None)
            }
            Halting::Logits(logits) => {
                let shape = [count, model.max_depth];
                let values = checks::judged(model, "logits", &logits, &shape, heard.states)?;
                match self {
                    Self::Given { .. } => {}
                    Self::Rule(rule) => {
                        let distributions: Vec<Vec<f64>> =
                            values.chunks_exact(model.max_depth).map(checks::softmax).collect();
                        course.plan = Some(distributions.iter().map(|q| model.policy.rule().depth(q)).collect());
                        rule.distributions = Some(distributions);
                    }
                    Self::Drawn(drawn) => course.plan = drawn.logits(model, logits)?,
                }
                Ok(None)
            }
            Halting::Hazards { logits, halts } => {
                let values = checks::judged(model, "hazards", &logits, &[count], heard.states)?;
                let halts = halts.map(|halts| checks::flags(model, "flags", halts, count)).transpose()?;
                let (halts, scores) = match self {
                    Self::Given { .. } => return Ok(None),
                    Self::Rule(rule) => rule.hazards(model, rows, &values, halts, &course.running),
                    Self::Drawn(drawn) => {
                        (drawn.hazards(model, heard.step, &logits, &values)?, drawn.cumulative.clone())
                    }
                };
                halt(course, rows, &halts);
                Ok(Some(scores))
            }
        }
    }

    /// Whether depths and halts that the policy decides take effect. They do not if depths are given, or if every token
    /// takes D steps in training.
    fn obeys(&self) -> bool {
        match self {
            Self::Rule(_) => true,
            Self::Given { .. } => false,
            Self::Drawn(drawn) => drawn.halts,
        }
    }
}

fn halt(course: &mut Course, rows: &RowSet, halts: &[bool]) {
    rows.iter().zip(halts).filter(|(_, halts)| **halts).for_each(|(row, _)| course.running[row] = false);
}

/// The judge of an evaluation.
#[derive(Default)]
pub(crate) struct Rule {
    /// Whether the rule waits for the hazards of all steps.
    is_recorded: bool,
    /// Whether the policy itself decides which rows halt.
    is_overruled: bool,
    histories: Vec<HazardHistory>,
    distributions: Option<Vec<Vec<f64>>>,
}

impl Rule {
    /// Which rows halt, and F(d), the probability of having halted by now: the score of the rules median and threshold,
    /// NaN for a row that has halted before.
    fn hazards(
        &mut self,
        model: &Model,
        rows: &RowSet,
        values: &[f64],
        halts: Option<Vec<bool>>,
        running: &[bool],
    ) -> (Vec<bool>, Vec<f64>) {
        self.is_overruled |= halts.is_some();
        self.histories.resize_with(rows.total(), HazardHistory::default);
        let (mut by_rule, mut scores) = (Vec::with_capacity(values.len()), Vec::with_capacity(values.len()));
        for (row, logit) in rows.iter().zip(values) {
            let history = &mut self.histories[row];
            history.push(checks::sigmoid(*logit));
            scores.push(if running[row] { history.cumulative() } else { f64::NAN });
            by_rule.push(!self.is_recorded && halts.is_none() && history.halts(model.policy.rule(), model.max_depth));
        }
        (halts.unwrap_or(by_rule), scores)
    }

    /// On a recorded trajectory, the depth that the rule takes from each row's distribution; `None` if there are no
    /// hazards or the policy itself decides which rows halt.
    pub fn depths(&self, model: &Model) -> Option<Vec<u32>> {
        let depth = |history: &HazardHistory| model.policy.rule().depth(&history.distribution(model.max_depth));
        let decides = self.is_recorded && !self.is_overruled && !self.histories.is_empty();
        decides.then(|| self.histories.iter().map(depth).collect())
    }

    /// Probabilities of the depths 1..=D of each row, if the policy has a distribution over depths.
    pub fn distributions(&self, max_depth: usize) -> Option<Vec<Vec<f64>>> {
        let of_hazards = || self.histories.iter().map(|history| history.distribution(max_depth)).collect();
        self.distributions.clone().or_else(|| (!self.histories.is_empty()).then(of_hazards))
    }
}

/// The judge of training: draws depths from distributions whose logarithms keep their gradients.
pub(crate) struct Drawn {
    /// Whether rows halt; otherwise all of them take D steps.
    halts: bool,
    noise: Noise,
    uniform: Option<Vec<f64>>,
    cumulative: Vec<f64>,
    log_survival: Option<Tensor>,
    columns: Vec<Tensor>,
    /// Logarithm of the distribution over depths, `[rows, D]`, of a policy that returns logits over depths.
    log_q: Option<Tensor>,
    /// Gates of the steps, `[rows, D]`, of a policy that returns logits over depths.
    gates: Option<Tensor>,
}

impl Drawn {
    /// The judge of a training pass over `rows` rows.
    pub fn new(noise: &Noise, rows: usize, halts: bool) -> Self {
        Self {
            halts,
            noise: noise.clone(),
            uniform: None,
            cumulative: vec![0.0; rows],
            log_survival: None,
            columns: Vec::new(),
            log_q: None,
            gates: None,
        }
    }

    /// The gate of step `step`, `[rows]`, where there is one.
    pub fn soft(&self, step: usize) -> Result<Option<Tensor>> {
        if !self.halts {
            return Ok(None);
        }
        Ok(match (&self.gates, &self.log_survival) {
            (Some(gates), _) => Some(gates.narrow(1, step - 1, 1)?.squeeze(1)?),
            (None, Some(survival)) => Some(survival.exp()?),
            (None, None) => None,
        })
    }

    /// Logarithm of the distribution over depths, `[rows, D]`. `like` gives type and device. If the distribution
    /// `is_expected` and D = 1, where the policy observes nothing, the only depth has probability 1.
    pub fn log_distribution(self, max_depth: usize, like: &Tensor, is_expected: bool) -> Result<Option<Tensor>> {
        if self.log_q.is_some() {
            return Ok(self.log_q);
        }
        let mut columns = self.columns;
        Ok(match self.log_survival {
            None if is_expected && max_depth == 1 => {
                Some(Tensor::zeros((self.cumulative.len(), 1), like.dtype(), like.device())?)
            }
            None => None,
            Some(rest) => {
                columns.push(rest);
                Some(Tensor::stack(&columns, 1)?)
            }
        })
    }

    /// Depths drawn by Gumbel-Softmax, if rows halt.
    fn logits(&mut self, model: &Model, logits: Tensor) -> Result<Option<Vec<u32>>> {
        let most = model.max_depth;
        let rows = logits.dim(0)?;
        self.log_q = Some(log_softmax(&logits, D::Minus1)?);
        if !self.halts {
            return Ok(None);
        }
        let gumbel = self.noise.draw(model, "gumbel", rows * most, Stream::gumbel)?;
        let gumbel = Tensor::from_vec(gumbel, (rows, most), logits.device())?.to_dtype(logits.dtype())?;
        let noisy = ((logits + gumbel)? / model.policy.temperature())?;
        let values = checks::numbers(model, "noisy logits", &noisy, &[rows, most])?;
        let depths = match self.noise.forced() {
            Some(depths) => checks::depths(model, depths.to_vec(), rows)?,
            None => values.chunks_exact(most).map(argmax).collect(),
        };
        self.gates = Some(at_least(&softmax(&noisy, D::Minus1)?)?);
        Ok(Some(depths))
    }

    /// Which rows halt, by the inverse CDF.
    fn hazards(&mut self, model: &Model, step: usize, logits: &Tensor, values: &[f64]) -> Result<Vec<bool>> {
        let mut halts = vec![false; values.len()];
        if self.halts && self.uniform.is_none() {
            self.uniform = Some(self.noise.draw(model, "halting", values.len(), Stream::uniform)?);
        }
        let uniform = self.uniform.as_deref().unwrap_or_default();
        for (row, logit) in values.iter().enumerate() {
            self.cumulative[row] += (1.0 - self.cumulative[row]) * checks::sigmoid(*logit);
            halts[row] = self.halts
                && match self.noise.forced() {
                    Some(depths) => depths[row] as usize <= step,
                    None => self.cumulative[row] >= uniform[row],
                };
        }
        let (halt, go_on) = (log_sigmoid(logits)?, log_sigmoid(&logits.neg()?)?);
        self.columns.push(match &self.log_survival {
            None => halt,
            Some(survival) => (survival + halt)?,
        });
        self.log_survival = Some(match self.log_survival.take() {
            None => go_on,
            Some(survival) => (survival + go_on)?,
        });
        Ok(halts)
    }
}

/// The depth of the largest entry, the lowest of equal ones.
fn argmax(row: &[f64]) -> u32 {
    let best = row.iter().copied().fold(f64::MIN, f64::max);
    1 + row.iter().position(|value| *value == best).unwrap_or(0) as u32
}

/// a(d) = sum over j >= d of y_j, for every d: `[rows, D]`.
fn at_least(y: &Tensor) -> Result<Tensor> {
    let depth = y.dim(1)?;
    let triangle: Vec<f64> =
        (0..depth * depth).map(|index| f64::from(u8::from(index / depth >= index % depth))).collect();
    let triangle = Tensor::from_vec(triangle, (depth, depth), y.device())?.to_dtype(y.dtype())?;
    Ok(y.matmul(&triangle)?)
}
