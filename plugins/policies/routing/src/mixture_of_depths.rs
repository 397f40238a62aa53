//! `mixture-of-depths`: at every step, the tokens with the largest router weights are processed; others may be later.

use haltbench_sdk::layers::Linear;
use haltbench_sdk::ops::silu;
use haltbench_sdk::policy::Stashed;
use haltbench_sdk::prelude::*;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Mixture-of-Depths: the tokens with the largest router weights take a step, scaled by these weights.",
    documentation: "\
## What it computes

Before each step, one router for all steps gives the weight r = w·x to every token. Of a sequence of S tokens, the
floor(`capacity` S) with the largest r take the step; the earlier token wins a tie. x becomes x + r F(x), where F is the step's
residual. Use `halted_keys_values = \"skip\"`: the published block attends among the chosen tokens alone. With `every` = n, tokens
are chosen in steps n, 2n, ...; all tokens take the other steps, without a weight. The paper routes every other block.

## When it halts

A token that is not chosen rests, and may be chosen again later. The choice depends on the whole sequence, so it is not causal.
Two rules for evaluation are: `choice = \"router\"` processes a token if sigmoid(r) > .5, and `\"predictor\"` if a perceptron with
`predictor_width` hidden units and a SiLU, which reads x without a gradient, is above 0. Evaluate all three on the same model for
train-style and causal scores.

If floor(`capacity` S) is 0, one token is chosen, unless `at_least_one` is false. A capacity of 0 is refused.

## Objective

`auxiliary` times the cross-entropy of sigmoid(r), and `predictor` times that of the perceptron, with whether the token is among
the largest, averaged over the steps that choose and all tokens. Training chooses the largest under all values of `choice`.

## Cost

One dot product for each token and step, and the perceptron under `choice = \"predictor\"`. Tokens that rest are not computed.

## Published code

None: transcribed from the paper. Public reimplementations differ from it: one keeps the scores above the k-th largest and so
k - 1 tokens; one adds x twice. The paper leaves the predictor's size and the reduction of the auxiliary loss open.",
    reference: "Raposo et al. 2024, arXiv 2404.02258, eq. 1 and section 3.5",
    causal: Holds::Unless("choice", "top-k"),
    parameters: &[
        ParameterSpec::real("capacity", 0.125, (0.0, 1.0), "share of a sequence that takes a step, above 0"),
        ParameterSpec::flag("at_least_one", true, "whether a sequence too short for the capacity has one token chosen"),
        ParameterSpec::integer("every", 1, (1, 1 << 20), "tokens are chosen in every n-th step"),
        ParameterSpec::real("auxiliary", 0.01, (0.0, 1e6), "weight of the router's cross-entropy"),
        ParameterSpec::real("predictor", 1.0, (0.0, 1e6), "weight of the perceptron's cross-entropy"),
        ParameterSpec::integer("predictor_width", 16, (1, 4096), "hidden units of the perceptron"),
        ParameterSpec::choice("choice", "top-k", &["top-k", "router", "predictor"], "how tokens are chosen")
            .knob(Trend::None),
    ],
    examples: &[Example {
        title: "weights .2, .9, .4, .9, -.1 and a capacity of .6: which tokens take the step",
        run: || {
            let layout = TokenLayout::new(&[5], &[0])?;
            Ok(format!("{:?}", largest_of_sequences(&layout, &[0.2, 0.9, 0.4, 0.9, -0.1], &[true; 5], 0.6)))
        },
        expect: "[false, true, true, true, false]",
    }],
    ..PolicyDeclaration::new("mixture-of-depths", PolicyKind::Select, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct MixtureOfDepths {
    router: Linear,
    /// The two layers of the predictor.
    predictor: [Linear; 2],
    width: f64,
    parameters: Parameters,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    let (parameters, variables) = (context.parameters.clone(), &context.variables);
    let capacity = parameters.real("capacity")?;
    if capacity == 0.0 {
        let expected = "a number above 0 and at most 1, because 0 selects nobody";
        return Err(Error::invalid("parameter `capacity` of mixture-of-depths", expected, capacity));
    }
    let (every, most) = (parameters.integer("every")?, context.max_depth);
    if every > most {
        let expected = format!("a whole number from 1 to max_depth = {most}, because no step would choose tokens");
        return Err(Error::invalid("parameter `every` of mixture-of-depths", expected, every));
    }
    let width = parameters.integer("predictor_width")?;
    Ok(Policy::select(MixtureOfDepths {
        router: Linear::new(context.d_model, 1, variables.pp("router"))?,
        predictor: [
            Linear::with_bias(context.d_model, width, variables.pp("predictor.inner"))?,
            Linear::with_bias(width, 1, variables.pp("predictor.outer"))?,
        ],
        width: width as f64,
        parameters,
    }))
}

impl SelectPolicy for MixtureOfDepths {
    fn select(&self, view: &View, memory: &mut RowMemory) -> Result<Selection> {
        let (states, rows) = (view.states(), view.rows().len());
        if !(view.step() + 1).is_multiple_of(self.parameters.integer("every")?) {
            return Ok(Selection::new(vec![true; rows]));
        }
        let weights = self.router.forward(states)?.squeeze(1)?;
        let is_training = matches!(view.phase(), Phase::Training(_));
        let choice = self.parameters.text("choice")?;
        let mut values: Vec<f64> = weights.to_dtype(DType::F64)?.to_vec1()?;
        if is_training || choice == "predictor" {
            let predicted = self.predict(&states.detach())?;
            if !is_training {
                values = predicted.to_dtype(DType::F64)?.to_vec1()?;
            }
            memory.stash("predicted", &predicted);
        }
        memory.stash("weights", &weights);
        let chosen = match choice {
            "router" | "predictor" if !is_training => values.iter().map(|value| *value > 0.0).collect(),
            _ => self.largest(view.layout(), &values)?,
        };
        Ok(Selection { chosen, gate: Some(weights), combine: Combine::Residual, scores: Some(values) })
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let mut total = None;
        for (name, parameter) in [("weights", "auxiliary"), ("predicted", "predictor")] {
            let (stashed, weight) = (record.stashed(name)?, self.parameters.real(parameter)?);
            for Stashed { step, values, .. } in stashed {
                let Some(chosen) = record.chosen.get(*step) else { continue };
                let cost = binary_cross_entropy(values, &indicator(chosen, values)?)?;
                total = Objective::add(total, Some((cost * (weight / stashed.len() as f64))?))?;
            }
        }
        Ok(total)
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        let predicts = self.parameters.text("choice").is_ok_and(|choice| choice == "predictor");
        let predictor = if predicts { self.width * (2.0 * d_model as f64 + 6.0) } else { 0.0 };
        2.0 * d_model as f64 + predictor
    }
}

impl MixtureOfDepths {
    /// Logits of the predictor, `[rows]`.
    fn predict(&self, states: &Tensor) -> Result<Tensor> {
        let [inner, outer] = &self.predictor;
        Ok(outer.forward(&silu(&inner.forward(states)?)?)?.squeeze(1)?)
    }

    /// The tokens with the largest `values` of each sequence.
    fn largest(&self, layout: &TokenLayout, values: &[f64]) -> Result<Vec<bool>> {
        layout.require_whole(DECLARATION.name, "the largest weights of a sequence are chosen")?;
        let (capacity, at_least_one) = (self.parameters.real("capacity")?, self.parameters.flag("at_least_one")?);
        let is_long = |row: usize| capacity * layout.rows_of(layout.sequence(row)).len() as f64 + 1e-9 >= 1.0;
        let candidates: Vec<bool> = (0..values.len()).map(|row| at_least_one || is_long(row)).collect();
        Ok(largest_of_sequences(layout, values, &candidates, capacity))
    }
}
