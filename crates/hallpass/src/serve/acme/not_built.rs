//! In place of it all, where it is not built in.

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::sync::Arc;

use hallpass_gateway::listen::Tls;
use hallpass_protocol::Clock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::AcmeFault;
use crate::config::{self, Source};

/// There is none.
#[derive(Clone, Debug)]
pub(crate) enum AcmePlan {}

/// There is none.
pub(in crate::serve) enum Acme {}

impl AcmePlan {
    /// Refused: nobody would ever be able to connect.
    pub(in crate::serve) fn of(_: &config::Acme, _: Vec<String>, source: &Source) -> Result<Self, AcmeFault> {
        Err(AcmeFault::NotBuilt { place: source.place(&["tls", "acme"]) })
    }
}

impl Acme {
    pub(in crate::serve) fn begin(
        plan: AcmePlan,
        _: (config::Tls, Tls),
        _: &Path,
        _: Clock,
    ) -> anyhow::Result<Self> {
        match plan {}
    }

    #[allow(clippy::unused_async)] // As where it is built in.
    pub(in crate::serve) async fn follow(self, _: Arc<Notify>, _: CancellationToken) {
        match self {}
    }
}

impl Display for AcmePlan {
    fn fmt(&self, _: &mut Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
