//! Account and certificate, in a folder of the data folder that is for its owner alone.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hallpass_protocol::certificate::from_pem;
use hallpass_protocol::{Secret, Timestamp};
use url::Url;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::due::Lifetime;

/// The folder, and what is in it for one directory.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    account: PathBuf,
    certificate: PathBuf,
}

/// A certificate with its key.
pub(super) struct Issued {
    /// PEM: its own first.
    pub(super) chain: String,
    /// PEM.
    pub(super) key: Secret,
    pub(super) lifetime: Lifetime,
    /// Those that it is for, in small letters.
    pub(super) names: Vec<String>,
}

/// Why a file can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub(super) struct KeptFault {
    path: PathBuf,
    source: io::Error,
}

impl Issued {
    /// What it says of itself; nothing, where there is no certificate in it.
    pub(super) fn of(chain: String, key: Secret) -> Option<Self> {
        let der = from_pem(&chain)?;
        let certificate = Certificate::from_der(&der).ok()?;
        let certificate = certificate.tbs_certificate();
        let time = |time: x509_cert::time::Time| {
            let since: Duration = time.to_unix_duration();
            i64::try_from(since.as_secs()).ok().map(Timestamp::from_unix)
        };
        let validity = certificate.validity();
        let lifetime = Lifetime { from: time(validity.not_before)?, until: time(validity.not_after)? };
        let (_, said) = certificate.get_extension::<SubjectAltName>().ok()??;
        let names = said.0.iter().filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
            _ => None,
        });
        let names = names.collect();
        Some(Self { chain, key, lifetime, names })
    }

    /// Whether it is for all of these.
    pub(super) fn is_for(&self, names: &[String]) -> bool {
        names.iter().all(|name| self.names.contains(&name.to_ascii_lowercase()))
    }
}

impl Kept {
    /// In that data folder; each directory has an account of its own.
    pub(super) fn in_folder(data: &Path, directory: &Url) -> Result<Self, KeptFault> {
        let folder = data.join("acme");
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).map_err(|source| KeptFault { path: folder.clone(), source })?;
        let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' };
        let name: String = directory.as_str().chars().map(plain).collect();
        Ok(Self {
            account: folder.join(format!("account-{name}.json")),
            certificate: folder.join("certificate.pem"),
        })
    }

    /// The account's name and key, as they were put there.
    pub(super) fn account(&self) -> Result<Option<Secret>, KeptFault> {
        read(&self.account)
    }

    pub(super) fn put_account(&self, account: &Secret) -> Result<(), KeptFault> {
        write(&self.account, account.expose().as_bytes())
    }

    /// The last certificate. One that can't be read as one is none.
    pub(super) fn certificate(&self) -> Result<Option<Issued>, KeptFault> {
        let Some(text) = read(&self.certificate)? else { return Ok(None) };
        let Some((key, chain)) = text.expose().split_once(BETWEEN) else { return Ok(None) };
        Ok(Issued::of(chain.to_owned(), Secret::new(key)))
    }

    /// Key and chain in one file, so that they are of one kind at any moment.
    pub(super) fn put_certificate(&self, issued: &Issued) -> Result<(), KeptFault> {
        let text = Secret::new(format!("{}{BETWEEN}{}", issued.key.expose(), issued.chain));
        write(&self.certificate, text.expose().as_bytes())
    }
}

const BETWEEN: &str = "# The certificate of that key:\n";

fn read(path: &Path) -> Result<Option<Secret>, KeptFault> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(Secret::new(text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(KeptFault { path: path.to_owned(), source }),
    }
}

/// Whole or not at all, for its owner alone.
fn write(path: &Path, content: &[u8]) -> Result<(), KeptFault> {
    let fault = |source| KeptFault { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    // Temporary files have mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fault)?;
    file.write_all(content).and_then(|()| file.as_file().sync_all()).map_err(fault)?;
    file.persist(path).map_err(|error| fault(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use hallpass_testkit::tls::{Authority, date};

    use super::*;

    fn issued(names: &[&str]) -> Issued {
        let one = Authority::new().issue_with(|params| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            params.subject_alt_names =
                hallpass_testkit::tls::CertificateParams::new(names).unwrap().subject_alt_names;
            (params.not_before, params.not_after) = (date(2026, 1, 1), date(2026, 4, 1));
        });
        Issued::of(one.chain, Secret::new(one.key)).unwrap()
    }

    #[test]
    fn a_certificate_says_for_whom_and_how_long() {
        let issued = issued(&["Mcp.example.com", "b.example.com"]);
        let (from, until) = (Timestamp::from_unix(1_767_225_600), Timestamp::from_unix(1_775_001_600));
        assert_eq!(issued.lifetime, Lifetime { from, until });
        let is_for =
            |names: &[&str]| issued.is_for(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert!(is_for(&["mcp.example.com"]) && is_for(&["B.example.com", "mcp.example.com"]));
        assert!(!is_for(&["mcp.example.com", "c.example.com"]) && !is_for(&["example.com"]));
        assert!(Issued::of("no certificate".to_owned(), Secret::new("")).is_none());
    }

    #[test]
    fn what_is_kept_is_for_its_owner_alone_and_whole() {
        let data = tempfile::tempdir().unwrap();
        let directory: Url = "https://ca.example/dir?a=../b".parse().unwrap();
        let kept = Kept::in_folder(data.path(), &directory).unwrap();
        assert!(kept.account().unwrap().is_none() && kept.certificate().unwrap().is_none());
        let one = issued(&["a"]);
        kept.put_account(&Secret::new("{}")).unwrap();
        kept.put_certificate(&one).unwrap();
        let again = kept.certificate().unwrap().unwrap();
        assert_eq!((again.chain, again.key.expose(), again.names), (one.chain, one.key.expose(), one.names));
        assert_eq!(kept.account().unwrap().unwrap().expose(), "{}");
        let other = Kept::in_folder(data.path(), &"https://ca.example/other".parse().unwrap()).unwrap();
        assert!(other.account().unwrap().is_none(), "an account is one authority's");
        #[cfg(unix)]
        for (path, expected) in [
            (data.path().join("acme"), 0o700),
            (kept.account.clone(), 0o600),
            (kept.certificate.clone(), 0o600),
        ] {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, expected, "{}", path.display());
        }
        std::fs::write(&kept.certificate, "half a").unwrap();
        assert!(kept.certificate().unwrap().is_none());
    }
}
