//! Client certificates: how they come to a server, and the name that a token is bound to (RFC 8705, RFC 9440).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// RFC 9440 §2.2.
pub const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
/// The longest certificate that is looked at, in bytes of DER.
const LONGEST: usize = 16 * 1024;

/// The certificate that the peer showed in the TLS handshake of this connection. Whoever ends TLS puts it into the
/// extensions of each request; the peer has proven that it holds the key, and nothing else is known: neither who issued
/// it nor whether it has expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate(pub CertificateDer<'static>);

/// A `Client-Cert` field that is there twice, or holds no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the field Client-Cert has to be there once, and to hold one certificate as RFC 9440 writes it")]
pub struct MalformedClientCert;

/// `x5t#S256` (RFC 8705 §3.1).
#[must_use]
pub fn thumbprint(certificate: &CertificateDer<'_>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate))
}

/// The first certificate of a PEM text.
#[must_use]
pub fn from_pem(text: &str) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(text.as_bytes()).ok()
}

/// What a proxy says in `Client-Cert` (RFC 9440 §2.2). Only a proxy that is known to remove what its own clients say
/// there may be asked.
///
/// # Errors
/// [`MalformedClientCert`].
pub fn client_cert(headers: &HeaderMap) -> Result<Option<CertificateDer<'static>>, MalformedClientCert> {
    let mut fields = headers.get_all(CLIENT_CERT).iter();
    match (fields.next(), fields.next()) {
        (None, _) => Ok(None),
        (Some(field), None) => {
            byte_sequence(field.as_bytes()).map(|der| Some(der.into())).ok_or(MalformedClientCert)
        }
        (Some(_), Some(_)) => Err(MalformedClientCert),
    }
}

/// A Byte Sequence of structured fields (RFC 8941 §3.3.5): `:base64:`.
fn byte_sequence(field: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(field).ok()?.trim_matches([' ', '\t']);
    let encoded = text.strip_prefix(':')?.strip_suffix(':')?;
    let bytes = BASE64_STANDARD.decode(encoded).ok()?;
    (!bytes.is_empty() && bytes.len() <= LONGEST).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_sequence_stands_between_colons() {
        assert_eq!(byte_sequence(b":AQI=:").unwrap(), [1, 2]);
        for field in ["", ":", "::", "AQI=", ":AQI=", ":AQI=:;x", ":A:", ":AQI=:, :AQI=:", "\"AQI=\""] {
            assert!(byte_sequence(field.as_bytes()).is_none(), "{field}");
        }
    }

    #[test]
    fn a_field_is_there_once() {
        let mut headers = HeaderMap::new();
        assert_eq!(client_cert(&headers), Ok(None));
        headers.append(CLIENT_CERT, ":AQI=:".parse().unwrap());
        assert_eq!(client_cert(&headers), Ok(Some(vec![1, 2].into())));
        headers.append(CLIENT_CERT, ":AQI=:".parse().unwrap());
        assert_eq!(client_cert(&headers), Err(MalformedClientCert));
    }
}
