//! The pipeline: a request goes in, a permitted one comes out.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::scope::ScopeSet;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::accounts::KEY_PREFIX;
use crate::binding::Binding;
use crate::caller::Caller;
use crate::credential::{API_KEY, Unverified};
use crate::json_rpc::{self, Message};
use crate::permitted::Permitted;
use crate::policy::{Asked, Compiled, Item, List};
use crate::refusal::Refusal;
use crate::refusal_response::{self, Challenger};
use crate::schemes::Schemes;
use crate::settings::Settings;
use crate::verify::{Verified, Verifier};

/// One protected resource. Clones share everything.
#[derive(Clone)]
pub struct ResourceServer(Arc<Inner>);

struct Inner {
    settings: Settings,
    policy: Compiled,
    verifier: Verifier,
    schemes: Schemes,
    metadata_url: String,
}

impl ResourceServer {
    /// A resource server with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let verifier = Verifier::new(&settings);
        let metadata_url = settings.resource.metadata_url().into();
        let policy = Compiled::new(settings.policy.clone());
        let schemes = Schemes::new(&settings);
        Self(Arc::new(Inner { settings, policy, verifier, schemes, metadata_url }))
    }

    /// Who this resource is.
    #[must_use]
    pub fn resource(&self) -> &ResourceIdentifier {
        &self.0.settings.resource
    }

    /// The tenant whose server this is, where there are several ([`Settings::tenant`]).
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.0.settings.tenant.as_deref()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// What a first login asks for.
    pub(crate) fn login_scopes(&self) -> &ScopeSet {
        self.0.policy.login()
    }

    /// Verifies a JWT that came by another way than HTTP, with the keys that are at hand. Where it is bound to a key, it is for
    /// the caller to see that the sender holds it.
    ///
    /// # Errors
    /// The rule that it broke.
    pub fn verify(&self, token: &str) -> Result<Verified, Refusal> {
        let verified = self.0.verifier.verify(Unverified(token), &self.0.settings)?;
        self.0.schemes.bound_at_once(Unverified(token), verified, &self.0.settings)
    }

    /// Verifies an access token that came by another way than HTTP; asks its issuer where that is needed, for keys or
    /// for what the token is. A token that is bound to a key is refused: nothing shows here who holds it.
    ///
    /// # Errors
    /// The rule that it broke.
    pub async fn authenticate(&self, token: &str) -> Result<Verified, Refusal> {
        let verified = self.0.schemes.token(Unverified(token), &self.0.verifier, &self.0.settings).await?;
        match Binding::of(verified.caller().claims())? {
            Binding { jkt: None, x5t: None } => Ok(verified),
            Binding { jkt: Some(_), .. } => Err(Refusal::SentAsBearer),
            Binding { .. } => Err(Refusal::OtherCertificate),
        }
    }

    /// Asks again whether a credential that was good still is: for what goes on after the request, such as a stream. Of an
    /// opaque token its issuer is asked again, as often as [`Introspection`](crate::Introspection) says.
    ///
    /// # Errors
    /// Where it has expired since, or was revoked; a revoked one is told as such, expired or not.
    pub async fn recheck(&self, verified: &Verified) -> Result<(), Refusal> {
        self.0.schemes.recheck(verified, &self.0.settings).await
    }

    /// Permits a request, or says why not. The body is read only where policy must see it, and
    /// only after the token was found good; what is passed on are the very bytes that were judged.
    ///
    /// # Errors
    /// The first rule that the request broke.
    pub async fn admit(&self, request: Request<Body>) -> Result<Permitted<Request<Body>>, Refusal> {
        self.admit_telling(request, |_| ()).await
    }

    /// The same; who is calling is told as soon as it is known, for a log that says who was refused.
    ///
    /// # Errors
    /// The first rule that the request broke.
    pub fn admit_telling(
        &self,
        request: Request<Body>,
        tell: impl FnOnce(&Caller) + Send,
    ) -> impl Future<Output = Result<Permitted<Request<Body>>, Refusal>> + Send {
        let (mut parts, body) = request.into_parts();
        async move {
            let Inner { settings, verifier, schemes, .. } = &*self.0;
            let verified = schemes.authenticate(&parts, verifier, settings).await?;
            tell(verified.caller());
            // A credential of this server, whose name another behind it may take for its own; or a key for another server of
            // this house, which is nobody else's business.
            let are_taken = settings.accounts.as_ref().is_some_and(|accounts| accounts.keys);
            if are_taken || parts.headers.get_all(API_KEY).iter().any(is_key_of_this_house) {
                parts.headers.remove(API_KEY);
            }
            let (body, lists) = self.authorize(&parts, body, &verified).await?;
            parts.extensions.insert(verified.caller().clone());
            Ok(Permitted::new(Request::from_parts(parts, body), verified, lists))
        }
    }

    /// Whether a caller may do what messages ask for that came by another way than HTTP; [`peek`](crate::json_rpc::peek)
    /// reads them.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn judge(&self, messages: &[Message<'_>], caller: &Caller) -> Result<(), Refusal> {
        let Inner { settings, policy, .. } = &*self.0;
        policy.judge(messages, caller.granted(), settings.clock.now())
    }

    /// The item of a list, as policy sees it.
    #[must_use]
    pub fn item(&self, list: List, name: &str, caller: &Caller) -> Item {
        self.0.policy.item(list, name, caller.granted(), self.0.settings.clock.now())
    }

    async fn authorize(
        &self,
        Parts { method, headers, .. }: &Parts,
        body: Body,
        verified: &Verified,
    ) -> Result<(Body, Vec<Asked>), Refusal> {
        let Inner { settings, policy, .. } = &*self.0;
        let (granted, now) = (verified.caller().granted(), settings.clock.now());
        // Said first, so that a token which can do nothing costs no reading.
        policy.judge(&[], granted, now)?;
        // A stream, or the end of a session.
        if method != Method::POST || body.is_end_stream() {
            policy.judge_http(method, granted, now)?;
        }
        if !policy.reads_bodies() || body.is_end_stream() {
            return Ok((body, Vec::new()));
        }
        let bytes = read(headers, body, settings.body_limit).await?;
        let mut lists = Vec::new();
        if bytes.is_empty() {
            policy.judge_http(method, granted, now)?;
        } else {
            let messages = json_rpc::peek(&bytes)?;
            json_rpc::check_mirrored_headers(headers, &messages)?;
            policy.judge(&messages, granted, now)?;
            lists = policy.lists(&messages);
        }
        Ok((Body::from(bytes), lists))
    }

    /// The answer to a request that was refused.
    #[must_use]
    pub fn refuse(&self, refusal: &Refusal) -> Response {
        let Inner { settings, schemes, policy, metadata_url, .. } = &*self.0;
        let now = settings.clock.now();
        let challenger = Challenger {
            realm: &settings.realm,
            resource_metadata: metadata_url,
            login_scopes: policy.login(),
            dpop: schemes.dpop_challenge(settings),
            nonce: schemes.dpop_nonce(now),
            others: schemes.other_challenges(settings, refusal, now),
        };
        refusal_response::respond(refusal, challenger)
    }
}

impl std::fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ResourceServer").field(&self.0.settings.resource).finish()
    }
}

fn is_key_of_this_house(value: &HeaderValue) -> bool {
    value.as_bytes().starts_with(KEY_PREFIX.as_bytes())
}

async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Refusal> {
    plain_utf8(headers)?;
    if body.size_hint().lower() > limit as u64 {
        return Err(Refusal::BodyTooLarge { limit });
    }
    let mut body = Limited::new(body, limit);
    let mut whole = Bytes::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => Refusal::BodyTooLarge { limit },
            false => Refusal::BodyUnreadable,
        })?;
        let Ok(data) = frame.into_data() else { continue };
        // Most come in one piece, which goes on as it is.
        whole = match whole.is_empty() {
            true => data,
            false => joined(whole, &data),
        };
        if body.is_end_stream() {
            break;
        }
    }
    Ok(whole)
}

/// What grows is copied no more often than it doubles.
fn joined(whole: Bytes, data: &[u8]) -> Bytes {
    let mut whole = whole.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&*shared));
    whole.extend_from_slice(data);
    whole.freeze()
}

/// JSON is UTF-8 (RFC 8259 §8.1). Bytes that upstream would decode in another way are not judged as
/// if they were.
fn plain_utf8(headers: &HeaderMap) -> Result<(), Refusal> {
    let plain = headers.get_all(CONTENT_ENCODING).iter().all(|coding| coding == "identity");
    let utf8 = headers.get_all(CONTENT_TYPE).iter().all(|value| {
        if value == "application/json" {
            return true;
        }
        let value = value.as_bytes().to_ascii_lowercase();
        let value = String::from_utf8_lossy(&value).replace(['"', ' ', '\t'], "");
        value.split(';').all(|part| !part.starts_with("charset") || part == "charset=utf-8")
    });
    if plain && utf8 { Ok(()) } else { Err(Refusal::BodyEncoding) }
}
