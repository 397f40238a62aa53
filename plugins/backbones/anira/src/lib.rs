//! Prelude, recurrent core and coda of Llama layers
