//! The backbone `anira`: prelude, recurrent core and coda of Llama-2 layers (arXiv 2602.08864 §3.1).

use std::sync::Arc;

use haltbench_sdk::layers::{Linear, TransformerLayer, TransformerShape};
use haltbench_sdk::ops::{AttentionPlan, RopeTable, rms_norm};
use haltbench_sdk::prelude::*;
use haltbench_sdk_dylib as _;

/// Declaration of the backbone.
pub const DECLARATION: BackboneDeclaration = BackboneDeclaration {
    name: "anira",
    summary: "Prelude, recurrent core and coda of Llama-2 layers; the core is applied up to D times with the same weights.",
    documentation: "\
## What it computes

`h(0) = prelude(x)`, `h(d) = core(h(d-1))`, `logits = head(norm(coda(h(d*))))`. All three parts are causal stacks of
Llama-2 layers: pre-norm RMSNorm, rotary positions (rotate-half), SwiGLU, no biases; head and embedding are not tied.
The recurrence has no input injection, no random initial state and no step embedding.

## Sizes

With `d_model` 256, `d_ff` 1664, 8 heads, one layer in each part, a vocabulary of 32 and D 14, backbone and ANIRA-E
decider together have 5,088,270 weights.

## Checkpoint

Weights carry the names of Hugging Face's Llama inside `prelude.layers.N.`, `core.layers.N.` and `coda.layers.N.`;
`embed_tokens.weight`, `norm.weight` and `lm_head.weight` stand outside.",
    reference: "Moosa et al. 2026, arXiv 2602.08864, section 3.1; layers: Touvron et al. 2023, arXiv 2307.09288",
    parameters: &[
        ParameterSpec::integer("d_model", 256, (2, 65_536), "width of a token state"),
        ParameterSpec::integer("d_ff", 1664, (1, 262_144), "width of the feed-forward layers"),
        ParameterSpec::integer("heads", 8, (1, 1024), "attention heads; must divide d_model into heads of even width"),
        ParameterSpec::integer("prelude_layers", 1, (0, 1024), "layers before the recurrence"),
        ParameterSpec::integer("core_layers", 1, (1, 1024), "layers of the recurrent core"),
        ParameterSpec::integer("coda_layers", 1, (0, 1024), "layers after the recurrence"),
        ParameterSpec::real("rms_norm_epsilon", 1e-5, (1e-12, 1.0), "added to the mean square before the root"),
        ParameterSpec::real("rope_theta", 10_000.0, (1.0, 1e9), "base of the rotary angles"),
    ],
    build,
};

haltbench_sdk::register_backbone!(DECLARATION);

struct Anira {
    shape: TransformerShape,
    vocabulary: usize,
    embedding: Tensor,
    prelude: Vec<TransformerLayer>,
    core: Vec<TransformerLayer>,
    coda: Vec<TransformerLayer>,
    norm: Tensor,
    head: Linear,
}

fn build(context: &BackboneContext) -> Result<Box<dyn Backbone>> {
    let parameters = context.parameters;
    let shape = TransformerShape {
        d_model: parameters.integer("d_model")?,
        d_ff: parameters.integer("d_ff")?,
        heads: parameters.integer("heads")?,
        rms_norm_epsilon: parameters.real("rms_norm_epsilon")?,
        rope_theta: parameters.real("rope_theta")?,
    };
    shape.validate()?;
    let rope = Arc::new(RopeTable::new(shape.d_model / shape.heads, shape.rope_theta));
    let variables = &context.variables;
    let stack = |part: &str| -> Result<Vec<TransformerLayer>> {
        let layers = variables.pp(part).pp("layers");
        let count = parameters.integer(&format!("{part}_layers"))?;
        (0..count).map(|layer| TransformerLayer::new(shape, &rope, layers.pp(layer))).collect()
    };
    let normal = Init::Randn { mean: 0.0, stdev: (shape.d_model as f64).sqrt().recip() };
    let embedding = variables.pp("embed_tokens");
    Ok(Box::new(Anira {
        shape,
        vocabulary: context.vocabulary,
        embedding: embedding.get_with_hints((context.vocabulary, shape.d_model), "weight", normal)?,
        prelude: stack("prelude")?,
        core: stack("core")?,
        coda: stack("coda")?,
        norm: variables.pp("norm").get_with_hints(shape.d_model, "weight", Init::Const(1.0))?,
        head: Linear::new(shape.d_model, context.vocabulary, variables.pp("lm_head"))?,
    }))
}

impl Backbone for Anira {
    fn dimensions(&self) -> Dimensions {
        Dimensions {
            d_model: self.shape.d_model,
            d_ff: self.shape.d_ff,
            core_layers: self.core.len(),
            vocabulary: self.vocabulary,
        }
    }

    fn prelude(
        &self,
        tokens: &Tensor,
        layout: &Arc<TokenLayout>,
        mut cache: Option<&mut KeyValueCache>,
    ) -> Result<Tensor> {
        let all = RowSet::all(layout.rows());
        let mut states = self.embedding.index_select(tokens, 0)?;
        for (index, layer) in self.prelude.iter().enumerate() {
            states = layer.forward(index, &states, layout, &all, cache.as_deref_mut())?;
        }
        Ok(states)
    }

    fn step(&self, states: &Tensor, context: &mut StepContext) -> Result<Tensor> {
        let plan = AttentionPlan::new(context.layout, context.rows, context.key_values.visible());
        let mut states = states.clone();
        for (index, layer) in self.core.iter().enumerate() {
            states = layer.step(index, &states, context, &plan)?;
        }
        Ok(states)
    }

    fn coda(
        &self,
        states: &Tensor,
        layout: &Arc<TokenLayout>,
        readout: &RowSet,
        mut cache: Option<&mut KeyValueCache>,
    ) -> Result<Tensor> {
        let all = RowSet::all(layout.rows());
        let mut states = states.clone();
        // The last layer need only compute the rows that are read out.
        let Some((last, before)) = self.coda.split_last() else {
            return self.read(&readout.select(&states)?);
        };
        for (index, layer) in before.iter().enumerate() {
            states = layer.forward(index, &states, layout, &all, cache.as_deref_mut())?;
        }
        self.read(&last.forward(before.len(), &states, layout, readout, cache)?)
    }

    fn cost(&self) -> BackboneCost {
        let layer = self.shape.cost();
        let (coda, readout) = self.shape.coda_cost(self.coda.len(), self.vocabulary);
        let times = |layers: usize| PartCost {
            per_row: layers as f64 * layer.per_row,
            per_key: layers as f64 * layer.per_key,
            per_key_value: layers as f64 * layer.per_key_value,
        };
        BackboneCost { prelude: times(self.prelude.len()), step: times(self.core.len()), coda, readout }
    }
}

impl Anira {
    fn read(&self, states: &Tensor) -> Result<Tensor> {
        Ok(self.head.forward(&rms_norm(states, &self.norm, self.shape.rms_norm_epsilon)?)?)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        haltbench_sdk::conformance::check_backbone(&super::DECLARATION);
    }
}
