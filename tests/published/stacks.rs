//! A stack of composed layers as a prelude against Hugging Face's Llama with grouped queries.

use std::collections::BTreeSet;
use std::sync::Arc;

use haltbench_sdk::initialise::Variables;
use haltbench_sdk::layers::{BlockShape, Depths, RecurrentStack, StackShape};
use haltbench_sdk::prelude::*;

use crate::golden::Golden;

/// A stack with the weights of a file for the layers of `part`.
fn stack(golden: &Golden, shape: StackShape, part: &str) -> RecurrentStack {
    let variables = Variables::new(0, DType::F64, &Device::Cpu);
    let stack = RecurrentStack::new(shape, &variables.builder()).unwrap();
    let ours = |name: &str| {
        let name = name.strip_prefix("model.").unwrap_or(name);
        if name.starts_with("layers.") { format!("{part}.{name}") } else { name.to_owned() }
    };
    let mut set = BTreeSet::new();
    for (name, tensor) in golden.weights() {
        variables.set(&ours(name), tensor).unwrap_or_else(|error| panic!("{name}: {error}"));
        set.insert(ours(name));
    }
    assert!(variables.weights().unwrap().keys().eq(&set), "every weight is set");
    stack
}

/// A Llama layer with grouped queries and the sizes under `at`.
fn layer(golden: &Golden, at: &str) -> BlockShape {
    let size = |name: &str| golden.size(&format!("{at}{name}"));
    let (epsilon, theta) = (golden.number(&format!("{at}rms_norm_eps")), golden.number(&format!("{at}rope_theta")));
    let heads = size("num_attention_heads");
    let mut layer = BlockShape::llama2(size("hidden_size"), size("intermediate_size"), heads, epsilon, theta);
    layer.attention.key_value_heads = size("num_key_value_heads");
    layer
}

/// The tokens of a file, packed.
fn packed(golden: &Golden) -> (Tensor, Arc<TokenLayout>) {
    let (sequences, length) = golden.tensor("input.tokens").dims2().unwrap();
    let identities: Vec<u64> = (0..sequences as u64).collect();
    let layout = TokenLayout::new(&vec![length; sequences], &identities).unwrap();
    let tokens = Tensor::from_vec(golden.integers("input.tokens"), sequences * length, &Device::Cpu).unwrap();
    (tokens, Arc::new(layout))
}

#[test]
fn llama_with_grouped_queries() {
    for golden in Golden::all("llama_hf_gqa") {
        let vocabulary = golden.size("hf_config/vocab_size");
        let layers = Depths { prelude: golden.size("hf_config/num_hidden_layers"), core: 0, coda: 0 };
        let stack = stack(&golden, StackShape::new(vocabulary, layers, layer(&golden, "hf_config/")), "prelude");
        let (tokens, layout) = packed(&golden);
        let embedded = stack.embed(&tokens).unwrap();
        let states = golden.tensor("expected.hidden_states");
        golden.close("embedding", &embedded, &states.get(0).unwrap());
        let last = stack.prelude(&embedded, &mut BeginContext::new(&layout)).unwrap();
        golden.close("normed states", &stack.norm(&last).unwrap(), &states.get(layers.prelude).unwrap());
        let logits = stack.coda(&last, &layout, &RowSet::all(layout.rows()), None).unwrap();
        golden.close("logits", &logits, &golden.tensor("expected.logits"));
    }
}
