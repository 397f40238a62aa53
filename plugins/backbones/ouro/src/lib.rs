//! Ouro: looped layers with a norm inside each branch, and the final norm after every loop.

use haltbench_sdk::layers::options::{KEY_VALUE_HEADS, llama2_layer};
use haltbench_sdk::layers::{BlockShape, Depths, Placement, Recurrence, RecurrentStack, Rotation, StackShape};
use haltbench_sdk::prelude::*;
use haltbench_sdk_dylib as _;

/// Declaration of the backbone.
pub const DECLARATION: BackboneDeclaration = BackboneDeclaration {
    summary: "Ouro: looped layers with a second norm inside each branch; the final norm is applied after every loop.",
    documentation: "\
## What it computes

`h(0)` is the token's embedding, or the prelude's output if there is a prelude. `h(d) = norm(core(h(d-1)))`: the final norm
closes every step, and the normed state enters the next one. A layer is `x = x + n2(attention(n1(x)))`,
`x = x + n4(mlp(n3(x)))`: the second norm stands inside the branch, unlike Huginn's norm of the sum. All norms are RMSNorm
with a weight; rotary positions (rotate-half), SwiGLU, no biases, no input injection, no step embedding.

`logits = head(h(d*))` without a further norm. Layers of a coda, which the published model lacks, are followed by the same
final norm. A frozen state is normed already, so its keys and values are those of a token that enters the next loop.

Weights carry the names of Hugging Face's Ouro; the exit gate belongs to the policy `ouro`.

## Cost

A step costs `core_layers` layers of 4 d_model² + 4 d_model · key_value_width + 6 d_model · d_ff operations for each row and 4
d_model for each key that it sees. Norms are not counted.

## Published code

ByteDance/Ouro-1.4B and LoopedLMs/ouro_rl. It always runs all loops, and an exit only selects the state that the head reads: its
tokens attend to keys and values of full depth, which is `halted_keys_values = \"run-on\"` here. The published models have 24
or 48 layers and four loops.",
    reference: "Zhu et al. 2025, arXiv 2510.25741, sections 3 and 4; code: LoopedLMs/ouro_rl",
    parameters: &[
        ParameterSpec::integer("d_model", 256, (2, 65_536), "width of a token state"),
        ParameterSpec::integer("d_ff", 704, (1, 262_144), "width of the feed-forward layers"),
        ParameterSpec::integer("heads", 8, (1, 1024), "attention heads; must divide d_model into heads of even width"),
        KEY_VALUE_HEADS,
        ParameterSpec::integer("prelude_layers", 0, (0, 1024), "layers before the recurrence"),
        ParameterSpec::integer("core_layers", 4, (1, 1024), "layers of a loop"),
        ParameterSpec::integer("coda_layers", 0, (0, 1024), "layers after the recurrence"),
        ParameterSpec::real("rms_norm_epsilon", 1e-6, (1e-12, 1.0), "added to the mean square before the root"),
        ParameterSpec::real("rope_theta", 10_000.0, (1.0, 1e9), "base of the rotary angles"),
    ],
    ..BackboneDeclaration::new("ouro", build)
};

haltbench_sdk::register_backbone!(DECLARATION);

struct Ouro(RecurrentStack);

fn build(context: &BackboneContext) -> Result<Box<dyn Backbone>> {
    let parameters = context.parameters;
    let layer = llama2_layer(parameters, Rotation::Halves { theta: parameters.real("rope_theta")? })?;
    let layer = BlockShape { placement: Placement::InBranch, ..layer };
    let shape = StackShape {
        normed_steps: true,
        ..StackShape::new(context.vocabulary.size, Depths::from_parameters(parameters)?, layer)
    };
    Ok(Box::new(Ouro(RecurrentStack::new(shape, &context.variables)?)))
}

impl Recurrence for Ouro {
    fn stack(&self) -> &RecurrentStack {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::check_backbone_with;
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conforms() {
        check_backbone_with(&super::DECLARATION, &[]);
        check_backbone_with(&super::DECLARATION, &[("key_value_heads", Value::Integer(1))]);
    }
}
