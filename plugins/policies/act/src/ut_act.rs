//! `ut-act`: the per-position adaptive computation time of the Universal Transformer.

use haltbench_sdk::layers::Linear;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::worked::{of_width_one, shown, weights};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Universal-Transformer ACT: a halting probability before each step weighs the state after it.",
    documentation: "\
## What it computes

Before step d, p = sigmoid(w·h(d-1) + b), and H is the sum of all earlier p. While H + p <= 1 - `epsilon`, h(d) gets weight p.
The step that would exceed this is the last, and its state gets the remainder 1 - H; so does h(D), unless `force_remainder` is
false. With `epsilon` 0, a step at which H + p is exactly 1 is the last too; its weight is p, and the remainder is 0.
`accumulated` adds weight · h(d) to the output; `basic`, as in the authors' code, interpolates, (1 - weight) · output +
weight · h(d), so that effective weights do not sum to one.

## When it halts

After this last step. In the authors' code, halted positions run on: set `halted_keys_values = \"run-on\"`.

b starts at `bias`. With a bias of 1, as in tensor2tensor, every token starts at two steps; 0 gives 2, -1 (scenic) gives 4, -2
gives 9 and -3 gives 21. Training rarely leaves a shallow start, so lower the bias to start near D / 2.

## Objective

`tau` times (number of steps + remainder), averaged over all tokens. The number of steps has no gradient.

## Cost

One dot product for every executed step of a token.

## Published code

tensor2tensor, `universal_transformer_util.py`, and scenic, `universal_transformer/layers.py`. Both interpolate by default, run halted
positions on, and lose the rest of the weight at the last step: `output = \"basic\"`, `run-on` and `force_remainder = false` together
are their code. The paper copies the states of halted positions, which is the default here. A widely copied PyTorch version has
epsilon .1 and no gradient of the ponder cost. The modes of tensor2tensor that average probabilities over positions or draw them at
random are left out.",
    reference: "Dehghani et al. 2018, arXiv 1807.03819, appendix C; tensor2tensor, universal_transformer_act",
    parameters: &[
        ParameterSpec::choice("output", "accumulated", &["accumulated", "basic"], "how weights combine states"),
        ParameterSpec::flag("force_remainder", true, "whether step D takes the remaining weight"),
        ParameterSpec::real("tau", 0.01, (0.0, 1e6), "weight of the ponder cost"),
        ParameterSpec::real("epsilon", 0.01, (0.0, 0.999), "a token halts where the sum exceeds 1 - epsilon"),
        ParameterSpec::real("bias", 1.0, (-100.0, 100.0), "initial value of b: 1 halts after two steps"),
    ],
    examples: &[
        Example {
            title: "basic: probabilities .3, .3, .3, .1 before the steps, epsilon = 0 and D = 6: effective weights",
            run: || worked("basic"),
            expect: "4 steps, 0.1323 0.1890 0.2700 0.1000",
        },
        Example {
            title: "accumulated: the same probabilities",
            run: || worked("accumulated"),
            expect: "4 steps, 0.3000 0.3000 0.3000 0.1000",
        },
    ],
    ..PolicyDeclaration::new("ut-act", PolicyKind::Soft, |context| {
        let (parameters, forces) = (context.parameters, context.parameters.flag("force_remainder")?);
        Ok(Policy::soft(UtAct {
            halting: Linear::with_bias_from(parameters.real("bias")?, context.d_model, 1, context.variables.pp("halting"))?,
            blend: match parameters.text("output")? {
                "basic" => Blend::Interpolation,
                _ if forces => Blend::Mixture,
                _ => Blend::Sum,
            },
            forces,
            tau: parameters.real("tau")?,
            full: 1.0 - parameters.real("epsilon")?,
        }))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

/// Steps and weights of a token in a worked example.
fn worked(output: &str) -> Result<String> {
    let given = [("output", Value::Text(output.to_owned())), ("epsilon", Value::Real(0.0))];
    let policy = of_width_one(&DECLARATION, &given, 6)?;
    Ok(shown(weights(&policy, &[0.3, 0.3, 0.3, 0.1], 6)?))
}

struct UtAct {
    halting: Linear,
    blend: Blend,
    forces: bool,
    tau: f64,
    full: f64,
}

impl SoftPolicy for UtAct {
    /// Returns the weight that was decided before this step, then decides about the next step.
    fn weigh(&self, view: &View, memory: &mut RowMemory) -> Result<SoftDecision> {
        let (rows, zero) = (view.rows().len(), view.states().narrow(1, 0, 1)?.squeeze(1)?.zeros_like()?);
        let kept = |memory: &RowMemory, name: &str| memory.get(name).cloned().unwrap_or_else(|| zero.clone());
        let (weight, sum) = (kept(memory, "weight"), kept(memory, "sum"));
        // H + p of the step that was taken, which was compared before it; nothing was compared if step D is forced.
        let sums: Vec<f64> = sum.to_dtype(DType::F64)?.to_vec1()?;
        let passed: Vec<f64> = kept(memory, "passed").to_dtype(DType::F64)?.to_vec1()?;
        // H becomes 1 where the remainder was taken, and is 1 where the sum is exact.
        let runs = |(sum, passed): (&f64, &f64)| *passed == 0.0 && *sum < 1.0 && !view.is_last();
        let running: Vec<bool> = sums.iter().zip(&passed).map(runs).collect();
        if !view.is_last() {
            let p = sigmoid(&self.halting.forward(view.states())?.squeeze(1)?)?;
            let forced = self.forces && view.step() + 1 == view.max_depth();
            let sums: Vec<f64> = (&sum + &p)?.to_dtype(DType::F64)?.to_vec1()?;
            let passes = |(sum, runs): (&f64, &bool)| u8::from(*runs && (forced || *sum > self.full));
            let passed: Vec<u8> = sums.iter().zip(&running).map(passes).collect();
            let passed = Tensor::from_vec(passed, rows, p.device())?;
            let remainder = passed.where_cond(&sum.affine(-1.0, 1.0)?, &zero)?;
            memory.stash("remainder", &remainder);
            memory.replace("weight", &passed.where_cond(&remainder, &p)?);
            memory.replace("sum", &(sum + p)?);
            memory.replace("passed", &passed.to_dtype(zero.dtype())?);
        }
        let is_compared = view.step() > 0 && !(view.is_last() && self.forces);
        let scores = is_compared.then_some(sums);
        Ok(SoftDecision { blend: self.blend, scores, ..SoftDecision::new(weight, running) })
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let Some(weights) = &record.weights else { return Ok(None) };
        let steps: Vec<f64> = record.depths.iter().map(|depth| f64::from(*depth)).collect();
        let mut cost = Tensor::from_vec(steps, record.depths.len(), weights.device())?.to_dtype(weights.dtype())?;
        for remainder in record.stashed("remainder")? {
            cost = (cost + remainder.over_all_rows()?)?;
        }
        Ok(Some((cost * self.tau)?))
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        2.0 * d_model as f64
    }
}
