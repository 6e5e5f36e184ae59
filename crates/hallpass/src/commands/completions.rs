//! `hallpass completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;

/// Prints the completion script for a shell.
pub(crate) fn print(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hallpass", &mut script);
    anstream::print!("{}", String::from_utf8_lossy(&script));
}
