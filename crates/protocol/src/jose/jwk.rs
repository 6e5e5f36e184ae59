use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::JwkError;

/// The most keys taken from one set.
const MAX_KEYS: usize = 64;

/// A public key as JSON (RFC 7517). There is no way to hold a private or symmetric key in one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawJwk", into = "RawJwk")]
pub struct Jwk {
    /// The key itself.
    pub key: PublicKey,
    /// Its id.
    pub kid: Option<String>,
    /// The one algorithm it is for.
    pub alg: Option<String>,
    /// `sig` or `enc`.
    pub use_: Option<String>,
    /// What may be done with it.
    pub key_ops: Option<Vec<String>>,
}

/// A public key: numbers in base64url, as on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PublicKey {
    /// `kty: EC`, `crv: P-256` (RFC 7518 §6.2).
    P256 {
        /// First coordinate, 32 bytes.
        x: String,
        /// Second coordinate, 32 bytes.
        y: String,
    },
    /// `kty: OKP`, `crv: Ed25519` (RFC 8037 §2).
    Ed25519 {
        /// The key, 32 bytes.
        x: String,
    },
    /// `kty: RSA` (RFC 7518 §6.3).
    Rsa {
        /// Modulus, 2048 to 8192 bits.
        n: String,
        /// Exponent.
        e: String,
    },
}

impl PublicKey {
    /// RFC 7638: the SHA-256 of the required members, in alphabetical order.
    pub fn thumbprint(&self) -> String {
        let canonical = match self {
            Self::P256 { x, y } => format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#),
            Self::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#),
            Self::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
        };
        BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes()))
    }
}

impl Jwk {
    /// Whether the key may verify signatures (RFC 7517 §4.2, §4.3).
    pub fn is_for_verifying(&self) -> bool {
        self.use_.as_deref().is_none_or(|use_| use_ == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"))
    }
}

/// Every member of RFC 7518 §6 that matters, private ones among them so that they are noticed.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct RawJwk {
    kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    use_: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_ops: Option<Vec<String>>,
    #[serde(skip_serializing)]
    d: Option<Value>,
    #[serde(skip_serializing)]
    p: Option<Value>,
    #[serde(skip_serializing)]
    q: Option<Value>,
    #[serde(skip_serializing)]
    k: Option<Value>,
}

impl TryFrom<RawJwk> for Jwk {
    type Error = JwkError;

    fn try_from(raw: RawJwk) -> Result<Self, JwkError> {
        if raw.d.is_some() || raw.p.is_some() || raw.q.is_some() || raw.k.is_some() {
            return Err(JwkError::Private);
        }
        let key = match (raw.kty.as_str(), raw.crv.as_deref()) {
            ("EC", Some("P-256")) => PublicKey::P256 {
                x: member("x", raw.x, |len| len == 32)?,
                y: member("y", raw.y, |len| len == 32)?,
            },
            ("OKP", Some("Ed25519")) => PublicKey::Ed25519 { x: member("x", raw.x, |len| len == 32)? },
            ("RSA", _) => PublicKey::Rsa {
                n: member("n", raw.n, |len| (256..=1024).contains(&len))?,
                e: member("e", raw.e, |len| (1..=8).contains(&len))?,
            },
            _ => return Err(JwkError::KeyType),
        };
        Ok(Self { key, kid: raw.kid, alg: raw.alg, use_: raw.use_, key_ops: raw.key_ops })
    }
}

/// A member that is base64url and, decoded, of a length that fits.
fn member(
    name: &'static str,
    value: Option<String>,
    fits: impl Fn(usize) -> bool,
) -> Result<String, JwkError> {
    let value = value.ok_or(JwkError::Member(name))?;
    match BASE64_URL_SAFE_NO_PAD.decode(&value) {
        Ok(bytes) if fits(bytes.len()) => Ok(value),
        _ => Err(JwkError::Member(name)),
    }
}

impl From<Jwk> for RawJwk {
    fn from(jwk: Jwk) -> Self {
        let mut raw =
            Self { kid: jwk.kid, alg: jwk.alg, use_: jwk.use_, key_ops: jwk.key_ops, ..Self::default() };
        match jwk.key {
            PublicKey::P256 { x, y } => {
                raw.kty = "EC".to_owned();
                raw.crv = Some("P-256".to_owned());
                raw.x = Some(x);
                raw.y = Some(y);
            }
            PublicKey::Ed25519 { x } => {
                raw.kty = "OKP".to_owned();
                raw.crv = Some("Ed25519".to_owned());
                raw.x = Some(x);
            }
            PublicKey::Rsa { n, e } => {
                raw.kty = "RSA".to_owned();
                raw.n = Some(n);
                raw.e = Some(e);
            }
        }
        raw
    }
}

/// A set of public keys (RFC 7517 §5).
///
/// On reading, a key that is not usable here is left out, as §5 asks: an unknown type or curve, a
/// symmetric key, a private key, one with a member missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    /// The keys.
    pub keys: Vec<Jwk>,
}

impl<'de> Deserialize<'de> for JwkSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Raw {
            keys: Vec<Value>,
        }
        let keys = Raw::deserialize(deserializer)?.keys.into_iter();
        let usable = keys.filter_map(|key| serde_json::from_value(key).ok());
        Ok(Self { keys: usable.take(MAX_KEYS).collect() })
    }
}
