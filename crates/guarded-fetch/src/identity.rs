use std::fmt;

use hallpass_protocol::Secret;
use zeroize::Zeroizing;

use crate::FetchError;

/// A certificate of this client's own with its key, for servers that ask for one in the TLS handshake (RFC 8705,
/// RFC 8446 §4.3.2). `Debug` shows neither.
#[derive(Clone)]
pub struct Identity(pub(crate) reqwest::Identity);

impl Identity {
    /// From PEM: the certificate, followed by those that lead to its authority, and the private key (PKCS#8,
    /// PKCS#1 or SEC1, without a passphrase).
    ///
    /// Whether the key belongs to the certificate is found out by whoever puts it to use.
    ///
    /// # Errors
    /// [`FetchError::Setup`], which quotes nothing of either.
    pub fn from_pem(chain: &[u8], key: &Secret) -> Result<Self, FetchError> {
        let mut pem = Zeroizing::new(Vec::with_capacity(chain.len() + key.expose().len() + 1));
        pem.extend_from_slice(chain);
        pem.push(b'\n');
        pem.extend_from_slice(key.expose().as_bytes());
        reqwest::Identity::from_pem(&pem).map(Self).map_err(|_| {
            FetchError::Setup(
                "the client certificate cannot be read: what is needed is a certificate in PEM, and its private \
                 key in PEM without a passphrase"
                    .to_owned(),
            )
        })
    }

    /// An HTTP client that shows the certificate to every server that asks for one.
    pub fn apply(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        builder.identity(self.0.clone())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity([secret])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_with_its_key_is_refused_and_not_quoted() {
        for (chain, key) in [
            ("", ""),
            ("canary", "canary"),
            ("-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n-----END CERTIFICATE-----", ""),
        ] {
            let error = Identity::from_pem(chain.as_bytes(), &Secret::new(key)).unwrap_err().to_string();
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
