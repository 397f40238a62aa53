//! The backbone `moeut` against the published code: states after every repetition of the group, logits, and the
//! entropy regulariser.

use crate::backbones::{Unroll, built, integer, packed};
use crate::golden::Golden;

#[test]
fn states_after_every_repetition_and_logits() {
    for golden in Golden::all("moeut") {
        let (group, layers) = (golden.size("group_size"), golden.size("n_layers"));
        let given = [
            ("d_model", "d_model"),
            ("heads", "n_heads"),
            ("head_dim", "d_head"),
            ("att_experts", "att_n_experts"),
            ("att_k", "att_k"),
            ("ff_experts", "ff_n_experts"),
            ("ff_k", "ff_k"),
            ("core_layers", "group_size"),
        ]
        .map(|(ours, theirs)| (ours, integer(golden.size(theirs))));
        let width = integer(golden.size("ff_n_experts") * golden.size("ff_expert_size"));
        let given = [&given[..], &[("d_ff", width)]].concat();
        let backbone = built(&golden, "moeut", golden.size("n_tokens"), &given, |name, tensor| {
            let one = |ours: &str| vec![(ours.to_owned(), tensor.clone())];
            let Some(rest) = name.strip_prefix("transformer.layers.") else {
                return one(&name.replace("embedding.", "embed_tokens.").replace("out_norm.", "norm."));
            };
            let (layer, weight) = rest.split_once('.').unwrap();
            let ours = |weight: &str| format!("core.layers.{layer}.{weight}");
            // Experts lie below each other, `[experts * outputs, inputs]` instead of `[experts, inputs, outputs]`.
            let stacked = |name: &str| {
                let (experts, inputs, outputs) = tensor.dims3().unwrap();
                let ordered = tensor.transpose(1, 2).unwrap().contiguous().unwrap();
                vec![(ours(name), ordered.reshape((experts * outputs, inputs)).unwrap())]
            };
            match weight {
                "attention.v" => stacked("self_attn.v_experts.weight"),
                "attention.o" => stacked("self_attn.o_experts.weight"),
                "attention.sel_v" => one(&ours("self_attn.v_selection.weight")),
                "attention.sel_o" => one(&ours("self_attn.o_selection.weight")),
                "attention.q.weight" => one(&ours("self_attn.q_proj.weight")),
                "attention.k.weight" => one(&ours("self_attn.k_proj.weight")),
                "ffn.keys" => stacked("mlp.up_experts.weight"),
                "ffn.values" => stacked("mlp.down_experts.weight"),
                "ffn.expert_sel" => one(&ours("mlp.selection.weight")),
                other => {
                    one(&ours(&other.replace("ln1", "input_layernorm").replace("ln2", "post_attention_layernorm")))
                }
            }
        });
        let (tokens, layout) = packed(&golden);
        let repeats = layers / group;
        let unroll = Unroll::new(&*backbone, &layout, repeats);
        let states = unroll.states(&unroll.begin(&tokens), repeats);
        for (index, states) in states.iter().enumerate() {
            let expected = golden.tensor("expected.states").get((index + 1) * group - 1).unwrap();
            golden.close(&format!("states after repetition {}", index + 1), states, &expected);
        }
        let mut memory = unroll.trained(&unroll.begin(&tokens), repeats);
        let regulariser = backbone.regulariser(&mut memory).unwrap().unwrap();
        golden.close("regulariser", &regulariser, &golden.tensor("expected.reg_loss"));
        golden.close("logits", &unroll.read(&states[repeats - 1]), &golden.tensor("expected.logits"));
    }
}
