//! From the configuration to the embedded authorization server.

use hallpass_authorization_server::{
    AuthorizationServer, DocumentDomains, RegistrationPolicy, Resource, Rotation, Settings, Store,
};
use hallpass_guarded_fetch::{Fetcher, Policy};
use hallpass_protocol::{Issuer, ResourceIdentifier};

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
    let said = plan.authorization_server.mutual_tls.as_ref();
    let mutual_tls = said.map(|said| said.load(plan.credentials.proxies())).transpose();
    settings.mutual_tls = mutual_tls.map_err(Failure::configuration)?;
    Ok(AuthorizationServer::start(settings, store, fetcher).await?)
}

/// What it would be started with, before a port is bound: for whoever only checks a file.
pub(super) fn settings_ahead(plan: &Plan) -> Option<Settings> {
    let endpoint = plan.endpoint();
    let issuer = Issuer::parse(endpoint.strip_suffix(plan.path.as_str())?).ok()?;
    Some(settings(plan, &issuer, &ResourceIdentifier::parse(&endpoint).ok()?))
}

fn settings(plan: &Plan, issuer: &Issuer, resource: &ResourceIdentifier) -> Settings {
    let set = &plan.authorization_server;
    let resource = Resource {
        identifier: resource.clone(),
        name: name(plan, resource),
        scopes: plan.scopes.described.clone(),
        default: plan.scopes.policy.login.clone(),
        access_tokens: plan.access_tokens,
    };
    let mut settings = Settings::new(issuer.clone(), vec![resource]);
    settings.lifetimes.access_token = set.access_token_lifetime.0;
    settings.lifetimes.refresh_idle = set.refresh_token_idle.0;
    settings.lifetimes.grant = set.grant_lifetime.0;
    settings.trusted_issuers.clone_from(&plan.delegations.trusted_issuers);
    settings.exchange.clone_from(&plan.delegations.exchange);
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
