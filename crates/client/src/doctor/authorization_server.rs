//! An authorization server's metadata and keys.

use hallpass_protocol::{is_loopback, jose::JwkSet, server_metadata::AuthorizationServerMetadata};
use url::Url;

use super::{
    answer::tell,
    check::{ALL, Check, Judgement, SINCE_ISSUER, SINCE_RESOURCE_METADATA, SINCE_SCOPES, fault, ok, warning},
    evidence::Server,
};
use crate::error::printable;

pub(super) const CHECKS: &[Check<Server>] = &[
    Check {
        name: "server.issuer",
        sought: "the name is an issuer identifier: https, without query and fragment",
        source: "RFC 8414 §2",
        revisions: SINCE_RESOURCE_METADATA,
        judge: issuer,
    },
    Check {
        name: "server.metadata",
        sought: "metadata: RFC 8414 with path insertion, OpenID with path insertion, OpenID with path appending",
        source: "RFC 8414 §3.1; MCP \"Authorization Server Metadata Discovery\"",
        revisions: SINCE_RESOURCE_METADATA,
        judge: metadata,
    },
    Check {
        name: "server.issuer_equal",
        sought: "every document names the issuer that was asked for, character for character",
        source: "RFC 8414 §3.3",
        revisions: ALL,
        judge: issuer_equal,
    },
    Check {
        name: "server.endpoints",
        sought: "an authorization and a token endpoint, for response_type `code`",
        source: "RFC 8414 §2, OAuth 2.1 §4.1",
        revisions: ALL,
        judge: endpoints,
    },
    Check {
        name: "server.https",
        sought: "every endpoint over https, or on loopback",
        source: "MCP \"Communication Security\"",
        revisions: ALL,
        judge: https,
    },
    Check {
        name: "server.pkce",
        sought: "PKCE with S256 in `code_challenge_methods_supported`",
        source: "RFC 7636 §4.2; MCP \"Authorization Code Protection\"",
        revisions: ALL,
        judge: pkce,
    },
    Check {
        name: "server.registration",
        sought: "a way to a client id without a person: metadata documents or dynamic registration",
        source: "RFC 7591; MCP \"Client Registration\"",
        revisions: ALL,
        judge: registration,
    },
    Check {
        name: "server.cimd",
        sought: "client ID metadata documents",
        source: "MCP 2025-11-25, \"Client ID Metadata Documents\"",
        revisions: SINCE_SCOPES,
        judge: cimd,
    },
    Check {
        name: "server.iss",
        sought: "`iss` in authorization responses",
        source: "RFC 9207 §3; MCP 2026-07-28, \"Authorization Response Validation\"",
        revisions: SINCE_ISSUER,
        judge: iss,
    },
    Check {
        name: "server.grants",
        sought: "the grants that clients use: authorization_code and refresh_token",
        source: "RFC 8414 §2; MCP \"Refresh Tokens\"",
        revisions: ALL,
        judge: grants,
    },
    Check {
        name: "server.public_clients",
        sought: "public clients at the token endpoint: `none`",
        source: "RFC 8414 §2, RFC 8252 §8.4",
        revisions: ALL,
        judge: public_clients,
    },
    Check {
        name: "server.keys",
        sought: "the key set at `jwks_uri`, with public keys only",
        source: "RFC 7517 §5, RFC 8414 §2",
        revisions: ALL,
        judge: keys,
    },
];

fn issuer(server: &Server) -> Option<Judgement> {
    let named = printable(&server.named);
    if server.is_issuer {
        return ok(named);
    }
    fault(format!("`{named}`"), "name the issuer as its own metadata does")
}

/// What to change where no place of an issuer's metadata can be reached: who stands in front of it helps nobody.
pub const NOTHING_ANSWERS: &str = "start it, or mend its address: nothing answers there";

fn metadata(server: &Server) -> Option<Judgement> {
    if !server.is_issuer {
        return None;
    }
    let tried = server.documents.iter().map(|s| format!("{}: {}", s.at(), tell(&s.outcome)));
    let tried = tried.collect::<Vec<_>>().join("; ");
    match server.documents.iter().find(|sought| sought.document.is_some()) {
        Some(found) if found.place == "RFC 8414" => ok(found.at()),
        Some(found) => warning(
            format!("{} ({})", found.at(), found.place),
            "serve it at the RFC 8414 location too: clients before 2025-11-25 ask there alone",
        ),
        None if server.documents.iter().all(|sought| sought.outcome.is_err()) => {
            fault(tried, NOTHING_ANSWERS)
        }
        None => fault(tried, "publish RFC 8414 metadata for this issuer"),
    }
}

fn issuer_equal(server: &Server) -> Option<Judgement> {
    let documents = server.documents.iter().filter_map(|s| Some((s, s.document.as_ref()?)));
    let wrong: Vec<_> = documents
        .filter(|(_, document)| document.issuer != server.named)
        .map(|(sought, document)| format!("{} says `{}`", sought.at(), printable(&document.issuer)))
        .collect();
    server.metadata()?;
    if wrong.is_empty() {
        return ok(printable(&server.named));
    }
    fault(
        wrong.join("; "),
        format!("make `issuer` there and `authorization_servers` equal: `{}`", printable(&server.named)),
    )
}

fn endpoints(server: &Server) -> Option<Judgement> {
    let metadata = server.metadata()?;
    let missing: Vec<_> = [
        ("authorization_endpoint", &metadata.authorization_endpoint),
        ("token_endpoint", &metadata.token_endpoint),
    ]
    .into_iter()
    .filter(|(_, value)| value.is_none())
    .map(|(name, _)| name)
    .collect();
    if !missing.is_empty() {
        return fault(format!("missing: {}", missing.join(", ")), "add what is missing");
    }
    let types = metadata.response_types_supported.as_deref().unwrap_or_default();
    if !types.iter().any(|kind| kind == "code") {
        return warning(
            "`response_types_supported` does not list `code`",
            "list it; RFC 8414 requires the member",
        );
    }
    ok("both, with `code`")
}

/// Every member that is a place to send something to.
fn places(metadata: &AuthorizationServerMetadata) -> [(&'static str, Option<&String>); 7] {
    [
        ("authorization_endpoint", metadata.authorization_endpoint.as_ref()),
        ("token_endpoint", metadata.token_endpoint.as_ref()),
        ("registration_endpoint", metadata.registration_endpoint.as_ref()),
        ("revocation_endpoint", metadata.revocation_endpoint.as_ref()),
        ("introspection_endpoint", metadata.introspection_endpoint.as_ref()),
        ("device_authorization_endpoint", metadata.device_authorization_endpoint.as_ref()),
        ("jwks_uri", metadata.jwks_uri.as_ref()),
    ]
}

fn https(server: &Server) -> Option<Judgement> {
    let is_safe = |text: &String| {
        Url::parse(text)
            .is_ok_and(|url| url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url))
    };
    let places = places(server.metadata()?);
    let unsafe_ones: Vec<_> = places
        .iter()
        .filter_map(|(name, place)| place.filter(|place| !is_safe(place)).map(|_| *name))
        .collect();
    if unsafe_ones.is_empty() {
        return ok(format!("{} endpoints", places.iter().filter(|(_, place)| place.is_some()).count()));
    }
    fault(unsafe_ones.join(", "), "serve these over https, and name them so")
}

fn pkce(server: &Server) -> Option<Judgement> {
    let metadata = server.metadata()?;
    if metadata.supports_s256() {
        return ok("S256");
    }
    let found = match metadata.code_challenge_methods_supported.as_deref().unwrap_or_default() {
        [] => "not announced".to_owned(),
        listed => format!("`{}`", printable(&listed.join(", "))),
    };
    fault(found, "support S256 and say so; MCP clients must refuse to go on")
}

fn registration(server: &Server) -> Option<Judgement> {
    let metadata = server.metadata()?;
    match (&metadata.registration_endpoint, metadata.client_id_metadata_document_supported) {
        (Some(_), true) => ok("both"),
        (Some(_), false) => ok("dynamic registration"),
        (None, true) => warning(
            "metadata documents alone",
            "clients before 2025-11-25 need dynamic registration (RFC 7591)",
        ),
        (None, false) => warning(
            "neither",
            "offer one of them; until then every client has to be registered by hand (hallpass: --client-id)",
        ),
    }
}

fn cimd(server: &Server) -> Option<Judgement> {
    if server.metadata()?.client_id_metadata_document_supported {
        return ok("client_id_metadata_document_supported");
    }
    warning("not advertised", "support them and say so: `client_id_metadata_document_supported`: true")
}

fn iss(server: &Server) -> Option<Judgement> {
    if server.metadata()?.authorization_response_iss_parameter_supported {
        return ok("authorization_response_iss_parameter_supported");
    }
    warning(
        "not advertised",
        "send `iss` and say so: it keeps an answer of one authorization server from being taken for another's",
    )
}

fn grants(server: &Server) -> Option<Judgement> {
    // RFC 8414 §2: without the member, authorization_code and implicit.
    let Some(grants) = &server.metadata()?.grant_types_supported else {
        return warning("`grant_types_supported` is missing", "list authorization_code and refresh_token");
    };
    let has = |name: &str| grants.iter().any(|grant| grant == name);
    match (has("authorization_code"), has("refresh_token")) {
        (true, true) => ok(printable(&grants.join(", "))),
        (true, false) => warning(
            printable(&grants.join(", ")),
            "without refresh_token a person has to log in each time that an access token ends",
        ),
        (false, _) => {
            fault(printable(&grants.join(", ")), "add authorization_code: clients log people in by it")
        }
    }
}

fn public_clients(server: &Server) -> Option<Judgement> {
    // RFC 8414 §2: without the member, client_secret_basic.
    let methods = server.metadata()?.token_endpoint_auth_methods_supported.clone();
    let methods = methods.unwrap_or_else(|| vec!["client_secret_basic (the default)".into()]);
    if methods.iter().any(|method| method == "none") {
        return ok(printable(&methods.join(", ")));
    }
    warning(
        printable(&methods.join(", ")),
        "list `none`: programs on people's machines cannot keep a client secret",
    )
}

fn keys(server: &Server) -> Option<Judgement> {
    let change = "serve a JWK Set of public keys there";
    let answer = match server.keys.as_ref()? {
        Ok(answer) if answer.status.is_success() => answer,
        outcome => return fault(tell(outcome), change),
    };
    let Ok(set) = serde_json::from_slice::<serde_json::Value>(&answer.body) else {
        return fault("not JSON", change);
    };
    let Some(keys) = set.get("keys").and_then(serde_json::Value::as_array) else {
        return fault("no `keys`", change);
    };
    // RFC 7518 §6: what only a private or a symmetric key has.
    if keys.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) {
        return fault(
            "a private or symmetric key is published",
            "take it out, and take new keys: these are lost",
        );
    }
    let usable = serde_json::from_value::<JwkSet>(set.clone()).map_or(0, |set| set.keys.len());
    match usable {
        0 => warning("no key that hallpass can use", change),
        1 => ok("1 key"),
        more => ok(format!("{more} keys")),
    }
}
