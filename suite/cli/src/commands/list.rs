//! `haltbench list`: what is registered.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::ValueEnum;
use haltbench_engine::plan;
use haltbench_engine::plugins::{Catalogue, Entry};
use haltbench_sdk::policy::PolicyDeclaration;
use haltbench_sdk::registry::Declaration;
use serde::Serialize;

use crate::catalogue;
use crate::failure::Failure;
use crate::output;
use crate::table;

/// List the tasks, policies, backbones and suites that are available
///
/// Shows a summary and the plugin of each; `haltbench explain NAME` prints the full documentation of one.
#[derive(Debug, clap::Args)]
pub struct ListArguments {
    /// What to list; by default everything
    kind: Option<Kind>,
    /// Print one JSON array of objects with the keys name, kind, plugin, provider, fingerprint and summary, and for
    /// policies also policy_kind, causal, uses_labels, needs_training, role and stochastic
    #[arg(long)]
    json: bool,
}

/// Origin of the built-in suites.
const BUILT_IN: &str = "built-in";

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Problems with known per-token difficulty
    Tasks,
    /// Halting policies and controls
    Policies,
    /// Recurrent Transformers
    Backbones,
    /// Built-in suite files
    Suites,
}

impl Kind {
    /// The kind of one item.
    fn singular(self) -> &'static str {
        match self {
            Self::Tasks => "task",
            Self::Policies => "policy",
            Self::Backbones => "backbone",
            Self::Suites => "suite",
        }
    }
}

/// One line of the list; the names are those of the JSON.
#[derive(Debug, Serialize)]
struct Item {
    name: String,
    kind: &'static str,
    plugin: String,
    provider: String,
    fingerprint: BTreeMap<String, String>,
    summary: String,
    #[serde(flatten)]
    policy: Option<PolicyProperties>,
}

#[derive(Debug, Serialize)]
struct PolicyProperties {
    policy_kind: &'static str,
    causal: bool,
    uses_labels: bool,
    needs_training: bool,
    role: &'static str,
    stochastic: bool,
}

impl From<&PolicyDeclaration> for PolicyProperties {
    fn from(policy: &PolicyDeclaration) -> Self {
        // Without valid defaults, properties that depend on a parameter count as false.
        let parameters = policy.defaults().unwrap_or_default();
        Self {
            policy_kind: policy.kind.name(),
            causal: policy.causal.given(&parameters),
            uses_labels: policy.uses_labels.any(),
            needs_training: policy.needs_training(&parameters),
            role: policy.role.name(),
            stochastic: policy.stochastic.given(&parameters),
        }
    }
}

/// Prints the list.
///
/// # Errors
/// If a plugin that was named is refused, or standard output cannot be written.
pub fn run(arguments: &ListArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let kinds = match arguments.kind {
        Some(kind) => vec![kind],
        None => vec![Kind::Tasks, Kind::Policies, Kind::Backbones, Kind::Suites],
    };
    // Built-in suites come with the program.
    let available = if kinds == [Kind::Suites] { Catalogue::default() } else { catalogue::load(plugins)? };
    let items = |kind: &Kind| match kind {
        Kind::Suites => suites(),
        other => Ok(available.of_kind(other.singular()).map(item).collect()),
    };
    let groups: Vec<Vec<Item>> = kinds.iter().map(items).collect::<Result<_, Failure>>()?;
    let items: Vec<&Item> = groups.iter().flatten().collect();
    output::report(&items, arguments.json, |_| text(&kinds, &groups))?;
    Ok(0)
}

fn item(entry: &Entry) -> Item {
    let (summary, policy) = match entry.declaration {
        Declaration::Task(task) => (task.summary, None),
        Declaration::Backbone(backbone) => (backbone.summary, None),
        Declaration::Policy(policy) => (policy.summary, Some(policy.into())),
    };
    Item {
        name: entry.name().to_owned(),
        kind: entry.kind(),
        plugin: entry.file.display().to_string(),
        provider: entry.provider.to_owned(),
        fingerprint: entry.fingerprint.iter().cloned().collect(),
        summary: summary.to_owned(),
        policy,
    }
}

fn suites() -> Result<Vec<Item>, Failure> {
    let item = |(name, _): &(&str, &str)| {
        Ok(Item {
            name: (*name).to_owned(),
            kind: "suite",
            plugin: BUILT_IN.to_owned(),
            provider: BUILT_IN.to_owned(),
            fingerprint: BTreeMap::new(),
            summary: plan::read(name, &[])?.description,
            policy: None,
        })
    };
    plan::built_in().iter().map(item).collect()
}

/// One table for each kind, then the libraries that provide them.
fn text(kinds: &[Kind], groups: &[Vec<Item>]) -> String {
    let mut sections: Vec<String> = kinds.iter().zip(groups).map(|(kind, items)| section(*kind, items)).collect();
    let libraries: BTreeMap<&str, &str> =
        groups.iter().flatten().map(|item| (item.provider.as_str(), item.plugin.as_str())).collect();
    let rows: Vec<[String; 2]> = libraries
        .into_iter()
        .filter(|(provider, _)| *provider != BUILT_IN)
        .map(|(provider, plugin)| [provider, plugin].map(str::to_owned))
        .collect();
    if !rows.is_empty() {
        sections.push(format!("plugins\n{}", table::columns(&rows)));
    }
    // All loaded plugins have the program's fingerprint.
    if let Some(item) = groups.iter().flatten().find(|item| item.provider != BUILT_IN) {
        let rows: Vec<[String; 2]> =
            item.fingerprint.iter().map(|(name, value)| [name.clone(), value.clone()]).collect();
        sections.push(format!("fingerprint of each plugin\n{}", table::columns(&rows)));
    }
    sections.join("\n")
}

fn section(kind: Kind, items: &[Item]) -> String {
    let body = match kind {
        _ if items.is_empty() => "  none\n".to_owned(),
        Kind::Policies => table::columns(&items.iter().map(policy_row).collect::<Vec<_>>()),
        _ => table::columns(&items.iter().map(|item| [item.name.clone(), item.summary.clone()]).collect::<Vec<_>>()),
    };
    let title = match kind {
        Kind::Tasks => "tasks",
        Kind::Policies => "policies",
        Kind::Backbones => "backbones",
        Kind::Suites => "suites",
    };
    format!("{title}\n{body}")
}

fn policy_row(item: &Item) -> [String; 5] {
    let [kind, causal, training] = match &item.policy {
        None => ["", "", ""],
        Some(policy) => [
            policy.policy_kind,
            if policy.causal { "causal" } else { "not causal" },
            if policy.needs_training { "trained" } else { "untrained" },
        ],
    };
    let role = match &item.policy {
        Some(policy) if policy.uses_labels => "oracle: ",
        Some(policy) if policy.role != "policy" => "control: ",
        _ => "",
    };
    [item.name.clone(), kind.to_owned(), causal.to_owned(), training.to_owned(), format!("{role}{}", item.summary)]
}
