//! From a suite file to cells: what was typed ([`suite`]), and what it means ([`cell`]).

mod cell;
mod resolve;
mod settings;
mod sizes;
mod suite;
mod wording;

pub use cell::{CellPlan, Choice, Source};
pub use resolve::{PLAN_SCHEMA, Suite, resolve};
pub use settings::{Evaluation, Recurrence, TrainingSettings};
pub use sizes::check as check_sizes;
pub use suite::{SuiteFile, built_in, read};
