//! A wrongly built plugin: it does not link the shared library (`use haltbench_sdk_dylib as _;` is missing), so it has
//! its own copy of candle and of the registry. Its fingerprint is still correct.

use haltbench_sdk::prelude::*;

/// Declaration of the policy, which no host may see.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Registered with a registry of its own.",
    role: Role::Control,
    ..PolicyDeclaration::new("unshared", PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

fn build(_: &PolicyContext) -> Result<Policy> {
    Err(Error::contract("unshared", "a plugin with its own copy of the SDK was used"))
}
