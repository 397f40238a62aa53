//! A policy on the trajectory of a golden file: written as a trace, read by `replay`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use haltbench_engine::trace::{Replay, ReplayedToken, Trace, TraceWriter, replay};
use haltbench_engine::{Error, plugins};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

/// A policy from the libraries in the program's folder.
pub fn policy(name: &str) -> &'static PolicyDeclaration {
    plugins::catalogue(&[]).unwrap().0.policy(name).unwrap()
}

/// The recorded trajectory.
pub struct Trajectory {
    /// Number of tokens of each sequence.
    pub lengths: Vec<usize>,
    /// `[D + 1, tokens, width]`.
    pub states: Tensor,
    /// `[D, tokens, vocabulary]`.
    pub logits: Option<Tensor>,
    /// One per token.
    pub targets: Option<Vec<i64>>,
    /// The training stage of the objective; the last if `None`.
    pub stage: Option<usize>,
    /// Weights of the policy.
    pub weights: BTreeMap<&'static str, Tensor>,
}

impl Trajectory {
    /// The tokens of `states`, `[D + 1, B, S, width]`, without logits.
    pub fn new(states: &Tensor, weights: impl IntoIterator<Item = (&'static str, Tensor)>) -> Self {
        let (steps, batch, length, width) = states.dims4().unwrap();
        Self {
            lengths: vec![length; batch],
            states: states.reshape((steps, batch * length, width)).unwrap(),
            logits: None,
            targets: None,
            stage: None,
            weights: weights.into_iter().collect(),
        }
    }

    /// The policy's decisions for each token.
    pub fn replay(
        &self,
        declaration: &'static PolicyDeclaration,
        given: &[(&str, Value)],
        max_depth: Option<usize>,
    ) -> Vec<ReplayedToken> {
        let path = self.write();
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let parameters = Parameters::resolve(declaration.name, declaration.parameters, &given).unwrap();
        let asked = Replay { declaration, parameters: &parameters, max_depth, seed: 1, stage: self.stage };
        let mut tokens = Vec::new();
        let told = replay(&Trace::open(&path).unwrap(), &asked, |token| {
            tokens.push(token.clone());
            Ok::<(), Error>(())
        });
        std::fs::remove_file(&path).unwrap();
        told.unwrap();
        tokens
    }

    fn write(&self) -> PathBuf {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("haltbench-published-{}-{number}.safetensors", std::process::id());
        let path = std::env::temp_dir().join(name);
        let whole = |values: Vec<i64>| Tensor::new(values, &Device::Cpu).unwrap();
        let mut tensors = BTreeMap::from([
            ("states".to_owned(), self.states.contiguous().unwrap()),
            ("lengths".to_owned(), whole(self.lengths.iter().map(|length| *length as i64).collect())),
        ]);
        if let Some(logits) = &self.logits {
            tensors.insert("logits".to_owned(), logits.contiguous().unwrap());
        }
        if let Some(targets) = &self.targets {
            tensors.insert("targets".to_owned(), whole(targets.clone()));
        }
        for (name, weight) in &self.weights {
            tensors.insert(format!("policy.{name}"), weight.contiguous().unwrap());
        }
        let room =
            tensors.iter().map(|(name, tensor)| (name.clone(), (tensor.dtype(), tensor.dims().to_vec()))).collect();
        let writer = TraceWriter::create(&path, &BTreeMap::new(), &room).unwrap();
        tensors.iter().for_each(|(name, tensor)| writer.write(name, 0, tensor).unwrap());
        writer.finish().unwrap();
        path
    }
}

/// `steps` `[D, ...]`, preceded by an entry of zeros for an h(0) that the golden file lacks.
pub fn after_nothing(steps: &Tensor) -> Tensor {
    Tensor::cat(&[&steps.narrow(0, 0, 1).unwrap().zeros_like().unwrap(), steps], 0).unwrap()
}

/// A golden tensor `[N, B, S]` or `[B, S]`, by token and then by step.
pub fn by_token(tensor: &Tensor) -> Vec<Vec<f64>> {
    let steps = tensor.dim(0).unwrap();
    tensor.reshape((steps, ())).unwrap().t().unwrap().to_vec2().unwrap()
}

/// The indices in `[B, S]` of tokens that are not padding.
pub fn valid(mask: &Tensor) -> Vec<usize> {
    let mask: Vec<f64> = mask.flatten_all().unwrap().to_vec1().unwrap();
    (0..mask.len()).filter(|token| mask[*token] > 0.0).collect()
}

/// A text parameter.
pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A gate that reads its logit from a state of width 1.
pub fn gate_of_width_one(name: &str) -> [(&'static str, Tensor); 2] {
    let names = match name {
        "gate" => ["gate.weight", "gate.bias"],
        "halting" => ["halting.weight", "halting.bias"],
        _ => ["lambda.weight", "lambda.bias"],
    };
    let number = |value: f64| Tensor::new(&[value], &Device::Cpu).unwrap();
    [(names[0], number(1.0).unsqueeze(0).unwrap()), (names[1], number(0.0))]
}

/// A trajectory with given gate logits, `[N, B, S]`, and given losses of each step, `[N, B, S]`, at `tokens`.
///
/// The vocabulary has two tokens with the logits 0 and x, and the first is correct: its cross-entropy is ln(1 + e^x),
/// which is the loss L for x = ln(e^L - 1).
pub fn with_losses(
    gates: &Tensor,
    weights: [(&'static str, Tensor); 2],
    losses: &Tensor,
    tokens: &[usize],
) -> Trajectory {
    let mut trajectory = Trajectory::new(&after_nothing(&gates.unsqueeze(3).unwrap()), weights);
    let count: usize = trajectory.lengths.iter().sum();
    let other = (losses.exp().unwrap() - 1.0).unwrap().log().unwrap();
    let other = other.reshape((losses.dim(0).unwrap(), count, 1)).unwrap();
    trajectory.logits = Some(Tensor::cat(&[&other.zeros_like().unwrap(), &other], 2).unwrap());
    trajectory.targets = Some((0..count).map(|token| if tokens.contains(&token) { 0 } else { -1 }).collect());
    trajectory
}
