//! Opaque tokens: the authorization server is asked what they are (RFC 7662).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use hallpass_guarded_fetch::{FetchError, Fetcher};
use hallpass_protocol::client_assertion::{self, ClientAssertion};
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::{Audience, JoseError, SigningKey};
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::{Clock, Timestamp};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use quick_cache::sync::Cache;
use serde_json::{Map, Value};
use tokio::sync::OnceCell;
use url::Url;

use crate::caller::{Caller, Granted, Said, principal_of};
use crate::claims::ClaimNames;
use crate::refusal::Refusal;
use crate::remote_keys::metadata;
use crate::settings::Settings;
use crate::verify::{Standing, Verified};

/// How an authorization server is asked.
#[derive(Clone, Debug)]
pub struct Introspection {
    /// Whose tokens they are.
    pub issuer: Issuer,
    /// Where to ask. Without it, the issuer's metadata says.
    pub endpoint: Option<Url>,
    /// Who this server is there.
    pub client: IntrospectionClient,
    /// What the issuer calls things.
    pub claims: ClaimNames,
    /// Further audiences that mean this resource.
    pub audiences: Vec<String>,
    /// Whether an answer must name this resource as audience. RFC 7662 §2.2 leaves `aud` optional; without it, a token
    /// for another resource of the same issuer is good here.
    pub audience_required: bool,
    /// How long a good answer is believed: 60 seconds, and never beyond `exp`. A token that is revoked may live that long.
    pub believed: Duration,
    /// How long "inactive" is believed: 10 seconds.
    pub disbelieved: Duration,
    /// What fetches; its time limit is the one that counts.
    pub fetcher: Fetcher,
}

/// How this server authenticates (RFC 7662 §2.1).
#[derive(Clone, Debug)]
pub enum IntrospectionClient {
    /// `client_secret_basic` (RFC 6749 §2.3.1).
    Secret {
        /// The `client_id`.
        id: String,
        /// The `client_secret`.
        secret: Secret,
    },
    /// `private_key_jwt` (RFC 7523 §2.2).
    PrivateKey {
        /// The `client_id`.
        id: String,
        /// The key.
        key: SigningKey,
    },
    /// A bearer token of its own.
    Bearer(Secret),
}

impl Introspection {
    /// With the usual times; answers must name the resource.
    #[must_use]
    pub fn new(issuer: Issuer, client: IntrospectionClient, fetcher: Fetcher) -> Self {
        Self {
            issuer,
            endpoint: None,
            client,
            claims: ClaimNames::default(),
            audiences: Vec::new(),
            audience_required: true,
            believed: Duration::from_secs(60),
            disbelieved: Duration::from_secs(10),
            fetcher,
        }
    }
}

/// A token that nobody has issued.
const MADE_UP: &str = "hallpass-config-check-not-a-token";

impl Introspection {
    /// Asks about a token that nobody has issued: whether the endpoint is there, and takes this server for its client.
    ///
    /// # Errors
    /// Where the answer is anything but "inactive".
    pub async fn try_out(&self, clock: &Clock) -> Result<(), NoAnswer> {
        let said = Introspector::new(self.clone(), 1).ask(MADE_UP, clock.now()).await?;
        match said.get("active") {
            Some(Value::Bool(false)) => Ok(()),
            _ => Err(NoAnswer::Believes),
        }
    }
}

/// After that many failures in a row the server is left alone,
const FAILURES: u32 = 5;
/// for that long.
const PAUSE: Duration = Duration::from_secs(10);

pub(crate) struct Introspector {
    settings: Introspection,
    /// By SHA-256 of the token.
    answers: Cache<[u8; 32], Answer>,
    endpoint: OnceCell<Url>,
    breaker: Mutex<Breaker>,
}

#[derive(Clone)]
struct Answer {
    /// `None`: inactive.
    caller: Option<Caller>,
    until: Timestamp,
}

#[derive(Default)]
struct Breaker {
    failures: u32,
    closed_until: Option<Timestamp>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Nothing came back.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Another status than 200 (RFC 7662 §2.3).
    #[error("the introspection endpoint answers {0}")]
    Status(StatusCode),
    /// RFC 7662 §2.2.
    #[error("the answer is no JSON object with `active`")]
    Shape,
    /// Id, secret or key are nothing that could be sent.
    #[error("the client authentication cannot be made")]
    Client,
    /// Neither the operator nor the issuer says where to ask.
    #[error("no introspection endpoint is known: {0}")]
    Endpoint(String),
    /// RFC 7662 §2.2: of a token that was made up.
    #[error("the introspection endpoint says that a token which was made up is active: it looks at none")]
    Believes,
}

impl NoAnswer {
    /// A server that answers is there, whatever it says: what one caller's token makes it say keeps nobody else out.
    fn is_outage(&self) -> bool {
        match self {
            Self::Fetch(_) | Self::Endpoint(_) => true,
            Self::Status(status) => status.is_server_error(),
            Self::Shape | Self::Client | Self::Believes => false,
        }
    }
}

impl Introspector {
    pub(crate) fn new(settings: Introspection, remembered: usize) -> Self {
        let endpoint = OnceCell::new_with(settings.endpoint.clone());
        Self { settings, answers: Cache::new(remembered), endpoint, breaker: Mutex::default() }
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        &self.settings.issuer
    }

    /// RFC 7662 §2.2; an answer that was had is good for a while.
    pub(crate) async fn verify(&self, token: &str, settings: &Settings) -> Result<Verified, Refusal> {
        let now = settings.clock.now();
        let mut key = [0; 32];
        key.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let answer = match self.answers.get(&key).filter(|answer| now < answer.until) {
            Some(answer) => answer,
            None => {
                self.may_ask(now)?;
                let said = self.ask(token, now).await;
                self.note(!said.as_ref().is_err_and(NoAnswer::is_outage), now);
                let claims = said.map_err(|error| {
                    tracing::warn!(issuer = %self.settings.issuer, %error, "a token cannot be introspected");
                    Refusal::IntrospectionUnavailable
                })?;
                let answer = self.judge(claims, now, settings);
                self.answers.insert(key, answer.clone());
                answer
            }
        };
        let caller = answer.caller.ok_or(Refusal::Inactive)?;
        Ok(Verified::new(caller, Standing::Opaque(Secret::new(token))))
    }

    /// Whether a token that was active still is: revocation by anybody else is heard of when the last answer is not believed
    /// any more.
    pub(crate) async fn recheck(
        &self,
        token: &Secret,
        caller: &Caller,
        settings: &Settings,
    ) -> Result<(), Refusal> {
        match self.verify(token.expose(), settings).await {
            // An issuer says "inactive" of both. Where the token said when it ends, the two can be told apart.
            Err(Refusal::Inactive)
                if caller.claim("exp").is_some() && caller.expires() <= settings.clock.now() =>
            {
                Err(JoseError::Expired.into())
            }
            checked => checked.map(drop),
        }
    }

    /// A server that fails again and again is not asked for a while: no request waits for it.
    fn may_ask(&self, now: Timestamp) -> Result<(), Refusal> {
        let breaker = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = breaker.closed_until.is_some_and(|until| now < until);
        if closed { Err(Refusal::IntrospectionUnavailable) } else { Ok(()) }
    }

    fn note(&self, answered: bool, now: Timestamp) {
        let mut breaker = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        breaker.failures = if answered { 0 } else { breaker.failures.saturating_add(1) };
        breaker.closed_until = (breaker.failures >= FAILURES).then(|| now.after(PAUSE));
    }

    async fn ask(&self, token: &str, now: Timestamp) -> Result<Map<String, Value>, NoAnswer> {
        let endpoint = self.endpoint.get_or_try_init(|| self.find()).await?;
        let mut headers = HeaderMap::new();
        let mut form = vec![("token", token), ("token_type_hint", "access_token")];
        let assertion;
        match &self.settings.client {
            IntrospectionClient::Secret { id, secret } => {
                headers.insert(AUTHORIZATION, basic(id, secret)?);
            }
            IntrospectionClient::Bearer(token) => {
                let value = HeaderValue::try_from(format!("Bearer {}", token.expose()));
                headers.insert(AUTHORIZATION, value.map_err(|_| NoAnswer::Client)?);
            }
            IntrospectionClient::PrivateKey { id, key } => {
                let jti = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
                let claims = ClientAssertion::new(id, &self.settings.issuer, jti, now);
                assertion = key.sign(client_assertion::TYP, &claims).map_err(|_| NoAnswer::Client)?;
                form.push(("client_id", id));
                form.push(("client_assertion_type", client_assertion::ASSERTION_TYPE));
                form.push(("client_assertion", &assertion));
            }
        }
        let answer = self.settings.fetcher.post_form(endpoint, &form, headers).await?;
        if answer.status != StatusCode::OK {
            return Err(NoAnswer::Status(answer.status));
        }
        match hallpass_protocol::json::from_slice_unique(&answer.body) {
            Ok(Value::Object(members)) if members.get("active").is_some_and(Value::is_boolean) => Ok(members),
            _ => Err(NoAnswer::Shape),
        }
    }

    async fn find(&self) -> Result<Url, NoAnswer> {
        let mut why = "its metadata names none".to_owned();
        for url in self.settings.issuer.metadata_urls() {
            match metadata(&self.settings.fetcher, &url, &self.settings.issuer).await {
                Ok(metadata) => {
                    let endpoint = metadata.introspection_endpoint.and_then(|text| Url::parse(&text).ok());
                    return endpoint.ok_or(NoAnswer::Endpoint(why));
                }
                Err(error) => why = error.to_string(),
            }
        }
        Err(NoAnswer::Endpoint(why))
    }

    /// What is active at its issuer must also be for here and for now.
    fn judge(&self, claims: Map<String, Value>, now: Timestamp, settings: &Settings) -> Answer {
        let inactive = Answer { caller: None, until: now.after(self.settings.disbelieved) };
        let Some(caller) = self.caller(claims, now, settings) else { return inactive };
        let until = now.after(self.settings.believed).min(caller.expires());
        Answer { caller: Some(caller), until }
    }

    fn caller(&self, claims: Map<String, Value>, now: Timestamp, settings: &Settings) -> Option<Caller> {
        let time = |name: &str| match claims.get(name) {
            None => Some(None),
            Some(value) => value.as_i64().map(|seconds| Some(Timestamp::from_unix(seconds))),
        };
        let (exp, nbf) = (time("exp")?, time("nbf")?);
        let issuer = claims.get("iss").is_none_or(|issuer| issuer == self.settings.issuer.as_str());
        let timely =
            exp.is_none_or(|exp| now < exp) && nbf.is_none_or(|nbf| nbf <= now.after(settings.leeway));
        if claims.get("active") != Some(&Value::Bool(true))
            || !issuer
            || !timely
            || !is_access_token(&claims)
            || !self.is_for_us(&claims, settings)
        {
            return None;
        }
        let names = &self.settings.claims;
        let client = names.client(&claims).ok()?.to_owned();
        // The same tenants as for its JWTs.
        names.check_tenant(&names.granted(claims.clone())).ok()?;
        // A token of a client without a user may have no `sub` (RFC 7662 §2.2).
        let subject = names.subject(&claims).map_or_else(|_| client.clone(), str::to_owned);
        let token_id = claims.get("jti").and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Caller::new(Said {
            token_id,
            // Without an end of its own it lives as long as the answer, and is asked about again.
            expires: exp.unwrap_or_else(|| now.after(self.settings.believed)),
            granted: Granted {
                principal: principal_of(&self.settings.issuer, &subject, settings.own_issuer.as_ref()),
                issuer: self.settings.issuer.to_string(),
                subject,
                client,
                ..names.granted(claims)
            },
        }))
    }

    fn is_for_us(&self, claims: &Map<String, Value>, settings: &Settings) -> bool {
        let Some(audience) = claims.get("aud") else { return !self.settings.audience_required };
        let ours = |audience: Audience| {
            // With and without the slash of an empty path (RFC 3986 §6.2.3).
            audience.contains(settings.resource.as_str())
                || audience.contains(settings.resource.url().as_str())
                || self.settings.audiences.iter().any(|also| audience.contains(also))
        };
        serde_json::from_value(audience.clone()).is_ok_and(ours)
    }
}

/// An issuer also answers about refresh and ID tokens, which live longer and are for others; it says which it is by a member of
/// its own: `token_use` or, in older versions, `token_type` (Ory Hydra, <https://github.com/ory/hydra/issues/1762>), `typ`
/// (Keycloak, <https://github.com/keycloak/keycloak/pull/8039>).
fn is_access_token(claims: &Map<String, Value>) -> bool {
    const OTHERS: [&str; 5] = ["refresh_token", "Refresh", "Offline", "id_token", "ID"];
    ["token_use", "token_type", "typ"].iter().all(|name| {
        let said = claims.get(*name).and_then(Value::as_str).unwrap_or_default();
        !OTHERS.iter().any(|other| said.eq_ignore_ascii_case(other))
    })
}

/// RFC 6749 §2.3.1: both parts form-encoded first.
fn basic(id: &str, secret: &Secret) -> Result<HeaderValue, NoAnswer> {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(id), encode(secret.expose()));
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(pair)))
        .map_err(|_| NoAnswer::Client)?;
    value.set_sensitive(true);
    Ok(value)
}
