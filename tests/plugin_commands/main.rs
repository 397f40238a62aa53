//! Plugins by strangers: written by `plugin new` outside the repository, built, checked, run and ranked.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod bad_sources;
mod checked;
mod found;
mod outside;
mod written;
