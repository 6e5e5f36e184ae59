//! One request to the MCP server, and somebody's way of sending it: reqwest, a tower service.

use hallpass_protocol::dpop;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header::AUTHORIZATION};
use url::Url;

use crate::error::Error;

/// A request that is sent once for every token that is tried.
pub(crate) trait Exchange: Send {
    /// What comes back.
    type Answer: Send;
    /// What goes wrong on the way.
    type Error: From<Error> + Send;

    /// Method and URL. `None`: the request was sent, and its body cannot be sent again.
    fn target(&self) -> Option<(&Method, &Url)>;

    /// Sends the request with these credentials in place of its own, or as it is. [`Error::NotRepeatable`] where it
    /// was sent and cannot be sent again.
    fn send(
        &mut self,
        credentials: Option<Credentials>,
    ) -> impl Future<Output = Result<Self::Answer, Self::Error>> + Send;

    /// Status and fields of an answer.
    fn head(answer: &Self::Answer) -> (StatusCode, &HeaderMap);
}

/// The fields that authorize one request.
pub(crate) struct Credentials {
    /// The token, under its scheme.
    pub(super) authorization: HeaderValue,
    /// The proof that belongs to this very request (RFC 9449 §4).
    pub(super) proof: Option<HeaderValue>,
}

impl Credentials {
    /// Puts them in place of others.
    pub(crate) fn put_into(self, headers: &mut HeaderMap) {
        headers.insert(AUTHORIZATION, self.authorization);
        if let Some(proof) = self.proof {
            headers.insert(dpop::PROOF, proof);
        }
    }
}
