//! The client's own way to the MCP server.

use std::time::Duration;

use hallpass_guarded_fetch::{FetchError, Policy};
use hallpass_protocol::{is_loopback, resource::ResourceIdentifier};
use http::HeaderMap;
use reqwest::{Certificate, redirect};

use super::BuildError;
use crate::error::innermost;

/// The one host that the person chose, and no stranger: in a company's own network it has a private address.
pub(super) fn own_host(server: &ResourceIdentifier) -> Vec<String> {
    let host = server.url().host_str().filter(|_| !is_loopback(server.url()));
    host.map(str::to_owned).into_iter().collect()
}

/// No limit on a whole answer: event streams live as long as the session.
pub(super) fn own_http(
    server: &ResourceIdentifier,
    headers: HeaderMap,
    connect_timeout: Duration,
    policy: &Policy,
) -> Result<reqwest::Client, BuildError> {
    let proxy = |error: FetchError| BuildError::Proxy(error.to_string());
    let (proxies, url) = (&policy.proxies, server.url());
    let builder = reqwest::Client::builder();
    // Plain http is for this machine. Through a proxy it would leave it, and the token with it.
    let builder =
        if proxies.is_for(url).map_err(proxy)? { proxies.apply(builder) } else { builder.no_proxy() };
    let builder = match &policy.identity {
        Some(_) if proxies.is_tls_for(url).map_err(proxy)? => {
            return Err(BuildError::Proxy(TLS_PROXY.into()));
        }
        Some(identity) => identity.apply(builder),
        None => builder,
    };
    let trusted = Certificate::from_pem_bundle(&policy.trusted);
    let http = |error: reqwest::Error| BuildError::Http(innermost(&error));
    builder
        .default_headers(headers)
        .connect_timeout(connect_timeout)
        .tls_certs_merge(trusted.map_err(http)?)
        // `/mcp` to `/mcp/` is common; a token never leaves its origin.
        .redirect(redirect::Policy::custom(|attempt| {
            let same = attempt.previous().last().is_some_and(|from| from.origin() == attempt.url().origin());
            if same && attempt.previous().len() < 5 { attempt.follow() } else { attempt.stop() }
        }))
        .build()
        .map_err(http)
}

const TLS_PROXY: &str = "the proxy is spoken to over https and could ask for the client certificate, which is not \
                         meant for it; name the proxy with http://";
