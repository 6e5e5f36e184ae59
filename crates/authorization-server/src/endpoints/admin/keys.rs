//! `/admin/keys`: the keys that access tokens verify with now.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::super::Server;
use super::super::account;
use super::super::member::Away;
use super::administrator;
use crate::pages::{AdminKeys, FormTarget, KeyLine, answer};

pub(super) const PATH: &str = "/admin/keys";

pub(in crate::endpoints) async fn get(State(server): State<Server>, headers: HeaderMap) -> Response {
    show(&server, &headers).await.unwrap_or_else(|away| away.into_response(&server))
}

async fn show(server: &Server, headers: &HeaderMap) -> Result<Response, Away> {
    let admin = administrator(server, headers, PATH).await?;
    let member = |key: &serde_json::Value, name: &str| key[name].as_str().unwrap_or_default().to_owned();
    let published = serde_json::to_value(server.keys.published()).unwrap_or_default();
    let keys = published["keys"].as_array().cloned().unwrap_or_default();
    let page = AdminKeys {
        admin: server.path(super::PATH),
        account: server.path(account::PATH),
        username: admin.session.user_name.clone(),
        keys: keys
            .iter()
            .map(|key| KeyLine { id: member(key, "kid"), algorithm: member(key, "alg") })
            .collect(),
    };
    Ok(answer(StatusCode::OK, &page, &FormTarget::None))
}
