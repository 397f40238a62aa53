//! From a run folder to boards.

use std::thread;

use haltbench_analysis::{Bootstrap, LEVEL};
use haltbench_engine::Result;
use haltbench_engine::plan::Suite;
use haltbench_engine::store::{MetricRow, RunFolder};

use crate::board::{Board, LEADERBOARD_SCHEMA, Leaderboard, Row, Settings};
use crate::criterion::Criterion;
use crate::describe;
use crate::evidence::{Evidence, Group, groups};
use crate::gain::gain;
use crate::measure::{Context, measures};
use crate::place::{self, Gains};

/// Seeds below which a board warns.
const ENOUGH_SEEDS: usize = 3;
/// Share of tokens at D above which depth is censored so much that its alignment says little.
const MUCH_SATURATION: f64 = 0.2;

/// How to make leaderboards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// What to rank by.
    pub sort: Criterion,
    /// How to resample.
    pub bootstrap: Bootstrap,
}

/// The leaderboards of a suite from the finished cells in its run folder.
///
/// Every finished cell is verified against the hashes that it recorded. Cells that are not finished are no error: they
/// are listed.
///
/// # Errors
/// [`Damaged`](haltbench_engine::Error::Damaged) or [`File`](haltbench_engine::Error::File) naming the file of a
/// finished cell that does not verify or cannot be read.
pub fn leaderboard(suite: &Suite, run: &RunFolder, options: Options) -> Result<Leaderboard> {
    let groups = groups(suite, run)?;
    let tasks = describe::distinguished(&groups.iter().map(|group| &group.plan.task).collect::<Vec<_>>());
    let backbones = describe::distinguished(&groups.iter().map(|group| &group.plan.backbone).collect::<Vec<_>>());
    let names = tasks.into_iter().zip(backbones).map(|(task, backbone)| format!("{task} / {backbone}"));
    Ok(Leaderboard {
        schema: LEADERBOARD_SCHEMA,
        suite: suite.name.clone(),
        order: options.sort.order(),
        level: LEVEL,
        resamples: options.bootstrap.resamples,
        resampling_seed: options.bootstrap.seed,
        boards: groups.into_iter().zip(names).map(|(group, name)| board(name, group, options)).collect(),
    })
}

fn board(name: String, group: Group, options: Options) -> Board {
    let Group { plan, rows, missing } = group;
    let complexity = rows.iter().flat_map(|row| &row.results).map(|result| result.headline.clone()).next();
    let headline = complexity.as_deref().unwrap_or_default();
    // The same for all cells: they are evaluated on the same instances.
    let baselines = rows.iter().flat_map(|row| &row.results).map(|result| result.baselines.clone()).next();
    let splits = place::splits(&rows);
    let context = Context {
        complexity: headline,
        splits: &splits,
        max_depth: u32::try_from(plan.recurrence.max_depth).unwrap_or(u32::MAX),
        bootstrap: options.bootstrap,
    };
    let (gains, metrics): (Vec<Gains>, Vec<Vec<MetricRow>>) = in_parallel(&rows, |row| {
        let (estimate, gains) = gain(row, &rows, options.bootstrap);
        (gains, measures(row, &estimate, &context))
    })
    .into_iter()
    .unzip();
    let places = place::places(&rows, &gains, &metrics, headline, options);
    let mut seeds: Vec<u64> = rows.iter().flat_map(|row| row.planned.iter().copied()).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let of_row = |((row, metrics), place): ((&Evidence, Vec<MetricRow>), _)| {
        let first = row.results.first();
        Row {
            place,
            policy: row.label.clone(),
            name: row.plan.policy.name.clone(),
            of: row.plan.source.as_ref().map(|source| source.label.clone()),
            kind: first.map(|result| result.kind.clone()),
            causal: first.map(|result| result.causal),
            control: first.map(|result| result.role != "policy"),
            oracle: first.map(|result| result.uses_labels),
            seeds_planned: row.planned.clone(),
            seeds_done: row.seeds.clone(),
            metrics,
        }
    };
    let mut rows: Vec<Row> = rows.iter().zip(metrics).zip(places).map(of_row).collect();
    place::sort(&mut rows, &options.sort.order());
    Board {
        name,
        task: describe::implementation("task", &plan.task),
        backbone: describe::implementation("backbone", &plan.backbone),
        settings: Settings {
            device: plan.device.clone(),
            max_depth: plan.recurrence.max_depth,
            halted_keys_values: plan.recurrence.halted_keys_values.clone(),
            training_steps: plan.training.steps,
            instances: plan.evaluation.instances,
        },
        intervals: intervals(seeds.len(), options.bootstrap),
        warnings: warnings(&seeds, &rows),
        seeds,
        complexity,
        rows,
        baselines: baselines.unwrap_or_default(),
        missing,
    }
}

/// Results of `work` in the order of `rows`. Every thread takes every so many rows, whose costs are alike.
fn in_parallel<T: Send>(rows: &[Evidence], work: impl Fn(&Evidence) -> T + Sync) -> Vec<T> {
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

fn intervals(seeds: usize, bootstrap: Bootstrap) -> String {
    let Bootstrap { resamples, seed } = bootstrap;
    if resamples == 0 {
        return "none: no resamples were asked for".to_owned();
    }
    let over = match seeds {
        1 => "sequences of the one seed, so that they say nothing about another training run",
        _ => "seeds and the sequences that they share",
    };
    let percent = LEVEL * 100.0;
    format!(
        "{percent} %, percentile bootstrap over {over}; {resamples} resamples (stream {seed}), the same for all rows"
    )
}

fn warnings(seeds: &[u64], rows: &[Row]) -> Vec<String> {
    let mut warnings = Vec::new();
    if seeds.len() < ENOUGH_SEEDS {
        let found = format!("{} seed{}", seeds.len(), if seeds.len() == 1 { "" } else { "s" });
        warnings.push(format!(
            "{found}: with fewer than {ENOUGH_SEEDS} the intervals say little about the next training run"
        ));
    }
    let of = |row: &Row, metric: &str| row.metric(metric, Some("in_range")).and_then(|metric| metric.value);
    for row in rows {
        if let (Some(saturation), Some(_)) = (of(row, "saturation"), of(row, "spearman"))
            && saturation > MUCH_SATURATION
        {
            warnings.push(format!(
                "{}: {:.0} % of its answer tokens ran to D; its depth is censored, and its alignment says little",
                row.policy,
                saturation * 100.0
            ));
        }
    }
    warnings
}
