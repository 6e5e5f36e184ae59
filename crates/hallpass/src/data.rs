//! The folder that keeps keys, database and tokens.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hallpass_authorization_server::{BackupError, DatabaseUrl, MasterKey, Store};
use hallpass_protocol::Clock;

use crate::config::{self, Database, DatabaseFault, KeyPlace, TenantName};
use crate::exit::Failure;

/// Why the data folder can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    /// Nothing says where the home folder is.
    #[error("no folder to keep data in: neither --data nor HOME is set; name one with --data DIR")]
    NoHome,
    /// There is none, and who looks for something does not want a new one.
    #[error("there is no data folder {}: `hallpass serve` makes it, or name another with --data DIR", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// The folder has none.
    #[error("there is no database in {}: `hallpass serve`, `hallpass user add` and others that add something make it, or name another folder with --data DIR", path.display())]
    NoDatabase {
        /// The folder.
        path: PathBuf,
    },
    /// A database, and nothing that opens what is in it.
    #[error("there is no {}: put the master.key that belongs to the database there first, for its owner alone (chmod 600); a new one would open nothing", path.display())]
    NoMasterKey {
        /// Where it should be.
        path: PathBuf,
    },
    /// It can't be made, read or written.
    #[error("can't use {} as the data folder: {source}; make it readable and writable for this user, or name another with --data DIR", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may put files into it: keys and databases of their own.
    #[error("the data folder {} can be written by others (mode {mode:o}), who could put a key or database of theirs there; run `chmod go-w {}`, or name another with --data DIR", path.display(), path.display())]
    OpenToOthers {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

pub(crate) mod master_key;

const MASTER_KEY: &str = "master.key";
/// The folder of tenants' folders.
const TENANTS: &str = "tenants";

/// The folder that was named, or the usual one.
pub(crate) fn place(named: Option<&Path>) -> Result<PathBuf, DataError> {
    match named {
        Some(path) => Ok(path.to_owned()),
        None => usual().ok_or(DataError::NoHome),
    }
}

/// What the configuration says of the database and of what opens it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) database: Database,
    pub(crate) master_key: config::MasterKey,
}

/// An open data folder; nobody but its owner may look into it.
#[derive(Clone, Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    /// Where users, clients and grants are, if not in the folder.
    database: Database,
    /// Where the key is that encrypts what is in it.
    key: config::MasterKey,
    /// Whose they are, and where they are if not where they usually are; nobody's in particular otherwise.
    tenant: Option<(TenantName, Database)>,
    /// Whether a database is made where there is none.
    makes: bool,
}

impl DataFolder {
    /// Opens the folder that was named, or the usual one, and makes it where it is missing.
    pub(crate) fn open(named: Option<&Path>, kept: Kept) -> Result<Self, DataError> {
        let path = place(named)?;
        let unusable = |source| DataError::Unusable { path: path.clone(), source };
        prepare(&path).map_err(unusable)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).map_err(unusable)?.permissions().mode() & 0o777;
            if mode & 0o022 != 0 {
                return Err(DataError::OpenToOthers { path, mode });
            }
        }
        let Kept { database, master_key: key } = kept;
        Ok(Self { path, database, key, tenant: None, makes: true })
    }

    /// The same for who only looks: nothing is made, here or in [`store`](Self::store).
    pub(crate) fn existing(named: Option<&Path>, kept: Kept) -> Result<Self, DataError> {
        let path = place(named)?;
        if !path.try_exists().unwrap_or(true) {
            return Err(DataError::Missing { path });
        }
        Ok(Self { makes: false, ..Self::open(named, kept)? })
    }

    /// The same for who brings a database along: the key to it has to be there before.
    pub(crate) fn with_key(named: Option<&Path>, kept: Kept) -> Result<Self, DataError> {
        let path = match kept.master_key.place() {
            Ok(KeyPlace::Folder) => place(named)?.join(MASTER_KEY),
            Ok(KeyPlace::File(path)) => path.to_owned(),
            _ => return Self::open(named, kept),
        };
        match path.try_exists() {
            Ok(false) => Err(DataError::NoMasterKey { path }),
            _ => Self::open(named, kept),
        }
    }

    /// The same folder for a tenant: its database is another one, and what seals it is derived from the folder's key.
    pub(crate) fn of_tenant(&self, name: &TenantName, own: &Database) -> Self {
        Self { tenant: Some((name.clone(), own.clone())), ..self.clone() }
    }

    /// Where the database is, if it is no file.
    fn url(&self) -> Result<Option<DatabaseUrl>, DatabaseFault> {
        match &self.tenant {
            None => self.database.url(),
            Some((name, own)) => own.url_of_tenant(name, &self.database),
        }
    }

    /// The key that encrypts what is in the database.
    fn opened(&self, key: MasterKey) -> MasterKey {
        match &self.tenant {
            None => key,
            Some((name, _)) => key.of_tenant(name.as_str()),
        }
    }

    /// Opens the authorization server's database with the key that encrypts what is in it; makes
    /// both where they are missing, unless the folder is only looked at.
    pub(crate) async fn store(&self) -> Result<Store, Failure> {
        let url = self.url().map_err(Failure::configuration)?;
        if url.is_none() {
            self.check_file().map_err(Failure::configuration)?;
        }
        let key = self.opened(master_key::load(self.key_place()?, &self.path, true).await?);
        let opened = match url {
            Some(url) => {
                let own = self.tenant.as_ref().and_then(|(_, own)| own.connections);
                let connections = own.or(self.database.connections).unwrap_or(Store::CONNECTIONS);
                Store::connect(&url, connections, key, system_clock()).await
            }
            None => Store::open(&self.file(), key, system_clock()).await,
        };
        opened.map_err(Failure::configuration)
    }

    /// The key that opens the database, for whoever brings one along.
    pub(crate) async fn key(&self) -> Result<MasterKey, Failure> {
        Ok(self.opened(master_key::load(self.key_place()?, &self.path, false).await?))
    }

    fn key_place(&self) -> Result<KeyPlace<'_>, Failure> {
        self.key.place().map_err(Failure::configuration)
    }

    /// Who only looks makes no database; and nobody makes a key for one that is there, which it would not open.
    fn check_file(&self) -> Result<(), DataError> {
        let is_there = self.file().try_exists().unwrap_or(true);
        if !is_there && !self.makes {
            return Err(DataError::NoDatabase { path: self.place() });
        }
        match self.master_key() {
            Some(key) if is_there && !key.try_exists().unwrap_or(true) => {
                Err(DataError::NoMasterKey { path: key })
            }
            _ => Ok(()),
        }
    }

    /// The SQLite file, if that is what the database is.
    pub(crate) fn database_file(&self) -> Result<PathBuf, Failure> {
        match self.url().map_err(Failure::configuration)? {
            None => Ok(self.file()),
            Some(_) => Err(BackupError::Postgres.into()),
        }
    }

    fn file(&self) -> PathBuf {
        self.place().join("hallpass.db")
    }

    /// The folder of the database.
    fn place(&self) -> PathBuf {
        match &self.tenant {
            None => self.path.clone(),
            Some((name, _)) => self.path.join(TENANTS).join(name.as_str()),
        }
    }

    /// Whether there is a database, or it is none in the folder.
    pub(crate) fn has_database(&self) -> bool {
        !matches!(self.url(), Ok(None)) || self.file().exists()
    }

    /// The tenants whose databases are in the folder.
    pub(crate) fn tenants(&self) -> Vec<String> {
        let folders = fs::read_dir(self.path.join(TENANTS)).into_iter().flatten().flatten();
        let with_database = folders.filter(|folder| folder.path().join("hallpass.db").exists());
        let mut names: Vec<_> =
            with_database.map(|folder| folder.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the key that encrypts what is in the database, if it is in one.
    pub(crate) fn master_key(&self) -> Option<PathBuf> {
        match self.key.place() {
            Ok(KeyPlace::Folder) => Some(self.path.join(MASTER_KEY)),
            Ok(KeyPlace::File(path)) => Some(path.to_owned()),
            _ => None,
        }
    }

    /// Where that key is, in words.
    pub(crate) fn master_key_in_words(&self) -> String {
        match self.key.place() {
            Ok(KeyPlace::Environment(variable)) => format!("what the variable {variable} holds"),
            Ok(KeyPlace::Command(program, _)) => format!("what {program} prints"),
            _ => self.master_key().unwrap_or_default().display().to_string(),
        }
    }

    /// The client's tokens.
    pub(crate) fn tokens(&self) -> PathBuf {
        self.path.join("tokens.json")
    }
}

/// A folder for its owner alone, whatever the umask says; gone with its value.
pub(crate) fn temporary() -> io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir()
}

/// What time it is: the one place where the server asks the system.
pub(crate) fn system_clock() -> Clock {
    Clock::new(|| SystemTime::now().into())
}

/// `$XDG_DATA_HOME/hallpass`, or what stands for it on this system.
fn usual() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("XDG_DATA_HOME")
        .or_else(|| set("LOCALAPPDATA"))
        .or_else(|| set("HOME").map(|home| home.join(".local/share")))
        .map(|data| data.join("hallpass"))
}

/// Makes the folder (for its owner alone), and shows that it can be read and written.
fn prepare(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    fs::read_dir(path)?;
    tempfile::NamedTempFile::new_in(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_new_folder_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        DataFolder::open(Some(&path), Kept::default()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    #[cfg(unix)]
    fn a_folder_that_others_can_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        for (mode, fits) in [(0o700, true), (0o755, true), (0o775, false), (0o702, false), (0o777, false)] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            let opened = DataFolder::open(Some(folder.path()), Kept::default());
            assert_eq!(opened.is_ok(), fits, "{mode:o}");
            if let Err(error) = opened {
                assert!(matches!(error, DataError::OpenToOthers { mode: told, .. } if told == mode));
            }
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_temporary_folder_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(temporary().unwrap().path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_file_in_its_place_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DataFolder::open(Some(file.path()), Kept::default()).unwrap_err();
        assert!(error.to_string().contains("--data DIR"), "{error}");
    }
}
