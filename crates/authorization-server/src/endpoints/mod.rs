//! The URLs, one file each.

mod account;
mod acts;
mod address;
mod admin;
mod asked;
mod authorize;
mod backchannel_logout;
mod consent;
mod destination;
mod device;
mod device_authorization;
mod dpop;
mod interaction;
mod introspect;
mod jwks;
mod limit;
mod link;
mod login;
mod member;
mod metadata;
mod noted;
mod oauth_answer;
mod par;
mod question;
mod redirect;
mod register;
mod revoke;
mod script;
mod security_events;
mod setup;
mod token;
mod wrong_method;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, post};
use http::header::{STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE};
use http::{HeaderValue, Method};
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

use crate::proxied;
use crate::server::Inner;
pub(crate) use interaction::Interaction;
pub(crate) use redirect::{ToClient, see_other};

/// No form or registration is longer.
const LONGEST_BODY: usize = 64 * 1024;

/// Where tokens are had.
pub(crate) fn token_path() -> &'static str {
    token::PATH
}

pub(crate) use register::bearer;

/// The state of every handler.
pub(crate) type Server = Arc<Inner>;

pub(crate) fn router(server: Server) -> Router {
    let pages = Router::new()
        .route("/authorize", get(authorize::get).post(authorize::post))
        .route("/consent", get(consent::get).post(consent::post));
    let pages = match server.settings.proxied {
        Some(_) => pages.route(proxied::CALLBACK_PATH, get(proxied::callback)),
        None => pages.merge(for_people()),
    };
    let pages = pages.method_not_allowed_fallback(wrong_method::answer);
    let api = Router::new()
        .route("/jwks", get(jwks::get))
        .route(token::PATH, post(token::post))
        .route(par::PATH, post(par::post))
        .route(register::PATH, post(register::post))
        .route(
            register::management::PATH,
            get(register::management::get)
                .put(register::management::put)
                .delete(register::management::delete),
        )
        .route(backchannel_logout::PATH, post(backchannel_logout::post))
        .route(security_events::PATH, post(security_events::post))
        .route("/revoke", post(revoke::post));
    let api = match server.settings.proxied {
        Some(_) => api,
        None => api
            .route(introspect::PATH, post(introspect::post))
            .route(device_authorization::PATH, post(device_authorization::post)),
    };
    let api = api
        // Inside of the next layers, or browsers' preflight requests would end here.
        .method_not_allowed_fallback(wrong_method::answer)
        .layer(from_fn_with_state(Arc::clone(&server), limit::api))
        .layer(cors());
    let pages = pages.layer(from_fn_with_state(Arc::clone(&server), limit::page));
    let under_issuer = pages
        .merge(api)
        .merge(crate::scim::router(&server))
        .layer(from_fn_with_state(Arc::clone(&server), noted::note));
    let endpoints = match server.base() {
        "" => under_issuer,
        base => Router::new().nest(base, under_issuer),
    };
    let over_tls = server.settings.issuer.url().scheme() == "https";
    let router = endpoints
        .merge(metadata::router(&server).layer(cors()))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .with_state(server);
    if over_tls { router.layer(map_response(stay_on_tls)) } else { router }
}

/// Where people log in here, and what they have then.
fn for_people() -> Router<Server> {
    Router::new()
        .route("/login", get(login::get).post(login::post))
        .route("/login/code", get(login::code::get).post(login::code::post))
        .route("/login/with/{name}", get(login::through::begin))
        .route("/providers/{name}/callback", get(login::through::callback))
        .route("/acts/{name}", get(acts::get).post(acts::post))
        .route("/login/passkey", post(login::passkey::post))
        .route("/passkeys.js", get(script::get))
        .merge(account::router())
        .merge(admin::router())
        .route("/link", get(link::get).post(link::post))
        .route(device::PATH, get(device::get).post(device::post))
        .route("/setup", get(setup::get).post(setup::post))
}

/// RFC 6797 §6.1: a year. Subdomains are not ours to speak for.
async fn stay_on_tls(mut response: Response) -> Response {
    let year = HeaderValue::from_static("max-age=31536000");
    response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, year);
    response
}

/// What has no cookies may be called from any page; clients in browsers do.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([hallpass_protocol::dpop::NONCE, WWW_AUTHENTICATE])
        .max_age(Duration::from_secs(60 * 60))
}
