//! What an operator decides about a protected resource.

use std::sync::Arc;
use std::time::Duration;

use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::{AccessTokenClaims, VerifyingKeys};
use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::time::Clock;
use serde_json::{Map, Value};
use url::Url;

use crate::accounts::{Accounts, DigestScheme};
use crate::agreed::AgreedTokens;
use crate::certificate::Certificates;
use crate::claims::ClaimNames;
use crate::dpop::Dpop;
use crate::introspection::Introspection;
use crate::metadata::MetadataSigner;
use crate::nonce::NonceKey;
use crate::policy::Policy;
use crate::remote_keys::RemoteKeys;
use crate::replays::Replays;
use crate::stored::StoredTokens;
use crate::streams::AtExpiry;
use crate::verifications::Verifications;

/// The longest body that is read by default, in bytes: 4 MiB, as the official SDKs' servers have it.
pub const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// The settings of one protected resource.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who this server is, and what an access token's `aud` must be (RFC 8707 §2).
    pub resource: ResourceIdentifier,
    /// Where clients reach it besides, such as the host for clients that show certificates (RFC 8705 §5): a DPoP proof may
    /// name any of these (`htu`). Only scheme, host and port count. None by default.
    pub aliases: Vec<Url>,
    /// A name for people, shown in the metadata.
    pub name: Option<String>,
    /// The `realm` of every challenge (RFC 9110 §11.5). The resource identifier by default.
    pub realm: String,
    /// Further members of the metadata, such as `public_client_id` or `resource_documentation` (RFC 9728 §2).
    pub metadata: Map<String, Value>,
    /// Who signs the metadata (`signed_metadata`, RFC 9728 §2.2), if anybody does.
    pub metadata_signer: Option<MetadataSigner>,
    /// Whose tokens are taken.
    pub issuers: Vec<TrustedIssuer>,
    /// Which of them has its users told by their subject alone ([`Caller::principal`](crate::Caller::principal)); those
    /// of all others are told as `issuer#subject`. None by default.
    pub own_issuer: Option<Issuer>,
    /// The tenant whose server this is, where there are several: accounts that name no other are of it, and are told as
    /// `tenant/key#name`, since another tenant may have one of that name. None by default.
    pub tenant: Option<String>,
    /// Which scopes an operation needs.
    pub policy: Policy,
    /// Opaque tokens that can be looked up in this process. None by default.
    pub stored_tokens: Option<StoredTokens>,
    /// Tokens of a provider that an authorization server in this process hands on, and bounds. None by default.
    pub agreed_tokens: Option<AgreedTokens>,
    /// Who is asked about tokens that are no JWTs (RFC 7662).
    pub introspection: Option<Introspection>,
    /// Proof of possession (RFC 9449). Without it, bound tokens are refused.
    pub dpop: Option<Dpop>,
    /// Accounts of this server's own, and how they may show themselves.
    pub accounts: Option<OwnAccounts>,
    /// Client certificates.
    pub certificates: Certificates,
    /// What counts once, and was there before: DPoP proofs and the counts of Digest.
    pub replays: Replays,
    /// What the nonces of DPoP and Digest are signed with.
    pub nonces: NonceKey,
    /// What becomes of a stream of events when the token that opened it expires.
    pub streams: AtExpiry,
    /// Which tokens died before their time.
    pub revocations: Revocations,
    /// What time it is.
    pub clock: Clock,
    /// How far an issuer's clock may be off: 30 seconds.
    pub leeway: Duration,
    /// The longest body that is read where policy must read one, in bytes: [`BODY_LIMIT`].
    pub body_limit: usize,
    /// How many verified tokens are remembered: 10,000, about 2 KiB each; no more is kept, however many come.
    pub remembered_tokens: usize,
    /// Who counts the JWTs that were found good. Nobody by default.
    pub verifications: Option<Arc<Verifications>>,
}

impl Settings {
    /// A resource that trusts nobody yet and asks for no scope.
    #[must_use]
    pub fn new(resource: ResourceIdentifier, clock: Clock) -> Self {
        Self {
            realm: resource.to_string(),
            resource,
            aliases: Vec::new(),
            name: None,
            metadata: Map::new(),
            metadata_signer: None,
            issuers: Vec::new(),
            own_issuer: None,
            tenant: None,
            policy: Policy::default(),
            stored_tokens: None,
            agreed_tokens: None,
            introspection: None,
            dpop: None,
            accounts: None,
            certificates: Certificates::default(),
            replays: Replays::default(),
            nonces: NonceKey::default(),
            streams: AtExpiry::default(),
            revocations: Revocations::default(),
            clock,
            leeway: Duration::from_secs(30),
            body_limit: BODY_LIMIT,
            remembered_tokens: 10_000,
            verifications: None,
        }
    }
}

impl Settings {
    /// What is kept for an account of this server's own is kept under this.
    pub(crate) fn account_principal(&self, scheme: &str, name: &str) -> String {
        match &self.tenant {
            Some(tenant) => format!("{tenant}/{scheme}#{name}"),
            None => format!("{scheme}#{name}"),
        }
    }
}

/// Accounts of this server's own. Bearer tokens are taken beside them.
#[derive(Clone, Debug)]
pub struct OwnAccounts {
    /// Who there is.
    pub list: Accounts,
    /// Whether API keys are taken, as Bearer or in `X-API-Key`.
    pub keys: bool,
    /// Whether Basic is offered (RFC 7617). Never over plain http, loopback aside.
    pub basic: bool,
    /// How Digest is offered (RFC 7616), if it is.
    pub digest: Option<DigestScheme>,
}

/// An authorization server whose access tokens are taken.
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    /// Its issuer identifier, compared character by character (RFC 8414 §2).
    pub issuer: Issuer,
    /// Its keys, each with the algorithms that are allowed for it.
    pub keys: Keys,
    /// What it calls things.
    pub claims: ClaimNames,
    /// The types of token that are taken (`typ`, RFC 9068 §2.1): `at+jwt`. Some issuers write `JWT`; an
    /// ID token is that, too, so add it only where the audience tells the two apart.
    pub types: Vec<String>,
    /// What tells its access tokens from its other tokens, where their type does not.
    pub kind: Option<TokenKind>,
    /// Whether every token must have a name of its own (`jti`, RFC 9068 §2.2): true. Some issuers give none; their
    /// tokens cannot be revoked here one by one.
    pub id_required: bool,
    /// Further audiences that mean this resource, for issuers that know no resource indicators (RFC 8707).
    pub audiences: Vec<String>,
    /// A public client there that native applications may share, for those that cannot register: published as
    /// `public_client_id` in the metadata (an extension, see `docs/public-client-id.md`).
    pub public_client_id: Option<String>,
    /// Who clients ask for its tokens, where that is another: its name stands in the metadata in place of the issuer's.
    pub asked_at: Option<Issuer>,
}

impl TrustedIssuer {
    /// Who clients ask for its tokens.
    pub(crate) fn asked(&self) -> &Issuer {
        self.asked_at.as_ref().unwrap_or(&self.issuer)
    }

    /// An issuer and its keys.
    #[must_use]
    pub fn new(issuer: Issuer, keys: Keys) -> Self {
        let types = vec![AccessTokenClaims::TYP.to_owned()];
        Self {
            issuer,
            keys,
            claims: ClaimNames::default(),
            types,
            kind: None,
            id_required: true,
            audiences: Vec::new(),
            public_client_id: None,
            asked_at: None,
        }
    }
}

/// A claim by which an issuer tells access tokens from others, where all are `JWT`s (RFC 8725 §3.12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenKind {
    /// Its name, such as `token_use`.
    pub claim: String,
    /// What it is in an access token: one of these.
    pub values: Vec<String>,
}

impl TokenKind {
    pub(crate) fn is_of(&self, claims: &Map<String, Value>) -> bool {
        let said = claims.get(&self.claim).and_then(Value::as_str);
        said.is_some_and(|said| self.values.iter().any(|value| value == said))
    }
}

/// An issuer's keys as they are at the moment of asking, so that a rotation needs no restart.
#[derive(Clone)]
pub struct Keys(Source);

#[derive(Clone)]
enum Source {
    Asked(Arc<dyn Fn() -> Arc<VerifyingKeys> + Send + Sync>),
    Fetched(RemoteKeys),
}

impl Keys {
    /// Keys that may change. Asked once a request, so the answer should be at hand. A token that was
    /// verified before is verified anew when another `Arc` comes back.
    #[must_use]
    pub fn live(current: impl Fn() -> Arc<VerifyingKeys> + Send + Sync + 'static) -> Self {
        Self(Source::Asked(Arc::new(current)))
    }

    /// Keys that are fetched from their issuer.
    #[must_use]
    pub fn fetched(keys: RemoteKeys) -> Self {
        Self(Source::Fetched(keys))
    }

    /// Keys that stay.
    #[must_use]
    pub fn fixed(keys: VerifyingKeys) -> Self {
        let keys = Arc::new(keys);
        Self::live(move || Arc::clone(&keys))
    }

    pub(crate) fn current(&self) -> Arc<VerifyingKeys> {
        match &self.0 {
            Source::Asked(current) => current(),
            Source::Fetched(keys) => {
                keys.keep_fresh();
                keys.current()
            }
        }
    }

    /// What fetches them, if something does.
    pub(crate) fn remote(&self) -> Option<&RemoteKeys> {
        match &self.0 {
            Source::Asked(_) => None,
            Source::Fetched(keys) => Some(keys),
        }
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

/// Knows which tokens were revoked. Asked for every request, remembered token or not.
#[derive(Clone)]
pub struct Revocations(Arc<AskRevoked>);

type AskRevoked = dyn Fn(&str) -> Option<bool> + Send + Sync;

impl Revocations {
    /// `is_revoked` gets the `jti` of a token (RFC 9068 §2.2) and answers from memory.
    #[must_use]
    pub fn new(is_revoked: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::uncertain(move |jti| Some(is_revoked(jti)))
    }

    /// The same for a memory that can be out of date: `None` is "not known", and refuses the request with 503.
    #[must_use]
    pub fn uncertain(is_revoked: impl Fn(&str) -> Option<bool> + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_revoked))
    }

    pub(crate) fn contains(&self, jti: &str) -> Option<bool> {
        (self.0)(jti)
    }
}

impl Default for Revocations {
    /// Nothing is ever revoked: for issuers that cannot tell.
    fn default() -> Self {
        Self::new(|_| false)
    }
}

impl std::fmt::Debug for Revocations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Revocations")
    }
}
