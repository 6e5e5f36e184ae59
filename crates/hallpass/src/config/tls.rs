//! `[tls]`: TLS that ends at hallpass itself.

use std::path::{Path, PathBuf};

use hallpass_gateway::listen::{ClientCertificates, TlsError};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Acme;

/// TLS that ends at hallpass itself, and not at a proxy in front.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    /// A file with the server's certificate in PEM, and after it those that lead to its authority. Read at the
    /// start, and again when one of these files changes or the process gets SIGHUP.
    pub(crate) certificate: Option<PathBuf>,
    /// A file with the certificate's private key in PEM.
    pub(crate) key: Option<PathBuf>,
    /// In place of both: a certificate that hallpass gets by itself.
    pub(crate) acme: Option<Acme>,
    /// What clients are asked for: `none`, `any` certificate, or files with the certificates of the authorities that
    /// issue them, in PEM. Who shows none is let in. Default: `none`.
    #[serde(default)]
    pub(crate) client_certificates: AskedFor,
}

/// What clients are asked for.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum AskedFor {
    /// `none` or `any`.
    Word(AskedWord),
    /// Those that these authorities have issued.
    IssuedBy(Vec<PathBuf>),
}

/// `none` or `any`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AskedWord {
    /// No certificate is asked for.
    None,
    /// Whatever certificate the client has.
    Any,
}

impl Default for AskedFor {
    fn default() -> Self {
        Self::Word(AskedWord::None)
    }
}

/// Why TLS can't be spoken as the file says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsFault {
    /// No certificate, half of one, or two.
    #[error(
        "[tls] needs certificate and key, both of them, or [tls.acme] in their place, for a certificate that hallpass gets by itself"
    )]
    WhichCertificate,
    /// A file that can't be read.
    #[error("{setting}: can't read {}: {source}; check that it is there and that you may read it", path.display())]
    Unreadable {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nobody is named: that is neither "any" nor "none".
    #[error(
        "tls.client_certificates: the list is empty; name the files of authorities, or write \"none\" or \"any\""
    )]
    NoFile,
    /// A file for authorities that holds none.
    #[error("{setting}: {} holds no certificate in PEM", path.display())]
    NoAuthority {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Certificate or key.
    #[error("tls: {} and {}: {source}", certificate.display(), key.display())]
    Tls {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong.
        source: TlsError,
    },
    /// The same, of what hallpass got by itself.
    #[error("tls.acme: {0}")]
    Acme(TlsError),
}

impl Tls {
    /// Whether clients are asked for certificates.
    pub(crate) fn asks(&self) -> bool {
        !matches!(self.client_certificates, AskedFor::Word(AskedWord::None))
    }

    /// The files that it names.
    pub(crate) fn files(&self) -> Vec<&Path> {
        let authorities = match &self.client_certificates {
            AskedFor::IssuedBy(files) => files.as_slice(),
            AskedFor::Word(_) => &[],
        };
        let own = [&self.certificate, &self.key].into_iter().flatten();
        own.chain(authorities).map(PathBuf::as_path).collect()
    }

    /// Reads the files. Where hallpass gets its certificate by itself, there is none yet.
    pub(crate) fn load(&self) -> Result<hallpass_gateway::listen::Tls, TlsFault> {
        let clients = self.clients()?;
        match (&self.certificate, &self.key, &self.acme) {
            (Some(certificate), Some(key), None) => {
                let chain = read("tls.certificate", certificate)?;
                self.of(&chain, &read("tls.key", key)?, &clients)
            }
            (None, None, Some(_)) => {
                hallpass_gateway::listen::Tls::waiting(&clients).map_err(|source| self.fault(source))
            }
            _ => Err(TlsFault::WhichCertificate),
        }
    }

    /// With this certificate and key, in PEM.
    #[cfg(feature = "acme")]
    pub(crate) fn with(&self, chain: &str, key: &str) -> Result<hallpass_gateway::listen::Tls, TlsFault> {
        self.of(chain, key, &self.clients()?)
    }

    fn of(
        &self,
        chain: &str,
        key: &str,
        clients: &ClientCertificates,
    ) -> Result<hallpass_gateway::listen::Tls, TlsFault> {
        hallpass_gateway::listen::Tls::from_pem(chain, key, clients).map_err(|source| self.fault(source))
    }

    fn fault(&self, source: TlsError) -> TlsFault {
        let (certificate, key) = (self.certificate.clone(), self.key.clone());
        match certificate.zip(key) {
            Some((certificate, key)) => TlsFault::Tls { certificate, key, source },
            None => TlsFault::Acme(source),
        }
    }

    fn clients(&self) -> Result<ClientCertificates, TlsFault> {
        Ok(match &self.client_certificates {
            AskedFor::Word(AskedWord::None) => ClientCertificates::None,
            AskedFor::Word(AskedWord::Any) => ClientCertificates::Any,
            AskedFor::IssuedBy(files) if files.is_empty() => return Err(TlsFault::NoFile),
            AskedFor::IssuedBy(files) => {
                ClientCertificates::IssuedBy(authorities("tls.client_certificates", files)?)
            }
        })
    }
}

/// Every certificate of these files.
pub(crate) fn authorities(
    setting: &'static str,
    files: &[PathBuf],
) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let mut all = Vec::new();
    for path in files {
        let text = read(setting, path)?;
        let found: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| TlsFault::NoAuthority { setting, path: path.clone() })?;
        if found.is_empty() {
            return Err(TlsFault::NoAuthority { setting, path: path.clone() });
        }
        all.extend(found);
    }
    Ok(all)
}

fn read(setting: &'static str, path: &Path) -> Result<String, TlsFault> {
    std::fs::read_to_string(path).map_err(|source| TlsFault::Unreadable {
        setting,
        path: path.to_owned(),
        source,
    })
}
