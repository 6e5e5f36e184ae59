//! Where configuration and data are.

use std::path::PathBuf;

use hallpass_client::store::{FileStore, Protection};
use hallpass_protocol::Secret;

use super::which;
use crate::cli;
use crate::config::{self, Config, House};
use crate::data::{DataError, DataFolder, Kept};
use crate::exit::Failure;
use crate::say::note;

/// The variable that holds the passphrase of the token file. Not an option: arguments are seen by everyone.
const PASSPHRASE: &str = "HALLPASS_PASSPHRASE";

/// What `--config` and `--data` say, and what was typed.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The configuration file.
    pub(crate) config: Option<PathBuf>,
    /// The data folder; wins over the file's.
    pub(crate) data: Option<PathBuf>,
    /// What a person runs to log in, with the options of this command; `None` where it goes to no server.
    pub(crate) login_command: Option<String>,
    /// The tenant that is meant.
    pub(crate) tenant: Option<String>,
}

impl Place {
    /// Reads the configuration file, if one was named.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        match &self.config {
            Some(path) => config::read(path).map_err(Failure::configuration),
            None => Ok(Config::default()),
        }
    }

    /// The same, where no tenant is meant.
    pub(crate) fn outside(&self) -> Self {
        Self { tenant: None, ..self.clone() }
    }

    /// The same, for a command about that tenant's things.
    pub(crate) fn of(self, tenant: cli::Tenant) -> Self {
        Self { tenant: tenant.tenant, ..self }
    }

    /// The house of the configuration whose things are meant.
    pub(crate) fn house<'c>(&self, config: &'c Config) -> Result<House<'c>, Failure> {
        if self.config.is_none() && self.tenant.is_some() {
            let why = "--tenant names a tenant of the configuration: give --config FILE";
            return Err(Failure::usage(why));
        }
        which::house(config, self.tenant.as_deref())
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
        let (named, kept) = self.named()?;
        let data = DataFolder::open(named.as_deref(), kept).map_err(Failure::configuration)?;
        Ok(FileStore::protected(data.tokens(), protection, passphrase))
    }

    /// The same for who only looks; `None` where there is no folder, and so no token.
    pub(crate) fn existing_tokens(&self, protection: Protection) -> Result<Option<FileStore>, Failure> {
        let (named, kept) = self.named()?;
        match DataFolder::existing(named.as_deref(), kept) {
            Err(DataError::Missing { .. }) => Ok(None),
            Err(error) => Err(Failure::configuration(error)),
            Ok(_) => self.tokens(protection).map(Some),
        }
    }

    /// Opens the data folder of the process, and makes it where it is missing.
    pub(crate) fn data(&self) -> Result<DataFolder, Failure> {
        let (named, kept) = self.named()?;
        DataFolder::open(named.as_deref(), kept).map_err(Failure::configuration)
    }

    /// The same for a command that adds one thing: a folder that it had to make may be a slip of the pen in `--data`.
    pub(crate) fn data_to_add_to(&self) -> Result<DataFolder, Failure> {
        let (named, kept) = self.named()?;
        let was_there = DataFolder::existing(named.as_deref(), kept).is_ok();
        let data = self.meant(self.data()?)?;
        if !was_there {
            note(format_args!("made a new data folder at {}", data.path().display()));
        }
        Ok(data)
    }

    /// Opens the data folder that is there.
    pub(crate) fn existing_data(&self) -> Result<DataFolder, Failure> {
        let (named, kept) = self.named()?;
        self.meant(DataFolder::existing(named.as_deref(), kept).map_err(Failure::configuration)?)
    }

    /// Opens the data folder that the key to a database is in.
    pub(crate) fn data_with_key(&self) -> Result<DataFolder, Failure> {
        let (named, kept) = self.named()?;
        self.meant(DataFolder::with_key(named.as_deref(), kept).map_err(Failure::configuration)?)
    }

    /// The data of every tenant and of what stands outside, as far as there are any.
    pub(crate) fn existing_data_of_all(&self) -> Result<Vec<DataFolder>, Failure> {
        let (named, kept) = self.named()?;
        let data = DataFolder::existing(named.as_deref(), kept).map_err(Failure::configuration)?;
        let config = self.config()?;
        let of = |house: House<'_>| match (house.tenant(), house.own_database()) {
            (Some(name), Some(own)) => data.of_tenant(name, own),
            _ => data.clone(),
        };
        let mut all: Vec<_> = config.houses().into_iter().map(of).filter(DataFolder::has_database).collect();
        // From before there were tenants.
        if config.house(None).is_none() && data.has_database() {
            all.push(data.clone());
        }
        match all.is_empty() {
            // It says so by itself.
            true => Ok(vec![data]),
            false => Ok(all),
        }
    }

    /// The tenants with a database in the folder that the configuration does not name.
    pub(crate) fn unnamed_tenants(&self) -> Result<Vec<String>, Failure> {
        let config = self.config()?;
        let (named, kept) = self.named()?;
        let data = DataFolder::existing(named.as_deref(), kept).map_err(Failure::configuration)?;
        let is_named = |name: &String| config.tenants.keys().any(|known| known.as_str() == name);
        Ok(data.tenants().into_iter().filter(|name| !is_named(name)).collect())
    }

    /// Of the tenant that is meant.
    fn meant(&self, data: DataFolder) -> Result<DataFolder, Failure> {
        let config = self.config()?;
        let house = self.house(&config)?;
        let tenants = data.tenants();
        if self.config.is_none() && !tenants.is_empty() && !data.has_database() {
            return Err(Failure::Usage(anyhow::anyhow!(
                "{} holds the data of tenants ({}), and nothing else: give --config FILE, and say which with --tenant NAME",
                data.path().display(),
                tenants.join(", ")
            )));
        }
        Ok(match (house.tenant(), house.own_database()) {
            (Some(name), Some(own)) => data.of_tenant(name, own),
            _ => data,
        })
    }

    fn named(&self) -> Result<(Option<PathBuf>, Kept), Failure> {
        let config = self.config()?;
        let kept = Kept { database: config.database, master_key: config.master_key };
        Ok((self.data.clone().or(config.data), kept))
    }
}
