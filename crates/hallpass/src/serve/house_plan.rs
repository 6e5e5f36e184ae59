//! What is planned for one house: the servers of a tenant, or those outside of all tenants, and the authorization server that
//! they share. Nothing of one house is anything at another.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hallpass_authorization_server::provider::Provider;
use hallpass_authorization_server::{DatabaseUrl, SignIn};

use super::delegated;
use super::delegation::Delegations;
use super::mark::Mark;
use super::plan_error::PlanError;
use super::provider::{self, Known};
use super::proxied;
use super::scopes::ScopePlan;
use super::server_plan::ServerPlan;
use crate::cli;
use crate::config::{self, HostName, House, PublicUrl, TenantName};

/// What is planned for one house.
#[derive(Debug)]
pub(crate) struct HousePlan {
    /// The tenant whose it is.
    pub(crate) tenant: Option<TenantName>,
    /// A host of its own.
    pub(super) host: Option<HostName>,
    /// The path below which all of it is, without a slash at the end.
    pub(super) base: String,
    /// What is protected: one server at least.
    pub(crate) servers: Vec<ServerPlan>,
    /// Settings of the authorization server.
    pub(crate) authorization_server: config::AuthorizationServer,
    /// Whose word, and which token, it exchanges for its own.
    pub(crate) delegations: Delegations,
    /// Whose tokens are handed on, where they are.
    pub(super) provider: Option<Provider>,
    /// Through whom people may sign in.
    pub(super) sign_in: Vec<SignIn>,
    /// At whom its servers act for people.
    pub(super) third_parties: BTreeMap<String, Known>,
    /// Where its data are, if that is not where a house of its name usually has them.
    pub(super) own_database: config::Database,
    /// The database, in words; `None` is a file in the data folder.
    pub(super) database: Option<String>,
    /// How it is reached, with the password as it was read.
    pub(super) reached: Option<DatabaseUrl>,
    /// What all of this came from.
    pub(super) mark: Arc<Mark>,
}

impl HousePlan {
    /// What file and command line come to. `asks` is whether this process's own TLS asks for certificates, `usual` the database
    /// of the process.
    pub(super) fn of(
        house: &House<'_>,
        args: &cli::Serve,
        asks: bool,
        usual: &config::Database,
    ) -> Result<Self, PlanError> {
        let said = (house.said(), house.third_parties(), house.profiles());
        let mark = Arc::new(Mark::of(&said, &house.files()));
        let plan_of = |protected: &_| ServerPlan::of(house, protected, args, asks);
        let servers = house.protected().iter().map(plan_of).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(PlanError::EmptyHouse(house.title()).at(house.place(&[])));
        }
        if house.says_two_places() {
            return Err(PlanError::TwoPlaces.at(house.place(&["path"])));
        }
        let set = house.authorization_server();
        let embedded: Vec<&ScopePlan> =
            servers.iter().filter(|server| server.is_embedded()).map(|server| &server.scopes).collect();
        let delegations = Delegations::of(set, &embedded).map_err(|(setting, why)| {
            PlanError::Delegation(why).at(house.place(&["authorization_server", setting]))
        })?;
        let provider = proxied::provider(house, &servers)?;
        let known = provider::third_parties(house)?;
        let sign_in = provider::sign_ins(house, &known, &embedded)?;
        let third_parties = delegated::third_parties(known, &servers);
        let (reached, database) = if args.demo { None } else { database(house, usual)? }.unzip();
        Ok(Self {
            sign_in,
            third_parties,
            tenant: house.tenant().cloned(),
            host: house.host().cloned(),
            base: house.base(),
            database,
            reached,
            own_database: house.own_database().cloned().unwrap_or_default(),
            servers,
            authorization_server: set.clone(),
            delegations,
            provider,
            mark,
        })
    }

    /// The servers whose tokens hallpass itself issues.
    pub(crate) fn embedded(&self) -> impl Iterator<Item = &ServerPlan> {
        self.servers.iter().filter(|server| server.is_embedded())
    }

    /// The servers whose clients register and ask for tokens here, whoever issues those.
    pub(super) fn fronted(&self) -> impl Iterator<Item = &ServerPlan> {
        self.servers.iter().filter(|server| server.is_fronted())
    }

    /// Proxies that end TLS in front of a server whose clients ask here.
    pub(super) fn proxies(&self) -> Vec<IpAddr> {
        let mut all: Vec<IpAddr> = Vec::new();
        for proxy in self.fronted().flat_map(|server| server.credentials.proxies()) {
            if !all.contains(proxy) {
                all.push(*proxy);
            }
        }
        all
    }

    /// The issuer, at that origin.
    pub(super) fn issuer_at(&self, origin: &PublicUrl) -> String {
        format!("{origin}{}", self.base)
    }
}

/// Where its data are, and the same for people: a password is the file's, and stays there.
fn database(house: &House<'_>, usual: &config::Database) -> Result<Option<(DatabaseUrl, String)>, PlanError> {
    let (url, own) = match (house.tenant(), house.own_database()) {
        (Some(name), Some(own)) => (own.url_of_tenant(name, usual), Some(own)),
        _ => (usual.url(), None),
    };
    let url = url.map_err(|fault| {
        let setting = ["database", fault.setting()];
        // A mistake in the process's own is that of what stands outside, and is told there.
        let place = if own.is_some_and(|own| own.says_something()) {
            house.place(&setting)
        } else {
            house.outside(&setting)
        };
        PlanError::from(fault).at(place)
    })?;
    let connections = own.and_then(|own| own.connections).or(usual.connections);
    let connections = connections.unwrap_or(hallpass_authorization_server::Store::CONNECTIONS);
    Ok(url.map(|url| {
        let said = format!("{url} ({connections} connections)");
        (url, said)
    }))
}
