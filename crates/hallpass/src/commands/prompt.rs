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

/// The shortest secret of a machine, in characters: no person has to remember it.
const SHORTEST_OF_A_MACHINE: usize = 20;

/// Reads a secret that a machine shows. Nothing slows down who guesses it for long enough (RFC 6749 §10.10).
pub(crate) fn machine_secret(what: &str) -> anyhow::Result<Secret> {
    let secret = from_stdin(what)?;
    check_machine_secret(what, &secret)?;
    Ok(secret)
}

/// What a machine shows is random, and long.
pub(crate) fn check_machine_secret(what: &str, secret: &Secret) -> anyhow::Result<()> {
    let length = secret.expose().chars().count();
    anyhow::ensure!(
        length >= SHORTEST_OF_A_MACHINE,
        "the {what} has {length} characters and could be guessed; give it {SHORTEST_OF_A_MACHINE} random ones or more, as \
         `openssl rand -hex 24` makes them"
    );
    Ok(())
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
