//! A program becomes a process.

use std::io;
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::environment::{self, Lent, Variables};
use super::process::Process;
use super::{Limits, StdioCommand};

/// Starts the program, and tells it whose process it is.
pub(super) fn start(
    command: &StdioCommand,
    limits: &Limits,
    told: &Variables,
    lent: &Lent,
) -> io::Result<Process> {
    let mut program = Command::new(&command.program);
    program
        .args(&command.arguments)
        .env_clear()
        .envs(environment::whole(command, told, lent)?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(directory) = &command.directory {
        program.current_dir(directory);
    }
    #[cfg(unix)]
    {
        program.process_group(0);
        if let Some(account) = command.account {
            // As root, this gives up all other groups as well.
            program.uid(account.user).gid(account.group);
        }
    }
    let child = program.spawn()?;
    let process = Process { group: child.id(), child };
    if let Some(memory) = limits.memory {
        limit_memory(&process.child, memory)?;
    }
    Ok(process)
}

/// Its children have the same limit, each. What counts is memory that can be written and is the process's own: programs that
/// reserve addresses by the terabyte, as Node does, use none by that.
#[cfg(target_os = "linux")]
fn limit_memory(child: &Child, bytes: u64) -> io::Result<()> {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
    match pid {
        Some(pid) => prlimit(Some(pid), Resource::Data, limit).map(drop).map_err(io::Error::from),
        // It has ended already.
        None => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn limit_memory(_: &Child, _: u64) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "the memory of a process is limited on Linux only"))
}
