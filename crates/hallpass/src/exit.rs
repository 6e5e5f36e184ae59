//! Why the program ends, and with which exit code.

use std::io;
use std::process::ExitCode;

use crate::say::note;

/// A failure, sorted by whose hand can mend it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Options that do not go together, where clap cannot know: exit code 2, as clap's.
    Usage(anyhow::Error),
    /// A setting is wrong: exit code 3.
    Configuration(anyhow::Error),
    /// Something failed while running: exit code 1.
    Runtime(anyhow::Error),
}

impl Failure {
    /// A wrong setting.
    pub(crate) fn configuration(error: impl Into<anyhow::Error>) -> Self {
        Self::Configuration(error.into())
    }

    /// Wrong usage.
    pub(crate) fn usage(text: &'static str) -> Self {
        Self::Usage(anyhow::Error::msg(text))
    }

    /// Says what happened on standard error and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if self.is_nobody_reading() {
            return ExitCode::SUCCESS;
        }
        let (kind, error, code) = match self {
            Self::Usage(error) => ("error", error, 2),
            Self::Configuration(error) => ("configuration", error, 3),
            Self::Runtime(error) => ("error", error, 1),
        };
        let text = Self::message(error);
        let red = clap::builder::styling::AnsiColor::Red.on_default().bold();
        note(format_args!("{red}{kind}:{red:#} {text}"));
        ExitCode::from(code)
    }

    /// `hallpass accounts | head`: whoever has read enough asks for no more, and nothing is wrong.
    fn is_nobody_reading(&self) -> bool {
        let Self::Runtime(error) = self else { return false };
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// What happened, in words.
    pub(crate) fn text(&self) -> String {
        let (Self::Usage(error) | Self::Configuration(error) | Self::Runtime(error)) = self;
        Self::message(error)
    }

    /// The error with its causes. Servers and files have their word in it, so it is made fit for a terminal.
    fn message(error: &anyhow::Error) -> String {
        let mut text = error.to_string();
        for cause in error.chain().skip(1) {
            let cause = cause.to_string();
            // Many errors print their source themselves.
            if !text.contains(cause.trim()) {
                text.push_str(": ");
                text.push_str(&cause);
            }
        }
        hallpass_protocol::for_terminal(&text)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Runtime(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cause_writes_to_the_terminal_by_itself() {
        let error = anyhow::anyhow!("the server said \u{1b}[2J\u{202e}no").context("failed\u{7}");
        assert_eq!(Failure::message(&error), "failed: the server said [2Jno");
    }
}
