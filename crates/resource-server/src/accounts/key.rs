//! API keys.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hallpass_protocol::secret::Secret;

use super::Shows;

/// What every key begins with, so that people and scanners of leaked secrets know one when they see it.
pub const KEY_PREFIX: &str = "hpk_";

/// A new key, 256 random bits, and what is kept of it. The key itself is shown once and kept nowhere.
#[must_use]
pub fn new_key() -> (Secret, Shows) {
    let key = format!("{KEY_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
    let shows = Shows::Key(hash_of_key(&key));
    (Secret::new(key), shows)
}

/// Whether a bearer token can be an API key.
pub(crate) fn is_key(token: &str) -> bool {
    token.starts_with(KEY_PREFIX)
}

pub(crate) fn hash_of_key(key: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, key.as_bytes()))
}
