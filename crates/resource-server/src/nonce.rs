//! Nonces that need no memory: the time, signed.

use std::time::Duration;

use hallpass_protocol::resource::ResourceIdentifier;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hallpass_protocol::time::Timestamp;

/// Bytes of time, of randomness and of signature.
const PARTS: (usize, usize, usize) = (8, 8, 16);

/// What nonces are signed with. Replicas that share one know each other's.
#[derive(Clone)]
pub struct NonceKey(hmac::Key);

impl NonceKey {
    /// From a secret that several replicas have.
    #[must_use]
    pub fn shared(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Nonces of one scheme at one resource: no other takes them.
    pub(crate) fn for_scheme(
        &self,
        scheme: &str,
        resource: &ResourceIdentifier,
        lifetime: Duration,
    ) -> Nonces {
        let own = hmac::sign(&self.0, format!("{scheme} nonce\0{resource}").as_bytes());
        Nonces { key: hmac::Key::new(hmac::HMAC_SHA256, own.as_ref()), lifetime }
    }
}

impl Default for NonceKey {
    /// Of this process alone.
    fn default() -> Self {
        Self::shared(&rand::random())
    }
}

impl std::fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NonceKey([secret])")
    }
}

/// Issues nonces, and knows them again.
pub(crate) struct Nonces {
    key: hmac::Key,
    lifetime: Duration,
}

/// What a nonce is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// One of ours, of now.
    Good,
    /// One of ours, too old: the client is to take a new one.
    Stale,
    /// None of ours.
    Foreign,
}

impl Nonces {
    pub(crate) fn issue(&self, now: Timestamp) -> String {
        let mut nonce = now.unix().to_be_bytes().to_vec();
        nonce.extend(rand::random::<[u8; PARTS.1]>());
        let tag = hmac::sign(&self.key, &nonce);
        nonce.extend(tag.as_ref().iter().take(PARTS.2));
        BASE64_URL_SAFE_NO_PAD.encode(nonce)
    }

    pub(crate) fn worth(&self, nonce: &str, now: Timestamp) -> Worth {
        let Some(issued) = self.issued(nonce) else { return Worth::Foreign };
        let timely = issued <= now && now < issued.after(self.lifetime);
        if timely { Worth::Good } else { Worth::Stale }
    }

    /// When it ends; only for one that is good.
    pub(crate) fn ends(&self, nonce: &str) -> Option<Timestamp> {
        self.issued(nonce).map(|issued| issued.after(self.lifetime))
    }

    fn issued(&self, nonce: &str) -> Option<Timestamp> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(nonce).ok()?;
        let (said, tag) = bytes.split_at_checked(PARTS.0 + PARTS.1)?;
        let expected = hmac::sign(&self.key, said);
        let expected = expected.as_ref().get(..PARTS.2)?;
        aws_lc_rs::constant_time::verify_slices_are_equal(expected, tag).ok()?;
        let seconds = said.get(..PARTS.0)?.try_into().ok()?;
        Some(Timestamp::from_unix(i64::from_be_bytes(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonces(key: &NonceKey, scheme: &str, resource: &str) -> Nonces {
        let resource = ResourceIdentifier::parse(resource).unwrap();
        key.for_scheme(scheme, &resource, Duration::from_secs(60))
    }

    #[test]
    fn a_nonce_is_known_to_who_has_the_key_at_its_own_place() {
        let now = Timestamp::from_unix(1_000);
        let (one, other) = ([1; 32], [2; 32]);
        let nonce = nonces(&NonceKey::shared(&one), "dpop", "https://a.example").issue(now);
        for (secret, scheme, resource, worth) in [
            (one, "dpop", "https://a.example", Worth::Good),
            (other, "dpop", "https://a.example", Worth::Foreign),
            (one, "digest", "https://a.example", Worth::Foreign),
            (one, "dpop", "https://b.example", Worth::Foreign),
        ] {
            let nonces = nonces(&NonceKey::shared(&secret), scheme, resource);
            assert_eq!(nonces.worth(&nonce, now), worth, "{scheme} {resource}");
        }
    }

    #[test]
    fn a_nonce_is_known_again_until_it_is_old() {
        let nonces = nonces(&NonceKey::default(), "dpop", "https://a.example");
        let now = Timestamp::from_unix(1_000);
        let nonce = nonces.issue(now);
        let at = |seconds| nonces.worth(&nonce, Timestamp::from_unix(seconds));
        assert_eq!(
            (at(1_000), at(1_059), at(1_060), at(999)),
            (Worth::Good, Worth::Good, Worth::Stale, Worth::Stale)
        );
        assert_ne!(nonces.issue(now), nonce);
    }

    /// Row 23: no truncation, extension or flipped bit is taken.
    #[test]
    fn no_other_text_is_a_nonce() {
        let nonces = nonces(&NonceKey::default(), "dpop", "https://a.example");
        let now = Timestamp::from_unix(1_000);
        let nonce = nonces.issue(now);
        for length in 0..nonce.len() {
            assert_eq!(nonces.worth(&nonce[..length], now), Worth::Foreign);
        }
        assert_eq!(nonces.worth(&format!("{nonce}A"), now), Worth::Foreign);
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&nonce).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(nonces.worth(&BASE64_URL_SAFE_NO_PAD.encode(bytes), now), Worth::Foreign, "{bit}");
        }
    }
}
