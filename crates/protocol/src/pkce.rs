//! Proof key for code exchange (RFC 7636), method S256 only.

use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;

use crate::secret::Secret;
use crate::text::impl_text;

/// The one method there is. `plain` proves nothing to whoever saw the request (RFC 9700 §2.1.1).
pub const S256: &str = "S256";

/// The secret half: 43 to 128 unreserved characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeVerifier(Secret);

/// The public half: the SHA-256 of the verifier, in base64url.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeChallenge(String);

/// Why a text is no verifier or no challenge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PkceError {
    /// RFC 7636 §4.1: 43 to 128 characters.
    #[error("a code_verifier has 43 to 128 characters, this one has {0} bytes (RFC 7636 §4.1)")]
    VerifierLength(usize),
    /// RFC 7636 §4.1: letters, digits, `-`, `.`, `_`, `~`.
    #[error(
        "a code_verifier holds letters, digits, '-', '.', '_' and '~' alone, this one holds others (RFC 7636 §4.1)"
    )]
    VerifierCharacters,
    /// RFC 7636 §4.2: a SHA-256 in base64url without padding.
    #[error("an S256 code_challenge is 43 characters of base64url, this one is not (RFC 7636 §4.2)")]
    Challenge,
}

impl CodeVerifier {
    /// A verifier from 32 random bytes (RFC 7636 §4.1). Where they come from is up to the caller.
    pub fn from_entropy(entropy: [u8; 32]) -> Self {
        Self(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(entropy)))
    }

    /// Checks a verifier.
    ///
    /// # Errors
    /// [`PkceError::VerifierLength`] and [`PkceError::VerifierCharacters`].
    pub fn parse(text: &str) -> Result<Self, PkceError> {
        if !(43..=128).contains(&text.len()) {
            return Err(PkceError::VerifierLength(text.len()));
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
            return Err(PkceError::VerifierCharacters);
        }
        Ok(Self(Secret::new(text)))
    }

    /// What goes into the token request.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What goes into the authorization request (RFC 7636 §4.2).
    pub fn challenge(&self) -> CodeChallenge {
        let hash = digest::digest(&digest::SHA256, self.expose().as_bytes());
        CodeChallenge(BASE64_URL_SAFE_NO_PAD.encode(hash))
    }
}

impl CodeChallenge {
    /// Checks a challenge.
    ///
    /// # Errors
    /// [`PkceError::Challenge`].
    pub fn parse(text: &str) -> Result<Self, PkceError> {
        match BASE64_URL_SAFE_NO_PAD.decode(text) {
            Ok(hash) if hash.len() == 32 => Ok(Self(text.to_owned())),
            _ => Err(PkceError::Challenge),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// RFC 7636 §4.6, in constant time.
    #[must_use]
    pub fn verify(&self, verifier: &CodeVerifier) -> bool {
        self.0.as_bytes().ct_eq(verifier.challenge().0.as_bytes()).into()
    }
}

impl Serialize for CodeVerifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CodeVerifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Secret::deserialize(deserializer)?;
        Self::parse(text.expose()).map_err(serde::de::Error::custom)
    }
}

impl_text!(CodeChallenge, PkceError);
