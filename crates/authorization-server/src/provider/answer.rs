//! What comes back to the callback is judged: `state` first, then `iss`, then what it says.

use hallpass_protocol::authorization::{AuthorizationResponse, ExpectedResponse};
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;

use super::{Provider, ProviderError};

impl Provider {
    /// The code, of an answer to the request with that state (RFC 6749 §4.1.2, RFC 9207 §2.4).
    ///
    /// # Errors
    /// Where the answer is not one to that request, and where the provider says no.
    pub async fn code(
        &self,
        answer: &AuthorizationResponse,
        state: &Secret,
        now: Timestamp,
    ) -> Result<Secret, ProviderError> {
        let discovered = self.discovered(now).await?;
        let expected = ExpectedResponse {
            state,
            issuer: discovered.issuer(),
            iss_advertised: discovered.metadata().authorization_response_iss_parameter_supported,
        };
        answer.verify(&expected)?.into_code().map_err(ProviderError::Denied)
    }
}
