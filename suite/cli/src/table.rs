//! Tables as text: plain aligned columns, and Markdown.

/// Rows in aligned columns, two spaces apart and indented by two; the last column is not filled up.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let widths = widths(rows);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// A Markdown table that is also aligned as plain text, except for the last column.
pub fn markdown<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> String {
    let mut all = vec![heads.map(str::to_owned)];
    all.extend(rows.iter().map(|row| row.each_ref().map(|cell| cell.replace('|', "\\|").replace('\n', " "))));
    let mut widths = widths(&all);
    // The last column holds sentences: only the rule under its head has its width.
    if let Some(last) = widths.last_mut() {
        *last = heads.last().map_or(0, |head| head.chars().count());
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut lines: Vec<String> = all.iter().map(line).collect();
    lines.insert(1, format!("| {} |\n", rule.join(" | ")));
    lines.concat()
}

fn widths<const N: usize>(rows: &[[String; N]]) -> Vec<usize> {
    (0..N).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligns_and_escapes() {
        let rows = [["a", "b"], ["long", "c|d"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), "  a     b\n  long  c|d\n");
        assert_eq!(markdown(["x", "y"], &rows), "| x    | y |\n| ---- | - |\n| a    | b |\n| long | c\\|d |\n");
        assert_eq!(columns::<2>(&[]), "");
    }
}
