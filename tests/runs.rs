//! `haltbench run` as a user sees it: what it writes, what it survives, and what it refuses.

use haltbench_sdk_dylib as _;

#[path = "runs/cheating.rs"]
mod cheating;
#[path = "runs/code.rs"]
mod code;
#[path = "runs/controls.rs"]
mod controls;
#[path = "runs/damaged_files.rs"]
mod damaged_files;
#[path = "runs/declared.rs"]
mod declared;
#[path = "runs/drawn_instances.rs"]
mod drawn_instances;
#[path = "runs/failing_cells.rs"]
mod failing_cells;
#[path = "runs/interruptions.rs"]
mod interruptions;
#[path = "runs/models.rs"]
mod models;
#[path = "runs/numbers.rs"]
mod numbers;
#[path = "runs/overlap.rs"]
mod overlap;
#[path = "runs/program.rs"]
mod program;
#[path = "runs/recipes.rs"]
mod recipes;
#[path = "runs/same_bytes.rs"]
mod same_bytes;
#[path = "runs/sweeps.rs"]
mod sweeps;
#[path = "runs/timing.rs"]
mod timing;
#[path = "runs/wrong_input.rs"]
mod wrong_input;
