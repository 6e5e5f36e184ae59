//! Grants that need no person: each is one request to the authorization server, and what goes before it.
//!
//! | mode | grant | source |
//! |---|---|---|
//! | client credentials | `client_credentials` | RFC 6749 §4.4, MCP extension `oauth-client-credentials` |
//! | enterprise-managed | `token-exchange` at the identity provider, then `jwt-bearer` | SEP-990 |
//! | workload identity | `jwt-bearer` | RFC 7523 §2.1, SEP-1933 |

mod enterprise;
mod workload;

use hallpass_protocol::{scope::ScopeSet, token::TokenResponse};

use crate::{
    error::{Error, Step, printable},
    mode::Mode,
    token_endpoint::{Requester, TokenError},
};

/// RFC 7523 §2.1.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What a token is for.
pub(crate) struct Ask<'a> {
    pub(crate) resource: &'a str,
    pub(crate) scope: Option<&'a ScopeSet>,
}

/// Tokens by the grant of a mode.
pub(crate) async fn tokens(
    mode: &Mode,
    requester: &Requester<'_>,
    endpoint: &str,
    ask: &Ask<'_>,
) -> Result<TokenResponse, Error> {
    match mode {
        Mode::EnterpriseManaged(mode) => {
            let assertion = enterprise::identity_assertion(mode, requester, ask).await?;
            redeem(requester, endpoint, ask, &[("grant_type", JWT_BEARER), ("assertion", assertion.expose())])
                .await
        }
        Mode::WorkloadIdentity(mode) => {
            let assertion = workload::assertion(mode, requester.issuer, endpoint).await?;
            redeem(requester, endpoint, ask, &[("grant_type", JWT_BEARER), ("assertion", assertion.expose())])
                .await
        }
        _ => redeem(requester, endpoint, ask, &[("grant_type", "client_credentials")]).await,
    }
}

async fn redeem(
    requester: &Requester<'_>,
    endpoint: &str,
    ask: &Ask<'_>,
    grant: &[(&str, &str)],
) -> Result<TokenResponse, Error> {
    let scope = ask.scope.map(ScopeSet::to_string);
    let mut grant = grant.to_vec();
    grant.push(("resource", ask.resource));
    grant.extend(scope.as_deref().map(|scope| ("scope", scope)));
    let tokens = requester.tokens(Step::Redeem, endpoint, &grant).await;
    tokens.map_err(|error| denied(requester.issuer, error))
}

/// A refusal is final: neither is it repeated, nor is another grant tried in its place (SEP-1933).
fn denied(issuer: &str, error: TokenError) -> Error {
    match error {
        TokenError::Failed(error) => error,
        TokenError::Refused(refusal) => Error::Denied {
            issuer: issuer.to_owned(),
            error: printable(&refusal.error.to_string()),
            description: refusal.error_description,
        },
    }
}
