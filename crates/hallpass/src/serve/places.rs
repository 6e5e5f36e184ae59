//! That everything planned has a place: each server an endpoint, each tenant an issuer and a database, and nothing two of them
//! the same.

use hallpass_authorization_server::StartError;
use url::Url;

use super::authorization_server;
use super::house_plan::HousePlan;
use super::plan::Plan;
use super::plan_error::PlanError;
use super::server_plan::ServerPlan;
use crate::config::{Config, House, ListenAddress, PublicUrl, Section};

/// Judges all of it, one rule after the other.
pub(super) fn check(plan: &Plan, config: &Config) -> Result<(), PlanError> {
    let said = config.houses();
    let houses: Vec<Planned<'_>> =
        plan.houses.iter().zip(&said).map(|(house, said)| (house, *said)).collect();
    if let Ok(public) = plan.public_url() {
        let at = At { plan, public };
        at.check_ends(&houses)?;
        at.check_homes(&houses)?;
        at.check_endpoints(&houses)?;
        at.check_audiences(&houses)?;
        at.check_upstreams(&houses)?;
        at.check_issuers(&houses)?;
    }
    check_databases(&houses, config)?;
    houses.iter().try_for_each(|house| check_authorization_server(plan, house))
}

/// A house as it is planned, and as the file says it.
type Planned<'a> = (&'a HousePlan, House<'a>);

struct At<'a> {
    plan: &'a Plan,
    public: PublicUrl,
}

fn servers<'a>(
    houses: &'a [Planned<'a>],
) -> impl Iterator<Item = (&'a HousePlan, &'a ServerPlan, Section<'a>)> {
    houses.iter().flat_map(|(house, said)| {
        let sections = said.protected().into_iter().map(|one| one.section);
        house.servers.iter().zip(sections).map(|(server, section)| (*house, server, section))
    })
}

impl At<'_> {
    /// That hosts beside the public URL's are reached safely, too.
    fn check_ends(&self, houses: &[Planned<'_>]) -> Result<(), PlanError> {
        let unsafe_at = |origin: &PublicUrl| !origin.is_https() && !origin.is_loopback();
        for (house, said) in houses {
            let home = self.plan.home(house, &self.public);
            if house.host.is_some() && unsafe_at(&home) {
                return Err(PlanError::PlainHttp(home).at(said.place(&["host"])));
            }
        }
        for (_, server, section) in servers(houses) {
            let origin = self.plan.origin(server, &self.public);
            if server.host.is_some() && unsafe_at(&origin) {
                return Err(PlanError::PlainHttp(origin).at(section.place(&["host"])));
            }
        }
        Ok(())
    }

    /// That no two servers have the same endpoint.
    fn check_endpoints(&self, houses: &[Planned<'_>]) -> Result<(), PlanError> {
        let mut taken: Vec<(String, &ServerPlan)> = Vec::new();
        for (_, server, section) in servers(houses) {
            let endpoint = self.plan.endpoint(server, &self.public);
            if let Some((_, other)) = taken.iter().find(|(known, _)| *known == endpoint) {
                let fault = PlanError::SamePlace { other: other.title.clone(), endpoint };
                return Err(fault.at(format!("{} ({})", section.place(&["path"]), section.title())));
            }
            taken.push((endpoint, server));
        }
        Ok(())
    }

    /// That a tenant has its host, or its path, for itself.
    fn check_homes(&self, houses: &[Planned<'_>]) -> Result<(), PlanError> {
        for (at, (house, said)) in houses.iter().enumerate() {
            let title = |of: &House<'_>| {
                if of.tenant().is_some() { of.title() } else { "what stands outside of tenants".to_owned() }
            };
            for (other, other_said) in houses.iter().take(at) {
                if let Some(origin) = self.shared_host(house, other) {
                    let fault = PlanError::SharedHost { host: origin, other: title(other_said) };
                    return Err(fault.at(said.place(&["host"])));
                }
            }
            let others = houses.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, other)| other);
            for (other, other_said) in others {
                let home = self.plan.home(house, &self.public);
                let is_home = |server: &&ServerPlan| self.plan.origin(server, &self.public) == home;
                let paths = other.servers.iter().filter(is_home).map(|server| server.path.as_str());
                let base = (self.plan.home(other, &self.public) == home).then_some(other.base.as_str());
                let is_below =
                    |path: &str| path == house.base || path.starts_with(&format!("{}/", house.base));
                if !house.base.is_empty()
                    && let Some(path) = paths.chain(base).find(|path| is_below(path))
                {
                    let (path, other) = (path.to_owned(), title(other_said));
                    return Err(PlanError::SharedPath { path, other }.at(said.place(&["path"])));
                }
            }
        }
        Ok(())
    }

    /// A host that both houses are at. Those that have none of their own share the public URL's.
    fn shared_host(&self, one: &HousePlan, other: &HousePlan) -> Option<PublicUrl> {
        let hosts = |house: &HousePlan| -> Vec<(PublicUrl, bool)> {
            let home = (self.plan.home(house, &self.public), house.host.is_some());
            let servers = house.servers.iter();
            let servers =
                servers.map(|server| (self.plan.origin(server, &self.public), server.host.is_some()));
            let mutual_tls =
                house.authorization_server.mutual_tls.as_ref().and_then(|said| said.url.as_ref());
            let alias = mutual_tls.and_then(|url| url.origin().ascii_serialization().parse().ok());
            std::iter::once(home).chain(servers).chain(alias.map(|alias| (alias, true))).collect()
        };
        let theirs = hosts(other);
        hosts(one).into_iter().find_map(|(origin, is_own)| {
            let shared = theirs.iter().any(|(other, others_own)| *other == origin && (is_own || *others_own));
            shared.then_some(origin)
        })
    }

    /// That nothing stands before itself.
    fn check_upstreams(&self, houses: &[Planned<'_>]) -> Result<(), PlanError> {
        for (_, server, section) in servers(houses) {
            let endpoint = self.plan.endpoint(server, &self.public);
            let is_own = |url: &&Url| {
                url.path() == server.path.as_str()
                    && (format!("{}{}", url.origin().ascii_serialization(), url.path()) == endpoint
                        || self.is_own_listener(url))
            };
            if let Some(url) = server.upstream.urls().iter().find(is_own) {
                return Err(PlanError::OwnUpstream(url.clone()).at(section.place(&["upstream"])));
            }
        }
        Ok(())
    }

    /// Whether that is this process, on this machine.
    fn is_own_listener(&self, url: &Url) -> bool {
        let address = url.host_str().zip(url.port_or_known_default());
        let address = address.and_then(|(host, port)| format!("{host}:{port}").parse::<ListenAddress>().ok());
        address.is_some_and(|address| address.is_loopback() && address.meets(&self.plan.listen))
    }

    /// That no assertion is for a place of hallpass's own.
    fn check_audiences(&self, houses: &[Planned<'_>]) -> Result<(), PlanError> {
        let mut origins = vec![self.public.clone()];
        origins.extend(houses.iter().map(|(house, _)| self.plan.home(house, &self.public)));
        origins.extend(servers(houses).map(|(_, server, _)| self.plan.origin(server, &self.public)));
        for (_, server, section) in servers(houses) {
            if server.told.audience().is_some_and(|name| origins.iter().any(|one| one.is_origin_of(name))) {
                return Err(PlanError::OwnAudience.at(section.place(&["assertion", "audience"])));
            }
        }
        Ok(())
    }

    /// That nobody else is called as hallpass itself is, where it issues tokens, and that no tenant takes another's tokens.
    fn check_issuers(&self, houses: &[Planned<'_>]) -> Result<(), PlanError> {
        for (house, server, section) in servers(houses) {
            let own = self.plan.issuer(house, &self.public);
            if server.is_fronted() {
                server.credentials.check_own(&own, section)?;
            }
            for (other, said) in houses.iter().filter(|(other, _)| other.tenant != house.tenant) {
                let theirs = self.plan.issuer(other, &self.public);
                if server.credentials.issuers().any(|(_, reading)| reading.issuer.as_str() == theirs) {
                    let other = said
                        .tenant()
                        .map_or_else(|| "no tenant".to_owned(), |name| format!("the tenant {name}"));
                    return Err(
                        PlanError::OtherTenant { issuer: theirs, other }.at(section.place(&["issuers"]))
                    );
                }
            }
        }
        Ok(())
    }
}

/// That no two houses keep their data in one place.
fn check_databases(houses: &[Planned<'_>], config: &Config) -> Result<(), PlanError> {
    config.master_key.place()?;
    let mut known = Vec::new();
    for (house, said) in houses {
        let url = match &house.tenant {
            Some(name) => house.own_database.url_of_tenant(name, &config.database)?,
            None => config.database.url()?,
        };
        let Some(url) = url else { continue };
        if known.iter().any(|other: &hallpass_authorization_server::DatabaseUrl| other.is_same_place(&url)) {
            return Err(PlanError::SharedDatabase.at(said.place(&["database", "url"])));
        }
        known.push(url);
    }
    Ok(())
}

fn check_authorization_server(plan: &Plan, (house, said): &Planned<'_>) -> Result<(), PlanError> {
    let at = |setting| said.place(&["authorization_server", setting]);
    if let Some(mutual_tls) = &house.authorization_server.mutual_tls {
        mutual_tls
            .load(&house.proxies())
            .map_err(|fault| PlanError::Delegation(fault.to_string()).at(at("mutual_tls")))?;
    }
    let Some(settings) = authorization_server::settings_ahead(plan, house) else { return Ok(()) };
    settings.check().map_err(|fault| {
        let setting = match &fault {
            StartError::LongAccessTokens => "access_token_lifetime",
            StartError::HastyRotation => "rotate_keys_every",
            StartError::NoWayIn => "passwords",
            StartError::SignInName(_) => "sign_in",
            StartError::ThirdPartyName(name) => {
                let place = said.outside(&["third_parties", name]);
                return PlanError::from(fault).at(place);
            }
            _ => return fault.into(),
        };
        PlanError::from(fault).at(at(setting))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "upstream = \"http://localhost:3000/mcp\"\n";

    fn judged(tenants: &str) -> Result<(), String> {
        let text = format!("public_url = \"https://mcp.example.com\"\n{}", tenants.replace("SERVER", SERVER));
        let config: Config = toml::from_str(&text).unwrap();
        Plan::new(crate::cli::Serve::default(), config).map(drop).map_err(|fault| fault.to_string())
    }

    #[test]
    fn tenants_have_places_of_their_own() {
        for good in [
            "[tenants.a.server]\nSERVER[tenants.b.server]\nSERVER[server]\nSERVER",
            "[tenants.a]\nhost = \"a.example.com\"\n[tenants.a.server]\nSERVER[tenants.b.server]\nSERVER",
            "[tenants.a]\npath = \"/a\"\n[tenants.a.server]\nSERVER[tenants.ab]\npath = \"/ab\"\n[tenants.ab.server]\nSERVER",
        ] {
            assert_eq!(judged(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_two_tenants_cannot_both_have_is_refused() {
        let host = |tenant: &str, host: &str| {
            format!("[tenants.{tenant}]\nhost = \"{host}\"\n[tenants.{tenant}.server]\nSERVER")
        };
        let path = |tenant: &str, path: &str| {
            format!("[tenants.{tenant}]\npath = \"{path}\"\n[tenants.{tenant}.server]\nSERVER")
        };
        let database = |tenant: &str, url: &str| {
            format!("[tenants.{tenant}.server]\nSERVER[tenants.{tenant}.database]\nurl = \"{url}\"\n")
        };
        let issuers = |tenant: &str, issuer: &str| {
            format!("[tenants.{tenant}.server]\nSERVERissuers = [{{ issuer = \"{issuer}\" }}]\n")
        };
        for (tenants, says) in [
            (host("a", "x.example.com") + &host("b", "X.example.com"), "is a host of tenants.a as well"),
            (host("a", "mcp.example.com") + "[tenants.b.server]\nSERVER", "is a host of tenants.a as well"),
            (host("a", "mcp.example.com") + "[server]\nSERVER", "what stands outside of tenants"),
            (
                host("a", "x.example.com") + "[tenants.b.server]\nSERVERhost = \"x.example.com\"\n",
                "is a host of tenants.a as well",
            ),
            (
                host("a", "x.example.com")
                    + "[tenants.b.server]\nSERVER[tenants.b.authorization_server.mutual_tls]\nself_signed = true\nurl = \"https://x.example.com\"\n",
                "is a host of tenants.a as well",
            ),
            (path("a", "/one") + &path("b", "/one"), "/one/mcp of tenants.b is below"),
            (path("a", "/one") + &path("b", "/one/two"), "/one/two/mcp of tenants.b is below the path"),
            (path("a", "/one/two") + &path("b", "/one"), "/one/two/mcp of tenants.a is below the path"),
            (path("a", "/mcp") + "[server]\nSERVER", "/mcp of what stands outside of tenants is below"),
            (path("a", "/notes") + "[servers.notes]\nSERVER", "/notes/mcp of what stands outside of tenants"),
            ("[tenants.a]\nhost = \"a.example.com\"\npath = \"/a\"\n[tenants.a.server]\nSERVER".to_owned(), "keep one of them"),
            ("[tenants.a]\n".to_owned(), "tenants.a has no server"),
            (
                database("a", "postgres://h@localhost/one") + &database("b", "postgres://i@localhost:5432/one"),
                "has this very database",
            ),
            (issuers("a", "https://mcp.example.com/t/b") + "[tenants.b.server]\nSERVER", "the issuer of the tenant b"),
            (issuers("a", "https://mcp.example.com") + "[server]\nSERVER", "the issuer of no tenant"),
            (
                "[tenants.a.server]\nSERVERtells = \"assertion\"\nassertion.audience = \"https://b.example.com/x\"\n".to_owned()
                    + &host("b", "b.example.com"),
                "a place of hallpass's own",
            ),
        ] {
            let refused = judged(&tenants).unwrap_err();
            assert!(refused.contains(says), "{tenants}: {refused}");
        }
    }
    #[test]
    fn monitoring_has_a_port_of_its_own() {
        let listening = |at: &str| {
            judged(&format!("listen = \"127.0.0.1:8080\"\nmonitoring.listen = \"{at}\"\n[server]\nSERVER"))
        };
        assert_eq!(listening("127.0.0.1:9464"), Ok(()));
        let refused = listening("localhost:8080").unwrap_err();
        assert!(refused.contains("give monitoring another port"), "{refused}");
    }
}
