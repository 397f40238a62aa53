//! `haltbench trace` and `haltbench replay` as a user sees them.

use haltbench_sdk_dylib as _;

#[path = "traces/bad_input.rs"]
mod bad_input;
#[path = "traces/cells.rs"]
mod cells;
#[path = "traces/exact.rs"]
mod exact;
#[path = "runs/program.rs"]
mod program;
#[path = "traces/pytorch.rs"]
mod pytorch;
#[path = "traces/replayed.rs"]
mod replayed;
#[path = "traces/written.rs"]
mod written;
