//! GitHub's Markdown.

use crate::board::Leaderboard;
use crate::render::document::{Document, document};
use crate::render::grids::Grid;

/// Markdown has no fixed width; this keeps tables of levels readable in an editor.
const WIDTH: usize = 120;

pub(super) fn write(leaderboard: &Leaderboard) -> String {
    let boards: Vec<Document> = leaderboard.boards.iter().map(|board| document(leaderboard, board, WIDTH)).collect();
    write_documents(&boards)
}

pub(super) fn write_documents(documents: &[Document]) -> String {
    documents.iter().map(draw).collect::<Vec<_>>().join("\n")
}

fn draw(document: &Document) -> String {
    let mut blocks = vec![format!("## {}", escaped(&document.title)), list(&document.header)];
    blocks.extend(document.warnings.iter().map(|line| format!("> **Warning:** {}", escaped(line))));
    for grid in &document.grids {
        blocks.push(format!("### {}", escaped(&grid.title)));
        blocks.push(table(grid));
    }
    if !document.notes.is_empty() {
        blocks.push(list(&document.notes));
    }
    if !document.missing.is_empty() {
        blocks.push("### Missing cells".to_owned());
        blocks.push(list(&document.missing));
    }
    format!("{}\n", blocks.join("\n\n"))
}

fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("- {}", escaped(line))).collect::<Vec<_>>().join("\n")
}

fn table(grid: &Grid) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escaped(cell)).collect();
        format!("| {} |", cells.join(" | "))
    };
    let rule: Vec<&str> =
        (0..grid.columns.len()).map(|column| if column < grid.texts { "---" } else { "---:" }).collect();
    let mut lines = vec![line(&grid.columns), format!("| {} |", rule.join(" | "))];
    lines.extend(grid.rows.iter().map(|row| line(row)));
    lines.join("\n")
}

/// Escapes everything that Markdown or a table cell would read as markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\r' => escaped.push(' '),
            '|' | '*' | '_' | '`' | '<' | '>' | '\\' => escaped.extend(['\\', letter]),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn markup_in_labels_and_causes_is_text() {
        assert_eq!(escaped("a|b_c*\nd<e>"), "a\\|b\\_c\\* d\\<e\\>");
    }
}
