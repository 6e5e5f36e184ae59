//! Identity providers as in-process peers that enforce what their documents say they do otherwise.
//!
//! A provider is data: where its documents are, and a list of [`Quirk`]s, each one small rule with its source. The flow
//! itself is that of the [scripted authorization server](crate::authorization_server); PKCE, redirect URIs and the
//! client's secret are checked for all of them. Nothing here has been compared with the services themselves.
//!
//! | room | what is in it |
//! |---|---|
//! | `quirk` | the form of a rule |
//! | `recorded` | a running provider: its rules at each endpoint |
//! | `entra` … `cognito` | the providers |

mod auth0;
mod cognito;
mod entra;
mod github;
mod google;
mod keycloak;
mod okta;
mod quirk;
mod recorded;

pub use auth0::AUTH0;
pub use cognito::COGNITO;
pub use entra::{ENTRA, TENANT};
pub use github::{GITHUB, GITHUB_APP};
pub use google::GOOGLE;
pub use keycloak::KEYCLOAK;
pub use okta::OKTA;
pub use quirk::{Form, Grant, Members, Quirk, Refused, Rule};
pub use recorded::{Client, Recorded};

use std::sync::Arc;

use serde_json::{Value, json};

use crate::authorization_server::Peer;

/// All of them.
pub const ALL: [&Behaviour; 7] = [&ENTRA, &GOOGLE, &GITHUB, &OKTA, &AUTH0, &KEYCLOAK, &COGNITO];

/// How one provider behaves.
#[derive(Debug)]
pub struct Behaviour {
    /// What hallpass calls it.
    pub name: &'static str,
    /// The issuer, below the origin.
    pub issuer: &'static str,
    /// The paths at which its metadata is.
    pub documents: &'static [&'static str],
    /// `typ` of its access tokens; empty for none.
    pub typ: &'static str,
    /// Who somebody is there.
    pub subject: &'static str,
    /// What it does otherwise.
    pub quirks: &'static [Quirk],
}

/// A provider that runs on this machine.
pub struct Provider {
    /// The server.
    pub peer: Peer,
    /// Its behaviour, and what it remembers.
    pub recorded: Arc<Recorded>,
}

impl Provider {
    /// Starts one on a free port, with a client that was registered by hand.
    ///
    /// # Panics
    /// When no port or key can be had.
    pub async fn start(behaviour: &'static Behaviour) -> Self {
        let peer = Peer::start().await;
        let recorded = Arc::new(Recorded::new(behaviour, &peer.origin));
        let metadata = recorded.metadata();
        peer.script(|script| {
            script.issuer = None;
            for path in behaviour.documents {
                script.documents.insert((*path).to_owned(), metadata.clone());
            }
            if metadata.get("jwks_uri").is_some() {
                script.documents.insert("/keys".to_owned(), json!({"keys": [recorded.key().public_jwk()]}));
            }
            script.response = vec![("iss", recorded.response_issuer())];
            script.provider = Some(Arc::clone(&recorded));
        });
        Self { peer, recorded }
    }

    /// How it behaves.
    #[must_use]
    pub fn behaviour(&self) -> &'static Behaviour {
        self.recorded.behaviour()
    }

    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.recorded.issuer()
    }

    /// An access token as the provider writes it, for that request and with these claims in place of its own; null takes
    /// one out.
    ///
    /// # Panics
    /// Where it cannot be signed.
    #[must_use]
    pub fn token(&self, request: &[(&str, &str)], claims: &Value) -> String {
        let request: Form =
            request.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.recorded.sign(&request, claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quirk_has_a_name_of_its_own_and_a_source() {
        for behaviour in ALL.into_iter().chain([&GITHUB_APP]) {
            let names: Vec<_> = behaviour.quirks.iter().map(|quirk| quirk.name).collect();
            for (at, quirk) in behaviour.quirks.iter().enumerate() {
                assert_eq!(names.iter().position(|name| *name == quirk.name), Some(at), "{}", quirk.name);
                assert!(quirk.source.starts_with("https://"), "{}: {}", behaviour.name, quirk.name);
            }
        }
    }
}
