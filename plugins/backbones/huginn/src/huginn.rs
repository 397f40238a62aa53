//! `huginn`: sandwich layers that are given the prelude's output at every step, from a random initial state.

use haltbench_sdk::layers::{
    Activation, AttentionBiases, AttentionShape, BlockShape, Depths, FeedForwardShape, Injection, NormShape, Placement,
    Recurrence, RecurrentStack, Rotation, Spread, StackShape, random_states,
};
use haltbench_sdk::prelude::*;

/// Declaration of the backbone.
pub const DECLARATION: BackboneDeclaration = BackboneDeclaration {
    summary: "Huginn: sandwich layers; every step is given the prelude's output again; h(0) is random.",
    documentation: "\
## What it computes

`e = prelude(x)`, `h(0) ~ N(0, 2/5)` cut at three standard deviations, `h(d) = core(adapter([h(d-1); e]))`,
`logits = head(ln(coda(ln(h(d*)))))`. A layer is `x = n2(x + attention(n1(x)))`, `x = n4(x + mlp(n3(x)))`, with RMSNorm,
SwiGLU, biases of queries and keys, and rotary positions in interleaved pairs. The embedding is multiplied by √d_model and
tied to the head; both norms `ln` are the same. The state is the core's output, before `ln`.

With `injection` add the core reads `h(d-1) + e`; with diagonal, `exp(-Δ A) h(d-1) + Δ (e Bᵀ)`, the stable injection of Parcae
(arXiv 2604.12946), which `looped` describes. With none it reads h(d-1) alone, and h(0) is e: nothing else would bring
the tokens in. Keys and values of a frozen state are projected from the state itself, without the injection.

Weights start normal with variance 2/(5 d_model), and 1/(2 L) of that for matrices whose result is added to a state and for the half of
the SwiGLU that the gate multiplies; L counts 32 applications of the core. The published code cuts these laws at three
standard deviations. The published model has two, four and two layers, d_model 5280 and 55 heads.
Weights carry the names of Hugging Face's Llama; norms after a sum end in `_2`; the adapter is `core.adapter.weight`.",
    reference: "Geiping et al. 2025, arXiv 2502.05171, sections 3.2 and 3.3; code: seal-rg/recurrent-pretraining",
    parameters: &[
        ParameterSpec::integer("d_model", 256, (2, 65_536), "width of a token state"),
        ParameterSpec::integer("d_ff", 1024, (1, 262_144), "width of the feed-forward layers"),
        ParameterSpec::integer("heads", 8, (1, 1024), "attention heads; must divide d_model into heads of even width"),
        ParameterSpec::integer("prelude_layers", 2, (0, 1024), "layers before the recurrence"),
        ParameterSpec::integer("core_layers", 4, (1, 1024), "layers of the recurrent core"),
        ParameterSpec::integer("coda_layers", 2, (0, 1024), "layers after the recurrence"),
        ParameterSpec::choice("injection", "concat", Injection::NAMES, "how e joins the state at every step"),
        ParameterSpec::real("init_scale", 1.0, (0.0, 100.0), "what the random h(0) is multiplied by; 0 starts from zeros"),
        ParameterSpec::real("rms_norm_epsilon", 1e-6, (1e-12, 1.0), "added to the mean square before the root"),
        ParameterSpec::real("rope_theta", 50_000.0, (1.0, 1e9), "base of the rotary angles"),
    ],
    ..BackboneDeclaration::new("huginn", build)
};

haltbench_sdk::register_backbone!(DECLARATION);

struct Huginn {
    stack: RecurrentStack,
    injection: Injection,
    initial_deviation: f64,
}

fn build(context: &BackboneContext) -> Result<Box<dyn Backbone>> {
    let parameters = context.parameters;
    let (d_model, layers) = (parameters.integer("d_model")?, Depths::from_parameters(parameters)?);
    let inputs = (0.4 / d_model as f64).sqrt();
    let outputs = inputs / (2.0 * (layers.prelude + 32 * layers.core + layers.coda) as f64).sqrt();
    let layer = BlockShape {
        attention: AttentionShape {
            rotation: Rotation::Interleaved { theta: parameters.real("rope_theta")? },
            biases: AttentionBiases::QUERY_KEY,
            ..AttentionShape::new(d_model, parameters.integer("heads")?)
        },
        feed_forward: FeedForwardShape::new(d_model, parameters.integer("d_ff")?, Activation::SwiGlu),
        norm: NormShape::Rms { epsilon: parameters.real("rms_norm_epsilon")?, weighted: true },
        placement: Placement::Sandwich,
        causal: true,
    };
    let layer = layer.spread(Spread { inputs: Some(inputs), up: Some(outputs), outputs: Some(outputs) });
    let shape = StackShape {
        embedding_scale: (d_model as f64).sqrt(),
        embedding_spread: inputs,
        tied: true,
        ..StackShape::new(context.vocabulary.size, layers, layer)
    };
    Ok(Box::new(Huginn {
        stack: RecurrentStack::new(shape, &context.variables)?,
        injection: Injection::named(parameters.text("injection")?, d_model, Some(inputs), &context.variables)?,
        initial_deviation: parameters.real("init_scale")? * 0.4f64.sqrt(),
    }))
}

impl Recurrence for Huginn {
    fn stack(&self) -> &RecurrentStack {
        &self.stack
    }

    fn start(&self, tokens: &Tensor, context: &mut BeginContext) -> Result<Start> {
        let input = self.stack.prelude(&self.stack.embed(tokens)?, context)?;
        if self.injection.is_none() {
            return Ok(input.into());
        }
        Ok(Start { states: random_states(context, &input, self.initial_deviation)?, input: Some(input) })
    }

    fn injection(&self) -> &Injection {
        &self.injection
    }

    fn leave(&self, states: &Tensor) -> Result<Tensor> {
        self.stack.norm(states)
    }
}
