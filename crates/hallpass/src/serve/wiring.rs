//! Puts the parts together: one authorization server, and a gateway for each protected server.

use axum::Router;
use hallpass_authorization_server::AuthorizationServer;
use hallpass_gateway::edge::Edge;
use hallpass_gateway::listen::{self, Connections, Tls};
use hallpass_gateway::{Served, Site};
use hallpass_protocol::Issuer;
use hallpass_resource_server::FrontDoor;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::foundation::Foundation;
use super::not_here::{self, Endpoint, Places};
use super::plan::Plan;
use super::protected::{self, Protected};
use super::server_plan::ServerPlan;
use super::{elsewhere, external, front_page, replicas, told};
use crate::config::PublicUrl;
use crate::exit::Failure;

/// Everything that serves, ready to go.
pub(crate) struct Wired {
    /// The embedded authorization server, if there is one.
    authorization_server: Option<AuthorizationServer>,
    /// In the order of the plan.
    protected: Vec<Protected>,
    served: Served,
}

/// Builds everything that the plan asks for.
pub(crate) async fn wire(plan: &Plan, beneath: &mut Foundation) -> Result<Wired, Failure> {
    let public_url = beneath.public_url.clone();
    let issuer = Issuer::parse(public_url.as_str()).map_err(Failure::configuration)?;
    let store = beneath.store.clone();
    let authorization_server = super::authorization_server::start(plan, store.clone(), &public_url).await?;
    if authorization_server.is_none() {
        let lifetime = plan.authorization_server.audit_lifetime.0;
        replicas::keep_house(store, lifetime, beneath.stop.clone());
    }
    let mut protected = Vec::new();
    for server in &plan.servers {
        protected.push(protected::put_together(plan, server, beneath, authorization_server.as_ref()).await?);
    }
    let house = House { plan, public_url: &public_url, issuer: &issuer, protected: &protected };
    let served = Served::new(house.sites(authorization_server.as_ref()));
    Ok(Wired { authorization_server, protected, served })
}

/// What is spread over the origins of the listener.
struct House<'a> {
    plan: &'a Plan,
    public_url: &'a PublicUrl,
    issuer: &'a Issuer,
    /// Those of the plan, one by one.
    protected: &'a [Protected],
}

impl House<'_> {
    /// Each origin once; the public URL first, where people log in.
    fn origins(&self) -> Vec<PublicUrl> {
        let mut origins = Vec::new();
        if self.plan.embedded().next().is_some() {
            origins.push(self.public_url.clone());
        }
        for protected in self.protected {
            if !origins.contains(&protected.origin) {
                origins.push(protected.origin.clone());
            }
        }
        origins
    }

    fn sites(&self, issues: Option<&AuthorizationServer>) -> Vec<Site> {
        self.origins().iter().map(|origin| self.site(origin, issues)).collect()
    }

    fn at(&self, origin: &PublicUrl) -> Vec<(&ServerPlan, &Protected)> {
        let all = self.plan.servers.iter().zip(self.protected);
        all.filter(|(_, protected)| protected.origin == *origin).collect()
    }

    fn site(&self, origin: &PublicUrl, issues: Option<&AuthorizationServer>) -> Site {
        let here = self.at(origin);
        let is_public = origin == self.public_url;
        let mut door = FrontDoor::new(origin.url(), &[]);
        let mutual_tls = self.plan.authorization_server.mutual_tls.as_ref().filter(|_| is_public);
        if let Some(url) = mutual_tls.and_then(|said| said.url.as_ref()) {
            door = door.also_at(url);
        }
        // Where people log in and nothing is protected, they are told of all that is.
        let shown: Vec<_> = match here.is_empty() {
            true => self.plan.servers.iter().zip(self.protected).collect(),
            false => here.clone(),
        };
        let endpoint = |(server, protected): &(&ServerPlan, &Protected)| Endpoint {
            url: protected.endpoint.clone(),
            path: server.path.as_str().to_owned(),
            name: protected.name.clone(),
        };
        let has_pages = shown.iter().any(|(server, _)| server.is_embedded());
        let places = Places {
            endpoints: shown.iter().map(endpoint).collect(),
            pages: has_pages.then(|| self.public_url.to_string()),
        };
        let front_page = front_page::router(origin, &places);
        let beside = self.beside(&here, issues.filter(|_| is_public));
        let keys = told::keys(here.iter().map(|(server, _)| &server.told));
        let gateways = here.iter().map(|(_, protected)| protected.gateway.clone()).collect();
        Site::new(door, gateways, not_here::beside(beside.merge(front_page).merge(keys), places))
    }

    /// Where older clients look for an authorization server: the one of this origin, or the way to the one that the first
    /// server here has.
    fn beside(&self, here: &[(&ServerPlan, &Protected)], issues: Option<&AuthorizationServer>) -> Router {
        if let Some(issues) = issues {
            return issues.router();
        }
        let Some((server, protected)) = here.first() else { return Router::new() };
        match server.credentials.first_issuer() {
            Some((issuer, fetcher)) if !server.is_embedded() => {
                external::router(issuer.clone(), fetcher.clone())
            }
            _ => elsewhere::router(self.issuer, &protected.endpoint),
        }
    }
}

impl Wired {
    /// The link under which the first user is made, while there is none.
    pub(crate) fn setup_link(&self) -> Option<Url> {
        self.authorization_server.as_ref().and_then(AuthorizationServer::setup_link)
    }

    /// The endpoints' URLs, in the order of the plan.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.protected.iter().map(|protected| protected.endpoint.as_str())
    }

    /// Serves on every listener until `stop`, then lets requests under way end.
    pub(crate) async fn serve(
        self,
        listeners: Vec<TcpListener>,
        tls: Option<Tls>,
        edge: Edge,
        stop: CancellationToken,
    ) -> Result<(), Failure> {
        let mut serving = JoinSet::new();
        for listener in listeners {
            let shutdown = stop.clone().cancelled_owned();
            let connections = Connections { tls: tls.clone(), edge: edge.clone(), ..Connections::default() };
            serving.spawn(listen::serve(listener, self.served.clone(), connections, shutdown));
        }
        while let Some(ended) = serving.join_next().await {
            ended?;
        }
        let mut closing = JoinSet::new();
        for protected in self.protected {
            closing.spawn(async move { protected.gateway.close().await });
        }
        while let Some(closed) = closing.join_next().await {
            closed?;
        }
        match &self.authorization_server {
            Some(authorization_server) => Ok(authorization_server.close().await?),
            None => Ok(()),
        }
    }
}
