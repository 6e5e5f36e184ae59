//! `hallpass man`.

use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::cli::Cli;
use crate::exit::Failure;

/// Writes a page for the program and for each of its commands into that folder.
pub(crate) fn write(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    Ok(pages(&program, None, folder)?)
}

fn pages(command: &Command, around: Option<&Command>, folder: &Path) -> io::Result<()> {
    for inner in shown(command) {
        pages(inner, Some(command), folder)?;
    }
    let page =
        Man::new(command.clone()).source(concat!("hallpass ", env!("CARGO_PKG_VERSION"))).manual("hallpass");
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    synopsis(command, &mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if shown(command).next().is_some() {
        page.render_subcommands_section(&mut text)?;
    }
    let help = command.get_after_long_help().or_else(|| command.get_after_help());
    if let Some(help) = help {
        examples(&help.to_string(), &mut text)?;
    }
    see_also(command, around, &mut text)?;
    std::fs::write(folder.join(page.get_filename()), text)
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|inner| !inner.is_hide_set())
}

/// One line a way to call it, as `--help` has them: the list of all options is below, with their values.
fn synopsis(command: &Command, to: &mut impl Write) -> io::Result<()> {
    let usage = command.clone().render_usage().to_string();
    writeln!(to, ".SH SYNOPSIS\n.nf")?;
    for line in usage.trim_start_matches("Usage:").lines() {
        writeln!(to, "{}", literal(line.trim()))?;
    }
    writeln!(to, ".fi")
}

/// What is indented stays line by line; the rest is filled.
fn examples(help: &str, to: &mut impl Write) -> io::Result<()> {
    writeln!(to, ".SH EXAMPLES")?;
    let mut is_kept = false;
    for line in help.lines() {
        if matches!(line, "Examples:" | "Example:") {
            continue;
        }
        let keeps = line.starts_with(' ');
        if keeps != is_kept {
            writeln!(to, "{}", if keeps { ".nf" } else { ".fi" })?;
            is_kept = keeps;
        }
        match line.trim_end() {
            "" => writeln!(to, ".PP")?,
            line => writeln!(to, "{}", literal(line))?,
        }
    }
    if is_kept { writeln!(to, ".fi") } else { Ok(()) }
}

/// The page around it, and those beside it where that is no page of everything.
fn see_also(command: &Command, around: Option<&Command>, to: &mut impl Write) -> io::Result<()> {
    let Some(around) = around else { return Ok(()) };
    let name = |command: &Command| command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let mut names = vec![name(around)];
    if names[0] != "hallpass" {
        names.extend(shown(around).map(name).filter(|one| *one != name(command)));
    }
    let names: Vec<_> = names.iter().map(|name| format!("{}(1)", literal(name))).collect();
    writeln!(to, ".SH \"SEE ALSO\"\n{}", names.join(", "))
}

/// Text that roff takes for nothing else.
fn literal(text: &str) -> String {
    let mut out = String::new();
    if text.starts_with(['.', '\'']) {
        out.push_str("\\&");
    }
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '`' => out.push_str("\\(ga"),
            '\'' => out.push_str("\\(aq"),
            '~' => out.push_str("\\(ti"),
            '^' => out.push_str("\\(ha"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roff_takes_text_for_text() {
        assert_eq!(literal(".SH 'a' \\-`b`~"), "\\&.SH \\(aqa\\(aq \\e\\-\\(gab\\(ga\\(ti");
    }

    #[test]
    fn an_example_stays_on_its_line_and_words_are_filled() {
        let mut text = Vec::new();
        examples("Examples:\n  hallpass a\n  hallpass b\n\nIt does\nthings.", &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, ".SH EXAMPLES\n.nf\n  hallpass a\n  hallpass b\n.fi\n.PP\nIt does\nthings.\n");
    }
}
