//! Text for terminals, at most 120 columns wide, without colours.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table};

use crate::board::Leaderboard;
use crate::render::document::{Document, document};
use crate::render::grids::Grid;

const WIDTH: usize = 120;

/// Longest label that stays on one line.
const LABEL: usize = 20;

pub(super) fn write(leaderboard: &Leaderboard) -> String {
    let boards: Vec<Document> = leaderboard.boards.iter().map(|board| document(leaderboard, board, WIDTH)).collect();
    write_documents(&boards)
}

pub(super) fn write_documents(documents: &[Document]) -> String {
    documents.iter().map(draw).collect::<Vec<_>>().join("\n")
}

fn draw(document: &Document) -> String {
    let mut lines = wrapped(&document.title, "");
    lines.extend(document.header.iter().flat_map(|line| wrapped(line, "  ")));
    lines.extend(document.warnings.iter().flat_map(|line| wrapped(&format!("Warning: {line}"), "  ")));
    for grid in &document.grids {
        lines.push(String::new());
        lines.extend(wrapped(&grid.title, "  "));
        lines.extend(table(grid).lines().map(|line| line.trim_end().to_owned()));
    }
    if !document.notes.is_empty() {
        lines.push(String::new());
        lines.extend(document.notes.iter().flat_map(|line| wrapped(line, "  ")));
    }
    if !document.missing.is_empty() {
        lines.push(String::new());
        lines.push("Missing cells".to_owned());
        lines.extend(document.missing.iter().flat_map(|line| wrapped(&format!("  {line}"), "    ")));
    }
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

fn table(grid: &Grid) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .force_no_tty()
        .set_width(WIDTH as u16)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(grid.columns.iter().map(|column| if grid.texts == 0 { broken(column) } else { column.clone() }))
        .add_rows(&grid.rows);
    // Lines between rows would double the height.
    table.style_mut().row_separator = LineStyle::none();
    for (place, column) in table.column_iter_mut().enumerate() {
        if place >= grid.texts {
            column.set_cell_alignment(CellAlignment::Right);
            // Labels are wrapped before numbers.
            if grid.texts > 0 {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
    }
    table
}

/// A policy's label as the title of a column of numbers, broken between its parts.
fn broken(label: &str) -> String {
    if label.chars().count() > LABEL { label.replacen(':', ":\n", 1).replacen('(', "\n(", 1) } else { label.to_owned() }
}

/// A text broken between words, with further lines indented.
fn wrapped(text: &str, indent: &str) -> Vec<String> {
    let start: String = text.chars().take_while(|letter| *letter == ' ').collect();
    let mut lines = vec![start];
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && lines.last().is_some_and(|line| line.chars().count() + 1 + length > WIDTH) {
            lines.push(indent.to_owned());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
        used += 1;
    }
    lines
}
