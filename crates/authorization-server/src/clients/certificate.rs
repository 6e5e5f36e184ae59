//! Client authentication by certificate (RFC 8705 §2): by a name that an authority has put into it, or by its key.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use hallpass_protocol::jose::PublicKey;
use hallpass_protocol::time::Timestamp;
use rustls_pki_types::{CertificateDer, UnixTime};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::Certificate;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::UintRef;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode, Reader, SliceReader, Tag, Tagged};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

/// RFC 8705 §2.1.2, in the order of the variants below.
const MEMBERS: [&str; 5] = [
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
];

/// The one name by which a client's certificate is known (RFC 8705 §2.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateName {
    /// The subject, as RFC 4514 writes it: `CN=robot,O=Acme`. Names are compared part by part, in order.
    SubjectDn(String),
    /// A DNS name among the subject alternative names.
    SanDns(String),
    /// A URI among them.
    SanUri(String),
    /// An IP address among them.
    SanIp(IpAddr),
    /// An e-mail address among them.
    SanEmail(String),
}

impl CertificateName {
    /// Whether it could be a certificate's name.
    pub(super) fn is_usable(&self) -> bool {
        match self {
            Self::SubjectDn(dn) => Name::from_str(dn).is_ok_and(|name| !name.is_empty()),
            Self::SanDns(text) | Self::SanUri(text) | Self::SanEmail(text) => {
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
            }
            Self::SanIp(_) => true,
        }
    }

    /// RFC 8705 §2.1.2: exactly one of the five members of client metadata.
    pub(super) fn of_metadata(members: &Map<String, Value>) -> Option<Self> {
        let mut named = MEMBERS.iter().filter_map(|name| members.get_key_value(*name));
        let (Some((member, value)), None) = (named.next(), named.next()) else { return None };
        let text = value.as_str()?.to_owned();
        let name = match member.as_str() {
            "tls_client_auth_subject_dn" => Self::SubjectDn(text),
            "tls_client_auth_san_dns" => Self::SanDns(text),
            "tls_client_auth_san_uri" => Self::SanUri(text),
            "tls_client_auth_san_ip" => Self::SanIp(text.parse().ok()?),
            _ => Self::SanEmail(text),
        };
        name.is_usable().then_some(name)
    }

    /// The member of client metadata, and its value.
    pub(crate) fn member(&self) -> (&'static str, String) {
        let [dn, dns, uri, ip, email] = MEMBERS;
        match self {
            Self::SubjectDn(text) => (dn, text.clone()),
            Self::SanDns(text) => (dns, text.clone()),
            Self::SanUri(text) => (uri, text.clone()),
            Self::SanIp(address) => (ip, address.to_string()),
            Self::SanEmail(text) => (email, text.clone()),
        }
    }

    /// RFC 8705 §2.1: exactly the name that was registered.
    pub(super) fn is_of(&self, certificate: &CertificateDer<'_>) -> bool {
        let Ok(certificate) = Certificate::from_der(certificate) else { return false };
        let certificate = certificate.tbs_certificate();
        if let Self::SubjectDn(dn) = self {
            return Name::from_str(dn).is_ok_and(|expected| same_name(&expected, certificate.subject()));
        }
        let Ok(Some((_, names))) = certificate.get_extension::<SubjectAltName>() else { return false };
        names.0.iter().any(|name| match (self, name) {
            (Self::SanDns(expected), GeneralName::DnsName(found)) => {
                found.as_str().eq_ignore_ascii_case(expected)
            }
            (Self::SanUri(expected), GeneralName::UniformResourceIdentifier(found)) => {
                found.as_str() == expected
            }
            (Self::SanIp(IpAddr::V4(expected)), GeneralName::IpAddress(found)) => {
                found.as_bytes() == expected.octets()
            }
            (Self::SanIp(IpAddr::V6(expected)), GeneralName::IpAddress(found)) => {
                found.as_bytes() == expected.octets()
            }
            (Self::SanEmail(expected), GeneralName::Rfc822Name(found)) => found.as_str() == expected,
            _ => false,
        })
    }
}

/// The same parts in the same order. Texts count, and not in which of ASN.1's kinds of text they are written.
fn same_name(one: &Name, other: &Name) -> bool {
    let parts = |name: &Name| -> Option<Vec<Vec<(ObjectIdentifier, String)>>> {
        name.iter_rdn().map(|part| part.iter().map(attribute).collect()).collect()
    };
    let sorted = |name: &Name| {
        parts(name).map(|mut parts| {
            parts.iter_mut().for_each(|part| part.sort());
            parts
        })
    };
    !one.is_empty() && sorted(one).is_some() && sorted(one) == sorted(other)
}

fn attribute(attribute: &AttributeTypeAndValue) -> Option<(ObjectIdentifier, String)> {
    let value = &attribute.value;
    let text = matches!(value.tag(), Tag::Utf8String | Tag::PrintableString | Tag::Ia5String);
    let text = text.then(|| std::str::from_utf8(value.value()).ok()).flatten()?;
    Some((attribute.oid, text.to_owned()))
}

/// Whether one of these authorities has issued it for client authentication, and for now.
pub(super) fn is_issued_by(
    certificate: &CertificateDer<'_>,
    authorities: &[CertificateDer<'static>],
    now: Timestamp,
) -> bool {
    let anchors: Vec<_> =
        authorities.iter().filter_map(|authority| anchor_from_trusted_cert(authority).ok()).collect();
    let (Ok(certificate), Ok(now)) = (EndEntityCert::try_from(certificate), u64::try_from(now.unix())) else {
        return false;
    };
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let usage = KeyUsage::client_auth();
    certificate.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &[], now, usage, None, None).is_ok()
}

/// The certificate's key, by its thumbprint (RFC 7638), for comparison with a client's keys (RFC 8705 §2.2.2: the key in
/// `x5c` is that of its JWK).
pub(super) fn key_of(certificate: &CertificateDer<'_>) -> Option<String> {
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine as _};
    const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
    let certificate = Certificate::from_der(certificate).ok()?;
    let info = certificate.tbs_certificate().subject_public_key_info();
    let bits = info.subject_public_key.as_bytes()?;
    let curve: Option<ObjectIdentifier> =
        info.algorithm.parameters.as_ref().and_then(|parameters| parameters.decode_as().ok());
    let key = match info.algorithm.oid {
        EC if curve == Some(P256) => {
            let (x, y) = bits.strip_prefix(&[4]).filter(|point| point.len() == 64)?.split_at(32);
            PublicKey::P256 { x: BASE64.encode(x), y: BASE64.encode(y) }
        }
        ED25519 if bits.len() == 32 => PublicKey::Ed25519 { x: BASE64.encode(bits) },
        RSA => {
            let mut reader = SliceReader::new(bits).ok()?;
            let (n, e) = reader
                .sequence(|reader| {
                    let n: UintRef<'_> = reader.decode()?;
                    let e: UintRef<'_> = reader.decode()?;
                    Ok::<_, x509_cert::der::Error>((BASE64.encode(n.as_bytes()), BASE64.encode(e.as_bytes())))
                })
                .ok()?;
            PublicKey::Rsa { n, e }
        }
        _ => return None,
    };
    Some(key.thumbprint())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(metadata: &Value) -> Option<CertificateName> {
        CertificateName::of_metadata(metadata.as_object().unwrap())
    }

    #[test]
    fn metadata_name_exactly_one() {
        for (member, value) in
            MEMBERS.iter().zip(["CN=robot,O=Acme", "a.example", "spiffe://a/b", "2001:db8::1", "a@b.example"])
        {
            let name = read(&json!({*member: value})).unwrap();
            assert_eq!(name.member(), (*member, value.to_owned()));
            assert_eq!(
                read(
                    &json!({*member: value, "tls_client_auth_san_dns": "b.example", "tls_client_auth_san_ip": "192.0.2.1"})
                ),
                None
            );
        }
        for wrong in [
            json!({}),
            json!({"tls_client_auth_subject_dn": "robot"}),
            json!({"tls_client_auth_san_dns": ""}),
            json!({"tls_client_auth_san_dns": ["a.example"]}),
            json!({"tls_client_auth_san_ip": "a.example"}),
            json!({"tls_client_auth_san_email": null}),
        ] {
            assert_eq!(read(&wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn whatever_they_say_is_said_back(member in 0..5_usize, text in "\\PC{0,40}") {
            if let Some(name) = read(&json!({MEMBERS[member]: text})) {
                let (said, value) = name.member();
                prop_assert_eq!(read(&json!({said: value})), Some(name));
            }
        }
    }
}
