//! `looped`: k layers applied again and again, without injection unless it is asked for.

use haltbench_sdk::layers::options::{
    ABACUS_SHIFT, INJECTION, KEY_VALUE_HEADS, LEARNED_POSITIONS, LEARNED_STEPS, POSITIONS, Positions, ROPE_THETA,
    STEP_SIGNAL, TIED, llama2_layer,
};
use haltbench_sdk::layers::{Depths, Injection, Recurrence, RecurrentStack, Signal, StackShape};
use haltbench_sdk::prelude::*;

/// Declaration of the backbone.
pub const DECLARATION: BackboneDeclaration = BackboneDeclaration {
    summary: "k pre-norm layers looped L times, from the embedding, without injection; positions, steps and head are options.",
    documentation: "\
## What it computes

`h(0)` is the token's embedding, or the prelude's output if there is a prelude; it is never random. `h(d) = core(h(d-1))`: the
same `core_layers` layers at every step, (k ⊗ L) in the paper's notation. `logits = head(norm(coda(h(d*))))`. A layer is that
of Llama 2: RMSNorm before each branch, SwiGLU, no biases.

Compare it with `unshared` with k layers and L steps, which costs as much, and with a fixed depth of 1, which has as many weights.

## Options

* `positions`: `rope` (rotate-half), `none`, `learned`, a table whose row is added to the embedding once, or `abacus`, a table of
  the places of digits within their numbers, counted from the first digit. In training, the places of a sequence are shifted by a
  random number up to `abacus_shift`, keyed by the sequence. Tasks without digits are refused, and decoding has no cache.
* `step_signal`: sinusoids of the step, counted from 0, or √d_model times a learned row, added before every step.
* `injection`: with e the prelude's output and h(0) = e, the core reads `h + e` (`add`), an adapter of `[h; e]` (`concat`), or
  `exp(-Δ A) h + Δ (e Bᵀ)` (`diagonal`, Parcae's stable injection) with `A = exp(log_decay)`, `Δ = softplus(step_bias)` and B the
  identity plus `core.injection.input.weight`. All three start at zero, a choice of ours: half of the state then stays.
* `tied`: the head reuses the embedding.

A frozen state is projected without injection and signal. A signal of the step makes a step depend on its number.

## Cost

A step costs `core_layers` layers of 4 d_model² + 4 d_model · key_value_width + 6 d_model · d_ff operations for each row, 4
d_model for each key that it sees, and the injection: d_model (`add`), 4 d_model² (`concat`), 2 d_model² + 4 d_model (`diagonal`).

## Published code

The paper has none. LoopedLMs/retrofitting-recurrence loops the layers of a Llama in this form and, with a `concat` adapter, from a
random h(0), which `huginn` has. Parcae: sandyresearch/parcae; its B starts at the identity as here, and it also norms the prelude's output
before the injection, which this option does not.",
    reference: "Saunshi et al. 2025, arXiv 2502.17416, section 2; injection `diagonal`: Parcae, arXiv 2604.12946",
    parameters: &[
        ParameterSpec::integer("d_model", 256, (2, 65_536), "width of a token state"),
        ParameterSpec::integer("d_ff", 704, (1, 262_144), "width of the feed-forward layers"),
        ParameterSpec::integer("heads", 8, (1, 1024), "attention heads; must divide d_model into heads of even width"),
        KEY_VALUE_HEADS,
        ParameterSpec::integer("prelude_layers", 0, (0, 1024), "layers before the recurrence"),
        ParameterSpec::integer("core_layers", 4, (1, 1024), "layers of a step, k"),
        ParameterSpec::integer("coda_layers", 0, (0, 1024), "layers after the recurrence"),
        POSITIONS,
        ROPE_THETA,
        LEARNED_POSITIONS,
        ABACUS_SHIFT,
        STEP_SIGNAL,
        LEARNED_STEPS,
        INJECTION,
        TIED,
        ParameterSpec::real("rms_norm_epsilon", 1e-5, (1e-12, 1.0), "added to the mean square before the root"),
    ],
    ..BackboneDeclaration::new("looped", build)
};

haltbench_sdk::register_backbone!(DECLARATION);

struct Looped {
    stack: RecurrentStack,
    positions: Positions,
    step: Signal,
    injection: Injection,
}

fn build(context: &BackboneContext) -> Result<Box<dyn Backbone>> {
    let (parameters, variables) = (context.parameters, &context.variables);
    let d_model = parameters.integer("d_model")?;
    let positions = Positions::new(context, d_model)?;
    let layer = llama2_layer(parameters, positions.rotation())?;
    let layers = Depths::from_parameters(parameters)?;
    let shape =
        StackShape { tied: parameters.flag("tied")?, ..StackShape::new(context.vocabulary.size, layers, layer) };
    let steps = parameters.integer("learned_steps")?;
    Ok(Box::new(Looped {
        stack: RecurrentStack::new(shape, variables)?,
        positions,
        step: Signal::named(parameters.text("step_signal")?, d_model, steps, variables.pp("core").pp("step_signal"))?,
        injection: Injection::named(parameters.text("injection")?, d_model, None, variables)?,
    }))
}

impl Recurrence for Looped {
    fn stack(&self) -> &RecurrentStack {
        &self.stack
    }

    fn is_same_at_every_step(&self) -> bool {
        self.step.is_none()
    }

    fn reads_earlier_tokens(&self) -> bool {
        self.positions.read_earlier_tokens()
    }

    fn start(&self, tokens: &Tensor, context: &mut BeginContext) -> Result<Start> {
        let embedded = self.positions.add(&self.stack.embed(tokens)?, tokens, context)?;
        let states = self.stack.prelude(&embedded, context)?;
        let input = (!self.injection.is_none()).then(|| states.clone());
        Ok(Start { states, input })
    }

    fn injection(&self) -> &Injection {
        &self.injection
    }

    fn enter(&self, states: &Tensor, context: &StepContext) -> Result<Tensor> {
        self.step.add(&self.injection.join(states, context.input)?, &[context.step as u32 - 1])
    }
}
