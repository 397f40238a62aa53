//! Shapes of curves.
//!
//! * [`isotonic`]: the best non-decreasing fit, and how much of the variance it explains;
//! * [`phases`]: does a curve rise first and fall later?
//! * [`first_sustained`]: from where on does a curve stay above a threshold?

mod isotonic;
mod phases;
mod sustained;

pub use isotonic::{Isotonic, isotonic, isotonic_fit};
pub use phases::{Phases, phases};
pub use sustained::first_sustained;
