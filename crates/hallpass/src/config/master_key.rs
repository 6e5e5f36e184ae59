//! `[master_key]`: where the key is that encrypts what is in the database.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the key is that encrypts secrets in the database: one of these. Default: `master.key` in the data folder, which the first
/// start makes.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MasterKey {
    /// A file like that one, which is never made by hallpass: 32 bytes for each key, the newest first, mode 0600.
    pub(crate) file: Option<PathBuf>,
    /// The environment variable that holds it: 32 bytes in base64 for each key, one a line, the newest first.
    pub(crate) environment: Option<String>,
    /// A command that prints the same, as of a key management service; no shell runs it. It is asked whenever databases are opened.
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
