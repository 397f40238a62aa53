//! Greedy selections. The entries of an answer mark the selected elements.

use crate::argsort::argsort;
use crate::trace::Trace;

/// Compatible activities by ascending finish: one step per activity.
pub fn activity_selector(starts: &[f64], finishes: &[f64]) -> Trace {
    let mut trace = Trace::started(vec![0; starts.len()]);
    let mut free_from = f64::NEG_INFINITY;
    for activity in argsort(finishes) {
        if starts[activity] >= free_from {
            trace.set(activity, 1);
            free_from = finishes[activity];
        }
        trace.snapshot();
    }
    trace
}

/// Tasks by descending weight, each selected if fewer are selected than its deadline allows: one step per task. The
/// first one is always selected.
pub fn task_scheduling(deadlines: &[f64], weights: &[f64]) -> Trace {
    let mut trace = Trace::started(vec![0; deadlines.len()]);
    let negated: Vec<f64> = weights.iter().map(|weight| -weight).collect();
    let mut selected = 0;
    for task in argsort(&negated) {
        if selected == 0 || f64::from(selected) < deadlines[task] {
            trace.set(task, 1);
            selected += 1;
        }
        trace.snapshot();
    }
    trace
}
