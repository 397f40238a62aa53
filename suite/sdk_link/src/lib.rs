//! The program and the plugins name this crate as `haltbench_sdk_dylib`, to link the shared library: the one copy of
//! candle, std and the registry. With the feature `bundled` it names nothing, and a program that names its plugins is
//! one static file.

#[cfg(not(feature = "bundled"))]
use haltbench_sdk_dylib as _;
