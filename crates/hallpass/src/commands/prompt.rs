//! Secrets that a person types, or a program pipes in. Never in the arguments, which others can see.

use std::io::{BufRead, IsTerminal, Read};

use hallpass_protocol::Secret;

/// A secret's first line from standard input; longer than this is a mistake.
const LONGEST: u64 = 4_096;

/// Reads the first line of standard input.
pub(crate) fn from_stdin(what: &str) -> anyhow::Result<Secret> {
    let mut line = String::new();
    std::io::stdin().lock().take(LONGEST).read_line(&mut line)?;
    let secret = line.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(!secret.is_empty(), "no {what} on standard input; pipe it in as the first line");
    Ok(Secret::new(secret))
}

/// Asks for a new password twice, without showing it.
pub(crate) fn new_password() -> anyhow::Result<Secret> {
    anyhow::ensure!(
        std::io::stdin().is_terminal(),
        "no terminal to ask for the password on; pipe it in with --password-stdin"
    );
    let first = Secret::new(rpassword::prompt_password("Password: ")?);
    let second = Secret::new(rpassword::prompt_password("Once more: ")?);
    anyhow::ensure!(first == second, "the two passwords differ; nothing was changed");
    Ok(first)
}
