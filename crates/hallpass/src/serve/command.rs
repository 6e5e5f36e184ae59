//! The program of a stdio server, as the configuration has it.

use std::path::PathBuf;

use hallpass_gateway as gateway;
use hallpass_gateway::stdio::{self, Limits, StdioCommand};

use super::account::{self, Run};
use super::plan_error::PlanError;
use super::program;
use crate::config::{ProcessFor, Protected, Variable};

/// A program, and how it is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, Variable)>,
    pub(super) directory: Option<PathBuf>,
    pub(super) process: ProcessFor,
    pub(super) run: Run,
    pub(super) limits: crate::config::ProcessLimits,
}

impl Command {
    /// Judges what can be judged before anybody needs it.
    pub(super) fn of(words: &[String], protected: &Protected<'_>) -> Result<Self, PlanError> {
        let Protected { server, section } = protected;
        let Some((program, arguments)) = words.split_first().filter(|(program, _)| !program.is_empty())
        else {
            return Err(PlanError::EmptyCommand(section.title()));
        };
        program::check(program, server.directory.as_deref())?;
        let claims = server.environment.values().any(|variable| matches!(variable, Variable::Claim { .. }));
        if claims && server.process == ProcessFor::Shared {
            return Err(PlanError::SharedClaim.at(section.place(&["environment"])));
        }
        for (name, variable) in &server.environment {
            if let Variable::File { file } = variable {
                let unread = |source| PlanError::VariableFile { file: file.clone(), source };
                stdio::secret_in(file)
                    .map_err(|error| unread(error).at(section.place(&["environment", name])))?;
            }
        }
        if server.process_limits.memory.is_some() && !cfg!(target_os = "linux") {
            return Err(PlanError::NoMemoryLimit.at(section.place(&["process_limits", "memory"])));
        }
        let run = account::find(server.user.as_deref(), server.group.as_deref()).map_err(|fault| {
            PlanError::from(fault).at(section.place(&[if server.user.is_some() { "user" } else { "group" }]))
        })?;
        Ok(Self {
            program: program.clone(),
            arguments: arguments.to_vec(),
            environment: server.environment.clone().into_iter().collect(),
            directory: server.directory.clone(),
            process: server.process,
            run,
            limits: server.process_limits.clone(),
        })
    }

    /// The upstream that runs it.
    pub(super) fn upstream(&self) -> gateway::Upstream {
        let mut command = StdioCommand::new(&self.program);
        command.arguments = self.arguments.iter().map(Into::into).collect();
        // What the account says of itself, the configuration may say otherwise.
        let account = self.run.variables.iter().map(|(name, value)| (name.into(), value.as_str().into()));
        command.environment = account
            .chain(self.environment.iter().map(|(name, value)| (name.into(), variable(value))))
            .collect();
        command.directory.clone_from(&self.directory);
        command.account = self.run.account.map(|(user, group)| gateway::Account { user, group });
        command.process = match self.process {
            ProcessFor::Session => gateway::ProcessFor::Session,
            ProcessFor::User => gateway::ProcessFor::User,
            ProcessFor::Shared => gateway::ProcessFor::Shared,
        };
        gateway::Upstream::stdio(command, self.limits())
    }

    /// What is set, and what is usual otherwise.
    pub(super) fn limits(&self) -> Limits {
        let (usual, set) = (Limits::default(), &self.limits);
        Limits {
            processes: set.processes.map_or(usual.processes, Into::into),
            sessions_of_a_user: set.sessions_of_a_user.map_or(usual.sessions_of_a_user, Into::into),
            memory: set.memory.map(|size| size.0),
            idle: set.idle.map_or(usual.idle, |span| span.0),
            call: set.call.map(|span| span.0).or(usual.call),
            ..usual
        }
    }
}

fn variable(value: &Variable) -> stdio::Variable {
    match value {
        Variable::Text(text) => stdio::Variable::Text(text.into()),
        Variable::File { file } => stdio::Variable::File(file.clone()),
        Variable::Claim { claim } => stdio::Variable::Claim(claim.clone()),
        Variable::Inherited { .. } => stdio::Variable::Inherited,
    }
}
