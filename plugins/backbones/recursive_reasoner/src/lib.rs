//! HRM and TRM: two states of every token, updated in nested cycles over whole sequences.

mod reasoner;
mod updates;

use haltbench_sdk_dylib as _;

pub use reasoner::DECLARATION;

#[cfg(test)]
mod tests;
