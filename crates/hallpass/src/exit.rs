//! Why the program ends, and with which exit code.

use std::process::ExitCode;

/// A failure, sorted by whose hand can mend it. Wrong usage (code 2) is clap's.
#[derive(Debug)]
pub(crate) enum Failure {
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

    /// Says what happened on standard error and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let (kind, error, code) = match self {
            Self::Configuration(error) => ("configuration", error, 3),
            Self::Runtime(error) => ("error", error, 1),
        };
        let red = clap::builder::styling::AnsiColor::Red.on_default().bold();
        let mut text = error.to_string();
        for cause in error.chain().skip(1) {
            let cause = cause.to_string();
            // Many errors print their source themselves.
            if !text.contains(cause.trim()) {
                text.push_str(": ");
                text.push_str(&cause);
            }
        }
        anstream::eprintln!("{red}{kind}:{red:#} {text}");
        ExitCode::from(code)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Runtime(error.into())
    }
}
