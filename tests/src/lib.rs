//! End-to-end tests of Haltbench. The examples of the README are compiled as they stand:
#![doc = include_str!("../../README.md")]
#![allow(clippy::test_attr_in_doctest, reason = "the example shows a plugin with its test, as a file of its own")]
