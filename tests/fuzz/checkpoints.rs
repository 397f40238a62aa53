//! Checkpoints.

use std::collections::BTreeMap;
use std::fs;

use haltbench_engine::store::{Checkpoint, read_checkpoint, write_checkpoint};
use haltbench_sdk::candle_core::{DType, Device, Tensor};

use crate::harness::{Target, said};

const MODEL: &str = "0123456789abcdef";

/// The bytes of a small checkpoint.
pub fn sound() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("training.safetensors");
    let tensor = |shape: &[usize], dtype| Tensor::ones(shape, dtype, &Device::Cpu).unwrap();
    let tensors: BTreeMap<String, Tensor> = [
        ("weight.core", tensor(&[3, 4], DType::F32)),
        ("weight.norm", tensor(&[4], DType::F32)),
        ("moment.core", tensor(&[3, 4], DType::F64)),
    ]
    .into_iter()
    .map(|(name, tensor)| (name.to_owned(), tensor))
    .collect();
    write_checkpoint(&path, &Checkpoint { model: MODEL.to_owned(), step: 7, tensors }).unwrap();
    fs::read(path).unwrap()
}

/// A changed checkpoint is refused, or what it holds is what was written.
#[test]
fn checkpoints() {
    let target = Target { name: "checkpoint", seeds: vec![sound()], cases: 3000 };
    target.fuzz(|_, file| {
        let read = read_checkpoint(file, MODEL);
        if let Ok(Some(checkpoint)) = &read {
            assert_eq!((checkpoint.step, checkpoint.tensors.len()), (7, 3));
        }
        said(read.map(drop))
    });
}
