//! Every operation against its slow composition in candle's own operations and against finite differences, whatever
//! memory its operands lie in; and what an operation refuses.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod agreement;
mod in_place;
mod mixing;
#[path = "../support/normals.rs"]
mod normals;
mod refusals;
mod rows;
mod table;
