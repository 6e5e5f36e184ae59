//! Puts the parts together: authorization server, resource server, gateway.

use std::ffi::OsString;

use anyhow::Context;
use axum::Router;
use hallpass_authorization_server::{AuthorizationServer, OpaqueTokens, Store, TokenForm};
use hallpass_gateway::listen::{self, Connections, Tls};
use hallpass_gateway::stdio::{Limits, StdioCommand};
use hallpass_gateway::{self as gateway, Gateway};
use hallpass_protocol::{AccessTokenClaims, Issuer, ResourceIdentifier, Secret};
use hallpass_resource_server::stored::Unavailable;
use hallpass_resource_server::{
    self as resource_server, FrontDoor, Keys, ResourceServer, Revocations, StoredTokens, TrustedIssuer,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::not_here::{self, Places};
use super::plan::{Plan, Upstream};
use super::{external, front_page, replicas};
use crate::accounts::ServiceAccounts;
use crate::config::{Arrangement, PublicUrl};
use crate::data::system_clock;
use crate::demo;
use crate::exit::Failure;

/// Everything that serves, ready to go.
pub(crate) struct Wired {
    /// The protected endpoint's URL.
    pub(crate) endpoint: String,
    /// The embedded authorization server, if there is one.
    authorization_server: Option<AuthorizationServer>,
    gateway: Gateway,
    /// What stands beside the endpoint.
    others: Router,
}

/// Builds everything that the plan asks for.
pub(crate) async fn wire(
    plan: &Plan,
    store: Store,
    listeners: &[TcpListener],
    stop: &CancellationToken,
) -> Result<Wired, Failure> {
    let public_url = match &plan.public_url {
        Some(url) => url.clone(),
        None => own_url(listeners, plan.tls.is_some())?,
    };
    let issuer = Issuer::parse(public_url.as_str()).map_err(Failure::configuration)?;
    let endpoint = format!("{public_url}{}", plan.path.as_str());
    let resource = ResourceIdentifier::parse(&endpoint).map_err(Failure::configuration)?;

    let places = Places {
        endpoint: endpoint.clone(),
        path: plan.path.as_str().to_owned(),
        has_pages: plan.arrangement == Arrangement::Embedded,
    };
    let front_page = front_page::router(&name(plan, &resource), &places);
    let accounts = ServiceAccounts::new(store.clone()).live(system_clock(), stop.clone()).await?;
    let mut settings = resource_server::Settings::new(resource.clone(), system_clock());
    settings.name = Some(name(plan, &resource));
    settings.policy = plan.scopes.policy.clone();
    settings.streams = plan.streams;
    settings.metadata_signer = plan.signer.as_ref().map(|signer| signer.at(&endpoint));
    let mutual_tls = plan.authorization_server.mutual_tls.as_ref();
    settings.aliases.extend(mutual_tls.and_then(|said| said.url.clone()));
    replicas::share(&mut settings, &store).await?;
    let (authorization_server, beside) = match plan.credentials.first_issuer() {
        Some((issuer, fetcher)) if plan.arrangement == Arrangement::External => {
            replicas::keep_house(store, plan.authorization_server.audit_lifetime.0, stop.clone());
            (None, external::router(issuer.clone(), fetcher.clone()))
        }
        _ => {
            let started = super::authorization_server::start(plan, store, &issuer, &resource).await?;
            settings.stored_tokens = opaque_tokens(&started, plan.access_tokens, &issuer).await?;
            trust(&mut settings, &started, issuer, plan.public_client_id.clone());
            let router = started.router();
            (Some(started), router)
        }
    };
    plan.credentials.apply(&mut settings, accounts);
    if plan.arrangement == Arrangement::External
        && let Some(first) = settings.issuers.first_mut()
    {
        first.public_client_id.clone_from(&plan.public_client_id);
    }
    let resource_server = ResourceServer::new(settings);
    let mut front_door = FrontDoor::new(public_url.url(), &plan.allowed_origins);
    if let Some(url) = plan.authorization_server.mutual_tls.as_ref().and_then(|said| said.url.as_ref()) {
        front_door = front_door.also_at(url);
    }
    let upstream = upstream(&plan.upstream, stop)?;
    let gateway =
        Gateway::new(resource_server, upstream, gateway::Settings { front_door, listing: plan.listing });
    let others = not_here::beside(beside.merge(front_page), places);
    Ok(Wired { endpoint, authorization_server, gateway, others })
}

/// What people read on the page of consent. Never upstream's address, which is the operator's business.
pub(super) fn name(plan: &Plan, resource: &ResourceIdentifier) -> String {
    plan.name.clone().unwrap_or_else(|| resource.url().authority().to_owned())
}

/// `localhost` with the port that was bound.
fn own_url(listeners: &[TcpListener], tls: bool) -> Result<PublicUrl, Failure> {
    let listener = listeners.first().context("nothing to listen on")?;
    let port = listener.local_addr()?.port();
    let url = PublicUrl::loopback(port).map_err(anyhow::Error::msg)?;
    Ok(if tls { url.over_tls() } else { url })
}

/// The embedded authorization server's tokens are taken, and its revocations are heard.
fn trust(
    settings: &mut resource_server::Settings,
    authorization_server: &AuthorizationServer,
    issuer: Issuer,
    public_client_id: Option<String>,
) {
    let keys = authorization_server.verifying_keys();
    let revocations = authorization_server.revocations();
    settings.own_issuer = Some(issuer.clone());
    settings.issuers.push(TrustedIssuer {
        public_client_id,
        ..TrustedIssuer::new(issuer, Keys::live(move || keys.current()))
    });
    settings.revocations = Revocations::uncertain(move |jti| revocations.is_revoked(jti).ok());
}

/// Its opaque tokens; nothing where there can be none, so that made-up ones are a JWT that is none, and no question to the
/// database. Where tokens are JWTs by now, what was issued before is good until it ends.
async fn opaque_tokens(
    authorization_server: &AuthorizationServer,
    form: TokenForm,
    issuer: &Issuer,
) -> Result<Option<StoredTokens>, Failure> {
    let opaque = authorization_server.opaque_tokens();
    if form == TokenForm::Jwt && !opaque.are_there().await? {
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

fn upstream(upstream: &Upstream, stop: &CancellationToken) -> Result<gateway::Upstream, Failure> {
    match upstream {
        Upstream::Demo => Ok(gateway::Upstream::service(demo::service(stop.child_token()))),
        Upstream::Http(url) => gateway::Upstream::http(url).map_err(Failure::configuration),
        Upstream::Stdio { program, arguments, environment, directory } => {
            let mut command = StdioCommand::new(program);
            command.arguments = arguments.iter().map(OsString::from).collect();
            command.environment =
                environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
            command.directory = directory.clone();
            Ok(gateway::Upstream::stdio(command, Limits::default()))
        }
    }
}

impl Wired {
    /// The link under which the first user is made, while there is none.
    pub(crate) fn setup_link(&self) -> Option<Url> {
        self.authorization_server.as_ref().and_then(AuthorizationServer::setup_link)
    }

    /// Serves on every listener until `stop`, then lets requests under way end.
    pub(crate) async fn serve(
        self,
        listeners: Vec<TcpListener>,
        tls: Option<Tls>,
        stop: CancellationToken,
    ) -> Result<(), Failure> {
        let served = self.gateway.served_with(self.others);
        let mut serving = tokio::task::JoinSet::new();
        for listener in listeners {
            let shutdown = stop.clone().cancelled_owned();
            let connections = Connections { tls: tls.clone(), ..Connections::default() };
            serving.spawn(listen::serve(listener, served.clone(), connections, shutdown));
        }
        while let Some(ended) = serving.join_next().await {
            ended?;
        }
        self.gateway.close().await;
        match &self.authorization_server {
            Some(authorization_server) => Ok(authorization_server.close().await?),
            None => Ok(()),
        }
    }
}
