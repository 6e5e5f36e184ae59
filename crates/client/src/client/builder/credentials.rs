//! Which secrets are there, and who may see them.

use url::Origin;

use super::{BuildError, Builder};
use crate::mode::ClientAuthentication;

impl Builder {
    pub(super) fn ensure_certificate(&self) -> Result<(), BuildError> {
        let is_needed =
            self.mode.authentications().any(|one| matches!(one, ClientAuthentication::Certificate));
        if is_needed && self.certificate.is_none() {
            let missing = "the client authenticates by a certificate (RFC 8705), and none is configured";
            return Err(BuildError::ClientCertificate(missing.into()));
        }
        Ok(())
    }

    /// Where everything may see the client's certificate: at the MCP server, and at issuers that the caller names.
    /// What is at an issuer that a server names sees it at its endpoints alone.
    pub(super) fn own_origins(&self) -> Vec<Origin> {
        let preregistered = self.identity.preregistered.as_ref().map(|client| &client.issuer);
        let machine = self.mode.machine().and_then(|(_, issuer, _)| issuer);
        let issuers = [preregistered, machine, self.authorization_server.as_ref()];
        let issuers = issuers.into_iter().flatten().map(|issuer| issuer.url().origin());
        issuers.chain([self.server.url().origin()]).collect()
    }

    /// MCP 2026-07-28, "Authorization Server Binding". An assertion is for its audience alone, and a public client
    /// has nothing to lose; a secret that was sent is lost.
    pub(super) fn ensure_secrets_are_bound(&self) -> Result<(), BuildError> {
        match self.mode.machine() {
            Some((client, None, _))
                if client.authentication.secret().is_some() && self.authorization_server.is_none() =>
            {
                Err(BuildError::IssuerNeeded)
            }
            _ => Ok(()),
        }
    }
}
