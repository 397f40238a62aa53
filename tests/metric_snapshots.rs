use haltbench_sdk_dylib as _;
