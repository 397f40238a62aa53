//! The backbone `unshared` against Hugging Face's Llama, one layer a step.

use haltbench_sdk::parameters::Value;

use crate::backbones::{Unroll, built, integer, packed};
use crate::golden::Golden;

#[test]
fn a_llama_is_a_step_for_each_layer() {
    for golden in Golden::all("llama_hf_gqa") {
        let size = |name: &str| integer(golden.size(&format!("hf_config/{name}")));
        let number = |name: &str| Value::Real(golden.number(&format!("hf_config/{name}")));
        let layers = golden.size("hf_config/num_hidden_layers");
        let given = [
            ("d_model", size("hidden_size")),
            ("d_ff", size("intermediate_size")),
            ("heads", size("num_attention_heads")),
            ("key_value_heads", size("num_key_value_heads")),
            ("steps", integer(layers)),
            ("rms_norm_epsilon", number("rms_norm_eps")),
            ("rope_theta", number("rope_theta")),
        ];
        let backbone = built(&golden, "unshared", golden.size("hf_config/vocab_size"), &given, |name, tensor| {
            let name = name.strip_prefix("model.").unwrap_or(name);
            let ours = match name.strip_prefix("layers.").and_then(|rest| rest.split_once('.')) {
                Some((layer, weight)) => format!("core.steps.{layer}.layers.0.{weight}"),
                None => name.to_owned(),
            };
            vec![(ours, tensor.clone())]
        });
        let (tokens, layout) = packed(&golden);
        let unroll = Unroll::new(&*backbone, &layout, layers);
        let expected = golden.tensor("expected.hidden_states");
        let states = unroll.states(&unroll.begin(&tokens), layers);
        // The last published entry is normed.
        for (index, states) in states[..layers - 1].iter().enumerate() {
            golden.close(&format!("states after layer {}", index + 1), states, &expected.get(index + 1).unwrap());
        }
        golden.close("logits", &unroll.read(&states[layers - 1]), &golden.tensor("expected.logits"));
    }
}
