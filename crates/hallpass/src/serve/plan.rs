//! What `serve` is going to do: command line and configuration file, made one and judged. What every server shares is here,
//! what each has for itself in [`ServerPlan`].

use std::path::PathBuf;

use hallpass_authorization_server::StartError;
use hallpass_gateway::listen::Tls;

use super::mark::Mark;
use super::plan_error::PlanError;
use super::server_plan::ServerPlan;
use crate::cli;
use crate::config::{self, Config, ListenAddress, PublicUrl, Source};
use crate::serve::authorization_server;
use crate::serve::delegation::Delegations;
use crate::serve::edge::EdgePlan;
use crate::serve::scopes::ScopePlan;

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
    /// Whether TLS ends in front.
    tls_in_front: bool,
    /// Whether the addresses of peers are those of people: they are not behind a proxy that ends TLS.
    pub(crate) sees_addresses: bool,
    /// What clients call this process; `None` is `localhost` with the port that is bound.
    pub(crate) public_url: Option<PublicUrl>,
    /// What is protected: one server at least.
    pub(crate) servers: Vec<ServerPlan>,
    /// Settings of the authorization server.
    pub(crate) authorization_server: crate::config::AuthorizationServer,
    /// Whose word, and which token, it exchanges for its own.
    pub(crate) delegations: Delegations,
    /// The data folder that the file names.
    pub(crate) data: Option<PathBuf>,
    /// The database, in words; `None` is a file in the data folder.
    pub(crate) database: Option<String>,
    /// What all of this came from, and what of it cannot change while the process runs.
    pub(super) mark: Mark,
    fixed: Fixed,
}

impl Plan {
    /// Makes command line and file one; the command line wins. What can be wrong without looking into the database shows
    /// here.
    pub(crate) fn new(args: cli::Serve, config: Config) -> Result<Self, PlanError> {
        let plan = Self::put_together(args, &config)?;
        plan.check_places(&config)?;
        plan.check_issuers(&config)?;
        plan.check_authorization_server(&config.source)?;
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
        let plan_of = |protected: &_| ServerPlan::of(protected, &args, asks);
        let servers = config.protected().iter().map(plan_of).collect::<Result<Vec<_>, _>>()?;
        let direct = if tls.is_some() { !tls_in_front } else { !behind_tls };
        let peers_are_clients =
            direct && servers.iter().all(|server| server.credentials.proxies().is_empty());
        let edge = EdgePlan::of(config)?.reached(behind_tls || tls.is_some(), peers_are_clients)?;
        let sees_addresses = edge.knows_clients(peers_are_clients);
        let database = if args.demo { None } else { database(&config.database, source)? };
        let set = &config.authorization_server;
        let embedded: Vec<&ScopePlan> =
            servers.iter().filter(|server| server.is_embedded()).map(|server| &server.scopes).collect();
        let delegations = Delegations::of(set, &embedded).map_err(|(setting, why)| {
            PlanError::Delegation(why).at(source.place(&["authorization_server", setting]))
        })?;
        Ok(Self {
            listen: args.listen.or_else(|| config.listen.clone()).unwrap_or_default(),
            monitoring: config.monitoring.listen.clone(),
            edge,
            tls,
            tls_files: config.tls.clone(),
            tls_in_front,
            sees_addresses,
            public_url,
            servers,
            authorization_server: config.authorization_server.clone(),
            delegations,
            data: config.data.clone(),
            database,
            mark,
            fixed,
        })
    }

    /// What another plan has otherwise that cannot change while the process runs.
    pub(super) fn needs_restart_for(&self, other: &Self) -> Vec<&'static str> {
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
            ("database", self.database != other.database),
        ];
        fixed.into_iter().filter(|(_, differs)| *differs).map(|(setting, _)| setting).collect()
    }

    /// The servers whose tokens hallpass itself issues.
    pub(crate) fn embedded(&self) -> impl Iterator<Item = &ServerPlan> {
        self.servers.iter().filter(|server| server.is_embedded())
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

    /// That every server has a place, where it can be reached safely, and that no two have the same.
    fn check_places(&self, config: &Config) -> Result<(), PlanError> {
        let Ok(public) = self.public_url() else { return Ok(()) };
        let mut taken: Vec<(String, &ServerPlan)> = Vec::new();
        for (server, protected) in self.servers.iter().zip(config.protected()) {
            let section = protected.section;
            let origin = self.origin(server, &public);
            if server.host.is_some() && !origin.is_https() && !origin.is_loopback() {
                return Err(PlanError::PlainHttp(origin).at(section.place(&["host"])));
            }
            let endpoint = self.endpoint(server, &public);
            if let Some((_, other)) = taken.iter().find(|(known, _)| *known == endpoint) {
                let fault = PlanError::SamePlace { other: other.title.clone(), endpoint };
                return Err(fault.at(format!("{} ({})", section.place(&["path"]), section.title())));
            }
            taken.push((endpoint, server));
        }
        for (server, protected) in self.servers.iter().zip(config.protected()) {
            let own =
                |name: &str| self.servers.iter().any(|one| self.origin(one, &public).is_origin_of(name));
            if server.told.audience().is_some_and(|name| public.is_origin_of(name) || own(name)) {
                return Err(PlanError::OwnAudience.at(protected.section.place(&["assertion", "audience"])));
            }
        }
        Ok(())
    }

    /// That nobody else is called as hallpass itself is, where it issues tokens.
    fn check_issuers(&self, config: &Config) -> Result<(), PlanError> {
        let Ok(own) = self.public_url() else { return Ok(()) };
        for (server, protected) in self.servers.iter().zip(config.protected()) {
            if server.is_embedded() {
                server.credentials.check_own(own.as_str(), protected.section)?;
            }
        }
        Ok(())
    }

    fn check_authorization_server(&self, source: &Source) -> Result<(), PlanError> {
        let at = |setting| source.place(&["authorization_server", setting]);
        if let Some(said) = &self.authorization_server.mutual_tls {
            said.load(&authorization_server::proxies(self))
                .map_err(|fault| PlanError::Delegation(fault.to_string()).at(at("mutual_tls")))?;
        }
        let Some(settings) = authorization_server::settings_ahead(self) else { return Ok(()) };
        settings.check().map_err(|fault| {
            let setting = match fault {
                StartError::LongAccessTokens => "access_token_lifetime",
                StartError::HastyRotation => "rotate_keys_every",
                _ => return fault.into(),
            };
            PlanError::from(fault).at(at(setting))
        })
    }
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
        Some((option, _)) if !config.servers.is_empty() => Err(PlanError::WhichServer(option)),
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

/// Where it is, for people; a password is the file's, and stays there.
fn database(set: &config::Database, source: &Source) -> Result<Option<String>, PlanError> {
    let url = set.url().map_err(|fault| {
        let setting = fault.setting();
        PlanError::from(fault).at(source.place(&["database", setting]))
    })?;
    let connections = set.connections.unwrap_or(hallpass_authorization_server::Store::CONNECTIONS);
    Ok(url.map(|url| format!("{url} ({connections} connections)")))
}
