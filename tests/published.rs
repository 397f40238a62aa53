//! Reference numbers in files, from published code or from slow programs that follow published equations. The JSON next
//! to each file has the program, its configuration and its conventions. Each test runs all files of its form.

use haltbench_sdk_dylib as _;

#[path = "published/act.rs"]
mod act;
#[path = "published/anira.rs"]
mod anira;
#[path = "published/exits.rs"]
mod exits;
#[path = "published/given.rs"]
mod given;
#[path = "published/golden.rs"]
mod golden;
#[path = "published/gradients.rs"]
mod gradients;
#[path = "published/gut.rs"]
mod gut;
#[path = "published/huginn_forward.rs"]
mod huginn_forward;
#[path = "published/mixture_of_depths.rs"]
mod mixture_of_depths;
#[path = "published/mor_expert_choice.rs"]
mod mor_expert_choice;
#[path = "published/mor_token_choice.rs"]
mod mor_token_choice;
#[path = "published/ouro.rs"]
mod ouro;
#[path = "published/pondernet.rs"]
mod pondernet;
#[path = "published/replays.rs"]
mod replays;
#[path = "published/stacks.rs"]
mod stacks;
#[path = "published/stick_breaking.rs"]
mod stick_breaking;
#[path = "published/stub.rs"]
mod stub;
#[path = "published/universal_transformer.rs"]
mod universal_transformer;
#[path = "published/ut_act.rs"]
mod ut_act;
