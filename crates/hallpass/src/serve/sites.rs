//! What stands at each origin of the listener: protected servers, pages, and what else clients look for there.

use std::sync::Arc;

use axum::Router;
use hallpass_authorization_server::AuthorizationServer;
use hallpass_gateway::Site;
use hallpass_protocol::Issuer;
use hallpass_resource_server::FrontDoor;

use super::not_here::{self, Endpoint, Places};
use super::plan::Plan;
use super::protected::Protected;
use super::server_plan::ServerPlan;
use super::wiring::Wired;
use super::{elsewhere, external, front_page, told};
use crate::config::PublicUrl;
use crate::exit::Failure;

/// Every site of the plan; the public URL's first, where people log in.
pub(super) fn sites(plan: &Plan, public_url: &PublicUrl, wired: &Wired) -> Result<Vec<Site>, Failure> {
    let issuer = Issuer::parse(public_url.as_str()).map_err(Failure::configuration)?;
    let house = House { plan, public_url, issuer, protected: &wired.protected };
    let issues = wired.authorization_server.as_ref();
    Ok(house.origins().iter().map(|origin| house.site(origin, issues)).collect())
}

/// What is spread over the origins of the listener.
struct House<'a> {
    plan: &'a Plan,
    public_url: &'a PublicUrl,
    issuer: Issuer,
    /// Those of the plan, one by one.
    protected: &'a [Arc<Protected>],
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

    fn at(&self, origin: &PublicUrl) -> Vec<(&ServerPlan, &Protected)> {
        let all = self.plan.servers.iter().zip(self.protected.iter().map(AsRef::as_ref));
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
            true => self.plan.servers.iter().zip(self.protected.iter().map(AsRef::as_ref)).collect(),
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
            _ => elsewhere::router(&self.issuer, &protected.endpoint),
        }
    }
}
