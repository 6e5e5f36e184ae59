//! What an operator lists before anybody else's word, or anybody's token, is exchanged for a token of this server.
//! Nothing is allowed that is not listed.

mod authority;
mod workload;

use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::{JwkSet, UnverifiedJwt, VerifyingKeys};
use hallpass_protocol::scope::ScopeSet;
use serde_json::{Map, Value};

pub(crate) use authority::{is_of, of_tenant};
pub use workload::{PinsTooLittle, WORKLOADS, Workload};

use crate::audit::{AuditKind, By, NewEvent};
use crate::clients::{KeySource, NoKeys};
use crate::server::Inner;
use crate::store::{Store, StoreError};

/// Whose assertions are exchanged for tokens (RFC 7523 §2.1).
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    /// Who signs them: their `iss`, character by character.
    pub issuer: Issuer,
    /// With what.
    pub keys: IssuerKeys,
    /// What they are.
    pub kind: AssertionKind,
    /// Their `aud`, where it cannot be this server's issuer: some platforms know only names of their own.
    pub audience: Option<String>,
    /// Who this server is at the issuer: the `aud` of its logout tokens (OpenID Connect Back-Channel Logout 1.0). None are taken,
    /// where nothing is said.
    pub logout_audience: Option<String>,
    /// Who this server is to the issuer's transmitter of shared signals: the `aud` of its security events (OpenID CAEP 1.0). None
    /// are taken, where nothing is said.
    pub signals_audience: Option<String>,
    /// The accounts that people of this issuer have here; none, where nothing is said: then a token is about
    /// `ISSUER#SUBJECT`, and nobody of this server.
    pub accounts: Option<AccountLinking>,
    /// Whether each counts once, by its `jti`: true, unless a workload has to send one and the same until it ends.
    pub once: bool,
    /// Who gets what for them. An assertion that fits no rule is refused.
    pub rules: Vec<AssertionRule>,
}

/// How a person of an issuer comes to an account here. An account that is linked already is found by issuer and subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountLinking {
    /// Domains that the issuer may speak for, in lower case: a verified address in one of them is linked to the account
    /// that has it as its name.
    pub email_domains: Vec<String>,
    /// Whether somebody without an account gets one.
    pub create: bool,
}

/// Where the keys of an issuer are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuerKeys {
    /// Here.
    Value(JwkSet),
    /// At a URL, which is fetched like any other that is not this server's own.
    Uri(String),
}

/// What an assertion is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum AssertionKind {
    /// An identity assertion authorization grant (ID-JAG; MCP extension "enterprise-managed authorization"): a company's
    /// identity provider says that this person may use this client here.
    IdJag,
    /// The identity of a workload (MCP extension "workload identity federation").
    Workload,
}

/// Who gets what for an assertion.
#[derive(Clone, Debug)]
pub struct AssertionRule {
    /// The client that presents it.
    pub client_id: String,
    /// The assertion's `sub`; `*` at the end stands for any ending.
    pub subject: String,
    /// Further claims that have to be there with exactly this text, or with it in their list.
    pub claims: Vec<(String, String)>,
    /// The resources that a token may be for; all, where nothing is said.
    pub resources: Option<Vec<String>>,
    /// The scopes that a token may hold.
    pub scopes: ScopeSet,
}

/// Who may exchange a token for which other one (RFC 8693).
#[derive(Clone, Debug)]
pub struct ExchangeRule {
    /// The client that asks, which is the audience of the token that it has.
    pub client_id: String,
    /// A resource that the token it has is for.
    pub from: String,
    /// The resource that the new token is for.
    pub to: String,
    /// The scopes that the new token may hold.
    pub scopes: ScopeSet,
}

impl TrustedIssuer {
    /// Its keys, with the one that a token names among them if it can be had.
    pub(crate) async fn keys(
        &self,
        server: &Inner,
        token: &UnverifiedJwt<'_>,
    ) -> Result<VerifyingKeys, NoKeys> {
        let source = match &self.keys {
            IssuerKeys::Value(set) => KeySource::Value(set.clone()),
            IssuerKeys::Uri(uri) => KeySource::Uri(uri.clone()),
        };
        let wanted = (token.kid(), token.algorithm());
        let keys = server.client_keys.find(&server.fetcher, &source, wanted, server.store.now()).await;
        keys.inspect_err(|error| {
            tracing::warn!(issuer = %self.issuer, %error, "the keys of a trusted issuer cannot be had");
        })
    }
}

impl AssertionRule {
    /// Whether it speaks of whoever says this of itself.
    pub(crate) fn fits(&self, claims: &Map<String, Value>) -> bool {
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        self.fits_subject(subject) && self.claims.iter().all(|(name, text)| holds(claims.get(name), text))
    }

    fn fits_subject(&self, subject: &str) -> bool {
        match self.subject.strip_suffix('*') {
            Some(prefix) => subject.starts_with(prefix),
            None => subject == self.subject,
        }
    }
}

/// A claim is a text, or a list of texts such as groups and roles.
fn holds(claim: Option<&Value>, text: &str) -> bool {
    match claim {
        Some(Value::String(only)) => only == text,
        Some(Value::Array(list)) => list.iter().any(|one| one.as_str() == Some(text)),
        _ => false,
    }
}

/// The trusted issuers, for an operator. Works on a bare store, while a server runs on it too.
#[derive(Clone, Debug)]
pub struct TrustedIssuers(Store);

/// A trusted issuer as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownIssuer {
    /// Who it is.
    pub issuer: String,
    /// Whether it is switched off.
    pub disabled: bool,
}

impl TrustedIssuers {
    /// All that a server on this database was ever configured with.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn list(&self) -> Result<Vec<KnownIssuer>, StoreError> {
        let rows = self.0.list_trusted_issuers().await?;
        Ok(rows.into_iter().map(|row| KnownIssuer { issuer: row.issuer, disabled: row.disabled }).collect())
    }

    /// Switches an issuer off: its assertions are refused, and all tokens that came from them end at once. False where
    /// it is not known.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn disable(&self, issuer: &str) -> Result<bool, StoreError> {
        let done = self.0.disable_trusted_issuer(issuer).await?;
        Ok(self.noted(done, AuditKind::IssuerDisabled, issuer).await)
    }

    /// Switches it on again; what came from it before stays dead. False where it is not known.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn enable(&self, issuer: &str) -> Result<bool, StoreError> {
        let done = self.0.enable_trusted_issuer(issuer).await?;
        Ok(self.noted(done, AuditKind::IssuerEnabled, issuer).await)
    }
}

impl TrustedIssuers {
    /// What was done, where it was, for the audit log.
    async fn noted(&self, done: bool, kind: AuditKind, issuer: &str) -> bool {
        if done {
            self.0.record_now(NewEvent::new(kind).by(&By::Operator).detail(issuer)).await;
        }
        done
    }
}

impl Store {
    /// The trusted issuers.
    #[must_use]
    pub fn trusted_issuers(&self) -> TrustedIssuers {
        TrustedIssuers(self.clone())
    }
}
