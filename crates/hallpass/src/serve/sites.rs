//! What stands at each origin of the listener: protected servers, pages, and what else clients look for there.

use axum::Router;
use hallpass_gateway::Site;
use hallpass_protocol::Issuer;
use hallpass_resource_server::FrontDoor;

use super::house_plan::HousePlan;
use super::not_here::{self, Endpoint, Places};
use super::plan::Plan;
use super::protected::Protected;
use super::server_plan::ServerPlan;
use super::wiring::{Wired, WiredHouse};
use super::{elsewhere, external, front_page, told};
use crate::config::PublicUrl;
use crate::exit::Failure;

/// Every site of the plan.
pub(super) fn sites(plan: &Plan, public_url: &PublicUrl, wired: &Wired) -> Result<Vec<Site>, Failure> {
    let housed = plan.houses.iter().zip(&wired.houses).map(|(house, wired)| {
        let issuer = Issuer::parse(&plan.issuer(house, public_url)).map_err(Failure::configuration)?;
        let origins = origins(plan, house, public_url);
        Ok(Housed { house, wired, home: plan.home(house, public_url), origins, issuer })
    });
    let housed = housed.collect::<Result<Vec<_>, Failure>>()?;
    let mut origins = Vec::new();
    for origin in housed.iter().flat_map(|housed| &housed.origins) {
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    Ok(origins.into_iter().map(|origin| site(origin, &housed)).collect())
}

/// Those of one house, each once; the one where people log in first.
fn origins(plan: &Plan, house: &HousePlan, public_url: &PublicUrl) -> Vec<PublicUrl> {
    let home = house.fronted().next().map(|_| plan.home(house, public_url));
    let mut origins: Vec<_> = home.into_iter().collect();
    for server in &house.servers {
        let origin = plan.origin(server, public_url);
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    origins
}

/// One origin. Several tenants may be there, each below its own path.
fn site(origin: &PublicUrl, housed: &[Housed<'_>]) -> Site {
    let here: Vec<_> = housed.iter().filter(|housed| housed.origins.contains(origin)).collect();
    let mut door = FrontDoor::new(origin.url(), &[]);
    let (mut router, mut places, mut gateways) = (Router::new(), Vec::new(), Vec::new());
    for housed in &here {
        if let Some(url) = housed.alias(origin) {
            door = door.also_at(url);
        }
        let there = housed.places(origin);
        router = router.merge(housed.router(origin, &there));
        places.push(there);
        gateways.extend(housed.at(origin).iter().map(|(_, protected)| protected.gateway.clone()));
    }
    // What is at the root of an origin is about its first server; where only tenants are below it, about none.
    let has_root = here.iter().any(|housed| housed.base(origin).is_empty());
    if !has_root {
        let nothing = Places::default();
        router = router.merge(front_page::router(origin, &nothing));
        places.push(nothing);
    }
    let router = not_here::beside(router, places);
    let site = match has_root {
        true => Site::new(door, gateways, router),
        false => Site::below(door, gateways, router),
    };
    match here.as_slice() {
        [Housed { house: HousePlan { tenant: Some(name), .. }, .. }] if has_root => {
            site.of_tenant(name.as_str())
        }
        _ => site,
    }
}

/// A house, and where it is.
struct Housed<'a> {
    house: &'a HousePlan,
    wired: &'a WiredHouse,
    /// The origin where people log in.
    home: PublicUrl,
    origins: Vec<PublicUrl>,
    issuer: Issuer,
}

impl Housed<'_> {
    fn all(&self) -> Vec<(&ServerPlan, &Protected)> {
        self.house.servers.iter().zip(self.wired.protected.iter().map(AsRef::as_ref)).collect()
    }

    fn at(&self, origin: &PublicUrl) -> Vec<(&ServerPlan, &Protected)> {
        self.all().into_iter().filter(|(_, protected)| protected.origin == *origin).collect()
    }

    /// The path below which all is that it has at that origin.
    fn base(&self, origin: &PublicUrl) -> &str {
        if *origin == self.home { &self.house.base } else { "" }
    }

    /// Another name of the origin, for clients that show certificates.
    fn alias(&self, origin: &PublicUrl) -> Option<&url::Url> {
        let mutual_tls = self.house.authorization_server.mutual_tls.as_ref().filter(|_| *origin == self.home);
        mutual_tls.and_then(|said| said.url.as_ref())
    }

    /// What there is. Where people log in and nothing is protected, they are told of all that is.
    fn places(&self, origin: &PublicUrl) -> Places {
        let here = self.at(origin);
        let shown = if here.is_empty() { self.all() } else { here };
        let endpoint = |(server, protected): &(&ServerPlan, &Protected)| Endpoint {
            url: protected.endpoint.clone(),
            path: server.path.as_str().to_owned(),
            name: protected.name.clone(),
        };
        let has_pages = shown.iter().any(|(server, _)| server.is_embedded());
        Places {
            base: self.base(origin).to_owned(),
            endpoints: shown.iter().map(endpoint).collect(),
            is_away: self.wired.is_away,
            pages: has_pages.then(|| self.issuer.as_str().trim_end_matches('/').to_owned()),
        }
    }

    fn router(&self, origin: &PublicUrl, places: &Places) -> Router {
        if self.wired.is_away {
            return Router::new();
        }
        let here = self.at(origin);
        let keys = told::keys(here.iter().map(|(server, _)| &server.told));
        let keys = if places.base.is_empty() { keys } else { Router::new().nest(&places.base, keys) };
        self.beside(origin, &here).merge(front_page::router(origin, places)).merge(keys)
    }

    /// Where older clients look for an authorization server: the one of this origin, or the way to the one that the first
    /// server here has. They look at the root, which is no tenant's that is below it.
    fn beside(&self, origin: &PublicUrl, here: &[(&ServerPlan, &Protected)]) -> Router {
        let issues = self.wired.authorization_server.as_ref().filter(|_| *origin == self.home);
        if let Some(issues) = issues {
            return issues.router();
        }
        let Some((server, protected)) = here.first() else { return Router::new() };
        match server.credentials.first_issuer() {
            _ if !self.base(origin).is_empty() => Router::new(),
            Some((issuer, fetcher)) if !server.is_fronted() => {
                external::router(issuer.clone(), fetcher.clone())
            }
            _ => elsewhere::router(&self.issuer, &protected.endpoint),
        }
    }
}
