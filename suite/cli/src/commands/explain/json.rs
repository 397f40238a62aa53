//! Declarations as JSON.

use std::collections::BTreeMap;

use haltbench_engine::model::{PolicySizes, policy_weights};
use haltbench_engine::plugins::Entry;
use haltbench_sdk::parameters::{Effect, ParameterSpec, Value};
use haltbench_sdk::policy::PolicyDeclaration;
use haltbench_sdk::registry::Declaration;
use serde_json::{Value as Json, json};

use crate::failure::Failure;

/// Sizes for the shapes of a policy's weights.
const SIZES: PolicySizes = PolicySizes { d_model: 64, d_ff: 256, vocabulary: 32, max_depth: 4 };

/// The declaration of an entry.
///
/// # Errors
/// If a policy refuses its own defaults.
pub fn document(entry: &Entry) -> Result<Json, Failure> {
    let mut all = match entry.declaration {
        Declaration::Task(task) => described(task.summary, task.documentation, task.reference, task.parameters),
        Declaration::Backbone(backbone) => {
            described(backbone.summary, backbone.documentation, backbone.reference, backbone.parameters)
        }
        Declaration::Policy(declaration) => {
            let parts = (declaration.summary, declaration.documentation, declaration.reference);
            let mut all = described(parts.0, parts.1, parts.2, declaration.parameters);
            all.extend(policy(declaration)?);
            all
        }
    };
    all.insert("kind", json!(entry.kind()));
    all.insert("name", json!(entry.name()));
    all.insert("provider", json!(entry.provider));
    all.insert("code", json!(entry.code));
    Ok(json!(all))
}

fn described(
    summary: &str,
    documentation: &str,
    reference: &str,
    parameters: &[ParameterSpec],
) -> BTreeMap<&'static str, Json> {
    let parameters: Vec<Json> = parameters.iter().map(parameter).collect();
    BTreeMap::from([
        ("summary", json!(summary)),
        ("documentation", json!(documentation)),
        ("reference", json!(reference)),
        ("parameters", json!(parameters)),
    ])
}

fn parameter(spec: &ParameterSpec) -> Json {
    let default: Value = spec.default();
    let trend = match spec.effect {
        Effect::Knob(trend) => Some(trend),
        Effect::Training | Effect::Depth => None,
    };
    json!({
        "name": spec.name,
        "default": default,
        "allowed": spec.range(),
        "documentation": spec.documentation,
        "acts_in": if spec.is_knob() { "evaluation" } else { "training" },
        "trend": trend,
    })
}

fn policy(declaration: &PolicyDeclaration) -> Result<BTreeMap<&'static str, Json>, Failure> {
    let parameters = declaration.defaults().map_err(|error| Failure::usage(error.to_string()))?;
    let stages: Vec<Json> = declaration
        .stages(&parameters)
        .iter()
        .map(|stage| json!({ "share": stage.share, "recipe": stage.recipe }))
        .collect();
    Ok(BTreeMap::from([
        ("policy_kind", json!(declaration.kind)),
        ("role", json!(declaration.role)),
        ("causal", json!(declaration.causal.given(&parameters))),
        ("uses_labels", json!(declaration.uses_labels.any())),
        ("stochastic", json!(declaration.stochastic.given(&parameters))),
        ("source", json!(declaration.source)),
        ("fits", json!(declaration.fits.iter().map(|option| option.name()).collect::<Vec<_>>())),
        ("recipe", json!(declaration.stages(&parameters).last().map(|stage| stage.recipe))),
        ("stages", json!(stages)),
        ("sizes", json!(SIZES)),
        ("weights", json!(policy_weights(declaration, &parameters, SIZES)?)),
    ]))
}
