//! `gated-ut-bidirectional`: the gated Universal Transformer whose tokens see their whole sequence.

use haltbench_sdk::prelude::*;

use crate::gated_ut::{PARAMETERS, built};

/// Declaration of the backbone.
pub const DECLARATION: BackboneDeclaration = BackboneDeclaration {
    summary: "Gated Universal Transformer as published: every token sees its whole sequence, so it is not decoded.",
    documentation: "\
## What it computes

The same as `gated-ut`, with the same weights, but attention reads the whole sequence, later tokens included. The backbone is not
causal: it is not decoded, and suites should give it tasks whose answers are not visible in the input. The factors of
xPos grow for keys after the query as they fall for keys before it.

## Cost

That of `gated-ut`; a row sees every token of its sequence.

## Published code

JRC1995/InvestigatingRecurrentTransformers. It puts a learned START before the sequence and a learned END after it; here the
task's own tokens are all there is.",
    reference: "Ray Chowdhury and Caragea 2024, arXiv 2402.00976, section 3; xPos: Sun et al. 2022, arXiv 2212.10554",
    causal: false,
    parameters: PARAMETERS,
    ..BackboneDeclaration::new("gated-ut-bidirectional", |context| built(context, false))
};

haltbench_sdk::register_backbone!(DECLARATION);
