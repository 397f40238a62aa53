//! What mutated inputs have found, and what is right.
