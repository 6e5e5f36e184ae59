//! Who may say who comes and goes (RFC 7644 §2): whoever has a token that the operator issued for it. An access token of a
//! person or an app opens nothing here, however wide.

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::error::ScimError;
use super::tokens::is_one;
use crate::audit::By;
use crate::endpoints::{Server, bearer};
use crate::random::digest;

/// A company's identity provider that has shown its token. Only a request makes one.
pub(super) struct Provisioner {
    token: ProvisioningName,
}

/// Which token it was, for people.
#[derive(Clone, Debug)]
pub(crate) struct ProvisioningName {
    pub(crate) id: String,
    pub(crate) note: String,
}

impl Provisioner {
    /// For the audit log.
    pub(super) fn by(&self) -> By {
        let ProvisioningName { id, note } = &self.token;
        By::Provisioning(if note.is_empty() {
            format!("SCIM ({id})")
        } else {
            format!("SCIM, {note} ({id})")
        })
    }
}

impl FromRequestParts<Server> for Provisioner {
    type Rejection = ScimError;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, ScimError> {
        let shown = bearer(&parts.headers).map_err(|_| ScimError::Unauthorized)?;
        let shown = shown.filter(|shown| is_one(shown.expose())).ok_or(ScimError::Unauthorized)?;
        // Asked each time: one that was revoked opens nothing at any replica, from that moment on.
        let token = server.store.find_scim_token(&digest(shown.expose())).await?;
        token.map(|token| Self { token }).ok_or(ScimError::Unauthorized)
    }
}
