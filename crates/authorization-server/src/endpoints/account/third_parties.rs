//! Where servers act for a person: listed, and unlinked.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::super::Server;
use super::super::member::{Away, Member};
use super::super::question::{Question, is_confirmed};
use super::super::redirect::see_other;
use super::PATH;
use crate::pages::{ActsLine, ago};
use crate::settings::{Resource, names};
use crate::store::StoreError;
use crate::vault::{ThirdParty, unlink};

pub(super) const REMOVE: &str = "/account/third-parties/remove";

pub(super) async fn remove(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    run(&server, &headers, &body).await.unwrap_or_else(|away| away.into_response(&server))
}

/// Ends the session here and there, and what was granted to apps in its name.
async fn run(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Away> {
    let (member, form) = Member::of_form(server, headers, body, PATH).await?;
    let Some(party) = server.third_party(form.get("third_party").ok().flatten().unwrap_or_default()) else {
        return Ok(see_other(&server.path(PATH)));
    };
    if !is_confirmed(&form) {
        let consequence = format!(
            "{} can do nothing there for you any more, and apps that use it for that have to ask you again.",
            acting(server, party)
        );
        let question = Question::ending(format!("Unlink {}?", party.shown), consequence, "Unlink");
        return Ok(question.ask(server, &member, &form, REMOVE, PATH));
    }
    unlink(&server.store, party, &member.session.user_id).await?;
    Ok(see_other(&server.path(PATH)))
}

/// Each third party, with what is linked there.
pub(super) async fn lines(server: &Server, user_id: &str) -> Result<Vec<ActsLine>, StoreError> {
    let mut lines = Vec::new();
    for party in &server.settings.third_parties {
        let session = party.session(&server.store, user_id).await?;
        lines.push(ActsLine {
            name: party.name.clone(),
            shown: party.shown.clone(),
            servers: acting(server, party),
            scopes: session.as_ref().map(|row| row.scopes.clone()).unwrap_or_default(),
            since: session.map(|row| ago(row.linked_at, server.store.now())),
            link: server.path(&format!("/acts/{}", party.name)),
        });
    }
    Ok(lines)
}

fn acting(server: &Server, party: &ThirdParty) -> String {
    let acts = |one: &&Resource| party.servers.iter().any(|server| server.resource == one.identifier);
    names(&server.settings.resources.iter().filter(acts).collect::<Vec<_>>())
}
