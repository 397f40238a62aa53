//! How often intervals cover the truth, in simulations with fixed seeds. Nominal is 95 %.
//!
//! Every module has the table of its simulations, and a test that fails if one of them gives less. A share p of n
//! trials has the standard error √(p (1 - p) / n): 0.7 % at 95 % of 1000 trials.
#![allow(clippy::unwrap_used)]

mod calibration;
mod correlations;
mod gain;
mod means;
mod ranks;
mod regression;
mod resampling;
mod simulate;
