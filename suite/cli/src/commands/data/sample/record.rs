//! One instance as a JSON object. Its keys and their order are a published format.

use haltbench_sdk::task::{Columns, FeatureKind, Instance, TaskSpec, TokenSize};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// An instance with its task, size, seed and index. Per-token arrays are as long as the tokens; undefined entries are
/// null.
pub struct Record<'a> {
    /// Name of the task.
    pub task: &'a str,
    /// Size; 0 for tasks without one.
    pub size: u32,
    /// Seed.
    pub seed: u64,
    /// Index under the seed.
    pub index: u64,
    /// The tokens as text.
    pub text: &'a str,
    /// The task's complexities and features.
    pub spec: &'a TaskSpec,
    /// The instance.
    pub instance: &'a Instance,
    /// Size of the problem that each graded token answers.
    pub token_sizes: &'a [Option<TokenSize>],
}

#[derive(Serialize)]
struct Feature {
    kind: FeatureKind,
    values: Vec<f32>,
}

/// The entries of a column.
fn values(columns: &Columns, place: usize) -> Vec<f32> {
    columns.column(place).collect()
}

/// Named values, in order.
struct Named<T>(Vec<(&'static str, T)>);

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { spec, instance, token_sizes, .. } = self;
        let complexities = (0..).zip(&spec.complexities);
        let complexities =
            complexities.map(|(place, spec)| (spec.name, values(&instance.complexities, place))).collect();
        let features = (0..).zip(&spec.features);
        let features = features
            .map(|(place, spec)| (spec.name, Feature { kind: spec.kind, values: values(&instance.features, place) }))
            .collect();
        let mut map = serializer.serialize_map(Some(16))?;
        map.serialize_entry("task", self.task)?;
        map.serialize_entry("size", &self.size)?;
        map.serialize_entry("seed", &self.seed)?;
        map.serialize_entry("index", &self.index)?;
        map.serialize_entry("text", self.text)?;
        map.serialize_entry("question", &instance.question)?;
        map.serialize_entry("answer", &instance.answer)?;
        map.serialize_entry("tokens", &instance.tokens)?;
        map.serialize_entry("targets", instance.targets())?;
        map.serialize_entry("loss_mask", &instance.loss_mask)?;
        let sizes = token_sizes.iter().map(|own| own.map(|own| own.size));
        map.serialize_entry("token_size", &sizes.collect::<Vec<_>>())?;
        let splits = token_sizes.iter().map(|own| own.map(|own| own.split));
        map.serialize_entry("split", &splits.collect::<Vec<_>>())?;
        // NaN, which stands for undefined, is null in JSON.
        map.serialize_entry("complexity", &Named(complexities))?;
        map.serialize_entry("features", &Named(features))?;
        map.serialize_entry("problem", instance.problem())?;
        map.serialize_entry("part", if instance.is_held_out() { "held_out" } else { "train" })?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use haltbench_sdk::task::{ComplexitySpec, FeatureSpec, Split, Supervision};

    use super::*;

    #[test]
    fn undefined_values_are_null_and_keys_keep_their_order() {
        let spec = TaskSpec {
            vocabulary: vec!["a".to_owned(), "b".to_owned()],
            size: None,
            supervision: Supervision::NextToken,
            features: vec![FeatureSpec { name: "length", kind: FeatureKind::Static, documentation: "" }],
            complexities: vec![
                ComplexitySpec { name: "z", documentation: "" },
                ComplexitySpec { name: "c", documentation: "" },
            ],
            headline: "z",
        };
        let (mut complexities, mut features) = (Columns::undefined(2, 1..2), Columns::undefined(1, 0..2));
        complexities.write(1, 0, &[2.0, 0.5]);
        (0..2).for_each(|token| features.write(token, 0, &[2.0]));
        let instance = Instance {
            tokens: vec![0, 1],
            loss_mask: vec![false, true],
            complexities,
            features,
            question: "a c".to_owned(),
            problem: Some(1),
            answer: "b".to_owned(),
            ..Instance::default()
        };
        let token_sizes = &[None, Some(TokenSize { size: 3, split: Split::Embedded })];
        let (seed, index, text, spec, instance) = (1, 2, "a b", &spec, &instance);
        let record = Record { task: "t", size: 0, seed, index, text, spec, instance, token_sizes };
        let part = if instance.is_held_out() { "held_out" } else { "train" };
        let expected = format!(
            "{{\"task\":\"t\",\"size\":0,\"seed\":1,\"index\":2,\"text\":\"a b\",\"question\":\"a c\",\"answer\":\"b\",\
             \"tokens\":[0,1],\"targets\":[0,1],\"loss_mask\":[false,true],\
             \"token_size\":[null,3],\"split\":[null,\"embedded\"],\
             \"complexity\":{{\"z\":[null,2.0],\"c\":[null,0.5]}},\
             \"features\":{{\"length\":{{\"kind\":\"static\",\"values\":[2.0,2.0]}}}},\"problem\":\"a\",\"part\":\"{part}\"}}"
        );
        assert_eq!(serde_json::to_string(&record).unwrap(), expected);
    }
}
