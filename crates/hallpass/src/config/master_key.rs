//! `[master_key]`: where the key is that encrypts what is in the database.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the key is that encrypts secrets in the database: one of these. Default: `master.key` in the data folder, which the first
/// start makes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MasterKey {
    /// A file that holds the key as 32 bytes, not as text; of several keys, the newest first. hallpass makes none there:
    /// `(umask 077; head -c 32 /dev/urandom > FILE)` does. Nobody but its owner may have a right to it (mode 0600), and hallpass has
    /// to be able to read it.
    pub(crate) file: Option<PathBuf>,
    /// An environment variable that holds the key as text, 32 bytes in base64, as `head -c 32 /dev/urandom | base64` prints them; of
    /// several keys, one a line, the newest first.
    pub(crate) environment: Option<String>,
    /// A command that prints the key as text, 32 bytes in base64, as of a key management service; of several keys, one a line, the
    /// newest first. No shell runs it, and it runs in the folder that hallpass was started in, not in that of the configuration
    /// file. It is asked whenever databases are opened, and has thirty seconds.
    pub(crate) command: Option<Vec<String>>,
}

/// Where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyPlace<'a> {
    /// In the data folder.
    Folder,
    /// In that file.
    File(&'a Path),
    /// In that variable.
    Environment(&'a str),
    /// A program and its arguments.
    Command(&'a str, &'a [String]),
}

/// What is said of it comes to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MasterKeyFault {
    /// Which of them would count?
    #[error("master_key names several places of one key; leave one of file, environment and command")]
    Several,
    /// Nothing to run.
    #[error(
        "master_key.command names no program; write it as in [\"vault\", \"kv\", \"get\", \"-field=key\", \"secret/hallpass\"]"
    )]
    NoProgram,
}

/// Where it is, for people.
impl fmt::Display for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place() {
            Ok(KeyPlace::Folder) => f.write_str("master.key in the data folder"),
            Ok(KeyPlace::File(path)) => write!(f, "{}", path.display()),
            Ok(KeyPlace::Environment(variable)) => write!(f, "the environment variable {variable}"),
            Ok(KeyPlace::Command(program, _)) => {
                write!(f, "what {program} prints, run when databases are opened, and by --online")
            }
            Err(fault) => write!(f, "{fault}"),
        }
    }
}

impl MasterKey {
    /// The one place.
    pub(crate) fn place(&self) -> Result<KeyPlace<'_>, MasterKeyFault> {
        match (&self.file, &self.environment, &self.command) {
            (None, None, None) => Ok(KeyPlace::Folder),
            (Some(file), None, None) => Ok(KeyPlace::File(file)),
            (None, Some(variable), None) => Ok(KeyPlace::Environment(variable)),
            (None, None, Some(command)) => match command.split_first() {
                Some((program, arguments)) if !program.is_empty() => {
                    Ok(KeyPlace::Command(program, arguments))
                }
                _ => Err(MasterKeyFault::NoProgram),
            },
            _ => Err(MasterKeyFault::Several),
        }
    }
}
