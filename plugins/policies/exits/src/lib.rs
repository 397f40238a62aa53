//! Exits that need no training of their own: after every step a number is compared with a threshold.

mod latent_difference;
mod softmax_difference;
#[cfg(test)]
mod tests;

use haltbench_sdk_dylib as _;
