//! The backbone `recursive-reasoner` against the published HRM and TRM: z_H and logits after every outer step, and z_L after
//! the last, with rows that are replaced when they have halted.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::backbones::{Unroll, built, integer, packed_tokens, parts};
use crate::golden::Golden;

fn model(golden: &Golden, networks: &str, layers: &str) -> Box<dyn Backbone> {
    let given = [
        ("d_model", integer(golden.size("hidden_size"))),
        ("d_ff", integer(golden.size("mlp_hidden"))),
        ("heads", integer(golden.size("num_heads"))),
        ("core_layers", integer(golden.size(layers))),
        ("h_cycles", integer(golden.size("H_cycles"))),
        ("l_cycles", integer(golden.size("L_cycles"))),
        ("networks", Value::Text(networks.to_owned())),
    ];
    built(golden, "recursive-reasoner", golden.size("vocab_size"), &given, |name, tensor| {
        let one = |ours: &str| vec![(ours.to_owned(), tensor.clone())];
        match name {
            "embed_tokens.embedding_weight" => return one("embed_tokens.weight"),
            "lm_head.weight" => return one(name),
            // The initial states are given to the first step; the q head belongs to the policy.
            "H_init" | "L_init" | "q_head.weight" | "q_head.bias" => return Vec::new(),
            _ => (),
        }
        let (level, rest) = name.split_once("_level.layers.").unwrap();
        let (layer, weight) = rest.split_once('.').unwrap();
        let network = match (networks, level) {
            ("one", _) => "both",
            (_, "H") => "high",
            _ => "low",
        };
        let ours = |weight: &str| format!("core.{network}.layers.{layer}.{weight}");
        match weight {
            "self_attn.qkv_proj.weight" => {
                parts(tensor, &["q_proj", "k_proj", "v_proj"].map(|part| ours(&format!("self_attn.{part}.weight"))))
            }
            "mlp.gate_up_proj.weight" => {
                parts(tensor, &["gate_proj", "up_proj"].map(|part| ours(&format!("mlp.{part}.weight"))))
            }
            other => one(&ours(other)),
        }
    })
}

#[test]
fn states_and_logits_after_every_outer_step() {
    for (form, networks, layers) in [("hrm_act", "two", "H_layers"), ("trm_act", "one", "L_layers")] {
        for golden in Golden::all(form) {
            let backbone = model(&golden, networks, layers);
            let (batch, length, width) =
                (golden.size("batch_size"), golden.size("seq_len"), golden.size("hidden_size"));
            let init = Tensor::cat(&[golden.tensor("weight.H_init"), golden.tensor("weight.L_init")], 0).unwrap();
            let init = init.unsqueeze(0).unwrap().repeat((length, 1)).unwrap();
            let (tokens, steps) = (golden.integers("input.tokens"), golden.integers("expected.steps"));
            let used = golden.integers("expected.used_tokens");
            let mut carried = vec![init.clone(); batch];
            for call in 0..golden.size("outer_calls") {
                let of_call =
                    |numbers: &[u32], each: usize| numbers[call * batch * each..(call + 1) * batch * each].to_vec();
                for (row, step) in of_call(&steps, 1).iter().enumerate() {
                    // A row in its first step has been replaced.
                    if *step == 1 {
                        carried[row] = init.clone();
                        let place = row * length..(row + 1) * length;
                        assert_eq!(of_call(&tokens, length)[place.clone()], of_call(&used, length)[place]);
                    }
                }
                let (tokens, layout) = packed_tokens(&of_call(&used, length), &vec![length; batch]);
                let unroll = Unroll::new(&*backbone, &layout, golden.size("halt_max_steps"));
                let states = Tensor::cat(&carried, 0).unwrap();
                let start = Start { states, ..unroll.begin(&tokens) };
                let found = unroll.states(&start, 1).remove(0);
                let high = found.narrow(1, 0, width).unwrap();
                golden.close(
                    &format!("z_H after call {call}"),
                    &high,
                    &golden.tensor("expected.z_H").get(call).unwrap(),
                );
                let logits = golden.tensor("expected.logits").get(call).unwrap();
                golden.close(&format!("logits after call {call}"), &unroll.read(&found), &logits);
                carried = (0..batch).map(|row| found.narrow(0, row * length, length).unwrap()).collect();
            }
            let low = Tensor::cat(&carried, 0).unwrap().narrow(1, width, width).unwrap();
            golden.close("z_L after the last call", &low, &golden.tensor("expected.z_L"));
        }
    }
}
