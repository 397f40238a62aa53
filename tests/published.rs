//! Numbers that published codes gave, from files: what was run, with what configuration and conventions, stands in the JSON
//! beside each. Every file of a form is run by the test of that form.

use haltbench_sdk_dylib as _;

#[path = "published/golden.rs"]
mod golden;
#[path = "published/huginn_forward.rs"]
mod huginn_forward;
#[path = "published/stacks.rs"]
mod stacks;
#[path = "published/universal_transformer.rs"]
mod universal_transformer;
