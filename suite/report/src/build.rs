//! Leaderboards from a run folder.

use std::thread;

use haltbench_analysis::measures::{Depth, beyond_static};
use haltbench_analysis::{LEVEL, Split};
use haltbench_engine::Result;
use haltbench_engine::plan::Suite;
use haltbench_engine::store::{MetricRow, RunFolder};
use haltbench_sdk::policy::Role;

use crate::board::{Board, LEADERBOARD_SCHEMA, Leaderboard, Row, Setting, Settings};
use crate::collapse::{Depths, collapse};
use crate::criterion::Criterion;
use crate::describe;
use crate::evidence::{Evidence, Group, groups, names};
use crate::gain::{self, Gains};
use crate::measure::{Context, IN_RANGE, Measured, measures, trained_sizes};
use crate::place;
use crate::settings::{self, Choice};
use crate::target::Target;
use crate::warnings::{few_instances, unequal_depths, unequal_sweeps, unmet_options, warnings};

/// How to make leaderboards.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Options {
    /// The measure to rank by.
    pub sort: Criterion,
    /// The target for choosing settings of knobs.
    pub target: Target,
    /// Whether settings that were not chosen are shown too.
    pub curve: bool,
}

/// The leaderboards of a suite from the finished cells in its run folder.
///
/// Every finished cell is verified against the hashes that it recorded. Unfinished cells are no error; the boards list
/// them.
///
/// # Errors
/// [`Damaged`](haltbench_engine::Error::Damaged) or [`File`](haltbench_engine::Error::File), naming the file, if a
/// finished cell cannot be read or does not verify.
pub fn leaderboard(suite: &Suite, run: &RunFolder, options: Options) -> Result<Leaderboard> {
    let groups = groups(suite, run)?;
    let names = names(&groups);
    Ok(Leaderboard {
        schema: LEADERBOARD_SCHEMA,
        suite: suite.name.clone(),
        order: options.sort.order(),
        target: options.target,
        level: LEVEL,
        boards: groups.into_iter().zip(names).map(|(group, name)| board(name, group, options)).collect(),
    })
}

fn board(name: String, group: Group, options: Options) -> Board {
    let (complexity, guesses) = (group.headline().map(str::to_owned), group.guesses());
    let Group { plan, rows, missing } = group;
    let headline = complexity.as_deref().unwrap_or_default();
    let static_features = rows
        .iter()
        .flat_map(|row| &row.results)
        .map(|result| result.static_features.clone())
        .next()
        .unwrap_or_default();
    let splits = place::splits(&rows);
    let gains = Gains::of(&rows, &guesses);
    let context = Context { complexity: headline, splits: &splits, static_features: &static_features, gains: &gains };
    let choices = settings::choices(&rows, options.target);
    let shown: Vec<(&Evidence, Option<Setting>)> = rows
        .iter()
        .zip(choices)
        .filter(|(_, choice)| options.curve || choice.is_shown())
        .map(|(row, choice)| match choice {
            Choice::Only => (row, None),
            Choice::Setting(setting) => (row, Some(setting)),
        })
        .collect();
    let unmet = unmet_options(&shown);
    let few = rows.iter().find(|row| !row.tables.is_empty()).and_then(few_instances);
    let measured = in_parallel(&shown, |(row, _)| measures(row, &context));
    let (places, differences) = place::places(&shown, &gains, headline, options.sort);
    // The defined features do not depend on the policy.
    let known = rows.iter().find(|row| !row.tables.is_empty());
    let used = known.map(|row| beyond_static(&row.tables[..1], headline, Depth::Steps, IN_RANGE, &static_features));
    let fixed: Vec<&Evidence> = rows.iter().filter(|row| row.is_fixed_depth()).collect();
    let fixed_depths: Vec<i64> = fixed.iter().filter_map(|row| gain::depth(row)).collect();
    let trained_sizes = known.map(|row| trained_sizes(&row.tables)).unwrap_or_default();
    let mut seeds: Vec<u64> = rows.iter().flat_map(|row| row.planned.iter().copied()).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let of_row = |(((row, setting), measured), place): (((&Evidence, Option<Setting>), Measured), _)| {
        let first = row.results.first();
        Row {
            place,
            policy: row.label.clone(),
            name: row.plan.policy.name.clone(),
            of: row.of.map(str::to_owned),
            setting,
            max_depth: row.plan.max_depth,
            halted_keys_values: row.plan.halted_keys_values.clone(),
            kind: first.map(|result| result.kind.clone()),
            causal: first.map(|result| result.causal),
            broken_claims: row.broken_claims(),
            role: row.role.clone(),
            oracle: first.map(|result| result.uses_labels),
            seeds_planned: row.planned.clone(),
            seeds_done: row.seeds.clone(),
            collapse: None,
            best_cue: measured.best_cue,
            metrics: measured.metrics,
        }
    };
    let mut rows: Vec<Row> = shown.into_iter().zip(measured).zip(places).map(of_row).collect();
    place::sort(&mut rows, &options.sort.order());
    mark_collapses(&mut rows);
    let mut warnings = warnings(&seeds, &rows, &fixed_depths, plan.max_depth);
    warnings.extend(unequal_sweeps(&rows));
    warnings.extend(unequal_depths(&rows));
    warnings.extend(unmet);
    warnings.extend(few);
    Board {
        name,
        task: describe::implementation("task", &plan.model.task),
        backbone: describe::implementation("backbone", &plan.model.backbone),
        settings: Settings {
            device: plan.model.device.clone(),
            max_depth: plan.max_depth,
            halted_keys_values: plan.halted_keys_values.clone(),
            training_steps: plan.model.training.steps,
            instances: plan.evaluation.instances,
        },
        intervals: intervals(seeds.len()),
        warnings,
        seeds,
        trained_sizes,
        static_features: used.as_ref().map(|used| used.used.clone()).unwrap_or_default(),
        local_context: used.as_ref().map(|used| used.context).filter(|context| *context > 0),
        place_taken_out: used.as_ref().is_some_and(|used| used.place),
        static_features_left_out: used.map(|used| used.left_out).unwrap_or_default(),
        complexity,
        rows,
        differences,
        guesses,
        missing,
    }
}

/// Sets [`Row::collapse`] of every policy.
fn mark_collapses(rows: &mut [Row]) {
    let value = |row: &Row, metric: &str| row.metric(metric, Some(Split::InRange.name()))?.value;
    let fixed = rows.iter().filter(|row| row.has_role(Role::FixedDepth) && row.of.is_none());
    let best = fixed.filter_map(|row| value(row, "token_accuracy")).reduce(f64::max);
    for row in rows.iter_mut().filter(|row| row.has_role(Role::Policy)) {
        let Some((first, last)) = value(row, "first_step").zip(value(row, "saturation")) else { continue };
        let below = best.zip(value(row, "token_accuracy")).map(|(best, own)| best - own);
        let initial = |depth: usize| {
            let is_it =
                |metric: &&MetricRow| metric.metric == "initial_depth_share" && metric.level == Some(depth as f64);
            row.metrics.iter().find(is_it)?.value
        };
        let found = collapse(&Depths { first, last, below, max_depth: row.max_depth, initial: &initial });
        row.collapse = found;
    }
}

/// Results of `work` in the order of `rows`. Threads take rows in turn, because neighbouring rows cost about the same.
fn in_parallel<R: Sync, T: Send>(rows: &[R], work: impl Fn(&R) -> T + Sync) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(rows.len());
    if threads < 2 {
        return rows.iter().map(work).collect();
    }
    let mut results: Vec<(usize, T)> = thread::scope(|scope| {
        let work = &work;
        let share = |first: usize| {
            move || -> Vec<(usize, T)> {
                let own = rows.iter().enumerate().skip(first).step_by(threads);
                own.map(|(place, row)| (place, work(row))).collect()
            }
        };
        let handles: Vec<_> = (0..threads).map(|first| scope.spawn(share(first))).collect();
        let join = |handle: thread::ScopedJoinHandle<Vec<(usize, T)>>| {
            handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        handles.into_iter().flat_map(join).collect()
    });
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

fn intervals(seeds: usize) -> String {
    let percent = LEVEL * 100.0;
    match seeds {
        1 => format!("{percent} %, t over the problems of the one seed; another training run is not in them"),
        _ => format!("{percent} %, two-way random effects of seeds and of the problems that they share"),
    }
}
