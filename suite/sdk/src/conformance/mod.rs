//! Checks that any plugin runs with one line, and the plain reference that they use.
//!
//! ```no_run
//! # use haltbench_sdk::policy::PolicyDeclaration;
//! # fn conform(declaration: &'static PolicyDeclaration) {
//! haltbench_sdk::conformance::check_policy(declaration);
//! # }
//! ```
//!
//! A check panics with a message that names the plugin and the promise it broke, and for policies the smallest
//! counterexample: the number of steps, the seed of the weights and the tokens. Policies run on a
//! [`miniature`](miniature()) backbone with random weights in f64, through [`run`]: a loop written for clarity, which
//! computes every row in every step. Tests of the engine's fast execution compare with it too.

mod backbone;
mod batch;
mod cached;
mod ends;
mod gradient;
mod miniature;
mod observed;
mod passes;
mod policy;
mod precision;
mod promise;
mod reference;
mod setup;
pub mod specimen;
mod task;
mod training;
mod trajectory;

pub use backbone::{check_backbone, check_backbone_with};
pub use batch::{Batch, Sequence};
pub use miniature::{MINIATURE, miniature};
pub use observed::{Promise, observe};
pub use policy::{check_policy, check_policy_with};
pub use reference::{Outcome, Settings, run};
pub use setup::build_policy;
pub use task::check_task;
