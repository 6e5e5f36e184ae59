//! Where configuration and data are.

use std::path::PathBuf;

use crate::config::{self, Config};
use crate::data::DataFolder;
use crate::exit::Failure;

/// What `--config` and `--data` say.
#[derive(Debug)]
pub(crate) struct Place {
    /// The configuration file.
    pub(crate) config: Option<PathBuf>,
    /// The data folder; wins over the file's.
    pub(crate) data: Option<PathBuf>,
}

impl Place {
    /// Reads the configuration file, if one was named.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        match &self.config {
            Some(path) => config::read(path).map_err(Failure::configuration),
            None => Ok(Config::default()),
        }
    }

    /// Opens the data folder.
    pub(crate) fn data(&self) -> Result<DataFolder, Failure> {
        let set = match &self.data {
            Some(path) => Some(path.clone()),
            None => self.config()?.data,
        };
        DataFolder::open(set.as_deref()).map_err(Failure::configuration)
    }
}
