//! A program becomes a process.

use std::process::Stdio;

use hallpass_resource_server::Caller;
use tokio::process::Command;

use super::StdioCommand;
use super::process::Process;

/// Whose a process is.
#[derive(Clone)]
pub(super) enum Whose {
    /// A user's, through one client.
    Client(Caller),
    /// A user's, through whatever clients.
    User(Caller),
    Everybody,
}

impl Whose {
    /// Who is told to the program.
    fn variables(&self) -> Vec<(&'static str, String)> {
        let user = |caller: &Caller| {
            vec![
                ("HALLPASS_SUBJECT", printable(caller.principal())),
                ("HALLPASS_ISSUER", printable(caller.issuer())),
            ]
        };
        match self {
            Self::Client(caller) => {
                let mut all = user(caller);
                all.push(("HALLPASS_CLIENT", printable(caller.client_id())));
                all
            }
            Self::User(caller) => user(caller),
            Self::Everybody => Vec::new(),
        }
    }
}

/// Starts the program.
pub(super) fn start(command: &StdioCommand, whose: &Whose) -> std::io::Result<Process> {
    let mut program = Command::new(&command.program);
    // The operator's secrets for hallpass are none of the program's business.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"HALLPASS_") {
            program.env_remove(name);
        }
    }
    program
        .args(&command.arguments)
        .envs(whose.variables())
        .envs(command.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(directory) = &command.directory {
        program.current_dir(directory);
    }
    #[cfg(unix)]
    program.process_group(0);
    let child = program.spawn()?;
    Ok(Process { group: child.id(), child })
}

/// The operating system ends a variable at a NUL.
fn printable(text: &str) -> String {
    text.replace('\0', "%00")
}
