//! The backbone `loopformer` against the published code: conditions, and states and logits under three schedules.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::backbones::{Unroll, built, integer, packed, parts};
use crate::golden::Golden;

fn model(golden: &Golden, schedule: &str) -> Box<dyn Backbone> {
    let given = [
        ("d_model", integer(golden.size("n_embd"))),
        ("d_ff", integer(golden.size("intermediate_dim"))),
        ("heads", integer(golden.size("n_head"))),
        ("core_layers", integer(golden.size("n_layer"))),
        ("learned_positions", integer(golden.size("block_size"))),
        ("rms_norm_epsilon", Value::Real(golden.number("rms_eps"))),
        ("schedule", Value::Text(schedule.to_owned())),
    ];
    built(golden, "loopformer", golden.size("vocab_size"), &given, |name, tensor| {
        let one = |ours: &str| vec![(ours.to_owned(), tensor.clone())];
        match name {
            "transformer.wte.weight" => return one("embed_tokens.weight"),
            "transformer.wpe.weight" => return one("prelude.positions.weight"),
            "transformer.norm_f.weight" => return one("norm.weight"),
            _ => (),
        }
        if let Some(rest) = name.strip_prefix("time_embedder.") {
            return one(&format!("core.time_embedder.{rest}"));
        }
        if let Some(rest) = name.strip_prefix("dt_embedder.") {
            return one(&format!("core.size_embedder.{rest}"));
        }
        let (layer, weight) = name.strip_prefix("transformer.h.blocks.").unwrap().split_once('.').unwrap();
        let ours = |weight: &str| format!("core.layers.{layer}.{weight}");
        match weight {
            "attn.c_attn.weight" => {
                parts(tensor, &["q_proj", "k_proj", "v_proj"].map(|part| ours(&format!("self_attn.{part}.weight"))))
            }
            "attn.c_proj.weight" => one(&ours("self_attn.o_proj.weight")),
            "mlp.c_fc.weight" => one(&ours("mlp.up_proj.weight")),
            "mlp.c_proj.weight" => one(&ours("mlp.down_proj.weight")),
            other => one(&ours(&other.replace("adaLN_modulation.1", "modulation"))),
        }
    })
}

#[test]
fn states_and_logits_under_every_schedule() {
    for golden in Golden::all("loopformer") {
        for name in ["uniform", "uneven", "single"] {
            let sizes = golden.config()["steps"][name].as_array().unwrap();
            let steps = sizes.len();
            let given: Vec<String> = sizes.iter().map(ToString::to_string).collect();
            let mut ways = vec![(given.join(" "), steps, None)];
            if name != "uneven" {
                // Equal steps: of a pass of as many, or of tokens that are planned to take as many.
                ways.push(("uniform".to_owned(), steps, None));
                ways.push(("uniform".to_owned(), 9, Some(steps as u32)));
            }
            for (schedule, max_depth, planned) in ways {
                let backbone = model(&golden, &schedule);
                let (tokens, layout) = packed(&golden);
                let planned = planned.map(|depth| vec![depth; layout.rows()]);
                let unroll = Unroll { planned, ..Unroll::new(&*backbone, &layout, max_depth) };
                let states = unroll.states(&unroll.begin(&tokens), steps);
                let expected = golden.tensor(&format!("expected.{name}.states"));
                for (index, states) in states.iter().enumerate() {
                    golden.close(&format!("{name}: states {}", index + 1), states, &expected.get(index).unwrap());
                }
                let logits = golden.tensor(&format!("expected.{name}.logits"));
                golden.close(&format!("{name}: logits"), &unroll.read(&states[steps - 1]), &logits);
            }
        }
    }
}
