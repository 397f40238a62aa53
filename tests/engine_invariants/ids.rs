//! What plugins see of a sequence says nothing about the instance that it is.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_engine::batch::Batch;
use haltbench_engine::data::{self, Part};
use haltbench_sdk::conformance::specimen;
use haltbench_sdk::host::Host;
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::prelude::*;

use crate::setup::catalogue;

const TASK: &str = "mano-stream";
const SIZE: u32 = 6;
const SEED: u64 = 11;

fn task() -> Box<dyn Task> {
    let declaration = catalogue().task(TASK).unwrap();
    (declaration.build)(&Parameters::resolve(TASK, declaration.parameters, &BTreeMap::new()).unwrap()).unwrap()
}

fn instance(task: &dyn Task, index: u64) -> Instance {
    data::instance(task, TASK, (SEED, SIZE, index), Part::Any).unwrap()
}

#[test]
fn plugins_see_ids_that_name_no_stream() {
    let task = task();
    let instances: Vec<Instance> = (0..20).map(|index| instance(task.as_ref(), index)).collect();
    let ids: Vec<u64> = (0..20).map(|index| u64::from(SIZE) << 32 | index).collect();
    let references: Vec<&Instance> = instances.iter().collect();
    let batch = Batch::new(&references, &ids, task.spec().supervision, 0, &Device::Cpu).unwrap();
    let layout = &batch.layout;
    let seen: Vec<u64> = (0..20).map(|sequence| layout.identity(layout.rows_of(sequence).start)).collect();
    assert_eq!(seen, ids.iter().map(|id| data::opaque(*id)).collect::<Vec<u64>>(), "as a source of depths names them");
    assert_eq!(seen.iter().collect::<BTreeSet<&u64>>().len(), 20);
    let printed = format!("{layout:?}");
    for id in ids {
        assert!(!seen.contains(&id) && !printed.contains(&id.to_string()), "{id}: {printed}");
    }
    assert!(!seen.is_sorted(), "not even their order is that of the instances");
}

#[test]
fn a_plugin_cannot_draw_what_the_engine_draws() {
    let task = task();
    let drawn = instance(task.as_ref(), 0);
    let mut rebuilt = Instance::default();
    task.draw(SIZE, &mut Stream::new(SEED, "instance", &[SIZE.into(), 0, 0]), &mut rebuilt).unwrap();
    assert_ne!(drawn.tokens, rebuilt.tokens);
    assert!(Host::claim().is_none(), "the engine has claimed it");
    let refused = specimen::registered(TASK).map(|_| ()).unwrap_err().to_string();
    assert_eq!(refused, "a plugin broke the contract: looks up the task mano-stream: only the program may");
}
