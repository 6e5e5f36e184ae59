//! TLS that ends here, and the certificates that clients are asked for.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use hallpass_protocol::certificate::PeerCertificate;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{
    ResolvesServerCertUsingSni, VerifierBuilderError, WantsServerCert, WebPkiClientVerifier,
};
use rustls::{
    ConfigBuilder, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Challenges;

/// What clients are asked for in the handshake. One that shows nothing is let in: people log in without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Nothing.
    #[default]
    None,
    /// A certificate that one of these authorities (DER) has issued. With another one there is no connection.
    IssuedBy(Vec<CertificateDer<'static>>),
    /// Any certificate. What the handshake shows is that the peer holds its key; who it is says whoever looks at it
    /// (RFC 8705 §2.2: self-signed certificates are known by themselves).
    Any,
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No certificate.
    #[error(
        "there is no certificate in it; it has to hold the server's own in PEM, and then those that lead to its authority"
    )]
    NoCertificate,
    /// No key.
    #[error(
        "there is no private key in it; it has to hold one in PEM (PKCS#8, PKCS#1 or SEC 1), without a passphrase"
    )]
    NoKey,
    /// An authority's certificate that is none.
    #[error("an authority for client certificates cannot be read: {0}")]
    Authority(VerifierBuilderError),
    /// Certificate and key that are not a pair, or cannot be used.
    #[error("certificate and key cannot be used together: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The server's side of TLS 1.2 and 1.3, for HTTP/2 and HTTP/1.1. Clones are one: what renews one renews all.
#[derive(Clone)]
pub struct Tls {
    acceptor: Arc<RwLock<TlsAcceptor>>,
    challenges: Challenges,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Tls")
    }
}

impl Tls {
    /// Of a chain of certificates and a private key, both in PEM.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn from_pem(chain: &str, key: &str, clients: &ClientCertificates) -> Result<Self, TlsError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| TlsError::NoCertificate)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| TlsError::NoKey)?;
        Ok(Self::speaking(builder(clients)?.with_single_cert(chain, key)?))
    }

    /// Without a certificate yet: until [`renew`](Self::renew) brings one, no connection comes about, and challenges are
    /// answered.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn waiting(clients: &ClientCertificates) -> Result<Self, TlsError> {
        Ok(Self::speaking(builder(clients)?.with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()))))
    }

    fn speaking(mut config: ServerConfig) -> Self {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = Arc::new(RwLock::new(TlsAcceptor::from(Arc::new(config))));
        Self { acceptor, challenges: Challenges::default() }
    }

    /// What authorities look for here.
    #[must_use]
    pub fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// Serves as `other` does from now on: its certificate, its key, what it asks clients for. Connections that are there go
    /// on as they began.
    pub fn renew(&self, other: &Self) {
        let acceptor = other.acceptor();
        *self.acceptor.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
    }

    fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The handshake, and what the peer has shown in it. `None`, where it was for nothing but itself (RFC 8737).
    pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<Option<(TlsStream<S>, Option<PeerCertificate>)>> {
        let stream = if self.challenges.is_idle() {
            self.acceptor().accept(stream).await?
        } else {
            let Some(begun) = self.challenges.hear(stream).await? else { return Ok(None) };
            begun.into_stream(Arc::clone(self.acceptor().config())).await?
        };
        let (_, session) = stream.get_ref();
        let shown = session.peer_certificates().and_then(|chain| chain.first());
        let shown = shown.map(|certificate| PeerCertificate(certificate.clone().into_owned()));
        Ok(Some((stream, shown)))
    }
}

/// Both versions, with whatever clients are asked for.
fn builder(clients: &ClientCertificates) -> Result<ConfigBuilder<ServerConfig, WantsServerCert>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions()?;
    Ok(match verifier(&provider, clients)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    })
}

fn verifier(
    provider: &Arc<CryptoProvider>,
    clients: &ClientCertificates,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    match clients {
        ClientCertificates::None => Ok(None),
        ClientCertificates::Any => Ok(Some(Arc::new(AnyHolder(provider.signature_verification_algorithms)))),
        ClientCertificates::IssuedBy(authorities) => {
            let mut roots = RootCertStore::empty();
            for authority in authorities {
                roots.add(authority.clone())?;
            }
            let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
            let verifier = builder.allow_unauthenticated().build().map_err(TlsError::Authority)?;
            Ok(Some(verifier))
        }
    }
}

/// Takes whatever certificate the peer holds the key of.
#[derive(Debug)]
struct AnyHolder(WebPkiSupportedAlgorithms);

impl ClientCertVerifier for AnyHolder {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use hallpass_testkit::tls::Authority;

    use super::*;

    #[test]
    fn what_cannot_serve_is_said() {
        let authority = Authority::new();
        let (one, other) = (authority.issue(&["localhost"]), authority.issue(&["localhost"]));
        let with = |chain: &str, key: &str| Tls::from_pem(chain, key, &ClientCertificates::None).map(drop);
        assert!(with(&one.chain, &one.key).is_ok());
        assert!(matches!(with("", &one.key), Err(TlsError::NoCertificate)));
        assert!(matches!(with(&one.chain, &one.chain), Err(TlsError::NoKey)));
        assert!(matches!(with(&one.chain, &other.key), Err(TlsError::Unusable(_))), "not a pair");
        let of = |authorities| ClientCertificates::IssuedBy(authorities);
        let nobody = Tls::from_pem(&one.chain, &one.key, &of(Vec::new()));
        assert!(matches!(nobody, Err(TlsError::Authority(_))), "no authority is none to trust");
        let broken = Tls::from_pem(&one.chain, &one.key, &of(vec![vec![0x30, 0].into()]));
        assert!(matches!(broken, Err(TlsError::Unusable(_))));
    }
}
