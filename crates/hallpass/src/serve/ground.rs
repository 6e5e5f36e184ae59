//! What each house stands on: its database, and what is read from it all the time. No house has another's.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hallpass_authorization_server::Store;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::audited::Audited;
use super::house_plan::HousePlan;
use super::plan::Plan;
use super::replicas;
use crate::accounts::{LiveAccounts, ServiceAccounts};
use crate::config::TenantName;
use crate::data::{DataFolder, system_clock};
use crate::exit::Failure;

/// What one house stands on, as long as it does.
pub(super) struct Ground {
    pub(super) store: Store,
    pub(super) accounts: LiveAccounts,
    /// Whether what has ended is deleted, by nobody else.
    keeps_house: AtomicBool,
    stop: CancellationToken,
    /// Ends what looks after it.
    _leaves: DropGuard,
}

impl Ground {
    /// Without an authorization server nobody else deletes what has ended; beside one that comes later, it does no harm.
    pub(super) fn keep_house(&self, audit_lifetime: Duration) {
        if !self.keeps_house.swap(true, Ordering::Relaxed) {
            replicas::keep_house(self.store.clone(), audit_lifetime, self.stop.clone());
        }
    }
}

/// Those of all houses.
pub(crate) struct Grounds {
    data: DataFolder,
    audited: Arc<Audited>,
    stop: CancellationToken,
    laid: HashMap<Option<TenantName>, Arc<Ground>>,
    stores: Stores,
}

impl Grounds {
    pub(super) fn new(data: DataFolder, audited: Arc<Audited>, stop: CancellationToken) -> Self {
        Self { data, audited, stop, laid: HashMap::new(), stores: Stores::default() }
    }

    /// That of a house; its database is opened where it is not yet.
    pub(super) async fn of(&mut self, house: &HousePlan) -> Result<Arc<Ground>, Failure> {
        if let Some(ground) = self.laid.get(&house.tenant) {
            return Ok(Arc::clone(ground));
        }
        let data = match &house.tenant {
            Some(name) => self.data.of_tenant(name, &house.own_database),
            None => self.data.clone(),
        };
        // What brings tables up to date is a future that does not change its thread.
        let runtime = tokio::runtime::Handle::current();
        let store = tokio::task::spawn_blocking(move || runtime.block_on(data.store())).await??;
        let heard = self.audited.of(house.tenant.as_ref().map(TenantName::as_str));
        store.audit_log().tell(move |event| heard.hear(event));
        let stop = self.stop.child_token();
        let accounts = ServiceAccounts::new(store.clone()).live(system_clock(), stop.clone()).await?;
        let (keeps_house, leaves) = (AtomicBool::new(false), stop.clone().drop_guard());
        let ground = Arc::new(Ground { store, accounts, keeps_house, stop, _leaves: leaves });
        self.laid.insert(house.tenant.clone(), Arc::clone(&ground));
        self.tell();
        Ok(ground)
    }

    /// Leaves those that no house of the plan stands on.
    pub(super) fn keep_those_of(&mut self, plan: &Plan) {
        self.laid.retain(|tenant, _| plan.houses.iter().any(|house| house.tenant == *tenant));
        self.tell();
    }

    /// For whoever asks how they are; follows every change.
    pub(super) fn stores(&self) -> Stores {
        self.stores.clone()
    }

    fn tell(&self) {
        let all = self.laid.iter().map(|(tenant, ground)| (tenant.clone(), ground.store.clone())).collect();
        *self.stores.0.write().unwrap_or_else(PoisonError::into_inner) = all;
    }
}

/// The databases of all houses.
#[derive(Clone, Default)]
pub(super) struct Stores(Arc<RwLock<Vec<OfHouse>>>);

type OfHouse = (Option<TenantName>, Store);

impl Stores {
    /// Of how many, which do not answer at this moment.
    pub(super) async fn silent(&self) -> (usize, Vec<Option<TenantName>>) {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut asked = JoinSet::new();
        for (tenant, store) in all.iter().cloned() {
            asked.spawn(async move { (!store.answers().await).then_some(tenant) });
        }
        let silent = asked.join_all().await.into_iter().flatten().collect();
        (all.len(), silent)
    }
}
