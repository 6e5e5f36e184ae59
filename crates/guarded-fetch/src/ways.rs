use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Client, redirect};
use url::Url;

use crate::fetcher::reason;
use crate::resolver::GuardedResolver;
use crate::{FetchError, Policy};

/// How long a connection waits for its next request. Node's servers close theirs after 5 s, and what is sent at that moment has no
/// answer; a POST is not sent again, since nobody knows whether it was acted upon.
const IDLE: Duration = Duration::from_secs(4);

/// The HTTP clients of one policy. Connections are never shared between them, so what is sent in a TLS handshake
/// is sent to whom it is meant for.
#[derive(Debug)]
pub(crate) struct Ways {
    direct: Way,
    /// Its resolver lets the proxy's own name lead anywhere, and nothing else.
    proxied: Option<Way>,
}

#[derive(Debug)]
struct Way {
    plain: Client,
    /// Shows the client's certificate to whoever asks.
    showing: Option<Client>,
}

impl Ways {
    pub(crate) fn of(policy: &Arc<Policy>) -> Result<Self, FetchError> {
        let direct = Way::new(policy, policy, false)?;
        if policy.proxies.is_none() {
            return Ok(Self { direct, proxied: None });
        }
        let mut opened = Policy::clone(policy);
        opened.opened_hosts.extend(policy.proxies.hosts());
        Ok(Self { direct, proxied: Some(Way::new(policy, &Arc::new(opened), true)?) })
    }

    /// The client for a URL, and the proxy that it goes through.
    pub(crate) fn to(
        &self,
        url: &Url,
        policy: &Policy,
        shows: bool,
    ) -> Result<(&Client, Option<String>), FetchError> {
        let proxy = policy.proxies.of(url)?;
        let (way, proxy) = match (&self.proxied, proxy) {
            (Some(proxied), Some(proxy)) => (proxied, Some(proxy)),
            _ => (&self.direct, None),
        };
        match way.showing.as_ref().filter(|_| shows) {
            None => Ok((&way.plain, proxy.map(|proxy| proxy.address))),
            Some(_) if proxy.as_ref().is_some_and(|proxy| proxy.is_tls) => Err(FetchError::Setup(
                "the proxy is spoken to over https and could ask for the client certificate, which is not meant \
                 for it; name the proxy with http://"
                    .to_owned(),
            )),
            Some(showing) => Ok((showing, proxy.map(|proxy| proxy.address))),
        }
    }
}

impl Way {
    fn new(policy: &Policy, resolving: &Arc<Policy>, is_proxied: bool) -> Result<Self, FetchError> {
        let build = |identity: Option<reqwest::Identity>| {
            let trusted = Certificate::from_pem_bundle(&policy.trusted)?;
            let builder = Client::builder()
                .tls_certs_merge(trusted)
                .dns_resolver(GuardedResolver(Arc::clone(resolving)))
                .redirect(redirect::Policy::none())
                .referer(false)
                .pool_idle_timeout(IDLE)
                .user_agent(concat!("hallpass/", env!("CARGO_PKG_VERSION")));
            let builder = if is_proxied { policy.proxies.apply(builder) } else { builder.no_proxy() };
            match identity {
                Some(identity) => builder.identity(identity).build(),
                None => builder.build(),
            }
        };
        let build = |identity| build(identity).map_err(|error| FetchError::Setup(reason(&error)));
        let showing = policy.identity.as_ref().map(|identity| build(Some(identity.0.clone()))).transpose()?;
        Ok(Self { plain: build(None)?, showing })
    }
}
