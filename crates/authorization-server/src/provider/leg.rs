//! What was begun here at a provider, and comes back: good once, in the browser that began it (CVE-2025-46815,
//! CVE-2026-27124).
//!
//! Nothing secret is kept. The proof key and the nonce are made anew of `state` and of the browser's secret cookie: neither
//! the address that comes back nor the database is enough for them.

use std::time::Duration;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallpass_protocol::pkce::CodeVerifier;
use hallpass_protocol::secret::Secret;

use crate::random::{digest, token};
use crate::store::{NewLeg, Store, StoreError};

/// How long a person may take at the provider.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// What somebody was sent to a provider for. Anyone can begin signing in; it takes a login to begin the others, so each kind makes
/// room for its own alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegKind {
    /// To sign in.
    SignIn,
    /// To link who they are there.
    Link,
    /// To let servers act for them there.
    Act,
    /// To have the provider's tokens handed on.
    HandOn,
}

impl LegKind {
    /// As it is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign in",
            Self::Link => "link",
            Self::Act => "act",
            Self::HandOn => "hand on",
        }
    }
}

/// What goes to the provider with a browser. Only [`Leg::begin`] and [`Leg::finish`] make one.
#[derive(Clone, Debug)]
pub struct Leg {
    /// What the answer comes back with.
    pub state: Secret,
    /// The secret half of the proof key.
    pub verifier: CodeVerifier,
    /// What the ID token has to hold.
    pub nonce: String,
    /// What it was begun for.
    pub purpose: String,
}

impl Leg {
    /// Begins one at the provider of that name, in the browser that holds this secret.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn begin(
        store: &Store,
        browser: &Secret,
        provider: &str,
        kind: LegKind,
        purpose: &str,
    ) -> Result<Self, StoreError> {
        let leg = Self::of(token(), browser, purpose.to_owned());
        let (state, browser) = (&digest(leg.state.expose()), &digest(browser.expose()));
        let ends = store.now().after(LIFETIME);
        store.insert_provider_leg(&NewLeg { state, browser, provider, kind, purpose, ends }).await?;
        Ok(leg)
    }

    /// Ends the one that an answer names, if this browser began it at that provider. One of several callers goes on.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn finish(
        store: &Store,
        browser: &Secret,
        provider: &str,
        state: &str,
    ) -> Result<Option<Self>, StoreError> {
        let purpose = store.take_provider_leg(&digest(state), &digest(browser.expose()), provider).await?;
        Ok(purpose.map(|purpose| Self::of(state.to_owned(), browser, purpose)))
    }

    fn of(state: String, browser: &Secret, purpose: String) -> Self {
        let made = |what: &str| {
            let key = hmac::Key::new(HMAC_SHA256, browser.expose().as_bytes());
            let mut bytes = [0; 32];
            bytes.copy_from_slice(hmac::sign(&key, format!("{what}\0{state}").as_bytes()).as_ref());
            bytes
        };
        Self {
            verifier: CodeVerifier::from_entropy(made("provider proof key")),
            nonce: URL_SAFE_NO_PAD.encode(made("provider nonce")),
            state: Secret::new(state),
            purpose,
        }
    }
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::time::Timestamp;
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::store::testing::open;

    #[tokio::test]
    async fn a_leg_ends_once_in_its_own_browser_at_its_own_provider() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(1_000));
        let store = open(&database, clock.clock()).await;
        let (own, other) = (Secret::new("own"), Secret::new("other"));
        let begun = Leg::begin(&store, &own, "acme", LegKind::SignIn, "sign in").await.unwrap();
        let state = begun.state.expose();
        assert!(Leg::finish(&store, &other, "acme", state).await.unwrap().is_none(), "another browser");
        assert!(Leg::finish(&store, &own, "evil", state).await.unwrap().is_none(), "another provider");
        assert!(Leg::finish(&store, &own, "acme", "made up").await.unwrap().is_none());
        let ended = Leg::finish(&store, &own, "acme", state).await.unwrap().unwrap();
        assert_eq!((ended.verifier, ended.nonce.as_str()), (begun.verifier.clone(), begun.nonce.as_str()));
        assert_eq!(ended.purpose, "sign in");
        assert!(Leg::finish(&store, &own, "acme", state).await.unwrap().is_none(), "twice");
        assert_ne!(Leg::of(state.to_owned(), &other, String::new()).verifier, begun.verifier);

        let late = Leg::begin(&store, &own, "acme", LegKind::SignIn, "").await.unwrap();
        clock.set(Timestamp::from_unix(1_000).after(LIFETIME));
        assert!(Leg::finish(&store, &own, "acme", late.state.expose()).await.unwrap().is_none(), "too late");
    }

    #[tokio::test]
    async fn of_many_at_once_one_goes_on() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(1_000));
        let (here, there) = (open(&database, clock.clock()).await, open(&database, clock.clock()).await);
        let browser = Secret::new("own");
        let state = Leg::begin(&here, &browser, "acme", LegKind::SignIn, "").await.unwrap().state;
        let tries: Vec<_> = (0..16)
            .map(|n| {
                let (store, browser, state) =
                    (if n % 2 == 0 { here.clone() } else { there.clone() }, browser.clone(), state.clone());
                tokio::spawn(async move {
                    Leg::finish(&store, &browser, "acme", state.expose()).await.unwrap().is_some()
                })
            })
            .collect();
        let mut through = 0;
        for one in tries {
            through += usize::from(one.await.unwrap());
        }
        assert_eq!(through, 1);
    }
}
