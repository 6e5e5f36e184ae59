//! Protected resource metadata (RFC 9728).

use std::collections::HashSet;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::{Algorithm, SigningKey};
use hallpass_protocol::resource_metadata::ProtectedResourceMetadata;
use hallpass_protocol::time::Timestamp;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::Value;

use crate::cors;
use crate::server::ResourceServer;
use crate::settings::TrustedIssuer;

/// Who vouches for the metadata of a resource: itself, its authorization server, or a party that its clients know.
#[derive(Clone, Debug)]
pub struct MetadataSigner {
    /// Who it is (`iss`).
    pub issuer: String,
    /// What it signs with. Clients have to know the public key from elsewhere.
    pub key: SigningKey,
}

impl MetadataSigner {
    /// RFC 9728 §2.2: every member as a claim, beside who says so; never the signed metadata within itself.
    fn sign(&self, metadata: &ProtectedResourceMetadata, now: Timestamp) -> Option<String> {
        let mut claims = serde_json::to_value(metadata).ok()?;
        let members = claims.as_object_mut()?;
        members.remove(SIGNED_METADATA);
        members.insert("iss".to_owned(), self.issuer.clone().into());
        members.insert("iat".to_owned(), now.unix().into());
        self.key.sign("JWT", &claims).ok()
    }
}

/// The member that RFC 9728 §2.2 names.
const SIGNED_METADATA: &str = "signed_metadata";

/// Short, so that a changed setting is seen soon; long enough for a login.
const MAX_AGE: &str = "public, max-age=300";

/// From issuer to client id.
const PUBLIC_CLIENT_ID: &str = "public_client_id";

fn public_client(trusted: &TrustedIssuer) -> Option<(String, Value)> {
    let client_id = trusted.public_client_id.clone()?;
    Some((trusted.asked().to_string(), client_id.into()))
}

/// The same for several resources of one host, such as `/notes/mcp` and `/mail/mcp`: each where RFC 9728 §3.1 puts it. What
/// stands at the root is about one resource only: the first.
pub fn router<'a>(servers: impl IntoIterator<Item = &'a ResourceServer>) -> Router {
    documents(servers, true)
}

/// The same, with nothing at the root: where the host is shared by those who have nothing to do with each other.
pub fn router_below<'a>(servers: impl IntoIterator<Item = &'a ResourceServer>) -> Router {
    documents(servers, false)
}

fn documents<'a>(servers: impl IntoIterator<Item = &'a ResourceServer>, with_root: bool) -> Router {
    let mut router = Router::new();
    let mut taken = HashSet::new();
    for (place, server) in servers.into_iter().enumerate() {
        let body = serde_json::to_string(&server.metadata()).unwrap_or_default();
        let document = get(async move || {
            let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, MAX_AGE)];
            (headers, body.clone()).into_response()
        });
        let root = (with_root && place == 0).then(|| server.resource().root_metadata_url());
        for url in root.into_iter().chain([server.resource().metadata_url()]) {
            if taken.insert(url.path().to_owned()) {
                router = router.route(url.path(), document.clone());
            }
        }
    }
    router.layer(cors::document())
}

impl ResourceServer {
    /// The metadata of this resource.
    #[must_use]
    pub fn metadata(&self) -> ProtectedResourceMetadata {
        let settings = self.settings();
        let known = |issuer: &Issuer| settings.issuers.iter().any(|trusted| trusted.issuer == *issuer);
        let opaque = settings.introspection.iter().map(|introspection| &introspection.issuer);
        let opaque = opaque.filter(|issuer| !known(issuer));
        let mut issuers: Vec<&str> =
            settings.issuers.iter().map(TrustedIssuer::asked).chain(opaque).map(Issuer::as_str).collect();
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
        let signer = settings.metadata_signer.as_ref();
        if let Some(signed) = signer.and_then(|signer| signer.sign(&metadata, settings.clock.now())) {
            metadata.other.insert(SIGNED_METADATA.to_owned(), signed.into());
        }
        metadata
    }

    /// Serves the metadata where RFC 9728 §3.1 puts it, and at the root, where some clients look
    /// only (MCP 2025-11-25, "Protected Resource Metadata Discovery Requirements").
    pub fn metadata_router(&self) -> Router {
        router([self])
    }
}
