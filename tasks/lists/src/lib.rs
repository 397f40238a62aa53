//! Lists of elements: copying them, and listing their distinct elements in order of first occurrence.
//!
//! The generator, the solver and the checker share the words of elements and the form of questions, nothing else.

mod copy;
mod elements;
mod question;
mod sequence;
mod settings;
#[cfg(test)]
mod tests;
mod unique_set;

use haltbench_sdk_dylib as _;

haltbench_sdk::register_task!(copy::DECLARATION);
haltbench_sdk::register_task!(unique_set::DECLARATION);
