//! From the configuration to the embedded authorization server.

use hallpass_authorization_server::{
    AuthorizationServer, DocumentDomains, MutualTls, RegistrationPolicy, Resource, Rotation, Settings, Store,
};
use hallpass_guarded_fetch::{Fetcher, Policy};
use hallpass_protocol::{Issuer, ResourceIdentifier};

use super::delegated;
use super::house_plan::HousePlan;
use super::plan::Plan;
use super::proxied;
use super::server_plan::ServerPlan;
use crate::config::{self, PublicUrl, Registration};
use crate::exit::Failure;

/// Starts it for every server of the house whose tokens it is to issue; nothing where there is none. One that runs goes on by
/// other settings.
pub(super) async fn wire(
    plan: &Plan,
    house: &HousePlan,
    public_url: &PublicUrl,
    store: &Store,
    running: Option<&AuthorizationServer>,
) -> Result<Option<AuthorizationServer>, Failure> {
    let Some(mut settings) = settings(plan, house, public_url) else { return Ok(None) };
    settings.mutual_tls = mutual_tls(house)?;
    if let Some(running) = running {
        return Ok(Some(running.with_settings(settings).await?));
    }
    // Metadata documents of clients are fetched from the open network alone.
    let fetcher = Fetcher::new(Policy::default())?;
    Ok(Some(AuthorizationServer::start(settings, store.clone(), fetcher).await?))
}

/// What it would be started with, before a port is bound: for whoever only checks a file.
pub(super) fn settings_ahead(plan: &Plan, house: &HousePlan) -> Option<Settings> {
    settings(plan, house, &plan.public_url().ok()?)
}

fn mutual_tls(house: &HousePlan) -> Result<Option<MutualTls>, Failure> {
    let said = house.authorization_server.mutual_tls.as_ref();
    said.map(|said| said.load(&house.proxies())).transpose().map_err(Failure::configuration)
}

fn resource(plan: &Plan, server: &ServerPlan, public: &PublicUrl) -> Option<Resource> {
    let identifier = ResourceIdentifier::parse(&plan.endpoint(server, public)).ok()?;
    Some(Resource {
        name: server.shown_name(&identifier),
        identifier,
        scopes: server.scopes.described.clone(),
        default: server.scopes.policy.login.clone(),
        access_tokens: server.access_tokens,
    })
}

fn settings(plan: &Plan, house: &HousePlan, public: &PublicUrl) -> Option<Settings> {
    let set = &house.authorization_server;
    let resources: Vec<_> = house.fronted().filter_map(|server| resource(plan, server, public)).collect();
    if resources.is_empty() {
        return None;
    }
    let mut settings = Settings::new(Issuer::parse(&plan.issuer(house, public)).ok()?, resources);
    let identifier = |server: &ServerPlan| ResourceIdentifier::parse(&plan.endpoint(server, public)).ok();
    let provider = house.provider.as_ref();
    settings.proxied = provider.map(|provider| proxied::settings(provider, &house.servers, identifier));
    settings.lifetimes.access_token = set.access_token_lifetime.0;
    settings.lifetimes.refresh_idle = set.refresh_token_idle.0;
    settings.lifetimes.grant = set.grant_lifetime.0;
    settings.trusted_issuers.clone_from(&house.delegations.trusted_issuers);
    settings.exchange.clone_from(&house.delegations.exchange);
    settings.sign_in.clone_from(&house.sign_in);
    settings.third_parties = delegated::settings(house, identifier);
    settings.passwords = set.passwords;
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
    Some(settings)
}
