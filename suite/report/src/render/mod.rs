//! Writing leaderboards and analyses.
//!
//! `table` and `markdown` round, mark and explain; they draw the same document. `csv` and `json` lose nothing. `svg` is
//! a picture: of levels and costs, or of the charts of an analysis.

mod analysis;
mod csv;
mod document;
mod grids;
mod levels;
mod markdown;
mod number;
mod svg;
mod table;

use haltbench_engine::{Error, Result};
use haltbench_sdk::names::nearest;

use crate::analyses::Analysis;
use crate::board::Leaderboard;

/// How a leaderboard or an analysis is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Format {
    /// Text of at most 120 columns, without colours.
    #[default]
    Table,
    /// GitHub's Markdown.
    Markdown,
    /// Tidy rows: one number per line.
    Csv,
    /// The structure of [`Leaderboard`] or [`Analysis`].
    Json,
    /// A picture.
    Svg,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 5] = [Self::Table, Self::Markdown, Self::Csv, Self::Json, Self::Svg];

    /// Its name, as in `--format`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Markdown => "markdown",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Svg => "svg",
        }
    }

    /// The format with this name.
    ///
    /// # Errors
    /// [`Error::Usage`] with all names and the nearest one.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name);
            let near = nearest(name, names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            Error::Usage(format!("--format: expected one of {}, found `{name}`{near}", names.join(", ")))
        })
    }

    /// The leaderboard as text that ends with a line break.
    pub fn write(self, leaderboard: &Leaderboard) -> String {
        match self {
            Self::Table => table::write(leaderboard),
            Self::Markdown => markdown::write(leaderboard),
            Self::Csv => csv::write(leaderboard),
            // The leaderboard has texts, finite numbers and maps with text keys, all of which JSON can represent.
            Self::Json => format!("{}\n", serde_json::to_string_pretty(leaderboard).unwrap_or_default()),
            Self::Svg => svg::write(leaderboard),
        }
    }

    /// The analysis as text that ends with a line break.
    pub fn write_analysis(self, analysis: &Analysis) -> String {
        match self {
            Self::Table => table::write_documents(&analysis::documents(analysis)),
            Self::Markdown => markdown::write_documents(&analysis::documents(analysis)),
            Self::Csv => analysis::csv(analysis),
            // As a leaderboard's.
            Self::Json => format!("{}\n", serde_json::to_string_pretty(analysis).unwrap_or_default()),
            Self::Svg => svg::write_charts(analysis),
        }
    }
}
