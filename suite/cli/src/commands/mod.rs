//! The commands: each is a module with its flags, their help, and what it does.

pub mod analyze;
pub mod audit;
pub mod bench;
pub mod compare;
pub mod completions;
pub mod compute;
pub mod data;
pub mod doctor;
pub mod explain;
pub mod leaderboard;
pub mod list;
pub mod plan;
pub mod plugin;
pub mod rehearse;
pub mod replay;
pub mod run;
pub mod submit;
mod task;
pub mod trace;
pub mod trial;
pub mod worker;
