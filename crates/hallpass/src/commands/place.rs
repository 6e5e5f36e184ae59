//! Where configuration and data are.

use std::path::PathBuf;

use hallpass_client::store::{FileStore, Protection};
use hallpass_protocol::Secret;

use crate::config::{self, Config, Database};
use crate::data::{DataError, DataFolder};
use crate::exit::Failure;
use crate::say::note;

/// The variable that holds the passphrase of the token file. Not an option: arguments are seen by everyone.
const PASSPHRASE: &str = "HALLPASS_PASSPHRASE";

/// What `--config` and `--data` say, and what was typed.
#[derive(Debug)]
pub(crate) struct Place {
    /// The configuration file.
    pub(crate) config: Option<PathBuf>,
    /// The data folder; wins over the file's.
    pub(crate) data: Option<PathBuf>,
    /// What a person runs to log in, with the options of this command; `None` where it goes to no server.
    pub(crate) login_command: Option<String>,
}

impl Place {
    /// Reads the configuration file, if one was named.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        match &self.config {
            Some(path) => config::read(path).map_err(Failure::configuration),
            None => Ok(Config::default()),
        }
    }

    /// The client's tokens: encrypted, unless plain text was asked for by name.
    pub(crate) fn tokens(&self, protection: Protection) -> Result<FileStore, Failure> {
        let passphrase = std::env::var(PASSPHRASE).ok().filter(|words| !words.is_empty()).map(Secret::new);
        // Before anybody logs in: what comes of it could not be kept.
        if protection == Protection::Passphrase && passphrase.is_none() {
            return Err(Failure::Configuration(anyhow::anyhow!(
                "the token store is encrypted with a passphrase, and none was given: set {PASSPHRASE}, or choose another \
                 --token-store"
            )));
        }
        Ok(FileStore::protected(self.data()?.tokens(), protection, passphrase))
    }

    /// The same for who only looks; `None` where there is no folder, and so no token.
    pub(crate) fn existing_tokens(&self, protection: Protection) -> Result<Option<FileStore>, Failure> {
        let (named, database) = self.named()?;
        match DataFolder::existing(named.as_deref(), database) {
            Err(DataError::Missing { .. }) => Ok(None),
            Err(error) => Err(Failure::configuration(error)),
            Ok(_) => self.tokens(protection).map(Some),
        }
    }

    /// Opens the data folder, and makes it where it is missing.
    pub(crate) fn data(&self) -> Result<DataFolder, Failure> {
        let (named, database) = self.named()?;
        DataFolder::open(named.as_deref(), database).map_err(Failure::configuration)
    }

    /// The same for a command that adds one thing: a folder that it had to make may be a slip of the pen in `--data`.
    pub(crate) fn data_to_add_to(&self) -> Result<DataFolder, Failure> {
        let was_there = self.existing_data().is_ok();
        let data = self.data()?;
        if !was_there {
            note(format_args!("made a new data folder at {}", data.path().display()));
        }
        Ok(data)
    }

    /// Opens the data folder that is there.
    pub(crate) fn existing_data(&self) -> Result<DataFolder, Failure> {
        let (named, database) = self.named()?;
        DataFolder::existing(named.as_deref(), database).map_err(Failure::configuration)
    }

    /// Opens the data folder that the key to a database is in.
    pub(crate) fn data_with_key(&self) -> Result<DataFolder, Failure> {
        let (named, database) = self.named()?;
        DataFolder::with_key(named.as_deref(), database).map_err(Failure::configuration)
    }

    fn named(&self) -> Result<(Option<PathBuf>, Database), Failure> {
        let config = self.config()?;
        Ok((self.data.clone().or(config.data), config.database))
    }
}
