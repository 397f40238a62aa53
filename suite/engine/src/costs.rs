//! The costs that plugins report, read once when a model is built and checked before anything is charged.

use haltbench_sdk::backbone::{Backbone, BackboneCost, BackboneDeclaration, MOST_FLOPS, PartCost};
use haltbench_sdk::policy::{Policy, PolicyDeclaration};

use crate::error::Result;

/// Analytic costs of a model. Every number is finite and not negative.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Costs {
    /// Operations of the backbone.
    pub backbone: BackboneCost,
    /// Operations of a decision about one row, without the logits that are read out for it.
    pub decision: f64,
}

impl Costs {
    /// The costs that a backbone and a policy report.
    ///
    /// # Errors
    /// [`Contract`](haltbench_sdk::Error::Contract), naming plugin and number, for a cost that is NaN, infinite, negative
    /// or above [`MOST_FLOPS`].
    pub fn of(
        (backbone, built): (Option<&BackboneDeclaration>, &dyn Backbone),
        (policy, decides): (&PolicyDeclaration, &Policy),
    ) -> Result<Self> {
        let costs = Self { backbone: built.cost(), decision: decides.decision_flops(built.dimensions().d_model) };
        let BackboneCost { prelude, step, coda, readout } = costs.backbone;
        let owner = backbone.map_or("backbone", |declaration| declaration.name);
        for (part, PartCost { per_row, per_key, per_key_value }) in
            [("prelude", prelude), ("step", step), ("coda", coda), ("readout", readout)]
        {
            for (number, flops) in [("per_row", per_row), ("per_key", per_key), ("per_key_value", per_key_value)] {
                check(owner, &format!("cost().{part}.{number}"), flops)?;
            }
        }
        check(policy.name, "decision_flops", costs.decision)?;
        Ok(costs)
    }
}

fn check(plugin: &str, number: &str, flops: f64) -> Result<()> {
    if (0.0..=MOST_FLOPS).contains(&flops) {
        return Ok(());
    }
    let message =
        format!("its {number}: expected a number of operations for one row from 0 to {MOST_FLOPS:e}, found {flops}");
    Err(haltbench_sdk::Error::contract(plugin, message).into())
}
