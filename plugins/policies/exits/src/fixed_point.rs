//! `fixed-point`: damped steps towards a fixed point, and an exit once it is near.

use haltbench_sdk::prelude::*;

use crate::criterion::consecutive;
use crate::norms::norms;

/// Added to the norm that a residual is divided by.
const EPSILON: f64 = 1e-8;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Fixed point: halts a token once a step's residual is small; steps may be damped, more so where it oscillates.",
    documentation: "\
## What it computes

With f(x), the result of a step from the state x: the residual |f(x) - x| / (|x| + 1e-8) in the Euclidean norm. The next step
starts from x + eta (f(x) - x), and so does the output of a token that halts. eta is `damping` at first. With
`patience_for = \"damping\"`, once the residual has not fallen below its least value so far for `patience` steps in a row, eta is
multiplied by `decay`, but not below the smaller of `least_damping` and `damping`, in this step already, and the count begins
anew.

## When it halts

At the first step whose residual is below `threshold`. With `patience_for = \"exit\"`, eta stays as it is, and a token halts at
the step that makes it `patience` such residuals in a row. At equality the token goes on. The step that shows the small residual
counts.

## Cost

A subtraction, two norms and a damped update over d_model for every executed step of a token.

## Published code

None: transcribed from descriptions of the paper. They speak of a damping that reacts with patience, which is the default here; the
other reading, patience of the exit, is the other choice. Residual in the norm of each token's state before the step, halved
damping and its floor are our choices. Only the evaluation is damped: the recipe trains the undamped model.",
    reference: "FPRM 2026, arXiv 2606.18206: halting on the residual of the state, damping with patience",
    // Its output is read out after any step.
    recipe: Recipe::EVERY_EXIT,
    parameters: &[
        ParameterSpec::real("threshold", 0.05, (0.0, 1e6), "residual below which a step counts").knob(Trend::Shallower),
        ParameterSpec::choice("patience_for", "damping", &["damping", "exit"], "what waits for `patience` steps")
            .knob(Trend::None),
        ParameterSpec::integer("patience", 2, (1, 1 << 20), "steps without progress, or small residuals in a row")
            .knob(Trend::None),
        ParameterSpec::real("damping", 1.0, (0.0, 1.0), "share of a step that is taken, eta; 1: no damping")
            .knob(Trend::None),
        ParameterSpec::real("decay", 0.5, (0.0, 1.0), "factor of eta after `patience` steps without progress")
            .knob(Trend::None),
        ParameterSpec::real("least_damping", 0.1, (0.0, 1.0), "least eta that `decay` leads to").knob(Trend::None),
    ],
    examples: &[Example {
        title: "residual of a step from (3, 4) to (3, 4.5)",
        run: || {
            let state = |values: &[f64]| Tensor::new(values, &Device::Cpu)?.unsqueeze(0);
            Ok(format!("{:.6}", residuals(&state(&[3.0, 4.5])?, &state(&[3.0, 4.0])?)?[0]))
        },
        expect: "0.100000",
    }],
    ..PolicyDeclaration::new("fixed-point", PolicyKind::Online, |context| {
        let parameters = context.parameters;
        Ok(Policy::new(
            PolicyKind::Online,
            FixedPoint {
                threshold: parameters.real("threshold")?,
                waits_to_exit: parameters.text("patience_for")? == "exit",
                patience: parameters.integer("patience")?,
                damping: parameters.real("damping")?,
                decay: parameters.real("decay")?,
                least_damping: parameters.real("least_damping")?,
            },
        ))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct FixedPoint {
    threshold: f64,
    waits_to_exit: bool,
    patience: usize,
    damping: f64,
    decay: f64,
    least_damping: f64,
}

impl HaltingPolicy for FixedPoint {
    /// The policy is asked after step D too, because that step is damped like all others.
    fn is_asked(&self, step: usize, max_depth: usize) -> bool {
        step <= max_depth
    }

    fn decide(&self, view: &View, memory: &mut RowMemory) -> Result<Decision> {
        let states = view.states();
        if view.step() == 0 {
            memory.replace("state", states);
            return Ok(Decision::none());
        }
        let previous = memory.replaced("state", states)?;
        let scores = residuals(states, &previous)?;
        let mut halts: Vec<bool> = scores.iter().map(|score| *score < self.threshold).collect();
        let etas = if self.waits_to_exit {
            let hits = consecutive("hits", &halts, memory, states.device())?;
            halts = hits.iter().map(|hits| *hits >= self.patience as f64).collect();
            vec![self.damping; scores.len()]
        } else {
            self.damped(&scores, memory, states.device())?
        };
        // f(x) + (1 - eta) (x - f(x)), which is f(x) to the last bit where eta is 1.
        let carry = if etas.iter().all(|eta| *eta == 1.0) {
            None
        } else {
            let kept: Vec<f64> = etas.iter().map(|eta| 1.0 - eta).collect();
            let kept = Tensor::from_vec(kept, (etas.len(), 1), states.device())?.to_dtype(states.dtype())?;
            Some((states + (previous - states)?.broadcast_mul(&kept)?)?)
        };
        if let Some(carry) = &carry {
            memory.replace("state", carry);
        }
        Ok(Decision { scores: Some(scores), carry, ..Decision::new(Halting::Halt(halts)) })
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        8.0 * d_model as f64
    }
}

impl FixedPoint {
    /// The eta of each row in this step, smaller than before where residuals have not improved for `patience` steps.
    fn damped(&self, residuals: &[f64], memory: &mut RowMemory, device: &Device) -> Result<Vec<f64>> {
        let kept = |name, first: f64| match memory.get(name) {
            Some(values) => Ok(values.to_vec1()?),
            None => Ok::<_, Error>(vec![first; residuals.len()]),
        };
        let (mut least, mut etas) = (kept("least", f64::INFINITY)?, kept("eta", self.damping)?);
        let mut stalls = kept("stalls", 0.0)?;
        let floor = self.least_damping.min(self.damping);
        for (row, residual) in residuals.iter().enumerate() {
            if *residual < least[row] {
                (least[row], stalls[row]) = (*residual, 0.0);
                continue;
            }
            stalls[row] += 1.0;
            if stalls[row] >= self.patience as f64 {
                (etas[row], stalls[row]) = ((etas[row] * self.decay).max(floor), 0.0);
            }
        }
        for (name, values) in [("least", &least), ("eta", &etas), ("stalls", &stalls)] {
            memory.replace(name, &Tensor::new(values.as_slice(), device)?);
        }
        Ok(etas)
    }
}

/// |f(x) - x| / (|x| + 1e-8) of each row, from f(x) and x `[rows, width]`.
fn residuals(results: &Tensor, states: &Tensor) -> Result<Vec<f64>> {
    let (results, states) = (results.to_dtype(DType::F64)?, states.to_dtype(DType::F64)?);
    let (changes, sizes) = (norms(&(results - &states)?)?, norms(&states)?);
    Ok(changes.iter().zip(sizes).map(|(change, size)| change / (size + EPSILON)).collect())
}
