//! Third parties of which hallpass is a client: what for, and what has to be registered there.

use hallpass_authorization_server::SignIn;
use hallpass_authorization_server::provider::Provider;

use super::house_plan::HousePlan;

/// One of them.
pub(crate) struct ClientOf<'h> {
    /// In `[third_parties]`.
    name: &'h str,
    /// Its tokens are handed on.
    handed_on: bool,
    /// Who it is, and who hallpass is there.
    pub(crate) provider: &'h Provider,
    /// People sign in through it.
    pub(crate) sign_in: Option<&'h SignIn>,
    /// Servers act there for people.
    acts: bool,
}

impl HousePlan {
    /// Every one, each once.
    pub(crate) fn client_of(&self) -> Vec<ClientOf<'_>> {
        let handed_on = self.provider.iter().zip(&self.authorization_server.proxied);
        let handed_on = handed_on.map(|(provider, name)| ClientOf {
            name,
            handed_on: true,
            provider,
            sign_in: None,
            acts: false,
        });
        let is_embedded = self.embedded().next().is_some();
        let sign_in = self.sign_in.iter().filter(|_| is_embedded).map(|sign_in| ClientOf {
            name: &sign_in.name,
            handed_on: false,
            provider: &sign_in.provider,
            sign_in: Some(sign_in),
            acts: self.third_parties.contains_key(&sign_in.name),
        });
        let signs_in = |name: &String| self.sign_in.iter().any(|sign_in| sign_in.name == *name);
        let acts = self.third_parties.iter().filter(|(name, _)| !signs_in(name));
        let acts = acts.map(|(name, known)| ClientOf {
            name,
            handed_on: false,
            provider: &known.provider,
            sign_in: None,
            acts: true,
        });
        handed_on.chain(sign_in).chain(acts).collect()
    }
}

impl ClientOf<'_> {
    /// Where the file speaks of it.
    pub(crate) fn title(&self) -> String {
        format!("third_parties.{}", self.name)
    }

    /// What it is for.
    pub(crate) fn purpose(&self) -> &'static str {
        match (self.handed_on, self.sign_in.is_some()) {
            (true, _) => "its tokens are handed on",
            (false, true) if self.acts => "people sign in through it, and servers act there for them",
            (false, true) => "people sign in through it",
            (false, false) => "servers act there for people",
        }
    }

    /// Whether hallpass has to have new tokens there without the person.
    pub(crate) fn refreshes(&self) -> bool {
        self.handed_on || self.acts
    }

    /// Whether it says who people are.
    pub(crate) fn learns_who(&self) -> bool {
        self.handed_on || self.sign_in.is_some()
    }

    /// Where it sends people back to, below the issuer.
    pub(crate) fn redirect_uri(&self, issuer: &str) -> String {
        let (issuer, name) = (issuer.trim_end_matches('/'), self.name);
        match self.handed_on {
            true => format!("{issuer}/provider/callback"),
            false => format!("{issuer}/providers/{name}/callback"),
        }
    }
}
