//! `recursive-reasoner`: a step is a whole segment of HRM or TRM.

use std::sync::Arc;

use haltbench_sdk::cache::KeyValueCache;
use haltbench_sdk::layers::{
    Block, BlockShape, Depths, NormShape, Place, Placement, RecurrentStack, Rotary, StackShape, step_layer,
};
use haltbench_sdk::ops::AttentionPlan;
use haltbench_sdk::policy::Phase;
use haltbench_sdk::prelude::*;

use crate::updates::{Half, OnHalf, halves, updates};

/// Declaration of the backbone.
pub const DECLARATION: BackboneDeclaration = BackboneDeclaration {
    summary: "HRM and TRM: two states of every token, updated in nested cycles; every token sees the whole sequence.",
    documentation: "\
## What it computes

A token has two states, side by side: z_H, which is read out, and z_L; a policy sees both, `2 d_model` numbers. With e the embedding times
√d_model, a step is `h_cycles` times: `l_cycles` updates `z_L = f_L(z_L + z_H + e)`, then `z_H = f_H(z_H + z_L)`. f_L and f_H are stacks of
`core_layers` layers; with `networks` one they are the same stack, as in TRM. A layer is `x = norm(x + attention(x))`,
`x = norm(x + mlp(x))` with RMSNorm without weight, rotary positions (rotate-half), SwiGLU and no biases. `logits = head(z_H)`.

A token attends to its whole sequence, later tokens included: the backbone is not causal, so it is not decoded, and suites should
give it tasks whose answers are not visible in the input.

Weights start normal with variance 1 / inputs, which the published code cuts at two standard deviations.
z_H and z_L start from two random vectors of standard deviation 1, cut at two, the same for all tokens. The published code draws them for
each run and keeps them with the weights; here they are the same in every run, so that weights work under any seed.
Keys and values of a frozen token are projected from its own z_L in f_L and its own z_H in f_H, without what is added to them.

HRM: two networks of 4 layers, `h_cycles` 2, `l_cycles` 2. TRM: `networks` one, 2 layers, `h_cycles` 3, `l_cycles` 6.

## Training

`backpropagate` says which updates of a step carry gradients in training: `one-step` the last one of each state (HRM), `last-cycle` the last
of the `h_cycles` (TRM), `full` all, and then also those of earlier steps. The published losses and halting belong to the policy `q-halting`.

## Cost

A step costs `h_cycles` (`l_cycles` + 1) `core_layers` layers of 8 d_model² + 6 d_model · d_ff operations for each row and 4 d_model for each token
of its sequence.

## Published code

sapientinc/HRM and SamsungSAILMontreal/TinyRecursiveModels. Their q head reads z_H at position 0, and puzzle embeddings come before the
sequence; neither belongs to the backbone. Their widths of SwiGLU are multiples of 256; here `d_ff` is free.",
    reference: "HRM: Wang et al. 2025, arXiv 2506.21734; TRM: Jolicoeur-Martineau 2025, arXiv 2510.04871",
    causal: false,
    parameters: &[
        ParameterSpec::integer("d_model", 256, (2, 65_536), "width of each of the two states"),
        ParameterSpec::integer("d_ff", 768, (1, 262_144), "width of the feed-forward layers"),
        ParameterSpec::integer("heads", 8, (1, 1024), "attention heads; must divide d_model into heads of even width"),
        ParameterSpec::integer("prelude_layers", 0, (0, 1024), "layers before the recurrence"),
        ParameterSpec::integer("core_layers", 2, (1, 1024), "layers of each network"),
        ParameterSpec::integer("coda_layers", 0, (0, 1024), "layers after the recurrence, over z_H"),
        ParameterSpec::integer("h_cycles", 2, (1, 64), "updates of z_H in a step"),
        ParameterSpec::integer("l_cycles", 2, (1, 64), "updates of z_L before each update of z_H"),
        ParameterSpec::choice("networks", "two", &["two", "one"], "whether z_H and z_L have networks of their own"),
        ParameterSpec::choice(
            "backpropagate",
            "last-cycle",
            &["one-step", "last-cycle", "full"],
            "which updates of a step carry gradients in training",
        ),
        ParameterSpec::real("rms_norm_epsilon", 1e-5, (1e-12, 1.0), "added to the mean square before the root"),
        ParameterSpec::real("rope_theta", 10_000.0, (1.0, 1e9), "base of the rotary angles"),
    ],
    ..BackboneDeclaration::new("recursive-reasoner", build)
};

haltbench_sdk::register_backbone!(DECLARATION);

struct Reasoner {
    stack: RecurrentStack,
    layer: BlockShape,
    /// Layers that update z_L, then layers that update z_H; a single list if both share their layers.
    networks: Vec<Vec<Block>>,
    high_cycles: usize,
    low_cycles: usize,
    /// Updates at the end of a step that carry gradients in training; `None` for all.
    differentiated: Option<usize>,
}

fn build(context: &BackboneContext) -> Result<Box<dyn Backbone>> {
    let (parameters, variables) = (context.parameters, &context.variables);
    let (d_model, d_ff) = (parameters.integer("d_model")?, parameters.integer("d_ff")?);
    let epsilon = parameters.real("rms_norm_epsilon")?;
    let heads = parameters.integer("heads")?;
    let layer = BlockShape {
        norm: NormShape::Rms { epsilon, weighted: false },
        placement: Placement::Post,
        causal: false,
        ..BlockShape::llama2(d_model, d_ff, heads, epsilon, parameters.real("rope_theta")?)
    };
    let layers = Depths::from_parameters(parameters)?;
    let shape = StackShape {
        final_norm: None,
        embedding_scale: (d_model as f64).sqrt(),
        ..StackShape::new(context.vocabulary.size, Depths { core: 0, ..layers }, layer)
    };
    let stack = RecurrentStack::new(shape, variables)?;
    let rotary = Rotary::new(layer.attention.rotation, layer.attention.head_width());
    let core = variables.pp("core");
    let names: &[&str] = if parameters.text("networks")? == "one" { &["both"] } else { &["low", "high"] };
    let network = |name: &&str| -> Result<Vec<Block>> {
        (0..layers.core).map(|index| Block::new(&layer, &rotary, core.pp(name).pp("layers").pp(index))).collect()
    };
    let (high_cycles, low_cycles) = (parameters.integer("h_cycles")?, parameters.integer("l_cycles")?);
    Ok(Box::new(Reasoner {
        stack,
        layer,
        networks: names.iter().map(network).collect::<Result<_>>()?,
        high_cycles,
        low_cycles,
        differentiated: match parameters.text("backpropagate")? {
            "one-step" => Some(2),
            "last-cycle" => Some(low_cycles + 1),
            _ => None,
        },
    }))
}

/// Standard deviation of the standard normal law cut at two.
const CUT_DEVIATION: f64 = 0.879_625_66;

/// A vector of standard deviation 1, cut normal: always the same, so that weights work under any seed.
fn initial(half: Half, width: usize) -> Vec<f64> {
    let mut stream = Stream::new(0, "initial-state", &[u64::from(half == Half::High)]);
    let mut draw = || loop {
        let number = stream.normal();
        if number.abs() <= 2.0 {
            return number / CUT_DEVIATION;
        }
    };
    (0..width).map(|_| draw()).collect()
}

impl Reasoner {
    fn network(&self, half: Half) -> &[Block] {
        match (half, &*self.networks) {
            (Half::High, [_, high]) => high,
            (_, networks) => networks.first().map_or(&[], Vec::as_slice),
        }
    }

    /// Updates of a step.
    fn count(&self) -> usize {
        self.high_cycles * (self.low_cycles + 1)
    }
}

impl Backbone for Reasoner {
    fn dimensions(&self) -> Dimensions {
        let Dimensions { d_model, d_ff, vocabulary, .. } = self.stack.dimensions();
        let layers = self.network(Half::Low).len();
        // Every update has keys and values of its own.
        Dimensions { d_model: 2 * d_model, d_ff, core_layers: self.count() * layers, vocabulary }
    }

    fn begin(&self, tokens: &Tensor, context: &mut BeginContext) -> Result<Start> {
        let input = self.stack.prelude(&self.stack.embed(tokens)?, context)?;
        let (rows, width) = input.dims2()?;
        let both = [Half::High, Half::Low].map(|half| initial(half, width)).concat();
        let states = Tensor::from_vec(both, (1, 2 * width), input.device())?.to_dtype(input.dtype())?;
        Ok(Start {
            states: states.repeat((rows, 1))?,
            // What is added to each half.
            input: Some(Tensor::cat(&[&input.zeros_like()?, &input], 1)?),
        })
    }

    fn step(&self, states: &Tensor, context: &mut StepContext) -> Result<Tensor> {
        if context.rows.is_empty() {
            return Ok(states.clone());
        }
        let Some(input) = context.input else {
            return Err(Error::invalid("input of a step", "what the recurrence began with", "nothing"));
        };
        let [_, input] = halves(input)?;
        context.key_values.transform();
        let plan = AttentionPlan::whole(context.layout, context.rows, context.key_values.visible());
        let constant = match (context.phase, self.differentiated) {
            (Phase::Training(_), Some(last)) => Some(self.count() - last),
            _ => None,
        };
        let mut states = states.clone();
        for (number, half) in updates(self.high_cycles, self.low_cycles).enumerate() {
            if constant == Some(number) {
                states = states.detach();
            }
            let [high, low] = halves(&states)?;
            states = match half {
                Half::Low => Tensor::cat(&[&high, &((low + &high)? + &input)?], 1)?,
                Half::High => Tensor::cat(&[&(high + &low)?, &low], 1)?,
            };
            let network = self.network(half);
            for (index, layer) in network.iter().enumerate() {
                let place = Place::shared(number * network.len() + index);
                states = step_layer(&OnHalf { layer, half }, place, &states, context, &plan)?;
            }
        }
        Ok(states)
    }

    fn coda(
        &self,
        states: &Tensor,
        layout: &Arc<TokenLayout>,
        readout: &RowSet,
        cache: Option<&mut KeyValueCache>,
    ) -> Result<Tensor> {
        let [high, _] = halves(states)?;
        self.stack.coda(&high, layout, readout, cache)
    }

    fn cost(&self) -> BackboneCost {
        let mut step = self.layer.cost().times(self.count() * self.network(Half::Low).len());
        step.per_row += (self.high_cycles * (2 * self.low_cycles + 1) * self.layer.attention.d_model) as f64;
        BackboneCost { step, ..self.stack.cost() }
    }
}
