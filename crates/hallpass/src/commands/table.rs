//! Lists for reading, with columns as wide as what stands in them.

use std::io;

use crate::say::line;

/// Prints a table: a line of headings, then the rows.
pub(crate) fn print<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> io::Result<()> {
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let bold = clap::builder::styling::Style::new().bold();
    let joined = |cells: [&str; N]| {
        let padded: Vec<String> =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    line(format_args!("{bold}{}{bold:#}", joined(headings)))?;
    rows.iter().try_for_each(|row| line(format_args!("{}", joined(row.each_ref().map(String::as_str)))))
}
