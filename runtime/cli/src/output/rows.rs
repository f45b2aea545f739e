//! Tables, also where there is next to no room, and where there is nothing to show.

use std::fmt::Write;

use anstream::adapter::strip_str;
use comfy_table::{Row, Table};

use super::{bold, dim, line, paint};

/// A column that has this much room for its words can be read; longer ones may be broken.
const READABLE: usize = 8;
/// Beside the text of a column.
const PADDING: usize = 2;

/// Writes a table; where it has no rows, words that say so.
pub(crate) fn rows(table: &Table, empty: &str) {
    if table.is_empty() {
        return line(paint(empty, dim()));
    }
    match table.width() {
        Some(width) if !fits(table, width.into()) => line(blocks(table).trim_end()),
        _ => line(table),
    }
}

fn texts(row: &Row) -> Vec<String> {
    row.cell_iter()
        .map(|cell| strip_str(&cell.content()).to_string())
        .collect()
}

/// Can its words be read in columns beside each other?
fn fits(table: &Table, width: usize) -> bool {
    let mut columns: Vec<usize> = Vec::new();
    for row in table.header().into_iter().chain(table.row_iter()) {
        for (at, text) in texts(row).iter().enumerate() {
            let longest = text.split_whitespace().map(|word| word.chars().count()).max();
            let wanted = longest.unwrap_or(0).min(READABLE);
            match columns.get_mut(at) {
                Some(column) => *column = wanted.max(*column),
                None => columns.push(wanted),
            }
        }
    }
    columns.iter().map(|column| column + PADDING).sum::<usize>() <= width
}

/// One row after the other: what it is about, and below that what is said of it.
fn blocks(table: &Table) -> String {
    let names = table.header().map(texts).unwrap_or_default();
    let mut out = String::new();
    for row in table.row_iter() {
        let texts = texts(row);
        let said = names.iter().zip(&texts).skip(1);
        let said = said.filter(|(_, text)| !matches!(text.trim(), "" | "-"));
        // Writing into a string cannot fail.
        let _ = writeln!(out, "{}", paint(texts.first().map_or("", |text| text), bold()));
        for (name, text) in said {
            let _ = writeln!(out, "  {} {text}", paint(&name.to_lowercase(), dim()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use comfy_table::{ContentArrangement, presets};

    use super::*;

    fn table(width: u16) -> Table {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width)
            .set_header(["AGENT", "STATUS", "RUN", "NOTE"])
            .add_row([&paint("coder-1", bold()), "in_progress", "-", "starts again soon"])
            .add_row(["reviewer", "idle", "01a201f2-6cb2-7891-af9f-bbd85e34645d", ""]);
        table
    }

    #[test]
    fn what_can_be_read_in_columns_stays_in_columns() {
        assert!(fits(&table(80), 80) && fits(&table(40), 40));
        assert!(!fits(&table(30), 30));
    }

    #[test]
    fn without_room_each_row_is_a_block() {
        let said = strip_str(&blocks(&table(30))).to_string();
        assert_eq!(
            said,
            "coder-1\n  status in_progress\n  note starts again soon\nreviewer\n  status idle\n  \
             run 01a201f2-6cb2-7891-af9f-bbd85e34645d\n"
        );
    }
}
