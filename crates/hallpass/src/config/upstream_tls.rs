//! `[server.upstream_tls]`: whom hallpass trusts when it calls upstream, and what it shows.

use std::path::{Path, PathBuf};

use hallpass_gateway::upstream::{Shown, UpstreamTls as Spoken, UpstreamTlsError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// TLS towards upstream. Files are read at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UpstreamTls {
    /// A file with the certificates (PEM) of the authorities that upstream's certificate is issued by. They are trusted in place
    /// of the system's.
    pub(crate) ca: Option<PathBuf>,
    /// A file with the certificate (PEM) that hallpass shows to upstream, and after it those that lead to its authority.
    pub(crate) certificate: Option<PathBuf>,
    /// A file with that certificate's private key (PEM).
    pub(crate) key: Option<PathBuf>,
}

/// What carries messages to upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum UpstreamTransport {
    /// Streamable HTTP, of every revision.
    #[default]
    StreamableHttp,
    /// HTTP+SSE of 2024-11-05.
    Sse,
}

/// Which HTTP upstream is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub(crate) enum UpstreamHttp {
    /// HTTP/1.1.
    #[default]
    #[serde(rename = "1.1")]
    Http1,
    /// HTTP/2.
    #[serde(rename = "2")]
    Http2,
}

/// Why TLS can't be spoken with upstream as the file says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamTlsFault {
    /// Nothing is said.
    #[error("upstream_tls says nothing; set ca, or certificate and key, or take it out")]
    Nothing,
    /// One of the two is missing.
    #[error(
        "upstream_tls.{set} is set, and {missing} is not; a certificate is of no use without its key, nor a key without its certificate"
    )]
    Half {
        /// The setting that is there.
        set: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// A file that can't be read.
    #[error("upstream_tls.{setting}: can't read {}: {source}; check that it is there and that you may read it", path.display())]
    Unreadable {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that can't be used.
    #[error("upstream_tls: {}: {source}", files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(" and "))]
    Unusable {
        /// The files.
        files: Vec<PathBuf>,
        /// What is wrong.
        source: UpstreamTlsError,
    },
}

impl UpstreamTls {
    /// The files that it names.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        [&self.ca, &self.certificate, &self.key].into_iter().flatten().cloned().collect()
    }

    /// Reads the files.
    pub(crate) fn load(&self) -> Result<Spoken, UpstreamTlsFault> {
        let shown = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(UpstreamTlsFault::Half { set: "certificate", missing: "key" }),
            (None, Some(_)) => return Err(UpstreamTlsFault::Half { set: "key", missing: "certificate" }),
        };
        if self.ca.is_none() && shown.is_none() {
            return Err(UpstreamTlsFault::Nothing);
        }
        let authorities = self.ca.as_deref().map(|path| read("ca", path)).transpose()?;
        let pair = match shown {
            Some((certificate, key)) => Some((read("certificate", certificate)?, read("key", key)?)),
            None => None,
        };
        let shown_pem = pair.as_ref().map(|(chain, key)| Shown { chain, key });
        Spoken::from_pem(authorities.as_deref(), shown_pem).map_err(|source| {
            let files: Vec<Option<&PathBuf>> = match &source {
                UpstreamTlsError::NoAuthority | UpstreamTlsError::Authority(_) => vec![self.ca.as_ref()],
                UpstreamTlsError::NoCertificate => vec![self.certificate.as_ref()],
                UpstreamTlsError::NoKey => vec![self.key.as_ref()],
                _ => vec![self.certificate.as_ref(), self.key.as_ref()],
            };
            UpstreamTlsFault::Unusable { files: files.into_iter().flatten().cloned().collect(), source }
        })
    }
}

fn read(setting: &'static str, path: &Path) -> Result<String, UpstreamTlsFault> {
    std::fs::read_to_string(path).map_err(|source| UpstreamTlsFault::Unreadable {
        setting,
        path: path.to_owned(),
        source,
    })
}
