//! Lists for reading, with columns as wide as what stands in them.

use std::io;

use crate::say::line;

/// Prints a table: a line of headings, then the rows.
pub(crate) fn print<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> io::Result<()> {
    print_in(widths(&headings, rows), headings, rows)
}

/// How wide a page is that people read.
const PAGE: usize = 100;
/// No column is narrower for that.
const NARROWEST: usize = 24;

/// The same with that column folded, so that no line is wider than a page.
pub(crate) fn print_folded<const N: usize>(
    headings: [&str; N],
    rows: &[[String; N]],
    wide: usize,
) -> io::Result<()> {
    let widths = widths(&headings, rows);
    let others: usize =
        widths.iter().enumerate().filter(|(at, _)| *at != wide).map(|(_, width)| width + 2).sum();
    let room = PAGE.saturating_sub(others).max(NARROWEST);
    let folded = |row: &[String; N]| {
        let parts = fold(&row[wide], room);
        let mut lines = vec![row.clone()];
        lines.resize_with(parts.len().max(1), || std::array::from_fn(|_| String::new()));
        for (line, part) in lines.iter_mut().zip(parts) {
            line[wide] = part;
        }
        lines
    };
    let rows: Vec<_> = rows.iter().flat_map(folded).collect();
    let mut widths = self::widths(&headings, &rows);
    // A word that is longer stands out, and moves no other line.
    widths[wide] = widths[wide].min(room);
    print_in(widths, headings, &rows)
}

/// Prints a line, folded; what follows its first line is indented.
pub(crate) fn line_folded(text: &str, indent: usize) -> io::Result<()> {
    for (at, part) in fold(text, PAGE - indent).into_iter().enumerate() {
        let indent = if at == 0 { 2 } else { indent };
        line(format_args!("{:indent$}{part}", ""))?;
    }
    Ok(())
}

/// The text in lines no longer than that, broken between words; a longer word stays whole.
fn fold(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(last) if last.chars().count() + 1 + word.chars().count() <= width => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn widths<const N: usize>(headings: &[&str; N], rows: &[[String; N]]) -> [usize; N] {
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    widths
}

fn print_in<const N: usize>(widths: [usize; N], headings: [&str; N], rows: &[[String; N]]) -> io::Result<()> {
    let bold = clap::builder::styling::Style::new().bold();
    let joined = |cells: [&str; N]| {
        let padded: Vec<String> =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    line(format_args!("{bold}{}{bold:#}", joined(headings)))?;
    rows.iter().try_for_each(|row| line(format_args!("{}", joined(row.each_ref().map(String::as_str)))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_broken_between_words() {
        assert_eq!(fold("one two three", 7), ["one two", "three"]);
        assert_eq!(fold("https://a.example/long x", 5), ["https://a.example/long", "x"]);
        assert_eq!(fold("", 5), [""]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_only_a_long_word_is_wider(text in "[a-z ]{0,60}", width in 1_usize..30) {
            let lines = fold(&text, width);
            prop_assert_eq!(lines.join(" "), text);
            prop_assert!(lines.iter().all(|line| line.len() <= width || !line.contains(' ')));
        }
    }
}
