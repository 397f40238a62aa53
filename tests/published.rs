//! Reference numbers in files, from published code or from slow programs that follow published equations. The JSON next
//! to each file has the program, its configuration and its conventions. Each test runs all files of its form.

use haltbench_sdk_dylib as _;

#[path = "published/act.rs"]
mod act;
#[path = "published/anira.rs"]
mod anira;
#[path = "published/backbones.rs"]
mod backbones;
#[path = "published/exits.rs"]
mod exits;
#[path = "published/gated_ut.rs"]
mod gated_ut;
#[path = "published/given.rs"]
mod given;
#[path = "published/golden.rs"]
mod golden;
#[path = "published/gradients.rs"]
mod gradients;
#[path = "published/huginn_forward.rs"]
mod huginn_forward;
#[path = "published/looped.rs"]
mod looped;
#[path = "published/loopformer.rs"]
mod loopformer;
#[path = "published/moeut.rs"]
mod moeut;
#[path = "published/mor_expert_choice.rs"]
mod mor_expert_choice;
#[path = "published/ouro.rs"]
mod ouro;
#[path = "published/ouro_forward.rs"]
mod ouro_forward;
#[path = "published/pondernet.rs"]
mod pondernet;
#[path = "published/recursive_reasoner.rs"]
mod recursive_reasoner;
#[path = "published/replays.rs"]
mod replays;
#[path = "published/stacks.rs"]
mod stacks;
#[path = "published/universal_transformer.rs"]
mod universal_transformer;
#[path = "published/unshared.rs"]
mod unshared;
#[path = "published/ut_act.rs"]
mod ut_act;
