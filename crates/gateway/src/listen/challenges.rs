//! TLS-ALPN-01 (RFC 8737): whoever issues a certificate asks in a handshake whether its name is served here.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{Acceptor, ClientHello};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

use super::TlsError;

/// The protocol that such a handshake is for (RFC 8737 §6.2).
const ACME: &[u8] = b"acme-tls/1";

/// What is answered, by name. Clones are one.
#[derive(Clone, Default)]
pub struct Challenges(Arc<RwLock<HashMap<String, Arc<ServerConfig>>>>);

impl std::fmt::Debug for Challenges {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Challenges")
    }
}

/// A name for which an answer is given, until this is dropped.
#[derive(Debug)]
pub struct Answered {
    challenges: Challenges,
    name: String,
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.challenges.0.write().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

impl Challenges {
    /// Shows this certificate, with its key, to whoever asks for that name by this protocol, and to nobody else.
    ///
    /// # Errors
    /// Where the key is none that can sign.
    pub fn answer(
        &self,
        name: &str,
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Answered, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        // As it is: its one extension is critical, and rustls, which would look whether the two are a pair, knows it not.
        let shown = CertifiedKey::new(vec![certificate], provider.key_provider.load_private_key(key)?);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
        config.alpn_protocols = vec![ACME.to_vec()];
        let name = name.to_ascii_lowercase();
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), Arc::new(config));
        Ok(Answered { challenges: self.clone(), name })
    }

    /// Whether nobody looks for anything.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// RFC 8737 §3: the name, and this one protocol.
    fn meant_by(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        if !hello.alpn()?.eq([ACME]) {
            return None;
        }
        let name = hello.server_name()?.to_ascii_lowercase();
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&name).cloned()
    }

    /// Answers such a handshake, and hangs up; gives back every other.
    pub(super) async fn hear<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<Option<StartHandshake<S>>> {
        let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let Some(config) = self.meant_by(&begun.client_hello()) else { return Ok(Some(begun)) };
        begun.into_stream(config).await?.shutdown().await?;
        Ok(None)
    }
}
