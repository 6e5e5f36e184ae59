//! One protected server, put together: resource server, upstream, gateway.

use std::sync::Arc;

use anyhow::Context;
use hallpass_authorization_server::{AuthorizationServer, OpaqueTokens, TokenForm};
use hallpass_gateway::upstream::told::Told;
use hallpass_gateway::{self as gateway, Choice, Gateway};
use hallpass_protocol::{AccessTokenClaims, Issuer, ResourceIdentifier, Secret};
use hallpass_resource_server::stored::Unavailable;
use hallpass_resource_server::{
    self as resource_server, ClaimNames, FrontDoor, Keys, ResourceServer, Revocations, StoredTokens,
    TrustedIssuer,
};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::delegated;
use super::foundation::Foundation;
use super::ground::Ground;
use super::handed_on;
use super::house_plan::HousePlan;
use super::mark::Mark;
use super::plan::Plan;
use super::replicas;
use super::server_plan::ServerPlan;
use super::upstream::Upstream;
use crate::config::PublicUrl;
use crate::data::system_clock;
use crate::demo;
use crate::exit::Failure;

/// A protected server, ready to go.
pub(super) struct Protected {
    /// The origin that it is reached under.
    pub(super) origin: PublicUrl,
    /// Its endpoint's URL.
    pub(super) endpoint: String,
    /// What people call it.
    pub(super) name: String,
    pub(super) gateway: Gateway,
    /// What stands behind it.
    pub(super) upstream: Arc<Behind>,
    made_of: MadeOf,
}

/// What stands behind, and what it was made by.
pub(super) struct Behind {
    planned: Upstream,
    /// How it is spoken to.
    options: Arc<Mark>,
    /// One, or as many as are chosen among.
    upstreams: Vec<gateway::Upstream>,
}

impl Behind {
    /// Whether it is what that server is to have behind it.
    pub(super) fn is_of(&self, server: &ServerPlan) -> bool {
        self.planned == server.upstream && self.options == server.options_mark
    }

    /// All of them, each of which is told the same.
    fn telling(&self, told: impl Fn() -> Told) -> Result<Choice, Failure> {
        let variables = match &self.planned {
            Upstream::Chosen { variables, .. } => variables.clone(),
            _ => Vec::new(),
        };
        let upstreams = self.upstreams.iter().map(|upstream| upstream.clone().telling(told())).collect();
        Ok(Choice::new(variables, upstreams).context("there is not one upstream for each combination")?)
    }
}

/// What would make it another one, beside the settings of its own.
#[derive(PartialEq)]
struct MadeOf {
    mark: Arc<Mark>,
    alias: Option<Url>,
    opaque: bool,
    /// Who hallpass is at the provider whose tokens it hands on.
    client_id: Option<String>,
    /// Where it acts at third parties: all that is said of them, and of who else does.
    acts: Option<Arc<Mark>>,
}

/// What it stands in.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) plan: &'a Plan,
    pub(super) house: &'a HousePlan,
    pub(super) ground: &'a Ground,
    /// The authorization server of its house.
    pub(super) issues: Option<&'a AuthorizationServer>,
}

/// Puts it together. A server that would be the same again is the one that was there; one that would be another, and has the
/// same behind it, keeps that, and with it the sessions.
pub(super) async fn put_together(
    server: &ServerPlan,
    around: Around<'_>,
    beneath: &mut Foundation,
    former: Option<&Arc<Protected>>,
) -> Result<Arc<Protected>, Failure> {
    let Around { plan, house, ground, issues } = around;
    let origin = plan.origin(server, &beneath.public_url);
    let endpoint = plan.endpoint(server, &beneath.public_url);
    let resource = ResourceIdentifier::parse(&endpoint).map_err(Failure::configuration)?;
    let name = server.shown_name(&resource);
    // The host for clients that show certificates is another name of the issuer's, and of no other host.
    let is_home = origin == plan.home(house, &beneath.public_url);
    let mutual_tls = house.authorization_server.mutual_tls.as_ref().filter(|_| is_home);
    let alias = mutual_tls.and_then(|said| said.url.clone());
    let opaque = house.embedded().any(|server| server.access_tokens == TokenForm::Opaque);
    let client_id = house.provider.as_ref().map(|provider| provider.settings().client_id.clone());
    let acts = (!server.delegated.is_empty()).then(|| Arc::clone(&house.mark));
    let made_of = MadeOf {
        mark: Arc::clone(&server.mark),
        alias: alias.clone(),
        opaque,
        client_id: client_id.clone(),
        acts,
    };
    if let Some(former) = former.filter(|former| former.made_of == made_of) {
        return Ok(Arc::clone(former));
    }
    let mut settings = resource_server::Settings::new(resource, system_clock());
    settings.name = Some(name.clone());
    settings.tenant = house.tenant.as_ref().map(ToString::to_string);
    settings.policy = server.scopes.policy.clone();
    settings.streams = server.streams;
    settings.verifications = plan.edge.verifications.clone();
    settings.metadata_signer = server.signer.as_ref().map(|signer| signer.at(&endpoint));
    settings.aliases.extend(alias.clone());
    settings.replays = beneath.replays.entry(endpoint.clone()).or_default().clone();
    replicas::share(&mut settings, &ground.store).await?;
    let own_issuer = plan.issuer(house, &beneath.public_url);
    if let Some(started) = issues.filter(|_| server.is_embedded()) {
        let issuer = Issuer::parse(&own_issuer).map_err(Failure::configuration)?;
        settings.stored_tokens = opaque_tokens(started, opaque, &issuer).await?;
        trust(&mut settings, started, issuer, server.public_client_id.clone());
    }
    if let Some(started) = issues.filter(|_| server.is_fronted()) {
        hear(&mut settings, started);
        let client_id = client_id.as_deref();
        settings.agreed_tokens = client_id.and_then(|client_id| {
            handed_on::agreed(server, &settings.resource, client_id, started.handed_on())
        });
    }
    let key = server.key.as_ref().map(|key| key.as_str());
    server.credentials.apply(&mut settings, ground.accounts.of(key));
    if !server.is_embedded()
        && let Some(first) = settings.issuers.first_mut()
    {
        first.public_client_id.clone_from(&server.public_client_id);
        if server.is_fronted() {
            first.asked_at = Some(Issuer::parse(&own_issuer).map_err(Failure::configuration)?);
        }
    }
    let mut front_door = FrontDoor::new(origin.url(), &server.allowed_origins);
    if let Some(url) = &alias {
        front_door = front_door.also_at(url);
    }
    let kept = former.map(|former| &former.upstream).filter(|behind| behind.is_of(server));
    let upstream = match kept.map(Arc::clone).or_else(|| beneath.behind(server)) {
        Some(behind) => behind,
        None => {
            let upstreams = upstreams(server, &beneath.stop)?;
            let options = Arc::clone(&server.options_mark);
            let behind = Arc::new(Behind { planned: server.upstream.clone(), options, upstreams });
            beneath.behind.push(Arc::downgrade(&behind));
            behind
        }
    };
    let told = || {
        let told = server.told.ready(&own_issuer, issues.filter(|_| server.is_fronted()));
        delegated::telling(told, &server.delegated, &own_issuer, issues)
    };
    let gateway = Gateway::new(
        ResourceServer::new(settings),
        upstream.telling(told)?,
        gateway::Settings { front_door, listing: server.listing, limits: server.limits },
    );
    Ok(Arc::new(Protected { origin, endpoint, name, gateway, upstream, made_of }))
}

/// What the authorization server revokes is dead at once.
fn hear(settings: &mut resource_server::Settings, authorization_server: &AuthorizationServer) {
    let revocations = authorization_server.revocations();
    settings.revocations = Revocations::uncertain(move |jti| revocations.is_revoked(jti).ok());
}

/// The embedded authorization server's tokens are taken.
fn trust(
    settings: &mut resource_server::Settings,
    authorization_server: &AuthorizationServer,
    issuer: Issuer,
    public_client_id: Option<String>,
) {
    let keys = authorization_server.verifying_keys();
    // A user of a tenant is told with the issuer: another tenant may have one of that name, and the same server behind it.
    settings.own_issuer = settings.tenant.is_none().then(|| issuer.clone());
    settings.issuers.push(TrustedIssuer {
        public_client_id,
        claims: ClaimNames { tenant_otherwise: settings.tenant.clone(), ..ClaimNames::default() },
        ..TrustedIssuer::new(issuer, Keys::live(move || keys.current()))
    });
}

/// Its opaque tokens; nothing where there can be none, so that made-up ones are a JWT that is none, and no question to the
/// database. A token for several servers is opaque where one of them wants it so. Where tokens are JWTs by now, what was
/// issued before is good until it ends.
async fn opaque_tokens(
    authorization_server: &AuthorizationServer,
    some_are: bool,
    issuer: &Issuer,
) -> Result<Option<StoredTokens>, Failure> {
    let opaque = authorization_server.opaque_tokens();
    if !some_are && !opaque.are_there().await? {
        return Ok(None);
    }
    let find = move |token| look_up(opaque.clone(), token);
    Ok(Some(StoredTokens::new(issuer.clone(), OpaqueTokens::PREFIX, find)))
}

async fn look_up(tokens: OpaqueTokens, token: Secret) -> Result<Option<AccessTokenClaims>, Unavailable> {
    tokens.find(token.expose()).await.map_err(|error| {
        tracing::error!(%error, "opaque tokens cannot be looked up");
        Unavailable
    })
}

fn upstreams(server: &ServerPlan, stop: &CancellationToken) -> Result<Vec<gateway::Upstream>, Failure> {
    let http = |url| {
        let upstream = gateway::Upstream::http_with(url, &server.options);
        upstream.map_err(Failure::configuration)
    };
    match &server.upstream {
        Upstream::Demo => Ok(vec![gateway::Upstream::service(demo::service(stop.child_token()))]),
        Upstream::Http(url) => Ok(vec![http(url)?]),
        Upstream::Chosen { urls, .. } => urls.iter().map(http).collect(),
        Upstream::Stdio(command) => Ok(vec![command.upstream()]),
    }
}
