//! A correctly built plugin that registers a policy under a name in use, `fixed`.

use haltbench_sdk::prelude::*;
use haltbench_sdk_dylib as _;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Another policy with the name of the control.",
    role: Role::Control,
    ..PolicyDeclaration::new("fixed", PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

fn build(_: &PolicyContext) -> Result<Policy> {
    Err(Error::contract("fixed", "one of two policies with one name was used"))
}
