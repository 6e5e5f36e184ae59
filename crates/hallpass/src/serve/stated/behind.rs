//! What stands behind, in words: where it is, how it is spoken to, how its program is run. Values are nobody's business: arguments
//! and variables may hold secrets.

use std::fmt::{Display, Formatter, Result};
use std::time::Duration;

use hallpass_gateway::upstream::{HttpOptions, HttpVersion, Transport};

use crate::config::{ProcessFor, Size, Span, Variable};
use crate::serve::command::Command;
use crate::serve::upstream::Upstream;

/// For whoever reads the file anyway: the path too. A query may hold a key.
pub(super) struct Behind<'a>(pub(super) &'a Upstream, pub(super) &'a HttpOptions);

impl Display for Behind<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            Upstream::Demo => self.0.fmt(f),
            Upstream::Stdio(command) => write!(f, "{}{}", self.0, arguments(command)),
            Upstream::Http(url) => {
                let query = if url.query().is_some() { "?…" } else { "" };
                write!(f, "{}{}{query}{}", url.origin().ascii_serialization(), url.path(), spoken(self.1))
            }
            Upstream::Chosen { pattern, variables, .. } => {
                let query = if pattern.contains('?') { "?…" } else { "" };
                write!(f, "{}{query}", pattern.split('?').next().unwrap_or_default())?;
                variables
                    .iter()
                    .try_for_each(|one| write!(f, ", {} is {}", one.claim, one.values.join(" or ")))?;
                f.write_str(&spoken(self.1))
            }
        }
    }
}

fn arguments(command: &Command) -> String {
    match command.arguments.len() {
        0 => String::new(),
        1 => ", with 1 argument".to_owned(),
        several => format!(", with {several} arguments"),
    }
}

/// What is not as usual.
fn spoken(options: &HttpOptions) -> String {
    let transport = match options.transport {
        Transport::StreamableHttp => "",
        Transport::Sse => ", by HTTP+SSE (MCP 2024-11-05)",
    };
    let version = match options.version {
        HttpVersion::Http1 => "",
        HttpVersion::Http2 => ", over HTTP/2",
    };
    format!("{transport}{version}")
}

/// How the program is run.
pub(super) struct Run<'a>(pub(super) &'a Command);

impl Display for Run<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (command, limits) = (self.0, self.0.limits());
        let process = match command.process {
            ProcessFor::Session => "one for each session",
            ProcessFor::User => "one for each user, whose sessions share it",
            ProcessFor::Shared => "one for everybody: all users and sessions share it",
        };
        writeln!(f, "  process    {process}")?;
        let span = |of: Duration| Span(of);
        let call = limits.call.map_or_else(String::new, |call| format!("; {} for an answer", span(call)));
        let memory = limits.memory.map_or_else(String::new, |most| format!("; {} of memory", Size(most)));
        writeln!(
            f,
            "             at most {} processes, and {} sessions of a user; ended after {} unused{call}{memory}",
            limits.processes,
            limits.sessions_of_a_user,
            span(limits.idle)
        )?;
        if let Some((user, group)) = command.run.account {
            writeln!(f, "             as user {user}, group {group}")?;
        }
        if let Some(directory) = &command.directory {
            writeln!(f, "             in {}", directory.display())?;
        }
        if command.environment.is_empty() {
            return Ok(());
        }
        let variables = command.environment.iter().map(|(name, value)| format!("{name} ({})", of(value)));
        writeln!(f, "  variables  {}", variables.collect::<Vec<_>>().join(", "))
    }
}

/// Where a value comes from.
fn of(value: &Variable) -> String {
    match value {
        Variable::Text(_) => "in the configuration".to_owned(),
        Variable::Claim { claim } => format!("the caller's {claim}"),
        Variable::File { file } => format!("in {}", file.display()),
        Variable::Inherited { .. } => "hallpass's own".to_owned(),
    }
}
