//! Secrets that a person types, or a program pipes in. Never in the arguments, which others can see.

use std::io::{BufRead, IsTerminal, Read};

use hallpass_protocol::Secret;

/// The most that a line on standard input may hold, in bytes: a token with many claims is long, a wrong file longer.
const LONGEST: usize = 16_384;

/// Reads the first line of standard input.
pub(crate) fn from_stdin(what: &str) -> anyhow::Result<Secret> {
    let mut line = Vec::new();
    // One byte more, and the two that end a line: what is cut off has to show.
    std::io::stdin().lock().take(LONGEST as u64 + 3).read_until(b'\n', &mut line)?;
    let line = Secret::new(String::from_utf8(line).map_err(|_| anyhow::anyhow!("the {what} is not text"))?);
    let secret = line.expose().trim_end_matches(['\r', '\n']);
    anyhow::ensure!(
        secret.len() <= LONGEST,
        "the {what} on standard input is longer than {LONGEST} bytes, so it is the wrong thing; nothing was done"
    );
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
