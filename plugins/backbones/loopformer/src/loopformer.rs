//! `loopformer`: shared layers conditioned on the time and the size of their step.

use std::sync::Arc;

use haltbench_sdk::cache::KeyValueCache;
use haltbench_sdk::layers::options::{LEARNED_POSITIONS, Positions, ROPE_THETA};
use haltbench_sdk::layers::{
    Activation, AttentionShape, BlockShape, Depths, FeedForwardShape, NormShape, Place, Placement, RecurrentStack,
    StackShape, step_layer,
};
use haltbench_sdk::ops::{AttentionPlan, silu};
use haltbench_sdk::prelude::*;

use crate::layer::LoopLayer;
use crate::schedule::{Moment, Schedule, TimeEmbedding};

/// Declaration of the backbone.
pub const DECLARATION: BackboneDeclaration = BackboneDeclaration {
    summary: "LoopFormer: looped layers that are told where their step begins between 0 and 1 and how long it is.",
    documentation: "\
## What it computes

Step i of a pass of M steps begins at t_i = (i - 1) / M and has the size 1 / M. `c = time(t_i) + size(1 / M)`, where both
embeddings are 128 cosines and 128 sines of the number, then a perceptron with SiLU. Each layer of the core reads gates g and
scales s from c through SiLU and a matrix, and computes `x = x + g1 attention(norm(x) (1 + s1))`,
`x = x + g2 mlp(norm(x) (1 + s2))` with an RMSNorm without weight, GELU and no biases. `h(0)` is the token's embedding plus
a learned position, `logits = head(norm(h(d*)))`, and the head reuses the embedding.

M is the depth of the token if the policy decides depths before the first step, as `fixed` and early policies do, and D
otherwise. So a budget of fewer steps takes larger steps, as in the paper. A row whose candidate is computed beyond its depth
takes the last step of as many. `schedule` replaces the equal sizes of a pass of D steps.

A frozen state is projected to keys and values as it is, with s1 = 0. Layers of a prelude or coda, which the paper lacks, have no
condition. Weights carry the names of Hugging Face's Llama; the matrix of gates and scales is `modulation`, in the order g1, g2, s1, s2.

## Training

The paper trains two passes at once, one of R equal steps and a shorter one of random step sizes, with a term that pulls the final
states of the shorter one towards those of the longer. Here the recipe draws one depth, whose steps are equal, and has no such term.

## Initial weights

The paper starts the matrix of gates and scales at zero. Every layer is then the identity, and no other weight of the core has a gradient
in the first training step. The published code starts it normal with standard deviation 0.02, and so does this backbone:
`modulation_spread` 0 is the paper's start.

## Cost

A step costs `core_layers` layers of 8 d_model² + 4 d_model · d_ff operations for each row and 4 d_model for each key that it sees. The
condition is computed once for all rows of a step that have the same M and is not counted.

## Published code

armenjeddi/loopformer. Its general initialiser overwrites the zeros that adaLN starts from, and it leaves the epsilon of RMSNorm to the
machine epsilon of the type, which is the default here for f32.",
    reference: "Jeddi et al. 2026, arXiv 2602.11451, section 3; code: armenjeddi/loopformer, models/loopformer.py",
    parameters: &[
        ParameterSpec::integer("d_model", 256, (2, 65_536), "width of a token state"),
        ParameterSpec::integer("d_ff", 1024, (1, 262_144), "width of the feed-forward layers"),
        ParameterSpec::integer("heads", 8, (1, 1024), "attention heads; must divide d_model"),
        ParameterSpec::integer("prelude_layers", 0, (0, 1024), "layers before the recurrence"),
        ParameterSpec::integer("core_layers", 4, (1, 1024), "layers of a step"),
        ParameterSpec::integer("coda_layers", 0, (0, 1024), "layers after the recurrence"),
        ParameterSpec::text("schedule", "uniform", "sizes of D steps that sum to 1, such as `0.5 0.2 0.3`, or `uniform`"),
        ParameterSpec::choice("positions", "learned", &["learned", "rope", "none"], "how positions enter"),
        LEARNED_POSITIONS,
        ROPE_THETA,
        ParameterSpec::flag("tied", true, "whether the head reuses the embedding"),
        ParameterSpec::real("modulation_spread", 0.02, (0.0, 10.0), "initial standard deviation of gates' and scales' matrix"),
        ParameterSpec::real("rms_norm_epsilon", 1.1920929e-7, (1e-12, 1.0), "added to the mean square before the root"),
    ],
    ..BackboneDeclaration::new("loopformer", build)
};

haltbench_sdk::register_backbone!(DECLARATION);

struct LoopFormer {
    stack: RecurrentStack,
    layer: BlockShape,
    core: Vec<LoopLayer>,
    positions: Positions,
    schedule: Schedule,
    time: TimeEmbedding,
    size: TimeEmbedding,
}

fn build(context: &BackboneContext) -> Result<Box<dyn Backbone>> {
    let (parameters, variables) = (context.parameters, &context.variables);
    let d_model = parameters.integer("d_model")?;
    let epsilon = parameters.real("rms_norm_epsilon")?;
    let positions = Positions::new(context, d_model)?;
    let layer = BlockShape {
        attention: AttentionShape {
            rotation: positions.rotation(),
            ..AttentionShape::new(d_model, parameters.integer("heads")?)
        },
        feed_forward: FeedForwardShape::new(d_model, parameters.integer("d_ff")?, Activation::Gelu),
        norm: NormShape::Rms { epsilon, weighted: false },
        placement: Placement::Pre,
        causal: true,
    };
    let layers = Depths::from_parameters(parameters)?;
    let around = StackShape {
        final_norm: Some(NormShape::Rms { epsilon, weighted: true }),
        tied: parameters.flag("tied")?,
        ..StackShape::new(context.vocabulary.size, Depths { core: 0, ..layers }, layer)
    };
    let stack = RecurrentStack::new(around, variables)?;
    let (core, spread) = (variables.pp("core"), parameters.real("modulation_spread")?);
    let each = |index: usize| LoopLayer::new(&layer, spread, &core.pp("layers").pp(index));
    Ok(Box::new(LoopFormer {
        stack,
        layer,
        core: (0..layers.core).map(each).collect::<Result<_>>()?,
        positions,
        schedule: Schedule::parse(parameters.text("schedule")?)?,
        time: TimeEmbedding::new(d_model, &core.pp("time_embedder"))?,
        size: TimeEmbedding::new(d_model, &core.pp("size_embedder"))?,
    }))
}

impl LoopFormer {
    /// Moments of a step, one for each number of planned steps, and which of them each row of the batch has.
    fn moments(&self, context: &StepContext) -> (Vec<Moment>, Arc<Vec<u32>>) {
        let rows = context.layout.rows();
        let Some(planned) = context.planned else {
            return (vec![self.schedule.moment(context.step, context.max_depth)], Arc::new(vec![0; rows]));
        };
        let steps: Vec<usize> = planned.iter().map(|depth| context.step.max(*depth as usize)).collect();
        let mut distinct = steps.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let which = steps.iter().map(|steps| distinct.partition_point(|other| other < steps) as u32).collect();
        (distinct.iter().map(|steps| self.schedule.moment(context.step, *steps)).collect(), Arc::new(which))
    }
}

impl Backbone for LoopFormer {
    fn dimensions(&self) -> Dimensions {
        Dimensions { core_layers: self.core.len(), ..self.stack.dimensions() }
    }

    fn begin(&self, tokens: &Tensor, context: &mut BeginContext) -> Result<Start> {
        self.schedule.check(context.max_depth)?;
        let embedded = self.positions.add(&self.stack.embed(tokens)?, tokens, context)?;
        Ok(self.stack.prelude(&embedded, context)?.into())
    }

    fn step(&self, states: &Tensor, context: &mut StepContext) -> Result<Tensor> {
        let (moments, which) = self.moments(context);
        let numbers = |number: fn(&Moment) -> f64| moments.iter().map(number).collect::<Vec<f64>>();
        let time = self.time.of(&numbers(|moment| moment.time), states)?;
        let conditions = silu(&(time + self.size.of(&numbers(|moment| moment.size), states)?)?)?;
        let plan = AttentionPlan::new(context.layout, context.rows, context.key_values.visible());
        let mut states = states.clone();
        for (index, layer) in self.core.iter().enumerate() {
            states = step_layer(&layer.under(&conditions, &which)?, Place::shared(index), &states, context, &plan)?;
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
        self.stack.coda(states, layout, readout, cache)
    }

    fn cost(&self) -> BackboneCost {
        BackboneCost { step: self.layer.cost().times(self.core.len()), ..self.stack.cost() }
    }
}
