//! Puts the parts together: for each house one authorization server, and a gateway for each protected server.

use std::sync::Arc;

use hallpass_authorization_server::{AuthorizationServer, StoreError};
use tokio::task::JoinSet;
use url::Url;

use super::authorization_server;
use super::foundation::Foundation;
use super::house_plan::HousePlan;
use super::mark::Mark;
use super::plan::Plan;
use super::protected::{self, Protected};
use super::public_client;
use crate::config::TenantName;
use crate::exit::Failure;

/// Everything that serves, ready to go.
pub(crate) struct Wired {
    /// In the order of the plan.
    pub(super) houses: Vec<Arc<WiredHouse>>,
}

/// What serves of one house.
pub(super) struct WiredHouse {
    /// The tenant whose it is.
    pub(super) tenant: Option<TenantName>,
    /// The embedded authorization server, if there is one.
    pub(super) authorization_server: Option<AuthorizationServer>,
    /// In the order of the plan.
    pub(super) protected: Vec<Arc<Protected>>,
    /// Its database was away when it was put together: nothing of it serves until it is there.
    pub(super) is_away: bool,
    made_of: MadeOf,
}

/// What would make it another one.
#[derive(Clone, PartialEq)]
struct MadeOf {
    mark: Arc<Mark>,
    sees_addresses: bool,
}

/// Builds everything that the plan asks for. Of what was there before, whatever would be the same again goes on; of a house that
/// would be, not even its database is asked. At the start, a house among several whose database is away keeps no other from
/// serving, and neither does one that was away before.
pub(super) async fn wire(
    plan: &Plan,
    beneath: &mut Foundation,
    before: Option<&Wired>,
) -> Result<Wired, Failure> {
    let mut houses = Vec::new();
    for house in &plan.houses {
        let former = before.and_then(|before| before.house(house.tenant.as_ref()));
        let made_of = MadeOf { mark: Arc::clone(&house.mark), sees_addresses: plan.sees_addresses };
        let former = former.map(Arc::clone);
        let wired = match former {
            Some(former) if former.made_of == made_of && !former.is_away => former,
            former => {
                let may_be_away = match &former {
                    Some(former) => former.is_away,
                    None => before.is_none() && plan.houses.len() > 1,
                };
                match put_together(plan, house, made_of.clone(), beneath, former).await {
                    Err(failure) if may_be_away && database_is_away(&failure) => {
                        let (why, whose) = (failure.text(), house.tenant.as_ref().map(ToString::to_string));
                        tracing::error!(tenant = whose, "its database is away, and others are served: {why}");
                        Arc::new(WiredHouse::away(house, made_of))
                    }
                    put_together => Arc::new(put_together?),
                }
            }
        };
        houses.push(wired);
    }
    Ok(Wired { houses })
}

/// Whether it is the database that does not answer, and may by and by.
fn database_is_away(failure: &Failure) -> bool {
    let (Failure::Usage(error) | Failure::Configuration(error) | Failure::Runtime(error)) = failure;
    let said = error.chain().find_map(|cause| cause.downcast_ref::<StoreError>());
    matches!(said, Some(StoreError::Connect { .. } | StoreError::NoAnswer(_) | StoreError::Database(_)))
}

async fn put_together(
    plan: &Plan,
    house: &HousePlan,
    made_of: MadeOf,
    beneath: &mut Foundation,
    former: Option<Arc<WiredHouse>>,
) -> Result<WiredHouse, Failure> {
    let ground = beneath.grounds.of(house).await?;
    let fronted: Vec<_> = house.fronted().collect();
    for server in fronted {
        public_client::check(&ground.store, house, server).await?;
    }
    let running = former.as_ref().and_then(|former| former.authorization_server.as_ref());
    let issues = authorization_server::wire(plan, house, &beneath.public_url, &ground.store, running).await?;
    if issues.is_none() {
        ground.keep_house(house.authorization_server.audit_lifetime.0);
    }
    let mut protected = Vec::new();
    for server in &house.servers {
        let endpoint = plan.endpoint(server, &beneath.public_url);
        let former = former.as_ref().and_then(|former| former.at(&endpoint));
        let around = protected::Around { plan, house, ground: &ground, issues: issues.as_ref() };
        protected.push(protected::put_together(server, around, beneath, former).await?);
    }
    let tenant = house.tenant.clone();
    Ok(WiredHouse { tenant, authorization_server: issues, protected, is_away: false, made_of })
}

impl WiredHouse {
    fn away(house: &HousePlan, made_of: MadeOf) -> Self {
        let tenant = house.tenant.clone();
        Self { tenant, authorization_server: None, protected: Vec::new(), is_away: true, made_of }
    }

    fn at(&self, endpoint: &str) -> Option<&Arc<Protected>> {
        self.protected.iter().find(|protected| protected.endpoint == endpoint)
    }
}

impl Wired {
    fn house(&self, tenant: Option<&TenantName>) -> Option<&Arc<WiredHouse>> {
        self.houses.iter().find(|house| house.tenant.as_ref() == tenant)
    }

    /// Every protected server.
    pub(super) fn protected(&self) -> impl Iterator<Item = &Arc<Protected>> {
        self.houses.iter().flat_map(|house| &house.protected)
    }

    /// The links under which the first user of a tenant is made, while there is none.
    pub(crate) fn setup_links(&self) -> Vec<(Option<&TenantName>, Url)> {
        let link = |house: &WiredHouse| house.authorization_server.as_ref()?.setup_link();
        self.houses.iter().filter_map(|house| Some((house.tenant.as_ref(), link(house)?))).collect()
    }

    /// What is at that endpoint.
    pub(super) fn at(&self, endpoint: &str) -> Option<&Arc<Protected>> {
        self.houses.iter().find_map(|house| house.at(endpoint))
    }

    /// Ends every session and every process, and writes what is not yet written.
    pub(super) async fn close(&self) -> Result<(), Failure> {
        let mut closing = JoinSet::new();
        for protected in self.protected() {
            let gateway = protected.gateway.clone();
            closing.spawn(async move { gateway.close().await });
        }
        while let Some(closed) = closing.join_next().await {
            closed?;
        }
        // One that fails keeps no other from writing.
        let mut written = Ok(());
        for house in &self.houses {
            if let Some(issues) = &house.authorization_server {
                written = written.and(issues.close().await);
            }
        }
        Ok(written?)
    }
}
