//! LoopFormer: shared layers that are told the time and the size of their step.

mod layer;
mod loopformer;
mod schedule;

use haltbench_sdk_dylib as _;

pub use loopformer::DECLARATION;

#[cfg(test)]
mod tests;
