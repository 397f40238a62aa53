//! `unshared`: every step has layers of its own, as in a Transformer without recurrence.

use haltbench_sdk::layers::options::{
    ABACUS_SHIFT, KEY_VALUE_HEADS, LEARNED_POSITIONS, POSITIONS, Positions, ROPE_THETA, TIED, llama2_layer,
};
use haltbench_sdk::layers::{Depths, Recurrence, RecurrentStack, StackShape};
use haltbench_sdk::prelude::*;

/// Declaration of the backbone.
pub const DECLARATION: BackboneDeclaration = BackboneDeclaration {
    summary: "Standard Transformer as a control: every step has layers of its own, so its depth is part of its weights.",
    documentation: "\
## What it computes

`h(0)` is the token's embedding, or the prelude's output; step d applies the layers `core.steps.d-1`: `h(d) = layers_d(h(d-1))`.
`logits = head(norm(coda(h(d*))))`. Every layer is a Llama 2 layer: RMSNorm before each branch, SwiGLU, no biases, rotary positions.
With `core_layers` k and `steps` D it is a Transformer of k · D layers, and a token that halts after d* steps leaves after k · d*
layers, as in early exit.

`steps` must equal the suite's `max_depth`: no other depth has weights.

Under `freeze-state` every later layer projects keys and values of a halted token from its last state with its own weights (state
copying, as in the Depth-Adaptive Transformer and CALM). Under `latest-kv` later steps read the keys and values that the token's
last step projected with other weights; CALM measured that this fails.

## Cost

A step costs `core_layers` layers of 4 d_model² + 4 d_model · key_value_width + 6 d_model · d_ff operations for each row and 4
d_model for each key that it sees. Under `freeze-state` every later step pays 4 d_model · key_value_width a layer for each halted
token that a running one sees. While decoding, a halted token is projected for all later steps at once and charged for each.

## Published code

Hugging Face's Llama has the same layers. Moosa et al., appendix A.4, use such a Transformer as a control.",
    reference: "Touvron et al. 2023, arXiv 2307.09288; as a control: Moosa et al. 2026, arXiv 2602.08864, appendix A.4",
    parameters: &[
        ParameterSpec::integer("d_model", 256, (2, 65_536), "width of a token state"),
        ParameterSpec::integer("d_ff", 704, (1, 262_144), "width of the feed-forward layers"),
        ParameterSpec::integer("heads", 8, (1, 1024), "attention heads; must divide d_model into heads of even width"),
        KEY_VALUE_HEADS,
        ParameterSpec::integer("steps", 14, (1, 1024), "steps with layers of their own; must equal max_depth"),
        ParameterSpec::integer("prelude_layers", 0, (0, 1024), "layers before the first step"),
        ParameterSpec::integer("core_layers", 1, (1, 1024), "layers of every step"),
        ParameterSpec::integer("coda_layers", 0, (0, 1024), "layers after the last step"),
        POSITIONS,
        ROPE_THETA,
        LEARNED_POSITIONS,
        ABACUS_SHIFT,
        TIED,
        ParameterSpec::real("rms_norm_epsilon", 1e-5, (1e-12, 1.0), "added to the mean square before the root"),
    ],
    ..BackboneDeclaration::new("unshared", build)
};

haltbench_sdk::register_backbone!(DECLARATION);

struct Unshared {
    stack: RecurrentStack,
    positions: Positions,
}

fn build(context: &BackboneContext) -> Result<Box<dyn Backbone>> {
    let (parameters, variables) = (context.parameters, &context.variables);
    let d_model = parameters.integer("d_model")?;
    let positions = Positions::new(context, d_model)?;
    let layer = llama2_layer(parameters, positions.rotation())?;
    let layers = Depths::from_parameters(parameters)?;
    let shape = StackShape {
        tied: parameters.flag("tied")?,
        own_steps: Some(parameters.integer("steps")?),
        ..StackShape::new(context.vocabulary.size, layers, layer)
    };
    Ok(Box::new(Unshared { stack: RecurrentStack::new(shape, variables)?, positions }))
}

impl Recurrence for Unshared {
    fn stack(&self) -> &RecurrentStack {
        &self.stack
    }

    fn reads_earlier_tokens(&self) -> bool {
        self.positions.read_earlier_tokens()
    }

    fn start(&self, tokens: &Tensor, context: &mut BeginContext) -> Result<Start> {
        let embedded = self.positions.add(&self.stack.embed(tokens)?, tokens, context)?;
        Ok(self.stack.prelude(&embedded, context)?.into())
    }
}
