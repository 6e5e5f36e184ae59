//! From the configuration to the embedded authorization server.

use hallpass_authorization_server::{
    AuthorizationServer, DocumentDomains, RegistrationPolicy, Resource, Rotation, Settings, Store,
};
use hallpass_guarded_fetch::{Fetcher, Policy};
use hallpass_protocol::{Issuer, ResourceIdentifier};

use super::delegation::{exchange, trusted_issuer};
use super::plan::Plan;
use super::wiring::name;
use crate::config::{self, Registration};
use crate::exit::Failure;

/// Starts it, for one protected resource.
pub(super) async fn start(
    plan: &Plan,
    store: Store,
    issuer: &Issuer,
    resource: &ResourceIdentifier,
) -> Result<AuthorizationServer, Failure> {
    // Metadata documents of clients are fetched from the open network alone.
    let fetcher = Fetcher::new(Policy::default())?;
    let mut settings = settings(plan, issuer, resource);
    let set = &plan.authorization_server;
    settings.trusted_issuers = set
        .trusted_issuers
        .iter()
        .map(trusted_issuer)
        .collect::<Result<_, _>>()
        .map_err(Failure::configuration)?;
    settings.exchange =
        set.exchange.iter().map(exchange).collect::<Result<_, _>>().map_err(Failure::configuration)?;
    let mutual_tls = set.mutual_tls.as_ref().map(|said| said.load(plan.credentials.proxies()));
    settings.mutual_tls = mutual_tls.transpose().map_err(Failure::configuration)?;
    Ok(AuthorizationServer::start(settings, store, fetcher).await?)
}

fn settings(plan: &Plan, issuer: &Issuer, resource: &ResourceIdentifier) -> Settings {
    let set = &plan.authorization_server;
    let resource = Resource {
        identifier: resource.clone(),
        name: name(plan, resource),
        scopes: plan.scopes.described.clone(),
        default: plan.scopes.policy.login.clone(),
    };
    let mut settings = Settings::new(issuer.clone(), vec![resource]);
    settings.lifetimes.access_token = set.access_token_lifetime.0;
    settings.lifetimes.refresh_idle = set.refresh_token_idle.0;
    settings.lifetimes.grant = set.grant_lifetime.0;
    settings.require_pushed_requests = set.require_pushed_requests;
    settings.dpop_nonces = set.dpop_nonces;
    settings.audit_lifetime = set.audit_lifetime.0;
    settings.rotation = Rotation {
        algorithm: set.signing_algorithm,
        every: set.rotate_keys_every.0,
        ahead: set.publish_keys_ahead.0,
    };
    settings.registration = match set.registration {
        Registration::Open => RegistrationPolicy::Open { per_hour: set.registrations_per_hour.get() },
        Registration::Token => RegistrationPolicy::WithToken,
        Registration::Off => RegistrationPolicy::Off,
    };
    settings.registration_redirects = set.registration_redirects.iter().map(|to| to.0.clone()).collect();
    let hosts = |list: &[config::Host]| list.iter().map(|host| host.0.clone()).collect();
    settings.document_domains = DocumentDomains {
        allow: hosts(&set.metadata_documents.allow),
        deny: hosts(&set.metadata_documents.deny),
    };
    // Behind a proxy that ends TLS every peer is that proxy, and all people share its address.
    settings.count_addresses = plan.sees_addresses;
    settings
}
