//! `hallpass completions`.

use std::io::{self, Write as _};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;

/// Prints the completion script for a shell.
pub(crate) fn print(shell: Shell) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hallpass", &mut script);
    io::stdout().lock().write_all(&script)
}
