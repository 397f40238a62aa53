//! The backbone `anira`: prelude, recurrent core and coda of Llama-2 layers (arXiv 2602.08864 §3.1).

use haltbench_sdk::layers::{BlockShape, Depths, Recurrence, RecurrentStack, StackShape};
use haltbench_sdk::prelude::*;
use haltbench_sdk_dylib as _;

/// Declaration of the backbone.
pub const DECLARATION: BackboneDeclaration = BackboneDeclaration {
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
    ..BackboneDeclaration::new("anira", build)
};

haltbench_sdk::register_backbone!(DECLARATION);

struct Anira(RecurrentStack);

fn build(context: &BackboneContext) -> Result<Box<dyn Backbone>> {
    let parameters = context.parameters;
    let layer = BlockShape::llama2(
        parameters.integer("d_model")?,
        parameters.integer("d_ff")?,
        parameters.integer("heads")?,
        parameters.real("rms_norm_epsilon")?,
        parameters.real("rope_theta")?,
    );
    let shape = StackShape::new(context.vocabulary.size, Depths::from_parameters(parameters)?, layer);
    Ok(Box::new(Anira(RecurrentStack::new(shape, &context.variables)?)))
}

impl Recurrence for Anira {
    fn stack(&self) -> &RecurrentStack {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        haltbench_sdk::conformance::check_backbone(&super::DECLARATION);
    }
}
