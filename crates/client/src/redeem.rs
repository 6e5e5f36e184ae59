//! A code becomes tokens (RFC 6749 §4.1.3, RFC 7636 §4.5, RFC 8707 §2.2).

use hallpass_protocol::{oauth_error::ErrorCode, token::TokenResponse};

use crate::{
    authorize::Code,
    error::{Error, Rule, Step, printable},
    token_endpoint::{Requester, TokenError},
};

/// Why no tokens came.
#[derive(Debug)]
pub(crate) enum RedeemError {
    /// The authorization server does not know the client (any more).
    UnknownClient(Error),
    /// Anything else.
    Failed(Error),
}

impl From<Error> for RedeemError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

pub(crate) async fn redeem(
    requester: &Requester<'_>,
    endpoint: &str,
    code: &Code,
    resource: &str,
) -> Result<TokenResponse, RedeemError> {
    let grant = [
        ("grant_type", "authorization_code"),
        ("code", code.code.expose()),
        ("redirect_uri", &code.redirect_uri),
        ("code_verifier", code.verifier.expose()),
        ("resource", resource),
    ];
    requester.tokens(Step::Redeem, endpoint, &grant).await.map_err(|error| match error {
        TokenError::Failed(error) => RedeemError::Failed(error),
        TokenError::Refused(refusal) => {
            let unknown = matches!(refusal.error, ErrorCode::InvalidClient | ErrorCode::UnauthorizedClient);
            let error = Error::Misconfigured {
                step: Step::Redeem,
                url: printable(endpoint),
                rule: Rule::CodeRefused {
                    error: printable(refusal.error.as_str()),
                    description: refusal.error_description,
                },
            };
            if unknown { RedeemError::UnknownClient(error) } else { RedeemError::Failed(error) }
        }
    })
}
