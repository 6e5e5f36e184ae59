//! What `serve` is going to do: command line and configuration file, made one and judged. What belongs to the process is here,
//! what a tenant has for itself in [`HousePlan`], and what a server has in [`ServerPlan`].

use std::path::PathBuf;

use hallpass_gateway::listen::Tls;

use super::house_plan::HousePlan;
use super::mark::Mark;
use super::places;
use super::plan_error::PlanError;
use super::server_plan::ServerPlan;
use crate::cli;
use crate::config::{self, Config, ListenAddress, PublicUrl};
use crate::serve::acme::AcmePlan;
use crate::serve::edge::EdgePlan;

/// What `serve` is going to do.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Where to listen.
    pub(crate) listen: ListenAddress,
    /// Where it says how it is.
    pub(crate) monitoring: Option<ListenAddress>,
    /// What stands before every request.
    pub(crate) edge: EdgePlan,
    /// TLS, where it ends here.
    pub(crate) tls: Option<Tls>,
    /// The files that it came from.
    pub(crate) tls_files: Option<config::Tls>,
    /// From whom its certificate comes, where that is no file.
    pub(super) acme: Option<AcmePlan>,
    /// Whether TLS ends in front.
    tls_in_front: bool,
    /// Whether the addresses of peers are those of people: they are not behind a proxy that ends TLS.
    pub(crate) sees_addresses: bool,
    /// What clients call this process; `None` is `localhost` with the port that is bound.
    pub(crate) public_url: Option<PublicUrl>,
    /// What is protected: that of each tenant, and what stands outside of all. One at least.
    pub(crate) houses: Vec<HousePlan>,
    /// The data folder that the file names.
    pub(crate) data: Option<PathBuf>,
    /// Where the key is that encrypts what is in databases.
    pub(crate) master_key: config::MasterKey,
    /// What all of this came from, and what of it cannot change while the process runs.
    pub(super) mark: Mark,
    fixed: Fixed,
}

impl Plan {
    /// Makes command line and file one; the command line wins. What can be wrong without looking into the database shows
    /// here.
    pub(crate) fn new(args: cli::Serve, config: Config) -> Result<Self, PlanError> {
        let plan = Self::put_together(args, &config)?;
        places::check(&plan, &config)?;
        Ok(plan)
    }

    fn put_together(args: cli::Serve, config: &Config) -> Result<Self, PlanError> {
        let source = &config.source;
        // Their order counts, too: what stands at the root of an origin is about its first server.
        let order: Vec<_> = config.protected().iter().map(|one| one.section.title()).collect();
        let (mark, fixed) = (Mark::of(&(order, config), &config.files()), Fixed::of(config));
        check_arguments(&args, config)?;
        let tls_in_front = args.tls_in_front || config.tls_in_front;
        let from_file = args.public_url.is_none();
        let public_url = args.public_url.clone().or_else(|| config.public_url.clone());
        let asks = config.tls.as_ref().is_some_and(config::Tls::asks);
        let tls = config.tls.as_ref().map(config::Tls::load).transpose()?;
        let public_url = match tls {
            Some(_) => public_url.map(|url| url.over_tls()),
            None => {
                let judged = public_url.map(|url| reachable_safely(url, tls_in_front)).transpose();
                let at_home = |fault: PlanError| fault.at(source.place(&["public_url"]));
                judged.map_err(|fault| if from_file { at_home(fault) } else { fault })?
            }
        };
        let behind_tls = public_url.as_ref().is_some_and(PublicUrl::is_https);
        let plan_of = |house: &_| HousePlan::of(house, &args, asks, &config.database);
        let houses = config.houses().iter().map(plan_of).collect::<Result<Vec<_>, _>>()?;
        let acme = config.tls.as_ref().and_then(|tls| tls.acme.as_ref());
        let acme =
            acme.map(|acme| AcmePlan::of(acme, hosts(public_url.as_ref(), &houses), source)).transpose()?;
        let direct = if tls.is_some() { !tls_in_front } else { !behind_tls };
        let mut servers = houses.iter().flat_map(|house| &house.servers);
        let peers_are_clients = direct && servers.all(|server| server.credentials.proxies().is_empty());
        let edge = EdgePlan::of(config)?.reached(behind_tls || tls.is_some(), peers_are_clients)?;
        let sees_addresses = edge.knows_clients(peers_are_clients);
        let listen = args.listen.clone().or_else(|| config.listen.clone()).unwrap_or_default();
        if config.monitoring.listen.as_ref().is_some_and(|other| other.meets(&listen)) {
            return Err(PlanError::OneListener(listen).at(source.place(&["monitoring", "listen"])));
        }
        Ok(Self {
            listen,
            monitoring: config.monitoring.listen.clone(),
            edge,
            tls,
            tls_files: config.tls.clone(),
            acme,
            tls_in_front,
            sees_addresses,
            public_url,
            houses,
            data: config.data.clone(),
            master_key: config.master_key.clone(),
            mark,
            fixed,
        })
    }

    /// What another plan has otherwise that cannot change while the process runs.
    pub(super) fn needs_restart_for(&self, other: &Self) -> Vec<&'static str> {
        let of = |house, is_outside| {
            let house: &HousePlan = house;
            let said = (house.reached.clone(), house.database.clone());
            (house.tenant.is_none() == is_outside).then_some(said)
        };
        let fixed = [
            ("listen", self.listen != other.listen),
            ("monitoring", self.fixed.monitoring != other.fixed.monitoring),
            ("log", self.fixed.log != other.fixed.log),
            ("otlp", self.fixed.otlp != other.fixed.otlp),
            ("proxy", self.fixed.proxy != other.fixed.proxy),
            ("limits", self.fixed.limits != other.fixed.limits),
            // Their content may: it is renewed by itself.
            ("tls", self.fixed.tls != other.fixed.tls),
            ("tls_in_front", self.tls_in_front != other.tls_in_front),
            ("public_url (the issuer)", self.public_url != other.public_url),
            ("data", self.data != other.data),
            ("master_key", self.master_key != other.master_key),
            // Whose password is another one by now, too.
            (
                "database",
                self.fixed.database != other.fixed.database || self.differs(other, |one| of(one, true)),
            ),
            ("the host or path of a tenant (its issuer)", self.differs(other, |one| (&one.host, &one.base))),
            ("the database of a tenant", self.differs(other, |one| of(one, false))),
        ];
        fixed.into_iter().filter(|(_, differs)| *differs).map(|(setting, _)| setting).collect()
    }

    /// Whether a tenant that is in both has something else there.
    fn differs<'a, T: PartialEq>(&'a self, other: &'a Self, what: impl Fn(&'a HousePlan) -> T) -> bool {
        let same = |one: &&HousePlan| other.houses.iter().find(|other| other.tenant == one.tenant);
        let both = self.houses.iter().filter_map(|one| Some((one, same(&one)?)));
        both.into_iter().any(|(one, other)| what(one) != what(other))
    }

    /// Every server.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &ServerPlan> {
        self.houses.iter().flat_map(|house| &house.servers)
    }

    /// What clients call this process, as far as it is known before a port is bound.
    pub(crate) fn public_url(&self) -> Result<PublicUrl, String> {
        self.public_url_at(self.listen.port())
    }

    /// The same, where `localhost` has that port.
    pub(super) fn public_url_at(&self, port: u16) -> Result<PublicUrl, String> {
        if let Some(url) = &self.public_url {
            return Ok(url.clone());
        }
        let url = PublicUrl::loopback(port)?;
        Ok(if self.tls.is_some() { url.over_tls() } else { url })
    }

    /// The origin under which a server is reached.
    pub(super) fn origin(&self, server: &ServerPlan, public: &PublicUrl) -> PublicUrl {
        public.of_host(server.host.as_ref(), self.tls_in_front)
    }

    /// The endpoint's URL.
    pub(super) fn endpoint(&self, server: &ServerPlan, public: &PublicUrl) -> String {
        format!("{}{}", self.origin(server, public), server.path.as_str())
    }

    /// The origin of a house's pages and issuer.
    pub(super) fn home(&self, house: &HousePlan, public: &PublicUrl) -> PublicUrl {
        public.of_host(house.host.as_ref(), self.tls_in_front)
    }

    /// Its issuer.
    pub(crate) fn issuer(&self, house: &HousePlan, public: &PublicUrl) -> String {
        house.issuer_at(&self.home(house, public))
    }
}

/// The names under which clients reach it.
fn hosts(public_url: Option<&PublicUrl>, houses: &[HousePlan]) -> Vec<String> {
    let public = public_url.and_then(|url| url.url().host_str()).map(ToOwned::to_owned);
    let servers = houses.iter().flat_map(|house| &house.servers).filter_map(|server| server.host.as_ref());
    let own = houses.iter().filter_map(|house| house.host.as_ref()).chain(servers).map(ToString::to_string);
    let mut hosts: Vec<String> = Vec::new();
    for host in public.into_iter().chain(own) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

/// What the file says of the process itself, beside what can be compared as it is.
#[derive(Debug)]
struct Fixed {
    tls: Mark,
    log: Mark,
    otlp: Mark,
    proxy: Mark,
    limits: Mark,
    monitoring: Mark,
    database: Mark,
}

impl Fixed {
    fn of(config: &Config) -> Self {
        Self {
            tls: Mark::of(&config.tls, &[]),
            log: Mark::of(&config.log, &[]),
            otlp: Mark::of(&config.otlp, &[]),
            proxy: Mark::of(&config.proxy, &[]),
            limits: Mark::of(&config.limits, &[]),
            monitoring: Mark::of(&config.monitoring, &[]),
            database: Mark::of(&config.database, &[]),
        }
    }
}

/// That an option which means the only server meets a file without servers of its own.
fn check_arguments(args: &cli::Serve, config: &Config) -> Result<(), PlanError> {
    let options = [
        ("--demo", args.demo),
        ("--upstream", args.upstream.is_some()),
        ("the command", !args.command.is_empty()),
    ];
    match options.into_iter().find(|(_, given)| *given) {
        Some((option, _)) if !config.servers.is_empty() || !config.tenants.is_empty() => {
            Err(PlanError::WhichServer(option))
        }
        _ => Ok(()),
    }
}

/// Over plain http, tokens and passwords could be read on the way. Where TLS ends in front, what people
/// reach is the https URL: no client takes an issuer that is anything else (RFC 8414 §2).
fn reachable_safely(url: PublicUrl, tls_in_front: bool) -> Result<PublicUrl, PlanError> {
    match (url.is_https() || url.is_loopback(), tls_in_front) {
        (true, _) => Ok(url),
        (false, true) => Ok(url.over_tls()),
        (false, false) => Err(PlanError::PlainHttp(url)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections that are there go on with the password of before, and new ones would fail.
    #[test]
    fn another_password_of_a_database_needs_a_restart() {
        let (file, other) =
            (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
        let database = |url: &str, file: &tempfile::NamedTempFile| {
            format!("url = \"postgres://h@localhost/{url}\"\npassword_file = \"{}\"\n", file.path().display())
        };
        let server = "upstream = \"http://localhost:3000/mcp\"\n";
        let text = format!(
            "public_url = \"https://mcp.example.com\"\n[database]\n{}[server]\n{server}[tenants.a.server]\n{server}\
             [tenants.a.database]\n{}",
            database("one", &file),
            database("two", &other)
        );
        let plan = || Plan::new(cli::Serve::default(), toml::from_str(&text).unwrap()).unwrap();
        let first = plan();
        std::fs::write(file.path(), "").unwrap();
        assert!(first.needs_restart_for(&plan()).is_empty(), "it says the same as before");
        std::fs::write(file.path(), "another").unwrap();
        assert_eq!(first.needs_restart_for(&plan()), ["database"]);
        std::fs::write(other.path(), "another").unwrap();
        assert_eq!(first.needs_restart_for(&plan()), ["database", "the database of a tenant"]);
    }
}
