//! `private_key_jwt`: a client that signs in place of showing a secret (RFC 7523 §2.2).

use std::sync::Arc;

use futures_util::future::BoxFuture;
use hallpass_protocol::{
    client_assertion::{ClientAssertion, TYP},
    jose::{Algorithm, JoseError, SigningKey},
    secret::Secret,
};

/// Signs client assertions: a key in memory, or one that never leaves its hardware or service.
///
/// ```
/// use std::{future::Future, pin::Pin};
///
/// use hallpass_client::{
///     AssertionSigner, Client, SignerError,
///     protocol::{client_assertion::ClientAssertion, jose::Algorithm, secret::Secret},
/// };
///
/// /// A key in a service of the company's.
/// struct Vault;
///
/// impl AssertionSigner for Vault {
///     fn algorithm(&self) -> Algorithm {
///         Algorithm::ES256
///     }
///
///     fn sign<'a>(
///         &'a self,
///         claims: &'a ClientAssertion,
///     ) -> Pin<Box<dyn Future<Output = Result<Secret, SignerError>> + Send + 'a>> {
///         Box::pin(async move {
///             let payload = serde_json::to_string(claims).map_err(|error| SignerError(error.to_string()))?;
///             // Header `{"typ":"JWT","alg":"ES256","kid":…}`, this payload, and the vault's signature over both.
///             Err(SignerError(format!("the vault is sealed; {} bytes were to be signed", payload.len())))
///         })
///     }
/// }
///
/// Client::builder("https://mcp.example.com/mcp")?.assertion_signer(Vault).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait AssertionSigner: Send + Sync + 'static {
    /// The signature algorithm, which the authorization server may not take.
    fn algorithm(&self) -> Algorithm;

    /// Signs the claims, as they are: an audience other than the issuer is a way to be impersonated.
    fn sign<'a>(&'a self, claims: &'a ClientAssertion) -> BoxFuture<'a, Result<Secret, SignerError>>;
}

/// One signer for several clients.
impl AssertionSigner for Arc<dyn AssertionSigner> {
    fn algorithm(&self) -> Algorithm {
        self.as_ref().algorithm()
    }

    fn sign<'a>(&'a self, claims: &'a ClientAssertion) -> BoxFuture<'a, Result<Secret, SignerError>> {
        self.as_ref().sign(claims)
    }
}

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SignerError(pub String);

/// A private key in memory. `Debug` shows its id only.
#[derive(Clone, Debug)]
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// A key in PEM (PKCS#8): P-256, Ed25519 or RSA. Without an algorithm the key decides. The `kid` is what the
    /// key was registered under; without one it is the thumbprint (RFC 7638).
    ///
    /// # Errors
    /// When the text is no such key, or not one for that algorithm.
    pub fn from_pem(
        pem: &Secret,
        algorithm: Option<Algorithm>,
        kid: Option<String>,
    ) -> Result<Self, JoseError> {
        SigningKey::from_pem(kid, pem.expose(), algorithm).map(Self)
    }
}

impl AssertionSigner for PrivateKey {
    fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    fn sign<'a>(&'a self, claims: &'a ClientAssertion) -> BoxFuture<'a, Result<Secret, SignerError>> {
        let signed = self.0.sign(TYP, claims);
        Box::pin(async { signed.map(Secret::new).map_err(|error| SignerError(error.to_string())) })
    }
}
