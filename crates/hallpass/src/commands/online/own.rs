//! What only the file and the issuer together tell: whether hallpass can verify the tokens, and whether clients can ask
//! for what it wants.

use hallpass_client::Profile;
use hallpass_client::doctor::{Revision, Verdict};
use hallpass_guarded_fetch::Fetcher;
use hallpass_protocol::{AuthorizationServerMetadata, Issuer};
use hallpass_resource_server::{NoAnswer, Provider};

use super::features::Feature;
use crate::data::system_clock;
use crate::serve::credentials::Trusted;
use crate::serve::server_plan::ServerPlan;

const OWN_TOKENS: &[&str] = &["delegated", "embedded"];

/// What there is to say of this issuer's tokens at this server.
pub(super) async fn features(
    server: &ServerPlan,
    trusted: &Trusted,
    profile: &Profile,
    logs_in: bool,
) -> Vec<Feature> {
    let (metadata, is_there) = metadata(trusted.issuer(), trusted.fetcher()).await;
    let mut features =
        vec![verification(trusted, profile, is_there).await, introspection(trusted, metadata.as_ref())];
    features.extend(introspecting(trusted).await);
    if logs_in {
        features.extend(metadata.as_ref().and_then(|metadata| scopes(server, metadata)));
        features.extend(metadata.as_ref().and_then(|metadata| dpop(server, metadata)));
    }
    features
}

/// As `serve` does it: what is wrong here is wrong there.
async fn verification(trusted: &Trusted, profile: &Profile, is_there: bool) -> Feature {
    let of_all = |verdict, found, change: Option<&str>, mended_by| Feature {
        check: "hallpass.verification",
        feature: "verification",
        verdict,
        sought: "a way for hallpass to verify the access tokens",
        found,
        source: "RFC 9068 §4, RFC 7662 §2",
        revisions: Revision::ALL.to_vec(),
        change: change.map(str::to_owned),
        mended_by,
    };
    let opaque = Provider::named(&profile.name).is_some_and(|provider| provider.opaque);
    if opaque && trusted.introspection().is_none() {
        return of_all(
            Verdict::Fault,
            format!("the access tokens of {} are opaque, and nobody can be asked about them", profile.name),
            Some("have hallpass issue tokens of its own, and this provider say who people are"),
            OWN_TOKENS,
        );
    }
    match trusted.keys(system_clock()).fetch_now().await {
        Ok(()) => of_all(Verdict::Ok, "by its keys".to_owned(), None, &[]),
        Err(error) if trusted.introspection().is_some() => of_all(
            Verdict::Warning,
            format!("by introspection alone: {error}"),
            Some("each token is asked about; where the issuer can sign tokens (RFC 9068), have it do so"),
            &[],
        ),
        Err(error) if !is_there && trusted.jwks_uri().is_none() => of_all(
            Verdict::Fault,
            error.to_string(),
            Some("start it, or mend its address in the file: nothing answers there"),
            &[],
        ),
        Err(error) => of_all(
            Verdict::Fault,
            error.to_string(),
            Some("name a key set by `jwks_uri`, or have the issuer asked by `introspection`"),
            OWN_TOKENS,
        ),
    }
}

fn introspection(trusted: &Trusted, metadata: Option<&AuthorizationServerMetadata>) -> Feature {
    let offered = metadata.and_then(|metadata| metadata.introspection_endpoint.as_ref());
    let wanted = trusted.introspection();
    let (verdict, found, change) = match (wanted, offered) {
        (Some(wanted), _) if wanted.endpoint.is_some() => (Verdict::Ok, "at the endpoint of the file", None),
        (Some(_), None) => {
            let change = "say where, by `endpoint` in `introspection`, or leave `introspection` out";
            (Verdict::Fault, "wanted by the file, and no endpoint is named", Some(change.to_owned()))
        }
        (Some(_), Some(_)) => (Verdict::Ok, "used", None),
        (None, Some(_)) => (Verdict::Ok, "offered, and not used", None),
        (None, None) => (Verdict::Ok, "not offered, and not used", None),
    };
    Feature {
        check: "server.introspection",
        feature: "introspection",
        verdict,
        sought: "an endpoint to ask about tokens, where the file wants one",
        found: found.to_owned(),
        source: "RFC 7662 §2, RFC 8414 §2",
        revisions: Revision::ALL.to_vec(),
        change,
        mended_by: &[],
    }
}

/// A token that nobody has issued is asked about: that tells whether hallpass is known there.
async fn introspecting(trusted: &Trusted) -> Option<Feature> {
    let asked = trusted.asked()?;
    let (verdict, found, change) = match asked.try_out(&system_clock()).await {
        Ok(()) => (Verdict::Ok, "a made-up token is found inactive".to_owned(), None),
        // What is said of the endpoint says it.
        Err(NoAnswer::Endpoint(_)) => return None,
        Err(error) => {
            let change = match &error {
                NoAnswer::Status(status) if [400, 401, 403].contains(&status.as_u16()) => {
                    "the issuer does not take hallpass for its client: mend client_id and secret_file (or key_file) of \
                     `introspection`, and let that client introspect there"
                }
                NoAnswer::Fetch(_) => "start it, or mend its address",
                NoAnswer::Status(_) | NoAnswer::Shape | NoAnswer::Believes => {
                    "see that it is an endpoint by RFC 7662: no token could be taken"
                }
                NoAnswer::Client | NoAnswer::Endpoint(_) => "mend what `introspection` says of hallpass",
            };
            (Verdict::Fault, error.to_string(), Some(change.to_owned()))
        }
    };
    Some(Feature {
        check: "hallpass.introspection",
        feature: "introspecting",
        verdict,
        sought: "an answer about a made-up token, with the credentials of the file",
        found,
        source: "RFC 7662 §2.1, §2.2",
        revisions: Revision::ALL.to_vec(),
        change,
        mended_by: &[],
    })
}

/// RFC 8414 §2: the list need not be complete.
fn scopes(server: &ServerPlan, metadata: &AuthorizationServerMetadata) -> Option<Feature> {
    let listed = metadata.scopes_supported.as_ref()?;
    let wanted = &server.scopes.policy.login;
    let missing: Vec<_> =
        wanted.iter().map(ToString::to_string).filter(|scope| !listed.contains(scope)).collect();
    let (verdict, found, change) = match missing.as_slice() {
        [] => (Verdict::Ok, "all are listed".to_owned(), None),
        some => {
            let change = "see that the provider knows these scopes, under these very names";
            (Verdict::Unknown, format!("not listed: {}", some.join(", ")), Some(change.to_owned()))
        }
    };
    Some(Feature {
        check: "hallpass.scopes",
        feature: "scopes",
        verdict,
        sought: "the scopes that a login here asks for",
        found,
        source: "RFC 8414 §2; MCP \"Scope Selection Strategy\"",
        revisions: Revision::ALL.to_vec(),
        change,
        mended_by: &[],
    })
}

fn dpop(server: &ServerPlan, metadata: &AuthorizationServerMetadata) -> Option<Feature> {
    let offered = metadata.dpop_signing_alg_values_supported.iter().flatten().next().is_some();
    if offered || !server.credentials.requires_dpop() {
        return None;
    }
    Some(Feature {
        check: "hallpass.dpop",
        feature: "DPoP, as required",
        verdict: Verdict::Fault,
        sought: "tokens bound to a key, since the file requires them",
        found: "not offered".to_owned(),
        source: "RFC 9449 §5.1",
        revisions: Revision::ALL.to_vec(),
        change: Some("say dpop = \"accept\": no token of this issuer would be taken".to_owned()),
        mended_by: OWN_TOKENS,
    })
}

/// What it says of itself, and whether anybody is there to say something.
async fn metadata(issuer: &Issuer, fetcher: &Fetcher) -> (Option<AuthorizationServerMetadata>, bool) {
    let mut is_there = false;
    for url in issuer.metadata_urls() {
        let Ok(answer) = fetcher.get(&url, "application/json").await else { continue };
        is_there = true;
        let read = answer.json::<AuthorizationServerMetadata>().ok();
        if let Some(metadata) = read.filter(|metadata| metadata.check_issuer(issuer).is_ok()) {
            return (Some(metadata), true);
        }
    }
    (None, is_there)
}
