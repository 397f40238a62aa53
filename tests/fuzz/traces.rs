//! Traces.

use std::path::Path;

use haltbench_engine::Error;
use haltbench_engine::plugins::{self, Catalogue};
use haltbench_engine::trace::{Replay, Trace, replay};
use haltbench_sdk::parameters::Parameters;
use safetensors::tensor::{Dtype, TensorView};

use crate::harness::{Target, said};

/// The bytes of a trace of two sequences.
pub fn sound() -> Vec<u8> {
    let whole = |values: &[i64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let real =
        |count: usize| (0..count).flat_map(|place| (1.0 / (1 + place) as f32).to_le_bytes()).collect::<Vec<u8>>();
    let tensors = [
        ("lengths", Dtype::I64, vec![2], whole(&[3, 2])),
        ("states", Dtype::F32, vec![5, 5, 2], real(50)),
        ("logits", Dtype::F32, vec![4, 5, 3], real(60)),
        ("targets", Dtype::I64, vec![5], whole(&[-1, 0, 2, -1, 1])),
        ("positions", Dtype::I64, vec![5], whole(&[0, 1, 2, 4, 9])),
        ("identities", Dtype::I64, vec![2], whole(&[7, 8])),
        ("complexity.height", Dtype::F32, vec![5], real(5)),
    ];
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        ((*name).to_owned(), TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    let metadata = [("format", "haltbench-trace"), ("version", "1"), ("d_ff", "4"), ("vocabulary", "3")];
    let metadata = metadata.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    safetensors::serialize(views, Some(metadata)).unwrap()
}

/// Reads a trace and replays policies on it.
pub fn replayed(catalogue: &Catalogue, file: &Path) -> Result<(), Error> {
    let trace = Trace::open(file)?;
    for name in ["fixed", "huginn-latent-diff", "calm", "oracle-complexity"] {
        let declaration = catalogue.policy(name)?;
        let parameters = Parameters::resolve(name, declaration.parameters, &Default::default())?;
        let asked = Replay { declaration, parameters: &parameters, max_depth: None, seed: 0, stage: None };
        replay(&trace, &asked, |_| Ok::<(), Error>(()))?;
    }
    Ok(())
}

#[test]
fn traces() {
    let (catalogue, _) = plugins::catalogue(&[]).unwrap();
    let target = Target { name: "trace", seeds: vec![sound()], cases: 3000 };
    target.fuzz(|_, file| said(replayed(&catalogue, file)));
}
