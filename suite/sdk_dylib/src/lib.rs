//! The shared copy of the SDK: the host and every plugin link this library and no other copy of candle.
pub use haltbench_sdk::*;
