//! `/admin/keys`: the keys that access tokens verify with, what each is for now, and since when.

use axum::extract::State;
use axum::response::Response;
use hallpass_protocol::time::Timestamp;
use http::{HeaderMap, StatusCode};

use super::super::Server;
use super::super::account;
use super::super::member::Away;
use super::administrator;
use crate::keys::{KeyState, PublishedKey};
use crate::pages::{AdminKeys, FormTarget, KeyLine, answer};
use crate::store::revocation_ends;

pub(super) const PATH: &str = "/admin/keys";

pub(in crate::endpoints) async fn get(State(server): State<Server>, headers: HeaderMap) -> Response {
    show(&server, &headers).await.unwrap_or_else(|away| away.into_response(&server))
}

async fn show(server: &Server, headers: &HeaderMap) -> Result<Response, Away> {
    let admin = administrator(server, headers, PATH).await?;
    let keys = server.store.signing_keys_in_line().list().await?;
    let lines = keys.iter().enumerate().map(|(at, key)| {
        let replaced = keys.get(at + 1).map(|next| next.active_from);
        line(key, replaced, server.store.now())
    });
    let page = AdminKeys {
        admin: server.path(super::PATH),
        account: server.path(account::PATH),
        username: admin.session.user_name.clone(),
        // The newest first.
        keys: lines.rev().flatten().collect(),
    };
    Ok(answer(StatusCode::OK, &page, &FormTarget::None))
}

/// A key and its times. None for one that housekeeping takes away next.
fn line(key: &PublishedKey, replaced: Option<Timestamp>, now: Timestamp) -> Option<KeyLine> {
    let from = key.active_from.to_utc();
    let until = replaced.map(Timestamp::to_utc).unwrap_or_default();
    let says = match (key.state, replaced) {
        (KeyState::Next, _) => format!("Published, and signs from {from} on."),
        (KeyState::Current, None) => format!("Signs since {from}."),
        (KeyState::Current, Some(_)) => format!("Signs since {from}, until {until}."),
        (KeyState::Previous, _) => {
            let last = replaced.map_or(now, revocation_ends).to_utc();
            format!(
                "Signed from {from} until {until}. Published until the last of its tokens is over: {last}."
            )
        }
        (KeyState::Dead, _) => return None,
    };
    Some(KeyLine {
        id: key.kid.clone(),
        algorithm: key.algorithm.clone(),
        state: key.state.name(),
        is_current: key.state == KeyState::Current,
        says: format!("Made {}. {says}", key.created_at.to_utc()),
    })
}
