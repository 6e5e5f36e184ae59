//! Running other programs.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How often something that needs the network is tried.
const TRIES: u32 = 3;

/// `cargo`, the very one that runs this program, at the workspace's root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(crate::place::root());
    command
}

/// Node.js, the one that `npm ci` brought, in `tests/`.
pub(crate) fn node() -> Result<Command> {
    let mut command = Command::new(crate::place::node());
    command.current_dir(crate::place::tests());
    // What a test starts as `node` must be this Node.js too.
    let mut path = vec![crate::place::node_module(".bin")];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    command.env("PATH", std::env::join_paths(path)?);
    Ok(command)
}

/// Shows the command, runs it, and fails unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command.stdin(Stdio::null()).status().with_context(|| cannot_start(&shown))?;
    if !status.success() {
        bail!("`{shown}` failed: {status}");
    }
    Ok(())
}

/// As [`run`], and hands every line of standard output to `each` while it passes by.
pub(crate) fn run_reading(command: &mut Command, mut each: impl FnMut(&str)) -> Result<()> {
    let shown = show(command);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| cannot_start(&shown))?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line.with_context(|| format!("cannot read what `{shown}` prints"))?;
            anstream::println!("{line}");
            each(&line);
        }
    }
    let status = child.wait().with_context(|| format!("`{shown}` is lost"))?;
    if !status.success() {
        bail!("`{shown}` failed: {status}");
    }
    Ok(())
}

/// Runs a command that only asks something. `None` unless it succeeds; nothing is shown.
pub(crate) fn ask(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Tries something that needs the network, a few times and with patience.
pub(crate) fn with_patience(mut attempt: impl FnMut() -> Result<()>) -> Result<()> {
    let mut tried = 1;
    loop {
        match attempt() {
            Err(error) if tried < TRIES => {
                anstream::println!("{error:#}; trying again ({tried} of {TRIES} failed)");
                thread::sleep(Duration::from_secs(5 * u64::from(tried)));
                tried += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Prints the command as a person could type it, and returns that.
fn show(command: &Command) -> String {
    let shown = typed(command);
    anstream::println!("\x1b[2m$ {shown}\x1b[0m");
    shown
}

fn typed(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| {
            let word = word.to_string_lossy();
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
            if !word.is_empty() && word.chars().all(plain) { word.into_owned() } else { format!("'{word}'") }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

fn cannot_start(shown: &str) -> String {
    format!("cannot start `{shown}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("node");
        command.args(["--test", "a b", "tests/x.js"]);
        assert_eq!(typed(&command), "node --test 'a b' tests/x.js");
    }

    #[test]
    fn a_command_that_fails_is_named() {
        let error = run(Command::new("false").arg("now")).unwrap_err();
        assert!(error.to_string().contains("false now"), "{error}");
    }

    #[test]
    fn asking_a_program_that_is_missing_gives_nothing() {
        assert_eq!(ask("no-such-program-anywhere", &[]), None);
    }

    #[test]
    fn success_needs_no_second_try() {
        let mut tries = 0;
        with_patience(|| {
            tries += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(tries, 1);
    }
}
