//! Deciders that are trained on targets: whether an answer is right, the depth that a token needs, a mean depth.

mod adaponder;
mod labels;
mod loopus;
mod oracle_supervised;
mod q_halting;
mod reads;
mod success;
mod supervised_steps;

use haltbench_sdk_dylib as _;

pub use adaponder::DECLARATION as ADAPONDER;
pub use loopus::DECLARATION as LOOPUS;
pub use oracle_supervised::DECLARATION as ORACLE_SUPERVISED;
pub use q_halting::DECLARATION as Q_HALTING;

#[cfg(test)]
mod tests;
