//! `haltbench run` as a user sees it: what it writes, what it survives, and what it refuses.

use haltbench_sdk_dylib as _;

#[path = "runs/cheating.rs"]
mod cheating;
#[path = "runs/code.rs"]
mod code;
#[path = "runs/containment.rs"]
mod containment;
#[path = "runs/controls.rs"]
mod controls;
#[path = "runs/damaged_files.rs"]
mod damaged_files;
#[path = "runs/declared.rs"]
mod declared;
#[path = "runs/faults/deep_recurrence.rs"]
mod deep_recurrence;
#[path = "runs/drawn_instances.rs"]
mod drawn_instances;
#[path = "runs/failing_cells.rs"]
mod failing_cells;
#[path = "runs/faults.rs"]
mod faults;
#[path = "runs/faults/full_disks.rs"]
mod full_disks;
#[path = "runs/hanging_tasks.rs"]
mod hanging_tasks;
#[path = "runs/interruptions.rs"]
mod interruptions;
#[path = "runs/labels.rs"]
mod labels;
#[path = "runs/faults/large_inputs.rs"]
mod large_inputs;
#[path = "runs/models.rs"]
mod models;
#[path = "runs/numbers.rs"]
mod numbers;
#[path = "runs/overlap.rs"]
mod overlap;
#[path = "runs/program.rs"]
mod program;
#[path = "runs/read_outs.rs"]
mod read_outs;
#[path = "runs/recipes.rs"]
mod recipes;
#[path = "runs/recorded_suites.rs"]
mod recorded_suites;
#[path = "runs/same_bytes.rs"]
mod same_bytes;
#[path = "runs/selection.rs"]
mod selection;
#[path = "runs/special_files.rs"]
mod special_files;
#[path = "runs/sweeps.rs"]
mod sweeps;
#[path = "runs/timing.rs"]
mod timing;
#[path = "runs/unwritable.rs"]
mod unwritable;
#[path = "runs/wrong_input.rs"]
mod wrong_input;
