//! How often intervals hold the truth, in simulations with fixed seeds. Nominal is 95 %.
//!
//! Every module has the table that its simulations gave, and a test that fails if one of them gives less. Where a share
//! of n trials is p, its standard error is √(p (1 - p) / n): 0.7 % at 95 % of 1000 trials.
#![allow(clippy::unwrap_used)]

mod correlations;
mod gain;
mod means;
mod ranks;
mod simulate;
