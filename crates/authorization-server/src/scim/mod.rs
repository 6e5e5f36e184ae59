//! `/scim/v2`: people come and go as a company's identity provider says (SCIM 2.0, RFC 7643 and RFC 7644).
//!
//! | room | what is in it |
//! |---|---|
//! | `bearer` | who may do this: whoever has a token that the operator issued for it, and no access token |
//! | `users` | `/Users`, one function for each method |
//! | `attributes` | what is kept of a person, and how it is read from JSON |
//! | `filter` | `userName eq "ada"` |
//! | `patch` | changes of parts (RFC 7644 §3.5.2) |
//! | `resource` | how a person is written |
//! | `discovery` | what this server can do |
//! | `error` | refusals in SCIM's form |
//!
//! People without groups: what somebody may do comes from claims (`docs/enterprise.md`).

mod attributes;
mod bearer;
mod discovery;
mod error;
mod filter;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod patch;
mod resource;
mod tokens;
mod users;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tokio::time::timeout;

use crate::endpoints::Server;
pub(crate) use attributes::Attributes;
pub(crate) use bearer::ProvisioningName;
use error::ScimError;
pub use tokens::{ProvisioningToken, ProvisioningTokens};

/// Where it all is.
const BASE: &str = "/scim/v2";

/// RFC 7644 §3.1, §8.1.
const MEDIA_TYPE: &str = "application/scim+json";

pub(crate) fn router(server: &Server) -> Router<Server> {
    let at = |path: &str| format!("{BASE}{path}");
    Router::new()
        .route(&at("/Users"), get(users::list).post(users::create))
        .route(
            &at("/Users/{id}"),
            get(users::read).put(users::replace).patch(users::change).delete(users::remove),
        )
        .route(&at("/ServiceProviderConfig"), get(discovery::configuration))
        .route(&at("/ResourceTypes"), get(discovery::resource_types))
        .route(&at("/ResourceTypes/User"), get(discovery::resource_type))
        .route(&at("/Schemas"), get(discovery::schemas))
        .route(&at("/Schemas/{id}"), get(discovery::schema))
        .route(&at("/Groups"), any(discovery::no_groups))
        .route(&at("/Groups/{*rest}"), any(discovery::no_groups))
        .route(&at(""), any(discovery::nothing))
        .route(&at("/"), any(discovery::nothing))
        .route(&at("/{*rest}"), any(discovery::nothing))
        .method_not_allowed_fallback(|| async { ScimError::Method.into_response() })
        .layer(from_fn_with_state(Server::clone(server), limit))
}

/// A request ends, whatever it waits for.
async fn limit(State(server): State<Server>, request: Request, next: Next) -> Response {
    match timeout(server.settings.patience, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ScimError::NoAnswer.into_response(),
    }
}
