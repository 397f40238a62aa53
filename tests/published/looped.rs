//! The backbone `looped` against a published Llama whose middle layers are looped, with and without an adapter.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::backbones::{Unroll, built, integer, packed};
use crate::golden::Golden;

/// The backbone with these layers of the Llama in its parts. `given` are further parameters.
fn model(golden: &Golden, parts: [&[usize]; 3], injection: &str) -> Box<dyn Backbone> {
    let frequencies = golden.numbers("expected.inv_freq");
    // Heads of four numbers have two frequencies, the first of which is 1: some base has the scaled second one.
    assert_eq!((frequencies.len(), frequencies[0]), (2, 1.0));
    let given = [
        ("d_model", integer(golden.size("hidden_size"))),
        ("d_ff", integer(golden.size("intermediate_size"))),
        ("heads", integer(golden.size("num_attention_heads"))),
        ("key_value_heads", integer(golden.size("num_key_value_heads"))),
        ("prelude_layers", integer(parts[0].len())),
        ("core_layers", integer(parts[1].len())),
        ("coda_layers", integer(parts[2].len())),
        ("rms_norm_epsilon", Value::Real(golden.number("rms_norm_eps"))),
        ("rope_theta", Value::Real(frequencies[1].powi(-2))),
        ("injection", Value::Text(injection.to_owned())),
    ];
    built(golden, "looped", golden.size("vocab_size"), &given, |name, tensor| {
        if name == "adapter.weight" {
            let adapter = ("core.adapter.weight".to_owned(), tensor.clone());
            return if injection == "concat" { vec![adapter] } else { Vec::new() };
        }
        let name = name.strip_prefix("model.").unwrap_or(name);
        let Some((layer, weight)) = name.strip_prefix("layers.").and_then(|rest| rest.split_once('.')) else {
            return vec![(name.to_owned(), tensor.clone())];
        };
        let layer: usize = layer.parse().unwrap();
        let place = ["prelude", "core", "coda"].iter().zip(parts).find_map(|(part, layers)| {
            let place = layers.iter().position(|found| *found == layer)?;
            Some(format!("{part}.layers.{place}.{weight}"))
        });
        place.map(|name| (name, tensor.clone())).into_iter().collect()
    })
}

#[test]
fn a_looped_llama_without_injection() {
    for golden in Golden::all("retrofit_llama") {
        let backbone = model(&golden, [&[0, 1], &[2, 3], &[4, 5]], "none");
        let (tokens, layout) = packed(&golden);
        let unroll = Unroll::new(&*backbone, &layout, 3);
        let start = unroll.begin(&tokens);
        golden.close("h(0)", &start.states, &golden.tensor("expected.e"));
        for (index, states) in unroll.states(&start, 3).iter().enumerate() {
            let loops = index + 1;
            let expected = golden.tensor(&format!("expected.looped.logits.{loops}"));
            golden.close(&format!("logits after {loops} loops"), &unroll.read(states), &expected);
        }
    }
}

#[test]
fn a_retrofitted_llama_with_an_adapter() {
    for golden in Golden::all("retrofit_llama") {
        let backbone = model(&golden, [&[0, 1], &[2, 3], &[5]], "concat");
        let (tokens, layout) = packed(&golden);
        let unroll = Unroll::new(&*backbone, &layout, golden.size("R"));
        let begun = unroll.begin(&tokens);
        let input = begun.input.unwrap();
        golden.close("e", &input, &golden.tensor("expected.e"));
        for from in ["zero", "given"] {
            let expected = golden.tensor(&format!("expected.{from}.states"));
            let first = expected.get(0).unwrap().reshape(input.dims()).unwrap();
            let start = Start { states: first, input: Some(input.clone()) };
            for (index, states) in unroll.states(&start, golden.size("R")).iter().enumerate() {
                golden.close(&format!("{from}: states {}", index + 1), states, &expected.get(index + 1).unwrap());
                let logits = golden.tensor(&format!("expected.{from}.logits")).get(index).unwrap();
                golden.close(&format!("{from}: logits {}", index + 1), &unroll.read(states), &logits);
            }
        }
    }
}
