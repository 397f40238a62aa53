//! Shares of a suite, for workers that compute it together.
//!
//! A share follows from the suite alone, so that every worker finds the same one, whatever has been computed meanwhile.
//! No plugin is asked: it could hang or end the worker.

use std::collections::BTreeMap;

use super::model::Start;
use super::resolve::{Cell, Suite};

/// Operations of a training step relative to an evaluation of the same tokens: forward and backward pass.
const TRAINING: f64 = 3.0;

/// Which share each model of a suite is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares<'a> {
    places: BTreeMap<&'a str, usize>,
}

impl<'a> Shares<'a> {
    /// Splits a suite into `count` shares of about equal work. Models and cells that need each other are in one share: a
    /// cell and its model, a source and its readers, a model and those that start from it. Shares without any are empty.
    pub fn of(suite: &'a Suite, count: usize) -> Self {
        let (groups, work) = (groups(suite), work(suite));
        let id = |place: &usize| suite.models[*place].id.as_str();
        let sum = |group: &[usize]| group.iter().filter_map(|place| work.get(id(place))).sum::<f64>();
        let mut order: Vec<(f64, &Vec<usize>)> = groups.iter().map(|group| (sum(group), group)).collect();
        // The sort is stable: equal groups stay in the order of the suite.
        order.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let mut loads = vec![0.0; count.max(1)];
        let mut places = BTreeMap::new();
        for (work, group) in order {
            let least = (0..loads.len()).reduce(|best, place| if loads[place] < loads[best] { place } else { best });
            let share = least.unwrap_or_default();
            loads[share] += work;
            places.extend(group.iter().map(|place| (id(place), share)));
        }
        Self { places }
    }

    /// The share of a cell, from 0.
    pub fn share(&self, cell: &Cell) -> usize {
        self.places.get(cell.model.as_str()).copied().unwrap_or_default()
    }
}

/// The largest number of shares of a suite that are not empty.
pub fn most_shares(suite: &Suite) -> usize {
    groups(suite).len()
}

/// Places of models that need each other, in the order of their first models.
fn groups(suite: &Suite) -> Vec<Vec<usize>> {
    let models: BTreeMap<&str, usize> =
        suite.models.iter().enumerate().map(|(place, model)| (model.id.as_str(), place)).collect();
    let cells: BTreeMap<&str, &Cell> = suite.cells.iter().map(|cell| (cell.id.as_str(), cell)).collect();
    let of_source = |source: &Option<String>| Some(cells.get(source.as_deref()?)?.model.as_str());
    // The first model of the group of each model.
    let mut first: Vec<usize> = (0..suite.models.len()).collect();
    let mut join = |one: &str, other: Option<&str>| {
        let places = (models.get(one), other.and_then(|other| models.get(other)));
        if let (Some(one), Some(other)) = places {
            let (low, high) = (first[*one].min(first[*other]), first[*one].max(first[*other]));
            first.iter_mut().filter(|group| **group == high).for_each(|group| *group = low);
        }
    };
    for model in &suite.models {
        let start = match &model.plan.start {
            Some(Start::Model(start)) => Some(start.as_str()),
            _ => None,
        };
        join(&model.id, start);
        join(&model.id, of_source(&model.plan.source));
    }
    for cell in &suite.cells {
        join(&cell.model, of_source(&cell.plan.source));
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, group) in first.into_iter().enumerate() {
        groups.entry(group).or_default().push(place);
    }
    groups.into_values().collect()
}

/// Work of each model with its cells: instances times steps of the core.
fn work(suite: &Suite) -> BTreeMap<&str, f64> {
    let training = suite.models.iter().map(|model| {
        let plan = &model.plan;
        let instances = plan.training.steps as f64 * plan.training.batch as f64;
        (model.id.as_str(), TRAINING * instances * plan.max_depth as f64)
    });
    let mut work: BTreeMap<&str, f64> = training.collect();
    for cell in &suite.cells {
        let evaluation = cell.plan.evaluation.instances as f64 * cell.plan.max_depth as f64;
        *work.entry(cell.model.as_str()).or_default() += evaluation;
    }
    work
}
