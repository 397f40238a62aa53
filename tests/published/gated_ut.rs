//! The backbones `gated-ut` and `gated-ut-bidirectional` against the published code: every step, from the states that
//! entered it.

use std::sync::Arc;

use haltbench_sdk::key_values::{HaltedKeysValues, KeyValues};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::backbones::{built_of, integer};
use crate::golden::Golden;

/// The backbone with the weights of a variant. The published encoder has neither embedding nor head: ours are not read.
fn model(golden: &Golden, variant: &str, (name, gate): (&str, &str)) -> Box<dyn Backbone> {
    let given = [
        ("d_model", integer(golden.size("hidden_size"))),
        ("d_ff", integer(golden.size("ffn_dim"))),
        ("d_gate", integer(golden.size("ffn_gate_dim"))),
        ("heads", integer(golden.size("heads"))),
        ("gate", Value::Text(gate.to_owned())),
    ];
    let layer = format!("{variant}.TransformerLayer.");
    let unread = ["embed_tokens.weight", "lm_head.weight", "norm.weight", "norm.bias"];
    built_of(golden, (name, 7), &given, &unread, |name, tensor| {
        let Some(name) = name.strip_prefix(&layer) else { return Vec::new() };
        let ours = [
            ("attention.out_proj.", "self_attn.o_proj."),
            ("attention.", "self_attn."),
            ("LN1.", "input_layernorm."),
            ("LN2.", "post_attention_layernorm."),
            ("FFN_gate.0.", "gate.up_proj."),
            ("FFN_gate.3.", "gate.down_proj."),
            ("FFN.0.", "mlp.up_proj."),
            ("FFN.3.", "mlp.down_proj."),
        ];
        let (theirs, ours) = ours.iter().find(|(theirs, _)| name.starts_with(theirs)).unwrap();
        vec![(name.replacen(theirs, &format!("core.layers.0.{ours}"), 1), tensor.clone())]
    })
}

/// The rows of a tensor `[sequences, length, width]` that are tokens of sequences of these lengths.
fn tokens(tensor: &Tensor, lengths: &[usize]) -> Tensor {
    let parts: Vec<Tensor> = lengths
        .iter()
        .enumerate()
        .map(|(sequence, length)| tensor.get(sequence).unwrap().narrow(0, 0, *length).unwrap())
        .collect();
    Tensor::cat(&parts, 0).unwrap()
}

#[test]
fn every_step_of_every_run() {
    for golden in Golden::all("gut_ut_jrc") {
        let lengths = golden.config()["lengths"].as_array().unwrap().iter();
        let lengths: Vec<usize> = lengths.map(|length| length.as_u64().unwrap() as usize).collect();
        for (variant, name, gate, mixes) in [
            ("gut", "gated-ut-bidirectional", "mlp", false),
            ("gut_token", "gated-ut-bidirectional", "mlp", true),
            ("gut_causal", "gated-ut", "mlp", false),
            ("ut_causal", "gated-ut", "none", true),
        ] {
            let backbone = model(&golden, variant, (name, gate));
            // START and END are tokens of the bidirectional runs.
            let ends = if name == "gated-ut" { 0 } else { 2 };
            let lengths: Vec<usize> = lengths.iter().map(|length| length + ends).collect();
            let layout = Arc::new(TokenLayout::new(&lengths, &[0, 1, 2]).unwrap());
            let all = RowSet::all(layout.rows());
            let expected = |name: &str, step: usize| {
                tokens(&golden.tensor(&format!("expected.{variant}.{name}")).get(step).unwrap(), &lengths)
            };
            for step in 0..golden.size("layers") {
                let states = expected("layer_in", step);
                let mut memory = KeyValues::new(HaltedKeysValues::FreezeState, 1, layout.rows());
                memory.begin_dense(&all, &vec![false; layout.rows()], &states).unwrap();
                // Where each token halts by itself, keys and values are those of the mixture so far.
                memory.offer(mixes.then(|| expected("kv_in", step)));
                let mut context = StepContext::new(step + 1, &layout, &all, &mut memory);
                let found = backbone.step(&states, &mut context).unwrap();
                golden.close(&format!("{variant}: step {}", step + 1), &found, &expected("layer_out", step));
            }
        }
    }
}
