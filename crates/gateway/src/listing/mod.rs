//! Lists of tools, prompts and resources say what each thing on them needs.
//!
//! Some clients ask for a tool's scopes only where `tools/list` names them (`securitySchemes`); without,
//! they run into the 403 again and again. Answers to other requests are not touched: their bytes go
//! through as they come.
//!
//! | room | what is in it |
//! |---|---|
//! | `rewrite` | one message |
//! | `events` | messages as Server-Sent Events |

pub(crate) mod events;
mod rewrite;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use hallpass_resource_server::policy::Asked;
use hallpass_resource_server::{Caller, ResourceServer};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderName, HeaderValue};

use self::rewrite::Rewrite;
pub(crate) use self::rewrite::without_mark;
use crate::upstream::bad_gateway;

/// The longest answer, or event of an answer, that is rewritten: 4 MiB.
const LONGEST: usize = 4 * 1024 * 1024;

/// What is done with lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listing {
    /// Each thing on a list says which scopes it needs, as far as there are rules for its kind. An answer
    /// that is too long for that goes through as it is.
    #[default]
    Annotate,
    /// The same, and what no login would open to the caller is left out. An answer that is too long is
    /// refused.
    Hide,
    /// As upstream answers.
    Leave,
}

/// The lists that one request asks for, and who asks.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    asked: Vec<Asked>,
    listing: Listing,
}

impl Lists {
    /// `None` where nothing is to be done.
    pub(crate) fn of(asked: &[Asked], listing: Listing) -> Option<Self> {
        let some = listing != Listing::Leave && !asked.is_empty();
        some.then(|| Self { asked: asked.to_vec(), listing })
    }

    /// Asks upstream for an answer that can be read.
    pub(crate) fn prepare(headers: &mut HeaderMap) {
        headers.remove(ACCEPT_ENCODING);
    }

    /// Rewrites the answer.
    pub(crate) async fn apply(
        self,
        response: Response,
        server: &ResourceServer,
        caller: &Caller,
    ) -> Response {
        let listing = self.listing;
        let rewrite = Rewrite {
            asked: self.asked,
            hide: listing == Listing::Hide,
            server: server.clone(),
            caller: caller.clone(),
        };
        let media = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let media = media.to_ascii_lowercase();
        let encoded = response.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
        if media.starts_with(b"application/json") && !encoded {
            whole(response, rewrite).await
        } else if media.starts_with(b"text/event-stream") && !encoded {
            no_longer_true(response).map(|body| events::rewritten(body, rewrite))
        } else if listing == Listing::Hide && response.status().is_success() && encoded {
            unreadable()
        } else {
            response
        }
    }
}

/// An answer of one JSON text.
async fn whole(response: Response, mut rewrite: Rewrite) -> Response {
    let (parts, body) = response.into_parts();
    let mut rest = body.into_data_stream();
    let mut text = BytesMut::new();
    while let Some(chunk) = rest.next().await {
        match chunk {
            Ok(chunk) => text.extend_from_slice(&chunk),
            Err(_) => return bad_gateway("the MCP server behind this gateway broke off its answer"),
        }
        if text.len() > LONGEST {
            if rewrite.hide {
                return unreadable();
            }
            tracing::warn!("a list is too long to say which scopes its items need; it goes through as it is");
            let begun = stream::iter([Ok(text.freeze())]);
            return Response::from_parts(parts, Body::from_stream(begun.chain(rest)));
        }
    }
    let text = text.freeze();
    match rewrite.message(&text) {
        Some(rewritten) => {
            no_longer_true(Response::from_parts(parts, Body::empty())).map(|_| Body::from(rewritten))
        }
        None => Response::from_parts(parts, Body::from(text)),
    }
}

fn unreadable() -> Response {
    bad_gateway("the list of the MCP server behind this gateway cannot be read to leave out what is hidden")
}

/// What was said of the bytes as they were.
fn no_longer_true(mut response: Response) -> Response {
    let of_bytes = ["content-digest", "repr-digest", "digest", "content-md5"].map(HeaderName::from_static);
    for name in of_bytes.iter().chain(&[CONTENT_LENGTH, ETAG]) {
        response.headers_mut().remove(name);
    }
    response
}

type Chunk = Result<Bytes, axum::Error>;
