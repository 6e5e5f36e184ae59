//! TLS with certificates that are made on the spot, and servers that ask for them.

use std::sync::Arc;

use axum::{Router, extract::Request, http::HeaderValue, middleware};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
pub use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, SanType,
    date_time_ymd as date,
};
use rcgen::{Certificate, CertifiedIssuer, KeyPair};
use rustls::{
    DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The field in which a request tells the handlers the certificate that was shown on its connection, in base64.
pub const SHOWN: &str = "x-test-shown-certificate";

/// What a server wants of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Asks for a certificate and goes on without one.
    Politely,
    /// No certificate, no connection.
    Firmly,
}

/// An authority that issues certificates to servers and clients.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
pub struct Issued {
    /// The certificate.
    pub chain: String,
    /// The key.
    pub key: String,
    /// The certificate as [`SHOWN`] tells it.
    pub shown: String,
    der: CertificateDer<'static>,
    key_der: Vec<u8>,
}

/// A private key in PEM, for rustls.
///
/// # Panics
/// When it is none.
#[must_use]
#[allow(clippy::expect_used, reason = "a test without its certificates cannot go on")]
pub fn private_key(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("a private key")
}

/// A client that takes whatever certificate a server shows: for those who want to look at it.
#[derive(Debug)]
pub struct Anybody(WebPkiSupportedAlgorithms);

impl Default for Anybody {
    fn default() -> Self {
        Self(aws_lc_rs::default_provider().signature_verification_algorithms)
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
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

#[allow(clippy::expect_used, reason = "a test without its certificates cannot go on")]
impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// When no key can be made.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "testkit");
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// Its own certificate, for those who trust it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server or a client of these names.
    ///
    /// # Panics
    /// When no key can be made.
    #[must_use]
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_with(|params| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            params.subject_alt_names = CertificateParams::new(names).expect("names").subject_alt_names;
        })
    }

    /// A certificate for clients and servers, with what else is said about it.
    ///
    /// # Panics
    /// When no key can be made.
    #[must_use]
    pub fn issue_with(&self, say: impl FnOnce(&mut CertificateParams)) -> Issued {
        let (params, key) = (params(say), KeyPair::generate().expect("a key"));
        issued(&params.signed_by(&key, &self.0).expect("a certificate"), &key)
    }

    fn server(&self, names: &[&str], ask: Ask) -> ServerConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a root");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let clients: Arc<dyn ClientCertVerifier> = match ask {
            Ask::Politely => clients.allow_unauthenticated().build().expect("a verifier"),
            Ask::Firmly => clients.build().expect("a verifier"),
        };
        let own = self.issue(names);
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![own.der], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.key_der)))
            .expect("a certificate with its key")
    }

    /// Serves a router under these names, until the test ends.
    ///
    /// # Panics
    /// When the certificate cannot be made.
    pub fn serve(&self, listener: TcpListener, names: &[&str], ask: Ask, router: Router) {
        serve(listener, self.server(names, ask), router);
    }

    /// The same, which chooses the first of these protocols that a client offers (ALPN, RFC 7301), and asks for no certificate
    /// firmly.
    ///
    /// # Panics
    /// When the certificate cannot be made.
    pub fn serve_choosing(&self, listener: TcpListener, names: &[&str], protocols: &[&str], router: Router) {
        let mut server = self.server(names, Ask::Politely);
        server.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        serve(listener, server, router);
    }
}

fn serve(listener: TcpListener, server: ServerConfig, router: Router) {
    let acceptor = TlsAcceptor::from(Arc::new(server));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, router) = (acceptor.clone(), router.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                let shown = shown.and_then(|der| HeaderValue::try_from(BASE64_STANDARD.encode(der)).ok());
                let tell = move |mut request: Request| {
                    let shown = shown.clone();
                    async move {
                        request.headers_mut().remove(SHOWN);
                        if let Some(shown) = shown {
                            request.headers_mut().insert(SHOWN, shown);
                        }
                        request
                    }
                };
                let service = TowerToHyperService::new(router.layer(middleware::map_request(tell)));
                let server = auto::Builder::new(TokioExecutor::new());
                drop(server.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
}

/// A certificate that nobody but its own key vouches for.
///
/// # Panics
/// When no key can be made.
#[must_use]
#[allow(clippy::expect_used, reason = "a test without its certificates cannot go on")]
pub fn self_signed(say: impl FnOnce(&mut CertificateParams)) -> Issued {
    let (params, key) = (params(say), KeyPair::generate().expect("a key"));
    issued(&params.self_signed(&key).expect("a certificate"), &key)
}

fn params(say: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    say(&mut params);
    params
}

fn issued(certificate: &Certificate, key: &KeyPair) -> Issued {
    Issued {
        chain: certificate.pem(),
        key: key.serialize_pem(),
        shown: BASE64_STANDARD.encode(certificate.der()),
        der: certificate.der().clone(),
        key_der: key.serialize_der(),
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
