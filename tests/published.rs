//! Reference numbers in files, from published code or from slow programs that follow published equations. The JSON next
//! to each file has the program, its configuration and its conventions. Each test runs all files of its form. Policies
//! without such numbers are held against loops (`loops`).

use haltbench_sdk_dylib as _;

#[path = "published/act.rs"]
mod act;
#[path = "published/anira.rs"]
mod anira;
#[path = "published/backbones.rs"]
mod backbones;
#[path = "published/elbayad.rs"]
mod elbayad;
#[path = "published/exit_classifiers.rs"]
mod exit_classifiers;
#[path = "published/exits.rs"]
mod exits;
#[path = "published/fixed_point.rs"]
mod fixed_point;
#[path = "published/gated_ut.rs"]
mod gated_ut;
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
#[path = "published/linear_model.rs"]
mod linear_model;
#[path = "published/looped.rs"]
mod looped;
#[path = "published/loopformer.rs"]
mod loopformer;
#[path = "published/loops.rs"]
mod loops;
#[path = "published/mixture_of_depths.rs"]
mod mixture_of_depths;
#[path = "published/moeut.rs"]
mod moeut;
#[path = "published/mor_expert_choice.rs"]
mod mor_expert_choice;
#[path = "published/mor_token_choice.rs"]
mod mor_token_choice;
#[path = "published/moving_states.rs"]
mod moving_states;
#[path = "published/oracles.rs"]
mod oracles;
#[path = "published/ouro.rs"]
mod ouro;
#[path = "published/ouro_forward.rs"]
mod ouro_forward;
#[path = "published/palbert.rs"]
mod palbert;
#[path = "published/ponderlm_mask.rs"]
mod ponderlm_mask;
#[path = "published/pondernet.rs"]
mod pondernet;
#[path = "published/q_halting.rs"]
mod q_halting;
#[path = "published/recursive_reasoner.rs"]
mod recursive_reasoner;
#[path = "published/replays.rs"]
mod replays;
#[path = "published/stacks.rs"]
mod stacks;
#[path = "published/stick_breaking.rs"]
mod stick_breaking;
#[path = "published/stub.rs"]
mod stub;
#[path = "published/think_at_hard.rs"]
mod think_at_hard;
#[path = "published/universal_transformer.rs"]
mod universal_transformer;
#[path = "published/unshared.rs"]
mod unshared;
#[path = "published/ut_act.rs"]
mod ut_act;
