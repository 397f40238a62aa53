//! The backbone `ouro` against the published code: states and logits after every loop.

use haltbench_sdk::parameters::Value;

use crate::backbones::{Unroll, built, integer, packed};
use crate::golden::Golden;

#[test]
fn states_and_logits_after_every_loop() {
    for golden in Golden::all("ouro_forward") {
        let given = [
            ("d_model", integer(golden.size("hidden_size"))),
            ("d_ff", integer(golden.size("intermediate_size"))),
            ("heads", integer(golden.size("num_attention_heads"))),
            ("key_value_heads", integer(golden.size("num_key_value_heads"))),
            ("core_layers", integer(golden.size("num_hidden_layers"))),
            ("rms_norm_epsilon", Value::Real(golden.number("rms_norm_eps"))),
            ("rope_theta", Value::Real(golden.number("rope_theta"))),
        ];
        let backbone = built(&golden, "ouro", golden.size("vocab_size"), &given, |name, tensor| {
            let name = name.strip_prefix("model.").unwrap_or(name);
            match name {
                _ if name.starts_with("early_exit_gate") => Vec::new(),
                _ if name.starts_with("layers.") => vec![(format!("core.{name}"), tensor.clone())],
                _ => vec![(name.to_owned(), tensor.clone())],
            }
        });
        let (tokens, layout) = packed(&golden);
        let loops = golden.size("total_ut_steps");
        let unroll = Unroll::new(&*backbone, &layout, loops);
        for (index, states) in unroll.states(&unroll.begin(&tokens), loops).iter().enumerate() {
            let expected = |name: &str| golden.tensor(&format!("expected.{name}")).get(index).unwrap();
            golden.close(&format!("states after loop {}", index + 1), states, &expected("states"));
            golden.close(&format!("logits after loop {}", index + 1), &unroll.read(states), &expected("logits"));
        }
    }
}
