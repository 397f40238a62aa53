//! Budgets that do not read a token.

use haltbench_sdk_dylib as _;
