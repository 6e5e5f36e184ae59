//! What a provider says about itself (RFC 8414, OpenID Connect Discovery 1.0).

use std::sync::Arc;
use std::time::Duration;

use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::json::from_slice_unique;
use hallpass_protocol::server_metadata::AuthorizationServerMetadata;
use hallpass_protocol::time::Timestamp;
use http::StatusCode;
use url::Url;

use super::{ProviderError, ProviderSettings};

/// How long metadata counts.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// How long the former counts while no new one can be had.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a failure counts: people who wait in a line must not each wait for it.
const AGAIN: Duration = Duration::from_secs(5);

/// Metadata whose issuer was checked.
#[derive(Clone, Debug)]
pub struct Discovered {
    issuer: Issuer,
    metadata: AuthorizationServerMetadata,
}

impl Discovered {
    /// Who it is.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// What it says.
    #[must_use]
    pub fn metadata(&self) -> &AuthorizationServerMetadata {
        &self.metadata
    }

    /// An endpoint that may be followed: the guard of every fetch judges it, whoever goes there.
    pub(super) fn endpoint(
        &self,
        settings: &ProviderSettings,
        name: &'static str,
        value: Option<&String>,
    ) -> Result<Url, ProviderError> {
        let text = value.ok_or(ProviderError::NoEndpoint(name))?;
        let url = Url::parse(text).map_err(|error| ProviderError::BadEndpoint(name, error.to_string()))?;
        let checked = settings.fetcher.policy().check(&url);
        checked.map_err(|error| ProviderError::BadEndpoint(name, error.to_string()))?;
        Ok(url)
    }
}

/// What was found lately, and whether something was.
#[derive(Default)]
pub(super) struct Known {
    found: Option<(Arc<Discovered>, Timestamp)>,
    failed: Option<(ProviderError, Timestamp)>,
}

impl Known {
    /// One fetch at a time: whoever calls holds the lock.
    pub(super) async fn get_or_fetch(
        &mut self,
        settings: &ProviderSettings,
        now: Timestamp,
    ) -> Result<Arc<Discovered>, ProviderError> {
        if let Some((found, at)) = &self.found
            && now < at.after(FRESH)
        {
            return Ok(Arc::clone(found));
        }
        if let Some((error, at)) = &self.failed
            && now < at.after(AGAIN)
        {
            return self.kept(now).filter(|_| error.is_outage()).ok_or_else(|| error.clone());
        }
        match fetch(settings).await {
            Ok(found) => {
                let found = Arc::new(found);
                *self = Self { found: Some((Arc::clone(&found), now)), failed: None };
                Ok(found)
            }
            Err(error) => {
                tracing::warn!(issuer = %settings.issuer, %error, "a provider's metadata cannot be had");
                self.failed = Some((error.clone(), now));
                // What it said once counts on while it says nothing; not where it says something else.
                self.kept(now).filter(|_| error.is_outage()).ok_or(error)
            }
        }
    }

    fn kept(&self, now: Timestamp) -> Option<Arc<Discovered>> {
        self.found.as_ref().filter(|(_, at)| now < at.after(KEPT)).map(|(found, _)| Arc::clone(found))
    }
}

/// The places that the MCP specification names, in its order. A server in trouble ends the search: another place would be
/// a worse one.
async fn fetch(settings: &ProviderSettings) -> Result<Discovered, ProviderError> {
    let issuer = &settings.issuer;
    if let Some(metadata) = settings.profile.preset(issuer) {
        return Ok(Discovered { issuer: issuer.clone(), metadata });
    }
    let mut tried = Vec::new();
    for url in issuer.metadata_urls() {
        let answer = settings.fetcher.get(&url, "application/json").await?;
        if in_trouble(answer.status) {
            return Err(ProviderError::InTrouble(answer.status.as_u16()));
        }
        let document = from_slice_unique(&answer.body).ok().filter(|_| answer.status == StatusCode::OK);
        let Some(metadata) = document.and_then(|document| serde_json::from_value(document).ok()) else {
            tried.push(format!("{url} answered {}", answer.status));
            continue;
        };
        let metadata: AuthorizationServerMetadata = metadata;
        let issuer = settings.profile.check_metadata(&metadata, issuer)?;
        return Ok(Discovered { issuer, metadata });
    }
    Err(ProviderError::NoMetadata(tried.join("; ")))
}

/// RFC 9110 §15.6, RFC 6585 §4: the same request may succeed later.
pub(super) fn in_trouble(status: StatusCode) -> bool {
    status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
}
