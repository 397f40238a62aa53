//! Reference numbers in files, from published code or from slow programs that follow published equations. The JSON next
//! to each file has the program, its configuration and its conventions. Each test runs all files of its form.

use haltbench_sdk_dylib as _;

#[path = "published/act.rs"]
mod act;
#[path = "published/anira.rs"]
mod anira;
#[path = "published/exit_classifiers.rs"]
mod exit_classifiers;
#[path = "published/exits.rs"]
mod exits;
#[path = "published/fixed_point.rs"]
mod fixed_point;
#[path = "published/given.rs"]
mod given;
#[path = "published/golden.rs"]
mod golden;
#[path = "published/gradients.rs"]
mod gradients;
#[path = "published/huginn_forward.rs"]
mod huginn_forward;
#[path = "published/mor_expert_choice.rs"]
mod mor_expert_choice;
#[path = "published/moving_states.rs"]
mod moving_states;
#[path = "published/ouro.rs"]
mod ouro;
#[path = "published/palbert.rs"]
mod palbert;
#[path = "published/pondernet.rs"]
mod pondernet;
#[path = "published/replays.rs"]
mod replays;
#[path = "published/stacks.rs"]
mod stacks;
#[path = "published/universal_transformer.rs"]
mod universal_transformer;
#[path = "published/ut_act.rs"]
mod ut_act;
