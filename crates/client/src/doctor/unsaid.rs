//! What metadata has no member for, or says only in part. A provider's profile may know.

use hallpass_protocol::server_metadata::AuthorizationServerMetadata;

use super::check::{
    ALL, Check, Judgement, SINCE_ISSUER, SINCE_RESOURCE_METADATA, fault, ok, unknown, warning,
};
use crate::{LoopbackPort, Profile, error::printable};

/// Metadata, where there is any, and what is known beyond.
pub(super) struct Known {
    pub(super) metadata: Option<AuthorizationServerMetadata>,
    pub(super) profile: Profile,
}

pub(super) const CHECKS: &[Check<Known>] = &[
    Check {
        name: "server.open_registration",
        sought: "registration by anybody, where there is an endpoint for it",
        source: "RFC 7591 §3; MCP \"Dynamic Client Registration\"",
        revisions: ALL,
        judge: open_registration,
    },
    Check {
        name: "server.resource_indicators",
        sought: "tokens for the `resource` that a client asks for",
        source: "RFC 8707 §2; MCP \"Resource Parameter Implementation\"",
        revisions: SINCE_RESOURCE_METADATA,
        judge: resource_indicators,
    },
    Check {
        name: "server.loopback",
        sought: "a loopback redirect URI with whatever port is free",
        source: "RFC 8252 §7.3; OAuth 2.1 §8.4.2",
        revisions: ALL,
        judge: loopback,
    },
    Check {
        name: "server.offline_access",
        sought: "a way to ask for a refresh token that every client knows",
        source: "OpenID Connect Core §11; MCP 2026-07-28, \"Refresh Tokens\"",
        revisions: ALL,
        judge: offline_access,
    },
    Check {
        name: "server.dpop",
        sought: "tokens bound to a key of the client",
        source: "RFC 9449 §5.1; MCP extension SEP-1932",
        revisions: SINCE_ISSUER,
        judge: dpop,
    },
];

fn open_registration(known: &Known) -> Option<Judgement> {
    known.metadata.as_ref()?.registration_endpoint.as_ref()?;
    if known.profile.closed_registration {
        return warning(
            format!("closed, says the profile of {}", known.profile.name),
            "register each client by hand; clients that try to register themselves end there",
        );
    }
    unknown(
        "only trying tells, and nothing is registered here",
        "have a client register, and see what it is told",
    )
}

fn resource_indicators(known: &Known) -> Option<Judgement> {
    let name = &known.profile.name;
    if known.profile.omit_resource {
        return fault(
            format!("refused, says the profile of {name}"),
            "clients have to send `resource`; a client works that knows this provider and leaves it out",
        );
    }
    if known.profile.ignores_resource {
        return warning(
            format!("ignored, says the profile of {name}"),
            "have the provider write an audience of its own into these tokens, and list that in `audiences`",
        );
    }
    unknown("no metadata tells", "log in once, and see whether `aud` is the server's URL")
}

fn loopback(known: &Known) -> Option<Judgement> {
    let name = &known.profile.name;
    match known.profile.loopback_port {
        Some(LoopbackPort::Any) => ok(format!("any port, says the profile of {name}")),
        Some(LoopbackPort::Registered) => warning(
            format!("only the registered port, says the profile of {name}"),
            "register a redirect URI with a port, and have each client use that one (hallpass: --callback-port)",
        ),
        None => {
            unknown("no metadata tells", "register a redirect URI without a port, and log in with a program")
        }
    }
}

fn offline_access(known: &Known) -> Option<Judgement> {
    let extra: Vec<_> = known.profile.offline_parameters.keys().map(String::as_str).collect();
    if !extra.is_empty() {
        return warning(
            format!("only with `{}`, says the profile of {}", extra.join("`, `"), known.profile.name),
            "a client that does not know this provider sends no such parameter, and people log in again and again",
        );
    }
    let metadata = known.metadata.as_ref()?;
    if metadata.scopes_supported.iter().flatten().any(|scope| scope == "offline_access") {
        return ok("the scope `offline_access`");
    }
    unknown(
        "`offline_access` is not among its scopes",
        "log in once, and see whether there is a refresh token",
    )
}

fn dpop(known: &Known) -> Option<Judgement> {
    let algorithms =
        known.metadata.as_ref()?.dpop_signing_alg_values_supported.as_deref().unwrap_or_default();
    match algorithms {
        [] => warning("not offered", "nothing where Bearer tokens will do: whoever holds one can use it"),
        _ => ok(printable(&algorithms.join(", "))),
    }
}
