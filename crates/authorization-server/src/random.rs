//! Values that nobody can guess, and the form in which they are kept.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// 256 random bits: codes, refresh tokens, cookies, links.
pub(crate) fn token() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// 128 random bits: names of rows, which need to be unique but open nothing.
pub(crate) fn id() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())
}

/// SHA-256: all that is stored of a [`token`]. It has too many bits to be guessed, so a plain hash
/// keeps it.
pub(crate) fn digest(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()))
}
