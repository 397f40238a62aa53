//! What `--sort` can name, and the replicates that each criterion is ranked by.

use haltbench_analysis::bootstrap::{for_each_resample, interval_method, mean_over_draws};
use haltbench_analysis::means::mean_replicates;
use haltbench_analysis::measures::{self, Quantity};
use haltbench_analysis::strata::Strata;
use haltbench_analysis::{Bootstrap, Filter, Reason, Split, TokenTable};
use haltbench_engine::{Error, Result};
use haltbench_sdk::names::nearest;

use crate::board::Order;

/// What rows can be ranked by. Every criterion has paired bootstrap replicates; what has none, such as the measured
/// speed-up, cannot be ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Criterion {
    /// Share of answer tokens that are right, at sizes trained on.
    #[default]
    Accuracy,
    /// Share of sequences that are right, at sizes trained on.
    ExactMatch,
    /// Share of answer tokens that are right, at unseen sizes between.
    Between,
    /// Share of answer tokens that are right, at unseen sizes beyond.
    Beyond,
    /// Mean steps of answer tokens, at sizes trained on; less is better.
    AnswerDepth,
    /// Mean steps of all tokens, at sizes trained on; less is better.
    Depth,
    /// Executed operations for each token, decisions included, over all sizes; less is better.
    Flops,
    /// Accuracy above fixed depths of the same cost, at sizes trained on.
    AdaptGain,
    /// Spearman's correlation of depth with complexity within a size, at sizes trained on.
    Alignment,
}

impl Criterion {
    /// All criteria.
    pub const ALL: [Self; 9] = [
        Self::Accuracy,
        Self::ExactMatch,
        Self::Between,
        Self::Beyond,
        Self::AnswerDepth,
        Self::Depth,
        Self::Flops,
        Self::AdaptGain,
        Self::Alignment,
    ];

    /// The criterion of this name.
    ///
    /// # Errors
    /// [`Error::Usage`] with all names and the nearest one.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|criterion| criterion.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name);
            let near = nearest(name, names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            Error::Usage(format!("--sort: expected one of {}, found `{name}`{near}", names.join(", ")))
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.describe().0
    }

    /// Name, measure, split, whether less is better, and words.
    fn describe(self) -> (&'static str, &'static str, Option<Split>, bool, &'static str) {
        let (in_range, between, beyond) = (Some(Split::InRange), Some(Split::Between), Some(Split::Beyond));
        match self {
            Self::Accuracy => {
                ("accuracy", "token_accuracy", in_range, false, "share of answer tokens that are right, in range")
            }
            Self::ExactMatch => {
                ("exact_match", "exact_match", in_range, false, "share of sequences that are right, in range")
            }
            Self::Between => {
                let words = "share of answer tokens that are right, at unseen sizes between";
                ("between", "token_accuracy", between, false, words)
            }
            Self::Beyond => {
                let words = "share of answer tokens that are right, at unseen sizes beyond";
                ("beyond", "token_accuracy", beyond, false, words)
            }
            Self::AnswerDepth => {
                ("answer_depth", "answer_depth", in_range, true, "mean steps of answer tokens, in range")
            }
            Self::Depth => ("depth", "depth", in_range, true, "mean steps of all tokens, in range"),
            Self::Flops => {
                ("flops", "flops", None, true, "executed operations per token, decisions included, all sizes")
            }
            Self::AdaptGain => {
                let words = "accuracy above fixed depths of the same cost, in range";
                ("adapt_gain", "adapt_gain", in_range, false, words)
            }
            Self::Alignment => {
                let words = "Spearman's correlation of depth with complexity within a size, in range";
                ("alignment", "spearman_within_size", in_range, false, words)
            }
        }
    }

    /// The criterion as a leaderboard records it.
    pub(crate) fn order(self) -> Order {
        let (name, metric, split, ascending, description) = self.describe();
        Order {
            criterion: name.to_owned(),
            metric: metric.to_owned(),
            split: split.map(|split| crate::measure::split_name(split).to_owned()),
            ascending,
            description: description.to_owned(),
        }
    }

    /// Replicates of which more is better, or why there are none. `gains` are those of adapt-gain, which need the
    /// other rows, and `costs` the operations of every sequence.
    pub(crate) fn replicates(self, inputs: &Inputs, bootstrap: Bootstrap) -> Result<Vec<f64>, Reason> {
        let (.., split, ascending, _) = self.describe();
        let of = |quantity| measures::replicates(inputs.tables, quantity, split, bootstrap);
        let mut replicates = match self {
            Self::Accuracy | Self::Between | Self::Beyond => of(Quantity::TokenAccuracy)?,
            Self::ExactMatch => of(Quantity::ExactMatch)?,
            Self::AnswerDepth => of(Quantity::AnswerDepth)?,
            Self::Depth => of(Quantity::Depth)?,
            Self::Flops => {
                let design = TokenTable::design(inputs.tables, None);
                interval_method(&design)?;
                all_defined(mean_replicates(inputs.costs, &design, bootstrap))?
            }
            Self::AdaptGain => all_defined(inputs.gains.clone()?)?,
            Self::Alignment => within_size(inputs.tables, inputs.complexity, bootstrap)?,
        };
        if ascending {
            replicates.iter_mut().for_each(|replicate| *replicate = -*replicate);
        }
        Ok(replicates)
    }
}

/// What replicates are made from.
pub(crate) struct Inputs<'a> {
    /// Tokens of every seed.
    pub tables: &'a [TokenTable],
    /// Operations of every sequence of all sizes, per seed.
    pub costs: &'a [Vec<haltbench_analysis::ClusterSum>],
    /// Replicates of adapt-gain.
    pub gains: Result<Vec<Option<f64>>, Reason>,
    /// The headline complexity.
    pub complexity: &'a str,
}

/// Replicates for a ranking: a policy whose score is undefined in some resamples cannot be compared in them.
fn all_defined(replicates: Vec<Option<f64>>) -> Result<Vec<f64>, Reason> {
    let resamples = replicates.len();
    let defined: Vec<f64> = replicates.into_iter().flatten().collect();
    let undefined = resamples - defined.len();
    if undefined > 0 { Err(Reason::Unstable { undefined, resamples }) } else { Ok(defined) }
}

/// Replicates of the mean over seeds of Spearman's correlation within sizes, of answer tokens at sizes trained on:
/// those of which [`measures::alignment`] gives the interval.
fn within_size(tables: &[TokenTable], complexity: &str, bootstrap: Bootstrap) -> Result<Vec<f64>, Reason> {
    let filter = Filter { split: Some(Split::InRange), ..Filter::default() };
    let mut seeds = Vec::new();
    for table in tables {
        let columns = table.columns();
        let values = columns.complexities.get(complexity).ok_or(Reason::NotApplicable)?;
        let instances = table.instances(filter.split);
        let (mut level, mut depth, mut size, mut cluster) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in table.rows(filter) {
            if let (Some(value), Ok(instance)) = (values[row], instances.binary_search(&columns.instance[row])) {
                level.push(f64::from(value));
                depth.push(f64::from(columns.depth[row]));
                size.push(f64::from(columns.size[row]));
                cluster.push(instance);
            }
        }
        seeds.push((Strata::of(&level, &depth, &size)?, cluster));
    }
    let design = TokenTable::design(tables, filter.split);
    interval_method(&design)?;
    let mut replicates = Vec::with_capacity(bootstrap.resamples);
    for_each_resample(&design, bootstrap, |draws| {
        let mean = mean_over_draws(draws, |seed, weights| {
            let (strata, cluster) = &seeds[seed];
            Ok(strata.spearman(|row| weights[cluster[row]])?.value)
        });
        replicates.push(mean.ok());
    });
    all_defined(replicates)
}
