//! End-to-end tests of Haltbench. The examples of the README are compiled and run as they stand:
#![doc = include_str!("../../README.md")]
