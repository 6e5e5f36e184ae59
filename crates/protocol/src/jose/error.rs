use super::Algorithm;
use super::unverified::MAX_JWT_LEN;

/// The rule that a JWT or a key broke. Messages hold nothing of the token but claim names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoseError {
    /// Looked at before anything is decoded.
    #[error("the token is longer than {MAX_JWT_LEN} bytes")]
    TooLarge,
    /// RFC 7515 §7.1: three segments.
    #[error("the token is not three segments with dots between")]
    Segments,
    /// RFC 7515 §2: base64url without padding.
    #[error("a segment of the token is not base64url")]
    Base64,
    /// RFC 7515 §4: the header is a JSON object, with each member once.
    #[error("the token's header is not a JSON object with each member once")]
    Header,
    /// RFC 7519 §7.2: the claims are a JSON object, with each member once.
    #[error("the token's claims are not a JSON object with each member once")]
    ClaimsObject,
    /// RFC 8725 §3.1: an algorithm from the list, never `none`, never HMAC.
    #[error("the token's algorithm is none of ES256, EdDSA, RS256, PS256")]
    UnsupportedAlgorithm,
    /// RFC 7515 §4.1.11: an extension that is not understood.
    #[error("the token has a crit header; no extension is understood here")]
    CriticalExtension,
    /// RFC 7515 §4.1: `kid`, `typ` and others are strings.
    #[error("the token's header member {0:?} is not a string")]
    HeaderType(&'static str),
    /// RFC 8725 §3.11: the token is of another type.
    #[error("the token's typ is not one that is accepted here")]
    WrongType,
    /// No key of that id for that algorithm.
    #[error("no key for this token: none with its key id for {0}")]
    UnknownKey(Algorithm),
    /// The token names no key, and more than one might be meant.
    #[error("the token has no kid, and there is more than one {0} key")]
    AmbiguousKey(Algorithm),
    /// RFC 7515 §5.2.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// RFC 9068 §2.2.
    #[error("the token has no iss")]
    MissingIssuer,
    /// RFC 9068 §2.2.
    #[error("the token has no sub")]
    MissingSubject,
    /// RFC 9068 §2.2.
    #[error("the token has no aud")]
    MissingAudience,
    /// RFC 9068 §2.2.
    #[error("the token has no exp")]
    MissingExpiry,
    /// RFC 9068 §2.2.
    #[error("the token has no iat")]
    MissingIssuedAt,
    /// RFC 8417 §2.2.
    #[error("the token has no jti")]
    MissingId,
    /// RFC 8417 §2.2.
    #[error("the token has no events")]
    MissingEvents,
    /// RFC 7519 §4.1: a string, a list of strings, or whole seconds between 1970 and 9999.
    #[error("the token's claim {0:?} has the wrong type or is out of range")]
    ClaimType(&'static str),
    /// RFC 7519 §4.1.1.
    #[error("the token is from another issuer than the one expected")]
    WrongIssuer,
    /// RFC 7519 §4.1.3, RFC 8707 §2: the token is for somebody else.
    #[error("the token is for another audience; ask for one with this server as its resource")]
    WrongAudience,
    /// RFC 7519 §4.1.4.
    #[error("the token has expired; get a new one")]
    Expired,
    /// RFC 7519 §4.1.5.
    #[error("the token is not valid yet; are the clocks right?")]
    NotYetValid,
    /// RFC 7519 §4.1.6: issued in the future.
    #[error("the token was issued in the future; are the clocks right?")]
    IssuedInFuture,
    /// The claims are none of the shape asked for.
    #[error("the token's claims do not fit: {0}")]
    Decode(String),
    /// Signing went wrong, or the claims are no JSON object.
    #[error("the token could not be signed: {0}")]
    Sign(&'static str),
    /// RFC 7468 §10, RFC 5958: a private key in a PEM text.
    #[error(
        "the text is not one PKCS#8 private key in PEM (`BEGIN PRIVATE KEY`) for ES256, EdDSA, RS256 or PS256; convert it with `openssl pkcs8 -topk8 -nocrypt`"
    )]
    Pem,
    /// No key pair could be made or read.
    #[error("the private key is not a usable {0} key in PKCS#8")]
    PrivateKey(Algorithm),
}

/// Why a JWK is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Symmetric (`oct`), or a curve or type that no algorithm here uses.
    #[error("the key's type is none of EC P-256, OKP Ed25519, RSA")]
    KeyType,
    /// A private key where a public one belongs.
    #[error("the key holds private members; publish the public part only, and replace this key")]
    Private,
    /// A coordinate or number is missing, not base64url, or of the wrong length.
    #[error("the key's member {0:?} is missing or malformed")]
    Member(&'static str),
}
