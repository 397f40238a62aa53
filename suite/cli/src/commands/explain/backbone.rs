//! The page of a backbone.

use haltbench_sdk::backbone::BackboneDeclaration;

use super::page::Page;

/// Documentation, parameters and reference.
pub fn page(declaration: &BackboneDeclaration) -> Page {
    Page::new(declaration.name, "Backbone", declaration.summary)
        .block(declaration.documentation)
        .parameters(declaration.parameters)
        .section("Reference", declaration.reference)
}
