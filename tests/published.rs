//! Reference numbers in files, from published code or from slow programs that follow published equations. The JSON next
//! to each file has the program, its configuration and its conventions. Each test runs all files of its form. Policies
//! without such numbers are held against loops (`loops`).

use haltbench_sdk_dylib as _;

#[path = "published/act.rs"]
mod act;
#[path = "published/anira.rs"]
mod anira;
#[path = "published/elbayad.rs"]
mod elbayad;
#[path = "published/exits.rs"]
mod exits;
#[path = "published/given.rs"]
mod given;
#[path = "published/golden.rs"]
mod golden;
#[path = "published/gradients.rs"]
mod gradients;
#[path = "published/huginn_forward.rs"]
mod huginn_forward;
#[path = "published/linear_model.rs"]
mod linear_model;
#[path = "published/loops.rs"]
mod loops;
#[path = "published/mor_expert_choice.rs"]
mod mor_expert_choice;
#[path = "published/ouro.rs"]
mod ouro;
#[path = "published/pondernet.rs"]
mod pondernet;
#[path = "published/q_halting.rs"]
mod q_halting;
#[path = "published/replays.rs"]
mod replays;
#[path = "published/stacks.rs"]
mod stacks;
#[path = "published/think_at_hard.rs"]
mod think_at_hard;
#[path = "published/universal_transformer.rs"]
mod universal_transformer;
#[path = "published/ut_act.rs"]
mod ut_act;
