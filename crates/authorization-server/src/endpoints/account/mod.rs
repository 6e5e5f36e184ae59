//! `/account`: what a person looks after: connected apps, ways to log in, browsers that are logged in.

mod apps;
mod overview;
mod passkeys;
mod password;
pub(super) mod providers;
mod second_factor;
mod sessions;
mod third_parties;

use axum::Router;
use axum::routing::{get, post};

use super::Server;

/// The overview, where most forms stand and all of them lead back to.
pub(super) use overview::apps as apps_of;

pub(super) const PATH: &str = "/account";
const APPS: &str = "/account/apps";

pub(super) fn router() -> Router<Server> {
    Router::new()
        .route(PATH, get(overview::get))
        .route(APPS, post(apps::disconnect))
        .route("/account/sessions", post(sessions::end))
        .route("/account/logout", post(sessions::log_out))
        .route(password::PATH, get(password::get).post(password::post))
        .route(passkeys::PATH, get(passkeys::get).post(passkeys::post))
        .route("/account/providers/{name}/link", post(providers::connect))
        .route(providers::REMOVE, post(providers::remove))
        .route(third_parties::REMOVE, post(third_parties::remove))
        .route(passkeys::REMOVE, post(passkeys::remove))
        .route(second_factor::PATH, get(second_factor::get).post(second_factor::post))
        .route(second_factor::OFF, post(second_factor::off))
}
