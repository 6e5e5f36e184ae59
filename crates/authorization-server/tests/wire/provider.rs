//! Somebody else's authorization server, as this one sees it: each rule is broken once.

use hallpass_authorization_server::provider::{
    AuthorizationRequest, Identity, Provider, ProviderCredentials, ProviderError, ProviderSettings,
    TokenRequest,
};
use hallpass_guarded_fetch::{Fetcher, Policy};
use hallpass_protocol::authorization::{AuthorizationResponse, AuthorizationResponseError};
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::{JoseError, SigningKey, UnverifiedJwt};
use hallpass_protocol::pkce::CodeVerifier;
use hallpass_protocol::profile::{Endpoints, People, Profile};
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use hallpass_protocol::token::TokenResponse;
use hallpass_testkit::clock::FakeClock;
use hallpass_testkit::third_party::{CLIENT_ID, CLIENT_SECRET, ThirdParty};
use serde_json::{Value, json};
use url::Url;

const CALLBACK: &str = "http://localhost:8080/providers/acme/callback";
const NONCE: &str = "a nonce";

struct Trip {
    party: ThirdParty,
    provider: Provider,
    clock: FakeClock,
}

impl Trip {
    async fn begin() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut ProviderSettings)) -> Self {
        let clock = FakeClock::at(Timestamp::from_unix(1_800_000_000));
        let party = ThirdParty::start(clock.clock()).await;
        let mut settings = settings(&party);
        change(&mut settings);
        Self { party, provider: Provider::new(settings), clock }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn url(&self, extra: &[(&str, &str)], offline: bool) -> Result<Url, ProviderError> {
        self.url_for("openid email", extra, offline).await
    }

    async fn url_for(
        &self,
        scopes: &str,
        extra: &[(&str, &str)],
        offline: bool,
    ) -> Result<Url, ProviderError> {
        let request = AuthorizationRequest {
            redirect_uri: CALLBACK,
            state: &Secret::new("a state"),
            verifier: &verifier(),
            nonce: Some(NONCE),
            scopes: &ScopeSet::parse(scopes).unwrap(),
            resource: Some("https://api.example"),
            offline,
            extra,
        };
        self.provider.authorization_url(&request, self.now()).await
    }

    /// The query that comes back.
    async fn answered(&self) -> String {
        let url = self.url(&[], false).await.unwrap();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let answer = http.get(url).send().await.unwrap();
        let location = Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
        assert!(location.as_str().starts_with(CALLBACK));
        location.query().unwrap().to_owned()
    }

    async fn code(&self, query: &str) -> Result<Secret, ProviderError> {
        let answer = AuthorizationResponse::parse(query).unwrap();
        self.provider.code(&answer, &Secret::new("a state"), self.now()).await
    }

    async fn tokens(&self) -> Result<TokenResponse, ProviderError> {
        let code = self.code(&self.answered().await).await.unwrap();
        let request = TokenRequest::Code { code: &code, redirect_uri: CALLBACK, verifier: &verifier() };
        self.provider.tokens(request, Some("https://api.example"), self.now()).await
    }

    async fn identity(&self) -> Result<Identity, ProviderError> {
        let tokens = self.tokens().await.unwrap();
        self.provider.identity(&tokens, NONCE, None, &["email"], self.now()).await
    }

    async fn refresh(&self, token: &str) -> Result<TokenResponse, ProviderError> {
        let scopes = ScopeSet::parse("openid email").unwrap();
        let request = TokenRequest::Refresh { token: &Secret::new(token), scopes: &scopes };
        self.provider.tokens(request, None, self.now()).await
    }
}

fn verifier() -> CodeVerifier {
    CodeVerifier::from_entropy([7; 32])
}

fn settings(party: &ThirdParty) -> ProviderSettings {
    ProviderSettings {
        issuer: Issuer::parse(party.issuer()).unwrap(),
        profile: Profile::default(),
        client_id: CLIENT_ID.to_owned(),
        credentials: ProviderCredentials::Secret(Secret::new(CLIENT_SECRET)),
        scopes: ScopeSet::parse("openid email").unwrap(),
        tenants: Vec::new(),
        fetcher: Fetcher::new(Policy { allow_loopback: true, ..Policy::default() }).unwrap(),
    }
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn a_person_comes_back_with_a_code_that_becomes_tokens_and_a_name() {
    let trip = Trip::begin().await;
    trip.party.script().user_info = json!({ "sub": "sub-of-ada", "email": "ada@acme.example",
        "email_verified": true, "iss": "a UserInfo changes nothing that the ID token says" });
    let identity = trip.identity().await.unwrap();
    assert_eq!((identity.issuer(), identity.subject()), (trip.party.issuer(), "sub-of-ada"));
    assert_eq!(identity.verified_email(), Some("ada@acme.example"));
    assert_eq!(identity.claim("iss").and_then(Value::as_str), Some(trip.party.issuer()));
    let asked = trip.party.asked("/token").remove(0);
    assert!(asked.headers["authorization"].to_str().unwrap().starts_with("Basic "), "RFC 8414 §2");
    assert!(!asked.parameters.contains_key("client_secret"));
    assert_eq!(asked.parameters["resource"], "https://api.example");
    assert_eq!(trip.party.asked("/.well-known/openid-configuration").len(), 1, "asked once");
}

#[tokio::test]
async fn the_request_says_all_that_binds_the_answer() {
    let trip = Trip::with(|settings| {
        let one = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
        settings.profile.authorization_parameters = one("hd", "acme.example");
        settings.profile.offline_parameters = one("access_type", "offline");
    })
    .await;
    let extra = [("prompt", "login"), ("state", "another"), ("redirect_uri", "https://evil.example")];
    let url = trip.url(&extra, false).await.unwrap();
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", CALLBACK),
        ("state", "a state"),
        ("nonce", NONCE),
        ("code_challenge", verifier().challenge().as_str()),
        ("code_challenge_method", "S256"),
        ("resource", "https://api.example"),
        ("prompt", "login"),
        ("hd", "acme.example"),
    ] {
        assert_eq!(parameter(&url, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(url.query_pairs().filter(|(name, _)| name == "state").count(), 1);
    assert_eq!(parameter(&url, "access_type"), None, "nothing is kept of a mere login");
    assert!(parameter(&trip.url(&[], true).await.unwrap(), "access_type").is_some());
}

/// OpenID Connect Core §11: without it an OpenID provider ignores `offline_access`, and gives no refresh token.
#[tokio::test]
async fn consent_is_asked_for_with_offline_access_where_the_provider_wants_that() {
    for (listed, without, scopes, extra, offline, expected) in [
        (json!(["openid", "offline_access"]), false, "openid offline_access", None, true, Some("consent")),
        (
            json!(["openid", "offline_access"]),
            false,
            "offline_access",
            Some("login"),
            true,
            Some("login consent"),
        ),
        (
            json!(["openid", "offline_access"]),
            false,
            "offline_access",
            Some("select_account"),
            true,
            Some("select_account"),
        ),
        (json!(["openid", "offline_access"]), false, "openid", None, true, None),
        (json!(["openid", "offline_access"]), false, "openid offline_access", None, false, None),
        (json!(["offline_access"]), false, "offline_access", None, true, None),
        (json!(["openid", "offline_access"]), true, "openid offline_access", None, true, None),
    ] {
        let trip = Trip::with(|settings| settings.profile.offline_without_consent = without).await;
        trip.party.script().metadata = json!({ "scopes_supported": listed });
        let extra: Vec<_> = extra.map(|value| ("prompt", value)).into_iter().collect();
        let url = trip.url_for(scopes, &extra, offline).await.unwrap();
        assert_eq!(parameter(&url, "prompt").as_deref(), expected, "{listed} {scopes} {extra:?} {offline}");
    }
}

#[tokio::test]
async fn pkce_is_left_out_only_where_the_provider_knows_other_methods_alone() {
    for (methods, sent) in
        [(json!(["S256"]), true), (Value::Null, true), (json!([]), true), (json!(["plain"]), false)]
    {
        let trip = Trip::begin().await;
        trip.party.script().metadata = json!({ "code_challenge_methods_supported": methods });
        let url = trip.url(&[], false).await.unwrap();
        assert_eq!(parameter(&url, "code_challenge").is_some(), sent, "{methods}");
        trip.tokens().await.unwrap();
        assert_eq!(trip.party.asked("/token")[0].parameters.contains_key("code_verifier"), sent);
    }
}

#[tokio::test]
async fn metadata_of_another_issuer_is_refused() {
    let trip = Trip::begin().await;
    trip.party.script().metadata = json!({ "issuer": format!("{}/", trip.party.issuer()) });
    assert!(matches!(trip.url(&[], false).await, Err(ProviderError::WrongIssuer(_))));
    let tolerant = Trip::with(|settings| settings.profile.root_slash = true).await;
    tolerant.party.script().metadata = json!({ "issuer": format!("{}/", tolerant.party.issuer()) });
    assert!(tolerant.url(&[], false).await.is_ok());
}

/// Row 40 of the faults that are never to come again: nothing that a provider names leads inside.
#[tokio::test]
async fn what_the_metadata_names_is_followed_by_the_guard_alone() {
    for url in [
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/x",
        "http://idp.example/x",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://user:password@idp.example/x",
    ] {
        let set = async |name: &str| {
            let trip = Trip::begin().await;
            trip.party.script().metadata = json!({ name: url });
            trip
        };
        let refused = set("authorization_endpoint").await.url(&[], false).await;
        assert!(matches!(refused, Err(ProviderError::BadEndpoint(..))), "{url}: {refused:?}");
        let refused = set("token_endpoint").await.tokens().await.map(drop);
        assert!(matches!(refused, Err(ProviderError::BadEndpoint(..))), "{url}: {refused:?}");
        for name in ["jwks_uri", "userinfo_endpoint"] {
            let refused = set(name).await.identity().await;
            assert!(matches!(refused, Err(ProviderError::BadEndpoint(..))), "{name} {url}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn metadata_counts_for_an_hour_and_on_while_the_provider_is_down() {
    let trip = Trip::begin().await;
    let fetches = || trip.party.asked("/.well-known/openid-configuration").len();
    trip.url(&[], false).await.unwrap();
    trip.clock.advance(std::time::Duration::from_secs(3599));
    trip.url(&[], false).await.unwrap();
    assert_eq!(fetches(), 1);
    trip.clock.advance(std::time::Duration::from_secs(1));
    trip.url(&[], false).await.unwrap();
    assert_eq!(fetches(), 2);
    // Another one answers there now: what was known does not count on.
    trip.party.script().metadata = json!({ "issuer": "https://evil.example" });
    trip.clock.advance(std::time::Duration::from_secs(3600));
    for _ in 0..2 {
        assert!(matches!(trip.url(&[], false).await, Err(ProviderError::WrongIssuer(_))));
    }

    let nobody = Trip::with(|settings| settings.issuer = Issuer::parse("http://127.0.0.1:9").unwrap()).await;
    let error = nobody.url(&[], false).await.unwrap_err();
    assert!(error.is_outage() && !error.ends_session(), "{error}");
}

#[tokio::test]
async fn an_answer_is_judged_by_state_then_issuer_then_what_it_says() {
    use AuthorizationResponseError::{Ambiguous, MissingIssuer, WrongIssuer, WrongState};
    let trip = Trip::begin().await;
    let own = trip.party.issuer();
    let refused = async |query: &str| match trip.code(query).await {
        Err(ProviderError::Answer(error)) => error,
        other => panic!("{query}: {other:?}"),
    };
    let evil = "error=access_denied&error_description=call+0190";
    assert!(matches!(refused(&format!("state=x&iss={own}&{evil}")).await, WrongState));
    assert!(matches!(refused(&format!("state=a+state&{evil}")).await, MissingIssuer { .. }));
    assert!(matches!(refused(&format!("state=a+state&iss=&{evil}")).await, WrongIssuer { .. }));
    assert!(matches!(refused("state=a+state&iss=https://evil.example&code=x").await, WrongIssuer { .. }));
    assert!(matches!(refused(&format!("state=a+state&iss={own}")).await, Ambiguous(_)));
    let denied = trip.code(&format!("state=a+state&iss={own}&error=access_denied")).await.unwrap_err();
    assert!(matches!(&denied, ProviderError::Denied(said) if said.error.as_str() == "access_denied"));
    assert_eq!(trip.code(&format!("state=a+state&iss={own}&code=x")).await.unwrap().expose(), "x");
}

/// Row 22: another party's ID token, and every other fault by itself.
#[tokio::test]
async fn each_fault_of_an_id_token_alone_is_refused() {
    type Fault = fn(&ProviderError) -> bool;
    let cases: [(Value, Fault); 14] = [
        (json!({"aud": "another-app"}), |e| matches!(e, ProviderError::IdToken(JoseError::WrongAudience))),
        (json!({"aud": ["another-app", CLIENT_ID]}), |e| matches!(e, ProviderError::AuthorizedParty)),
        (json!({"azp": "another-app"}), |e| matches!(e, ProviderError::AuthorizedParty)),
        (json!({"aud": ["another-app", CLIENT_ID], "azp": "another-app"}), |e| {
            matches!(e, ProviderError::AuthorizedParty)
        }),
        (json!({"iss": "https://evil.example"}), |e| {
            matches!(e, ProviderError::IdToken(JoseError::WrongIssuer))
        }),
        (json!({"nonce": "another"}), |e| matches!(e, ProviderError::Nonce)),
        (json!({"nonce": null}), |e| matches!(e, ProviderError::Nonce)),
        (json!({"nonce": 1}), |e| matches!(e, ProviderError::Nonce)),
        (json!({"exp": 1_799_999_970}), |e| matches!(e, ProviderError::IdToken(JoseError::Expired))),
        (json!({"exp": null}), |e| matches!(e, ProviderError::IdToken(JoseError::MissingExpiry))),
        (json!({"iat": 1_800_000_031}), |e| matches!(e, ProviderError::IdToken(JoseError::IssuedInFuture))),
        (json!({"iat": null}), |e| matches!(e, ProviderError::IdToken(JoseError::MissingIssuedAt))),
        (json!({"sub": null}), |e| matches!(e, ProviderError::IdToken(JoseError::MissingSubject))),
        (json!({"sub": "sub-of-eve"}), |e| matches!(e, ProviderError::OtherSubject)),
    ];
    for (claims, is_right) in cases {
        let trip = Trip::begin().await;
        trip.party.script().claims.clone_from(&claims);
        let error = trip.identity().await.unwrap_err();
        assert!(is_right(&error), "{claims}: {error:?}");
        assert!(!error.ends_session());
    }
    for good in [json!({"azp": CLIENT_ID}), json!({"aud": ["another-app", CLIENT_ID], "azp": CLIENT_ID})] {
        let trip = Trip::begin().await;
        trip.party.script().claims.clone_from(&good);
        assert!(trip.identity().await.is_ok(), "{good}");
    }
}

#[tokio::test]
async fn an_id_token_of_another_kind_or_key_is_refused() {
    let trip = Trip::begin().await;
    trip.party.script().typ = "at+jwt";
    assert!(matches!(trip.identity().await, Err(ProviderError::IdToken(JoseError::WrongType))));
    let trip = Trip::begin().await;
    trip.party.script().key = SigningKey::generate_es256().unwrap();
    assert!(matches!(trip.identity().await, Err(ProviderError::IdToken(JoseError::UnknownKey(_)))));
    // The provider's new key is fetched once it is published.
    let key = trip.party.script().key.clone();
    trip.party.script().published.push(key);
    trip.clock.advance(std::time::Duration::from_secs(31));
    assert!(trip.identity().await.is_ok());
    let mut tokens = trip.tokens().await.unwrap();
    tokens.id_token = None;
    let nobody = trip.provider.identity(&tokens, NONCE, None, &[], trip.now()).await;
    assert!(matches!(nobody, Err(ProviderError::NoIdToken)));
    // The client's secret is no key: whoever knows it makes no ID tokens.
    assert!(UnverifiedJwt::parse("eyJhbGciOiJIUzI1NiJ9.e30.AAAA").is_err());
}

/// UserInfo's word about an address is not one about the ID token's.
#[tokio::test]
async fn an_address_is_verified_by_who_says_it() {
    let trip = Trip::begin().await;
    let verified = async |claims: Value, user_info: Value| {
        trip.party.script().claims = claims;
        trip.party.script().user_info = user_info;
        let tokens = trip.tokens().await.unwrap();
        let wanted = &["email", "groups"];
        let identity = trip.provider.identity(&tokens, NONCE, None, wanted, trip.now()).await.unwrap();
        identity.verified_email().map(str::to_owned)
    };
    let own = json!({"sub": "sub-of-ada", "email": "eve@evil.example", "email_verified": true});
    assert_eq!(verified(json!({"email": "ada@acme.example"}), own.clone()).await, None);
    assert_eq!(verified(json!({}), own.clone()).await.as_deref(), Some("eve@evil.example"));
    let silent = json!({"sub": "sub-of-ada", "email": "ada@acme.example"});
    assert_eq!(verified(json!({"email_verified": true}), silent).await, None);
    assert!(verified(json!({"email": "eve@evil.example"}), own).await.is_some(), "of the same address");
}

#[tokio::test]
async fn max_age_is_checked_against_auth_time() {
    let trip = Trip::begin().await;
    let at = async |claims: Value| {
        trip.party.script().claims = claims;
        let tokens = trip.tokens().await.unwrap();
        trip.provider.identity(&tokens, NONCE, Some(60), &[], trip.now()).await
    };
    assert!(at(json!({"auth_time": 1_799_999_910})).await.is_ok());
    assert!(matches!(at(json!({"auth_time": 1_799_999_909})).await, Err(ProviderError::LongAgo)));
    assert!(matches!(at(json!({})).await, Err(ProviderError::IdToken(JoseError::ClaimType("auth_time")))));
}

#[tokio::test]
async fn of_a_provider_of_many_tenants_the_listed_ones_enter() {
    let template = |party: &ThirdParty| format!("{}/{{tenantid}}/v2.0", party.issuer());
    let enter = async |tenant: &str, listed: &[&str], claimed: &str| {
        let trip = Trip::with(|settings| {
            settings.tenants = listed.iter().map(|one| (*one).to_owned()).collect();
            settings.profile.metadata_issuers = vec![format!("{}/{{tenantid}}/v2.0", settings.issuer)];
        })
        .await;
        let issuer = template(&trip.party).replace("{tenantid}", claimed);
        let metadata = json!({
            "issuer": template(&trip.party), "authorization_response_iss_parameter_supported": null });
        trip.party.script().metadata = metadata;
        trip.party.script().claims = json!({ "tid": tenant, "iss": issuer });
        trip.identity().await.map(|identity| identity.issuer().rsplit('/').nth(1).unwrap().to_owned())
    };
    assert_eq!(enter("7a1e", &["7a1e"], "7a1e").await.unwrap(), "7a1e");
    assert!(matches!(enter("7a1f", &["7a1e"], "7a1f").await, Err(ProviderError::Tenant)));
    assert!(matches!(enter("7a1e", &[], "7a1e").await, Err(ProviderError::Tenant)));
    let other = enter("7a1e", &["7a1e"], "7a1f").await;
    assert!(matches!(other, Err(ProviderError::IdToken(JoseError::WrongIssuer))), "{other:?}");
}

#[tokio::test]
async fn a_refresh_tells_a_session_that_is_over_from_everything_else() {
    let trip = Trip::with(|settings| {
        settings.profile.dead_refresh_errors = vec!["bad_refresh_token".to_owned()];
        settings.profile.refresh_scope = true;
    })
    .await;
    let first = trip.tokens().await.unwrap().refresh_token.unwrap();
    let next = trip.refresh(first.expose()).await.unwrap();
    assert_eq!(trip.party.asked("/token")[1].parameters["scope"], "openid email");
    let over = trip.refresh(first.expose()).await.unwrap_err();
    assert!(over.ends_session(), "{over}");
    let next = next.refresh_token.unwrap();
    for (status, body, ends, outage) in [
        (200, r#"{"error":"bad_refresh_token"}"#, true, false),
        (400, r#"{"error":"invalid_grant"}"#, true, false),
        (401, r#"{"error":"invalid_client"}"#, false, false),
        (400, r#"{"error":"invalid_scope"}"#, false, false),
        (403, "<h1>a proxy's page</h1>", false, false),
        (503, r#"{"error":"invalid_grant"}"#, false, true),
        (429, "", false, true),
        (302, "", false, false),
        (200, "<h1>start page</h1>", false, false),
    ] {
        trip.party.script().instead_of_tokens = Some((status, body.to_owned()));
        let error = trip.refresh(next.expose()).await.unwrap_err();
        assert_eq!((error.ends_session(), error.is_outage()), (ends, outage), "{status} {body}: {error:?}");
    }
}

#[tokio::test]
async fn a_code_that_is_refused_ends_no_session() {
    let trip = Trip::begin().await;
    trip.party.script().instead_of_tokens = Some((400, r#"{"error":"invalid_grant"}"#.to_owned()));
    let error = trip.tokens().await.unwrap_err();
    assert!(matches!(error, ProviderError::Refused(_)) && !error.ends_session());
    for (token, kind) in [("a b", "Bearer"), ("", "Bearer"), ("ä", "Bearer"), ("a", "mac")] {
        let body = json!({"access_token": token, "token_type": kind}).to_string();
        trip.party.script().instead_of_tokens = Some((200, body));
        let error = trip.tokens().await.unwrap_err();
        let right = matches!(error, ProviderError::TokenCharacters | ProviderError::TokenType(_));
        assert!(right, "{token} {kind}: {error:?}");
    }
}

#[tokio::test]
async fn each_way_to_show_who_this_server_is() {
    let key = SigningKey::generate_es256().unwrap();
    let asked = async |credentials: ProviderCredentials, methods: Value| {
        let trip = Trip::with(|settings| settings.credentials = credentials).await;
        trip.party.script().metadata = json!({ "token_endpoint_auth_methods_supported": methods });
        trip.tokens().await.unwrap();
        let token = trip.tokens().await.unwrap().refresh_token.unwrap();
        assert!(trip.provider.revoke(&token, "refresh_token", trip.now()).await.unwrap());
        assert!(!trip.party.script().refresh_tokens.contains(&token.expose().to_owned()));
        let (asked, issuer) = (trip.party.asked("/token").remove(0), trip.party.issuer().to_owned());
        (asked.parameters, asked.headers.contains_key("authorization"), issuer)
    };
    let secret = || Secret::new(CLIENT_SECRET);
    let (form, basic, _) = asked(ProviderCredentials::None, json!(["none"])).await;
    assert_eq!(
        (form["client_id"].as_str(), form.contains_key("client_secret"), basic),
        (CLIENT_ID, false, false)
    );
    for (credentials, methods, in_form) in [
        (ProviderCredentials::Secret(secret()), json!(["client_secret_post"]), true),
        (ProviderCredentials::Secret(secret()), json!(["client_secret_post", "client_secret_basic"]), false),
        (ProviderCredentials::Post(secret()), json!(["client_secret_basic"]), true),
        (ProviderCredentials::Basic(secret()), json!(["client_secret_post"]), false),
    ] {
        let (form, basic, _) = asked(credentials, methods).await;
        assert_eq!((form.contains_key("client_secret"), basic), (in_form, !in_form));
    }
    let (form, _, issuer) = asked(ProviderCredentials::PrivateKey(key), json!(["private_key_jwt"])).await;
    let assertion = UnverifiedJwt::parse(&form["client_assertion"]).unwrap();
    assert_eq!(assertion.unverified_claims()["aud"], issuer, "the issuer alone, never an endpoint");
}

/// As GitHub is: no metadata, no ID tokens, a number for a name.
#[tokio::test]
async fn a_provider_without_openid_is_asked_who_somebody_is() {
    let trip = Trip::with(|settings| {
        let at = |path: &str| format!("{}{path}", settings.issuer);
        settings.profile = Profile {
            endpoints: Some(Endpoints {
                authorization: at("/authorize"),
                token: at("/token"),
                authentication: Some(vec!["client_secret_post".to_owned()]),
                ..Endpoints::default()
            }),
            people: Some(People {
                endpoint: at("/user"),
                subject: "id".to_owned(),
                name: Some("login".to_owned()),
                emails: Some(at("/user/emails")),
            }),
            ..Profile::default()
        };
    })
    .await;
    trip.party.script().documents = [
        ("/user".to_owned(), json!({ "id": 583_231, "login": "octocat", "email": "seen@by.all" })),
        (
            "/user/emails".to_owned(),
            json!([{ "email": "old@x.example", "primary": false, "verified": true },
                { "email": "cat@acme.example", "primary": true, "verified": true }]),
        ),
    ]
    .into();
    let identity = trip.identity().await.unwrap();
    let aged = trip.provider.identity(&trip.tokens().await.unwrap(), NONCE, Some(60), &[], trip.now()).await;
    assert!(matches!(aged, Err(ProviderError::LongAgo)), "not said, not proven: {aged:?}");
    assert_eq!(identity.subject(), "583231");
    assert_eq!(identity.verified_email(), Some("cat@acme.example"));
    assert_eq!(trip.party.asked("/user")[0].headers["authorization"], "Bearer canary-access-1");
    assert!(trip.party.asked("/.well-known/openid-configuration").is_empty());
    assert!(!trip.provider.revoke(&Secret::new("x"), "access_token", trip.now()).await.unwrap());
    for emails in [
        json!([{ "email": "cat@acme.example", "primary": true, "verified": false }]),
        json!({ "message": "Not Found" }),
    ] {
        trip.party.script().documents.insert("/user/emails".to_owned(), emails);
        assert_eq!(trip.identity().await.unwrap().verified_email(), None);
    }
    trip.party.script().documents.insert("/user".to_owned(), json!({ "login": "octocat" }));
    assert!(matches!(trip.identity().await, Err(ProviderError::Nobody(_))));
}

#[tokio::test]
async fn nothing_secret_is_shown() {
    let trip = Trip::begin().await;
    let tokens = trip.tokens().await.unwrap();
    let shown = format!("{:?} {:?} {tokens:?}", trip.provider, trip.provider.settings());
    assert!(!shown.contains("canary"), "{shown}");
}
