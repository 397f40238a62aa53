//! The backbone `huginn` against the published code: states and logits after every iteration, from zeros and from a
//! given h(0), and tokens of different depths decoded one by one.

use std::collections::BTreeMap;
use std::sync::Arc;

use haltbench_engine::decoding::Decoder;
use haltbench_engine::model::{Model, ModelParts};
use haltbench_engine::plugins;
use haltbench_sdk::key_values::{HaltedKeysValues, KeyValues};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::policy::Phase;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;

/// The model of a file, which starts from zeros.
fn model(golden: &Golden, halted_keys_values: HaltedKeysValues) -> Model {
    let (catalogue, _) = plugins::catalogue(&[]).unwrap();
    let sizes = [
        ("d_model", "n_embd"),
        ("d_ff", "intermediate_size"),
        ("heads", "n_heads"),
        ("prelude_layers", "n_layers_in_prelude"),
        ("core_layers", "n_layers_in_recurrent_block"),
        ("coda_layers", "n_layers_in_coda"),
    ];
    let mut given: BTreeMap<String, Value> =
        sizes.iter().map(|(ours, theirs)| ((*ours).to_owned(), Value::Integer(golden.size(theirs) as i64))).collect();
    given.insert("rms_norm_epsilon".to_owned(), Value::Real(golden.number("norm_eps")));
    given.insert("rope_theta".to_owned(), Value::Real(golden.number("rope_base")));
    given.insert("init_scale".to_owned(), Value::Real(0.0));
    let (backbone, policy) = (catalogue.backbone("huginn").unwrap(), catalogue.policy("fixed").unwrap());
    let parameters = Parameters::resolve("huginn", backbone.parameters, &given).unwrap();
    let policy_parameters = Parameters::resolve("fixed", policy.parameters, &BTreeMap::new()).unwrap();
    let parts = ModelParts {
        backbone: (backbone, &parameters),
        policy: (policy, &policy_parameters),
        recipe: policy.recipe,
        source: None,
        vocabulary: Vocabulary::new(golden.size("vocab_size")),
        max_depth: golden.size("R"),
        halted_keys_values,
        recompute: false,
        seed: 0,
    };
    let model = Model::new(parts, DType::F64, &Device::Cpu).unwrap();
    let mut set: Vec<String> = Vec::new();
    for (theirs, tensor) in golden.weights() {
        for (ours, tensor) in renamed(theirs, tensor) {
            model.variables.set(&ours, &tensor).unwrap_or_else(|error| panic!("{theirs} as {ours}: {error}"));
            set.push(ours);
        }
    }
    set.sort();
    assert!(model.variables.weights().unwrap().keys().eq(&set), "every weight is set, once");
    model
}

/// A weight of the published code under our names.
fn renamed(name: &str, tensor: &Tensor) -> Vec<(String, Tensor)> {
    let name = name.strip_prefix("transformer.").unwrap();
    match name {
        "wte.weight" => return vec![("embed_tokens.weight".to_owned(), tensor.clone())],
        "ln_f.weight" => return vec![("norm.weight".to_owned(), tensor.clone())],
        "adapter.weight" => return vec![("core.adapter.weight".to_owned(), tensor.clone())],
        _ => (),
    }
    let (part, rest) = name.split_once('.').unwrap();
    let (layer, weight) = rest.split_once('.').unwrap();
    let part = if part == "core_block" { "core" } else { part };
    let parts = |tensor: &Tensor, names: &[&str]| -> Vec<(String, Tensor)> {
        let tensors = tensor.chunk(names.len(), 0).unwrap();
        names.iter().map(|name| format!("{part}.layers.{layer}.{name}")).zip(tensors).collect()
    };
    match weight {
        "norm_1.weight" => parts(tensor, &["input_layernorm.weight"]),
        "norm_2.weight" => parts(tensor, &["input_layernorm_2.weight"]),
        "norm_3.weight" => parts(tensor, &["post_attention_layernorm.weight"]),
        "norm_4.weight" => parts(tensor, &["post_attention_layernorm_2.weight"]),
        "attn.Wqkv.weight" => parts(
            tensor,
            &["q_proj", "k_proj", "v_proj"].map(|p| format!("self_attn.{p}.weight")).each_ref().map(String::as_str),
        ),
        "attn.qk_bias" => parts(&tensor.flatten_all().unwrap(), &["self_attn.q_proj.bias", "self_attn.k_proj.bias"]),
        "attn.proj.weight" => parts(tensor, &["self_attn.o_proj.weight"]),
        "mlp.fc.weight" => parts(tensor, &["mlp.gate_proj.weight", "mlp.up_proj.weight"]),
        "mlp.proj.weight" => parts(tensor, &["mlp.down_proj.weight"]),
        other => panic!("weight {other}: expected one of a layer"),
    }
}

#[test]
fn states_and_logits_after_every_iteration() {
    for golden in Golden::all("huginn_forward") {
        let model = model(&golden, HaltedKeysValues::FreezeState);
        let dims = golden.tensor("input.h0").dims().to_vec();
        let (sequences, length, rows) = (dims[0], dims[1], dims[0] * dims[1]);
        let identities: Vec<u64> = (0..sequences as u64).collect();
        let layout = Arc::new(TokenLayout::new(&vec![length; sequences], &identities).unwrap());
        let tokens = Tensor::from_vec(golden.integers("input.tokens"), rows, &Device::Cpu).unwrap();
        let start = model.backbone.begin(&tokens, &mut BeginContext::new(&layout)).unwrap();
        let input = start.input.unwrap();
        golden.close("e", &input, &golden.tensor("expected.e"));
        let given = golden.tensor("input.h0").reshape((rows, dims[2])).unwrap();
        let all = RowSet::all(rows);
        for (from, first) in [("zero", start.states), ("given", given)] {
            let states = golden.tensor(&format!("expected.{from}.states"));
            let logits = golden.tensor(&format!("expected.{from}.logits"));
            let mut key_values =
                KeyValues::new(HaltedKeysValues::FreezeState, golden.size("n_layers_in_recurrent_block"), rows);
            let mut found = first;
            for step in 0..states.dim(0).unwrap() {
                if step > 0 {
                    key_values.begin_dense(&all, &vec![false; rows], &found).unwrap();
                    let mut context = StepContext::new(step, &layout, &all, &mut key_values).with_input(Some(&input));
                    found = model.backbone.step(&found, &mut context).unwrap();
                }
                golden.close(&format!("{from} states {step}"), &found, &states.get(step).unwrap());
                let read = model.backbone.coda(&found, &layout, &all, None).unwrap();
                golden.close(&format!("{from} logits {step}"), &read, &logits.get(step).unwrap());
            }
        }
    }
}

/// `latest-m4` uses a token's latest entry up to the current iteration, which is latest-kv; under `skip`, tokens
/// without this iteration are invisible.
#[test]
fn tokens_of_different_depths_decoded_one_by_one() {
    for golden in Golden::all("huginn_forward") {
        for (strategy, option) in [("skip", HaltedKeysValues::Skip), ("latest-m4", HaltedKeysValues::LatestKv)] {
            let model = model(&golden, option);
            let depths = golden.integers("input.depth_per_token");
            let tokens = golden.integers("input.tokens");
            let expected = golden.tensor(&format!("expected.adaptive.{strategy}")).get(0).unwrap();
            let forced = |_: u64, position: usize| depths[position];
            let mut decoder = Decoder::new(&model, &[0]).unwrap().forced(&forced);
            for (position, depth) in depths.iter().enumerate() {
                let advanced = decoder.advance(&[&tokens[position..=position]]).unwrap();
                assert_eq!(advanced.depths, [[*depth]]);
                let what = format!("{strategy}, token {position}");
                golden.close(&what, &advanced.logits, &expected.get(position).unwrap());
            }
        }
    }
}

fn training(step: u64) -> Phase {
    Phase::Training(haltbench_sdk::policy::Progress { step, total: 9 })
}

/// If its scale is not 0, h(0) has the published distribution and belongs to the token, not to its place in the batch.
#[test]
fn initial_states_are_those_of_the_token_and_the_training_step() {
    let (catalogue, _) = plugins::catalogue(&[]).unwrap();
    let declaration = catalogue.backbone("huginn").unwrap();
    let parameters = Parameters::resolve("huginn", declaration.parameters, &BTreeMap::new()).unwrap();
    let variables = haltbench_sdk::initialise::Variables::new(1, DType::F64, &Device::Cpu);
    let context =
        BackboneContext { vocabulary: Vocabulary::new(5), parameters: &parameters, variables: variables.builder() };
    let backbone = (declaration.build)(&context).unwrap();
    let begun = |lengths: &[usize], names: &[u64], phase: Phase| -> Vec<Vec<f64>> {
        let layout = Arc::new(TokenLayout::new(lengths, names).unwrap());
        let tokens = Tensor::zeros(layout.rows(), DType::U32, &Device::Cpu).unwrap();
        let mut context = BeginContext { phase, seed: 6, ..BeginContext::new(&layout) };
        backbone.begin(&tokens, &mut context).unwrap().states.to_vec2().unwrap()
    };
    let together = begun(&[3, 4], &[8, 9], training(2));
    assert_eq!(together[3..], begun(&[4], &[9], training(2)));
    assert_ne!(together[3..], begun(&[4], &[9], training(3)));
    assert_ne!(together[3..], begun(&[4], &[9], Phase::Evaluation));
    let all: Vec<f64> = begun(&[64], &[1], Phase::Evaluation).concat();
    let variance = all.iter().map(|number| number * number).sum::<f64>() / all.len() as f64;
    assert!((variance - 0.4 * 0.973_34).abs() < 0.02, "{variance}");
}
