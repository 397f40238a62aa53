//! `{{name}}`: Llama layers; every step is given the prelude's output again.

use haltbench_sdk::layers::{BlockShape, Depths, Injection, Recurrence, RecurrentStack, StackShape};
use haltbench_sdk::prelude::*;
use haltbench_sdk_dylib as _; // the one shared copy of candle and the registry

const DECLARATION: BackboneDeclaration = BackboneDeclaration {
    summary: "Llama layers as prelude, core and coda; the core reads the prelude's output at every step.",
    documentation: "## What it computes\n\ne = prelude(x), h(0) = e, h(d) = core(h(d-1) + e), logits = head(norm(coda(h(d)))).\n\n\
                    ## Checkpoint\n\nWeights carry the names of Hugging Face's Llama.",
    reference: "an example; compare Geiping et al. 2025, arXiv 2502.05171; layers: Touvron et al. 2023, arXiv 2307.09288",
    parameters: &[
        ParameterSpec::integer("d_model", 64, (2, 65_536), "width of a token state"),
        ParameterSpec::integer("d_ff", 256, (1, 262_144), "width of the feed-forward layers"),
        ParameterSpec::integer("heads", 4, (1, 1024), "attention heads; must divide d_model into heads of even width"),
        ParameterSpec::integer("prelude_layers", 1, (0, 1024), "layers before the recurrence"),
        ParameterSpec::integer("core_layers", 1, (1, 1024), "layers of the recurrent core"),
        ParameterSpec::integer("coda_layers", 1, (0, 1024), "layers after the recurrence"),
    ],
    ..BackboneDeclaration::new("{{name}}", build)
};

haltbench_sdk::register_backbone!(DECLARATION);

struct MyBackbone {
    stack: RecurrentStack,
    injection: Injection,
}

fn build(context: &BackboneContext) -> Result<Box<dyn Backbone>> {
    let parameters = context.parameters;
    let (d_model, d_ff) = (parameters.integer("d_model")?, parameters.integer("d_ff")?);
    let layer = BlockShape::llama2(d_model, d_ff, parameters.integer("heads")?, 1e-5, 10_000.0);
    let shape = StackShape::new(context.vocabulary.size, Depths::from_parameters(parameters)?, layer);
    Ok(Box::new(MyBackbone { stack: RecurrentStack::new(shape, &context.variables)?, injection: Injection::Add }))
}

/// How the backbone differs from its stack of layers.
impl Recurrence for MyBackbone {
    fn stack(&self) -> &RecurrentStack {
        &self.stack
    }

    /// h(0), and the input that every step is given again.
    fn start(&self, tokens: &Tensor, context: &mut BeginContext) -> Result<Start> {
        let input = self.stack.prelude(&self.stack.embed(tokens)?, context)?;
        Ok(Start { states: input.clone(), input: Some(input) })
    }

    /// How the input joins the states at every step.
    fn injection(&self) -> &Injection {
        &self.injection
    }
}

#[cfg(test)]
mod tests {
    /// Is it causal, are gradients and costs right, does decoding with a cache agree, and what else it promises?
    #[test]
    fn conforms() {
        haltbench_sdk::conformance::check_backbone(&super::DECLARATION);
    }
}
