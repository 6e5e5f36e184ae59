//! Pushed authorization requests (RFC 9126): the parameters go to the authorization server directly, and the
//! browser carries a reference to them.

use hallpass_protocol::oauth_error::ErrorCode;
use serde::Deserialize;

use crate::{
    discover::AuthorizationServer,
    error::{Error, Rule, Step},
    redeem::RedeemError,
    token_endpoint::{Requester, TokenError},
};

/// RFC 9126 §2.2.
#[derive(Deserialize)]
struct Pushed {
    request_uri: String,
}

/// The parameters for the browser in place of `parameters`, or none where the server takes no pushed requests.
///
/// A server that has the endpoint gets the request there, also where it does not insist: nothing of it then
/// passes through the browser's history and other people's logs. Each reference is for one login (§7.3).
pub(super) async fn push(
    server: &AuthorizationServer,
    requester: &Requester<'_>,
    parameters: &[(&str, &str)],
) -> Result<Option<Vec<(&'static str, String)>>, RedeemError> {
    let metadata = server.metadata();
    let endpoint = match &metadata.pushed_authorization_request_endpoint {
        None if metadata.require_pushed_authorization_requests => {
            server.endpoint("pushed_authorization_request_endpoint", &None)?
        }
        None => return Ok(None),
        Some(endpoint) => endpoint,
    };
    let pushed: Pushed =
        requester.answered(Step::Push, endpoint, parameters).await.map_err(|error| match error {
            TokenError::Failed(error) => RedeemError::Failed(error),
            TokenError::Refused(refusal) => {
                let is_unknown = refusal.error == ErrorCode::InvalidClient;
                let error = Error::Misconfigured {
                    step: Step::Push,
                    url: endpoint.to_owned(),
                    rule: Rule::PushRefused {
                        error: refusal.error.to_string(),
                        description: refusal.error_description,
                    },
                };
                if is_unknown { RedeemError::UnknownClient(error) } else { RedeemError::Failed(error) }
            }
        })?;
    // §4: the client id again, since the authorization endpoint needs it to find the request.
    Ok(Some(vec![("client_id", requester.client.client_id.clone()), ("request_uri", pushed.request_uri)]))
}
