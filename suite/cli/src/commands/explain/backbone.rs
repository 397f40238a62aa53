//! The page of a backbone.

use haltbench_sdk::backbone::BackboneDeclaration;

use super::page::Page;

/// Documentation, parameters and reference.
pub fn page(declaration: &BackboneDeclaration) -> Page {
    let causal = if declaration.causal {
        ""
    } else {
        "Not causal: a token's states depend on later tokens, so it is never decoded."
    };
    Page::new(declaration.name, "Backbone", declaration.summary)
        .block(causal)
        .block(declaration.documentation)
        .parameters(declaration.parameters)
        .section("Reference", declaration.reference)
}
