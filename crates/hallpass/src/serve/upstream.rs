//! What stands behind a protected server.

use std::path::{Path, PathBuf};

use hallpass_gateway as gateway;
use url::Url;

use super::plan_error::PlanError;
use super::program;
use crate::cli;
use crate::config::Protected;

/// What stands behind the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// The sample server in this process.
    Demo,
    /// A server that speaks streamable HTTP.
    Http(Url),
    /// A server that speaks stdio.
    Stdio {
        /// The program.
        program: String,
        /// Its arguments.
        arguments: Vec<String>,
        /// Variables beside hallpass's own environment.
        environment: Vec<(String, String)>,
        /// The folder it runs in.
        directory: Option<PathBuf>,
    },
}

impl Upstream {
    /// What the command line says; where it says nothing, the file.
    pub(super) fn of(args: &cli::Serve, protected: &Protected<'_>) -> Result<Self, PlanError> {
        let Protected { server, section } = protected;
        let stdio = |command: &[String]| match command.split_first() {
            Some((program, arguments)) if !program.is_empty() => {
                program::check(program, server.directory.as_deref())?;
                Ok(Self::Stdio {
                    program: program.clone(),
                    arguments: arguments.to_vec(),
                    environment: server.environment.clone().into_iter().collect(),
                    directory: server.directory.clone(),
                })
            }
            _ => Err(PlanError::EmptyCommand(section.title())),
        };
        let in_file = |fault: PlanError, setting| fault.at(section.place(&[setting]));
        if let Some(url) = &args.upstream {
            return http(url);
        }
        if !args.command.is_empty() {
            return stdio(&args.command);
        }
        match (&server.upstream, &server.command) {
            (Some(_), Some(_)) => Err(in_file(PlanError::TwoUpstreams(section.title()), "command")),
            (Some(url), None) => http(url).map_err(|fault| in_file(fault, "upstream")),
            (None, Some(command)) => stdio(command).map_err(|fault| in_file(fault, "command")),
            (None, None) => Err(match section.name() {
                None => PlanError::NoUpstream,
                Some(name) => PlanError::NothingBehind(name.clone()).at(section.place(&[])),
            }),
        }
    }
}

fn http(url: &Url) -> Result<Upstream, PlanError> {
    match url.scheme() {
        "http" | "https" => {
            gateway::Upstream::http(url)?;
            Ok(Upstream::Http(url.clone()))
        }
        _ => Err(PlanError::UpstreamScheme(url.clone())),
    }
}

impl std::fmt::Display for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Demo => f.write_str("the sample server"),
            // Path and query may hold keys: where it is, is enough.
            Self::Http(url) => f.write_str(&url.origin().ascii_serialization()),
            // Arguments may hold secrets, in forms that no list of suspicious words is complete for.
            Self::Stdio { program, .. } => {
                let name = Path::new(program).file_name().map(|name| name.to_string_lossy());
                f.write_str(&hallpass_protocol::for_terminal(name.as_deref().unwrap_or(program)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_command_the_programs_name_alone_is_shown() {
        let arguments = ["--header", "Authorization: Bearer s3cret", "-ps3cret", "s3cret"];
        for (program, shown) in [("/opt/s3cret/bin/npx", "npx"), ("npx", "npx"), ("np\u{1b}x", "npx")] {
            let upstream = Upstream::Stdio {
                program: program.into(),
                arguments: arguments.map(str::to_owned).into(),
                environment: vec![("KEY".into(), "s3cret".into())],
                directory: None,
            };
            assert_eq!(upstream.to_string(), shown);
        }
    }
}
