//! A third party of which hallpass is itself a client: whether it has what hallpass needs there. Its metadata is asked, its keys,
//! and its token endpoint, with a code that was made up.

use hallpass_authorization_server::provider::{Provider, ProviderCredentials, ProviderError, TokenRequest};
use hallpass_client::doctor::Verdict;
use hallpass_protocol::jose::JwkSet;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::pkce::CodeVerifier;
use hallpass_protocol::{AuthorizationServerMetadata, Secret};
use url::Url;

use super::features::Feature;
use crate::data::system_clock;
use crate::serve::client_of::ClientOf;

/// What came of one check.
struct Found {
    verdict: Verdict,
    found: String,
    change: Option<String>,
}

fn ok(found: impl Into<String>) -> Found {
    Found { verdict: Verdict::Ok, found: found.into(), change: None }
}

fn bad(verdict: Verdict, found: impl Into<String>, change: impl Into<String>) -> Found {
    Found { verdict, found: found.into(), change: Some(change.into()) }
}

fn feature(
    (check, name): (&'static str, &'static str),
    sought: &'static str,
    source: &'static str,
    found: Found,
) -> Feature {
    let Found { verdict, found, change } = found;
    // Clients see nothing of it: it matters for none of their revisions, and no arrangement mends it.
    Feature {
        check,
        feature: name,
        verdict,
        sought,
        found,
        source,
        revisions: Vec::new(),
        change,
        mended_by: &[],
    }
}

/// What there is to say of it, in the order of hallpass's way. Where it says nothing of itself, nothing else is known.
pub(super) async fn features(party: &ClientOf<'_>, issuer: &str) -> Vec<Feature> {
    let provider = party.provider;
    let discovered = provider.discovered(system_clock().now()).await;
    let about = match &discovered {
        Ok(discovered) => ok(discovered.issuer().to_string()),
        Err(error) => unknown(error),
    };
    let mut features =
        vec![feature(("client.metadata", "metadata"), "metadata of this very issuer", "RFC 8414 §3", about)];
    let Ok(discovered) = discovered else { return features };
    let metadata = discovered.metadata();
    features.push(feature(
        ("client.endpoints", "endpoints"),
        "an authorization and a token endpoint that may be followed",
        "RFC 8414 §2",
        endpoints(provider, metadata),
    ));
    features.push(feature(
        ("client.pkce", "S256"),
        "PKCE with S256",
        "RFC 7636 §4.2",
        s256(provider, metadata),
    ));
    features.push(feature(
        ("client.iss", "iss"),
        "answers that tell whose they are",
        "RFC 9207 §3, RFC 9700 §4.4.2",
        iss(metadata),
    ));
    if party.refreshes() {
        features.push(feature(
            ("client.refresh", "refresh tokens"),
            "new tokens without the person",
            "RFC 8414 §2, RFC 6749 §6",
            refresh(party, metadata),
        ));
    }
    if party.learns_who() && has_id_tokens(provider) {
        features.push(feature(
            ("client.keys", "keys"),
            "keys to verify ID tokens with",
            "OpenID Connect Core §3.1.3.7",
            keys(provider, metadata).await,
        ));
    }
    let authentication = authentication(provider, metadata);
    let can_be = authentication.verdict < Verdict::Fault;
    features.push(feature(
        ("client.authentication", "client authentication"),
        "the way in which hallpass shows who it is",
        "RFC 8414 §2",
        authentication,
    ));
    if can_be && metadata.token_endpoint.is_some() {
        features.push(feature(
            ("client.credentials", "credentials"),
            "a made-up code is refused, and hallpass is not",
            "RFC 6749 §5.2",
            credentials(party, issuer).await,
        ));
    }
    features
}

fn unknown(error: &ProviderError) -> Found {
    let change = match error {
        ProviderError::Unreachable(_) => "start it, or mend its address in the file",
        ProviderError::InTrouble(_) => "look into its log, or whatever is before it, and ask again",
        ProviderError::WrongIssuer(_) => "write `issuer` as its metadata does, character by character",
        _ => "mend `issuer`, or name its endpoints in a [[provider]] profile",
    };
    bad(Verdict::Fault, error.to_string(), change)
}

fn endpoints(provider: &Provider, metadata: &AuthorizationServerMetadata) -> Found {
    let policy = provider.settings().fetcher.policy();
    for (name, place) in [
        ("authorization_endpoint", &metadata.authorization_endpoint),
        ("token_endpoint", &metadata.token_endpoint),
    ] {
        let Some(place) = place else {
            return bad(
                Verdict::Fault,
                format!("no {name}"),
                "nobody can log in there: see that it is the right server",
            );
        };
        let why = match Url::parse(place) {
            Ok(url) => policy.check(&url).err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = why {
            let found = format!("{name} is not followed: {why}");
            return bad(Verdict::Fault, found, "have it at https, at a place that hallpass may reach");
        }
    }
    ok("both")
}

fn s256(provider: &Provider, metadata: &AuthorizationServerMetadata) -> Found {
    match metadata.code_challenge_methods_supported.as_deref().unwrap_or_default() {
        _ if provider.settings().profile.s256 || metadata.supports_s256() => ok("S256"),
        [] => bad(
            Verdict::Unknown,
            "not announced; it is sent, and may be ignored",
            "have it announce S256, or say s256 = true in a [[provider]] profile",
        ),
        others => bad(
            Verdict::Warning,
            format!("{} alone, so hallpass sends no challenge", others.join(", ")),
            "have it take S256: without, a code that somebody else gets hold of can be redeemed here",
        ),
    }
}

fn iss(metadata: &AuthorizationServerMetadata) -> Found {
    match metadata.authorization_response_iss_parameter_supported {
        true => ok("sent, and compared"),
        false => ok("not sent; each third party has a redirect URI of its own here, which tells them apart"),
    }
}

fn refresh(party: &ClientOf<'_>, metadata: &AuthorizationServerMetadata) -> Found {
    let change = "people log in there again whenever a token ends: let this client have refresh tokens, and ask for them by the \
                  scopes or `offline_parameters` of its profile";
    let grants = metadata.grant_types_supported.as_deref();
    if grants.is_some_and(|grants| !grants.iter().any(|grant| grant == "refresh_token")) {
        return bad(Verdict::Warning, "the grant refresh_token is not listed", change);
    }
    let (settings, offline) = (party.provider.settings(), "offline_access");
    let (profile, lists) =
        (&settings.profile, |name| metadata.scopes_supported.iter().flatten().any(|one| one == name));
    if !profile.offline_parameters.is_empty() {
        return ok("asked for by its profile's offline_parameters");
    }
    // OpenID Connect Core §11.
    match (lists(offline), settings.scopes.contains(offline)) {
        (true, _) if lists("openid") && !profile.offline_without_consent => {
            ok("asked for by offline_access, with prompt=consent: people agree there at each login")
        }
        (true, _) => ok("asked for by offline_access"),
        (false, true) => ok("asked for by the file's scopes; its metadata does not list offline_access"),
        (false, false) => ok("whatever it gives by itself: its metadata does not list offline_access"),
    }
}

fn has_id_tokens(provider: &Provider) -> bool {
    let settings = provider.settings();
    settings.profile.people.is_none() && settings.scopes.contains("openid")
}

async fn keys(provider: &Provider, metadata: &AuthorizationServerMetadata) -> Found {
    let change = "have it serve a JWK Set with a key for ES256, EdDSA, RS256 or PS256 there";
    let Some(url) = metadata.jwks_uri.as_ref().and_then(|text| Url::parse(text).ok()) else {
        return bad(Verdict::Fault, "no jwks_uri", change);
    };
    let answer = match provider.settings().fetcher.get(&url, "application/json").await {
        Ok(answer) => answer,
        Err(error) => return bad(Verdict::Fault, error.to_string(), "start it, or mend its jwks_uri"),
    };
    match answer.json::<JwkSet>().map(|set| set.keys.len()) {
        Ok(0) | Err(_) => bad(Verdict::Fault, format!("no usable key ({})", answer.status), change),
        Ok(1) => ok("1 key"),
        Ok(more) => ok(format!("{more} keys")),
    }
}

/// RFC 8414 §2: without a list it is `client_secret_basic`.
fn authentication(provider: &Provider, metadata: &AuthorizationServerMetadata) -> Found {
    let usual = [String::from("client_secret_basic")];
    let listed = metadata.token_endpoint_auth_methods_supported.as_deref().unwrap_or(&usual);
    let wanted: &[&str] = match &provider.settings().credentials {
        ProviderCredentials::None => &["none"],
        ProviderCredentials::Secret(_) => &["client_secret_basic", "client_secret_post"],
        ProviderCredentials::Basic(_) => &["client_secret_basic"],
        ProviderCredentials::Post(_) => &["client_secret_post"],
        ProviderCredentials::PrivateKey(_) => &["private_key_jwt"],
    };
    match wanted.iter().find(|wanted| listed.iter().any(|method| method == *wanted)) {
        Some(method) => ok(*method),
        // RFC 8414 §2: only a list that is there says no.
        None if metadata.token_endpoint_auth_methods_supported.is_none() => ok(wanted.join(" or ")),
        None => bad(
            Verdict::Fault,
            format!("it takes {}, and the file gives {}", listed.join(", "), wanted.join(" or ")),
            "give what it takes: secret_file (with secret_by), key_file, or neither for a public client",
        ),
    }
}

/// Nothing is lost by a code that nobody has issued.
async fn credentials(party: &ClientOf<'_>, issuer: &str) -> Found {
    let (code, now) = (Secret::new("hallpass-config-check-no-code"), system_clock().now());
    let verifier = CodeVerifier::from_entropy([7; 32]);
    let redirect_uri = party.redirect_uri(issuer);
    let request = TokenRequest::Code { code: &code, redirect_uri: &redirect_uri, verifier: &verifier };
    match party.provider.tokens(request, None, now).await {
        Ok(_) => bad(Verdict::Fault, "it gives tokens for a made-up code", "trust nothing that it says"),
        Err(ProviderError::Refused(said)) => refused(&said),
        Err(error @ ProviderError::Unreachable(_)) => {
            bad(Verdict::Fault, error.to_string(), "start it, or mend its token endpoint")
        }
        Err(error) => bad(Verdict::Unknown, error.to_string(), "a login will tell"),
    }
}

fn refused(said: &OAuthError) -> Found {
    let stranger = "it does not take hallpass for its client: mend client_id, and secret_file or key_file; or say how the secret is shown (secret_by)";
    match &said.error {
        ErrorCode::InvalidClient | ErrorCode::UnauthorizedClient => {
            bad(Verdict::Fault, said.to_string(), stranger)
        }
        // What GitHub calls the two.
        ErrorCode::Other(code) if code == "incorrect_client_credentials" => {
            bad(Verdict::Fault, said.to_string(), stranger)
        }
        ErrorCode::Other(code) if code == "bad_verification_code" => ok("taken; a made-up code was refused"),
        ErrorCode::InvalidGrant => ok("taken; a made-up code was refused"),
        _ => bad(Verdict::Unknown, said.to_string(), "it was the made-up code, perhaps: a login will tell"),
    }
}
