//! TLS towards upstream: whom hallpass trusts, and what it shows.

use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::http::HttpUpstreamError;

/// What TLS towards upstream needs beside what the system has. Clones are one.
#[derive(Clone, Debug)]
pub struct UpstreamTls(Arc<ClientConfig>);

/// Why TLS cannot be spoken with upstream.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamTlsError {
    /// No authority.
    #[error(
        "there is no certificate in it; it has to hold those of the authorities that upstream's is issued by, in PEM"
    )]
    NoAuthority,
    /// An authority that is none.
    #[error("one of the certificates in it cannot be an authority's: {0}")]
    Authority(rustls::Error),
    /// No certificate to show.
    #[error(
        "there is no certificate in it; it has to hold hallpass's own in PEM, and then those that lead to its authority"
    )]
    NoCertificate,
    /// No key.
    #[error(
        "there is no private key in it; it has to hold one in PEM (PKCS#8, PKCS#1 or SEC 1), without a passphrase"
    )]
    NoKey,
    /// Certificate and key that are not a pair, or cannot be used.
    #[error("certificate and key cannot be used together: {0}")]
    Unusable(rustls::Error),
    /// No certificate authority is known.
    #[error("the system's certificates cannot be read: {0}")]
    System(std::io::Error),
}

/// A certificate, with those that lead to its authority, and its private key: both in PEM.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// The certificates.
    pub chain: &'a str,
    /// The key.
    pub key: &'a str,
}

impl UpstreamTls {
    /// Trusts these authorities (PEM) in place of the system's, where they are given, and shows this certificate.
    ///
    /// # Errors
    /// [`UpstreamTlsError`].
    pub fn from_pem(authorities: Option<&str>, shown: Option<Shown<'_>>) -> Result<Self, UpstreamTlsError> {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(UpstreamTlsError::Unusable)?;
        let builder = match authorities {
            Some(pem) => builder.with_root_certificates(roots(pem)?),
            None => builder.with_native_roots().map_err(UpstreamTlsError::System)?,
        };
        let config = match shown {
            None => builder.with_no_client_auth(),
            Some(Shown { chain, key }) => {
                let chain = certificates(chain).ok_or(UpstreamTlsError::NoCertificate)?;
                let key =
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| UpstreamTlsError::NoKey)?;
                builder.with_client_auth_cert(chain, key).map_err(UpstreamTlsError::Unusable)?
            }
        };
        Ok(Self(Arc::new(config)))
    }

    /// What the system has, and nothing to show.
    pub(super) fn of_the_system() -> Result<Self, HttpUpstreamError> {
        Self::from_pem(None, None).map_err(|error| match error {
            UpstreamTlsError::System(error) => HttpUpstreamError::Certificates(error),
            error => HttpUpstreamError::Tls(error),
        })
    }

    pub(super) fn config(&self) -> ClientConfig {
        ClientConfig::clone(&self.0)
    }
}

fn roots(pem: &str) -> Result<RootCertStore, UpstreamTlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem).ok_or(UpstreamTlsError::NoAuthority)? {
        roots.add(certificate).map_err(UpstreamTlsError::Authority)?;
    }
    Ok(roots)
}

/// All of a PEM text, in which there is one at least.
fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().ok()?;
    (!all.is_empty()).then_some(all)
}
