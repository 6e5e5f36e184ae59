//! Protected resource metadata (RFC 9728).

use std::collections::HashSet;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use hallpass_protocol::jose::Algorithm;
use hallpass_protocol::resource_metadata::ProtectedResourceMetadata;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::Value;

use crate::cors;
use crate::server::ResourceServer;
use crate::settings::TrustedIssuer;

/// Short, so that a changed setting is seen soon; long enough for a login.
const MAX_AGE: &str = "public, max-age=300";

/// From issuer to client id.
const PUBLIC_CLIENT_ID: &str = "public_client_id";

fn public_client(trusted: &TrustedIssuer) -> Option<(String, Value)> {
    let client_id = trusted.public_client_id.clone()?;
    Some((trusted.issuer.to_string(), client_id.into()))
}

impl ResourceServer {
    /// The metadata of this resource.
    #[must_use]
    pub fn metadata(&self) -> ProtectedResourceMetadata {
        let settings = self.settings();
        let asked = settings.introspection.iter().map(|introspection| introspection.issuer.as_str());
        let mut issuers: Vec<&str> =
            settings.issuers.iter().map(|trusted| trusted.issuer.as_str()).chain(asked).collect();
        let mut seen = HashSet::new();
        issuers.retain(|issuer| seen.insert(*issuer));
        let scopes: Vec<_> = self.login_scopes().iter().map(|scope| scope.as_str().to_owned()).collect();
        let mut metadata = ProtectedResourceMetadata::new(&settings.resource, issuers);
        metadata.scopes_supported = (!scopes.is_empty()).then_some(scopes);
        metadata.bearer_methods_supported = Some(vec!["header".to_owned()]);
        metadata.resource_name.clone_from(&settings.name);
        if let Some(dpop) = &settings.dpop {
            metadata.dpop_signing_alg_values_supported =
                Some(Algorithm::ALL.map(|one| one.name().to_owned()).into());
            metadata.dpop_bound_access_tokens_required = dpop.required.then_some(true);
        }
        metadata.tls_client_certificate_bound_access_tokens =
            settings.certificates.bound_tokens.then_some(true);
        metadata.other.extend(settings.metadata.clone());
        // RFC 9728 §2 lets further members be used; who does not know one ignores it.
        let shared: serde_json::Map<_, _> = settings.issuers.iter().filter_map(public_client).collect();
        if !shared.is_empty() {
            metadata.other.insert(PUBLIC_CLIENT_ID.to_owned(), shared.into());
        }
        metadata
    }

    /// Serves the metadata where RFC 9728 §3.1 puts it, and at the root, where some clients look
    /// only (MCP 2025-11-25, "Protected Resource Metadata Discovery Requirements").
    pub fn metadata_router(&self) -> Router {
        let body = serde_json::to_string(&self.metadata()).unwrap_or_default();
        let document = get(async move || {
            let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, MAX_AGE)];
            (headers, body.clone()).into_response()
        });
        let root = self.resource().root_metadata_url();
        let own = self.resource().metadata_url();
        let mut router = Router::new().route(root.path(), document.clone());
        if own.path() != root.path() {
            router = router.route(own.path(), document);
        }
        router.layer(cors::document())
    }
}
