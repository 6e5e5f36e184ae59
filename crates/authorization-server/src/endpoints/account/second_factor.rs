//! `/account/second-factor`: one-time codes from an authenticator app, on, anew and off.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use qrcode::QrCode;
use qrcode::render::svg;

use super::super::Server;
use super::super::member::{Away, Member, Recent};
use super::super::question::{Question, is_confirmed};
use super::super::redirect::see_other;
use crate::audit::{AuditKind, NewEvent};
use crate::login::second_factor::{Enrolment, code_hash, new_codes};
use crate::pages::{EnrolPage, FormTarget, RecoveryCodesPage, answer};
use crate::store::StoreError;

pub(super) const PATH: &str = "/account/second-factor";
pub(super) const OFF: &str = "/account/second-factor/off";

pub(in crate::endpoints) async fn get(State(server): State<Server>, headers: HeaderMap) -> Response {
    show(&server, &headers).await.unwrap_or_else(|away| away.into_response(&server))
}

pub(in crate::endpoints) async fn post(
    State(server): State<Server>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    confirm(&server, &headers, &body).await.unwrap_or_else(|away| away.into_response(&server))
}

pub(in crate::endpoints) async fn off(
    State(server): State<Server>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    run_off(&server, &headers, &body).await.unwrap_or_else(|away| away.into_response(&server))
}

async fn show(server: &Server, headers: &HeaderMap) -> Result<Response, Away> {
    let member = Member::of(server, headers, PATH).await?.recent(server, PATH)?;
    let enrolment = Enrolment::new(host(server), &member.session.user_name)?;
    page(server, &member, StatusCode::OK, &enrolment, None)
}

/// The first code proves that the app has the secret; only then is it in use.
async fn confirm(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Away> {
    let (member, form) = Recent::of_form(server, headers, body, PATH).await?;
    let field = |name| form.get(name).ok().flatten().unwrap_or_default();
    let (key, session) = (server.store.key(), &member.session);
    let offered = Enrolment::offered(key, &session.user_id, field("offer"), host(server), &session.user_name);
    let Some(enrolment) = offered else { return Err(Away::Login(PATH.to_owned())) };
    let code: String = field("code").chars().filter(|c| !c.is_whitespace()).take(7).collect();
    let Some(step) = enrolment.step_of(&code, server.store.now()) else {
        let error = "This code is not right. Wait for the next one, and check the clock of your device.";
        return page(server, &member, StatusCode::UNPROCESSABLE_ENTITY, &enrolment, Some(error.to_owned()));
    };
    let codes = new_codes();
    let hashes: Vec<String> =
        codes.iter().filter_map(|code| code_hash(key, &session.user_id, code)).collect();
    let sealed = enrolment.seal(key, &session.user_id)?;
    server.store.save_totp(&session.user_id, &sealed, step, &hashes).await?;
    tracing::info!(user = session.user_name, "a second factor was set up");
    server.store.record(NewEvent::new(AuditKind::SecondFactorOn).user(&session.user_id));
    let page = RecoveryCodesPage { codes, account: server.path(super::PATH) };
    Ok(answer(StatusCode::OK, &page, &FormTarget::None))
}

async fn run_off(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Away> {
    let (member, form) = Recent::of_form(server, headers, body, super::PATH).await?;
    if !is_confirmed(&form) {
        let question = Question::ending(
            "Turn one-time codes off?".to_owned(),
            "Your password alone is enough to sign in from then on. Your recovery codes end as well.",
            "Turn off",
        );
        return Ok(question.ask(server, &member, &form, OFF, super::PATH));
    }
    if server.store.delete_totp(&member.session.user_id).await? {
        tracing::info!(user = member.session.user_name, "a second factor was turned off");
        server.store.record(NewEvent::new(AuditKind::SecondFactorOff).user(&member.session.user_id));
    }
    Ok(see_other(&server.path(super::PATH)))
}

/// What authenticator apps list the account under.
fn host(server: &Server) -> &str {
    server.settings.issuer.url().host_str().unwrap_or("hallpass")
}

fn page(
    server: &Server,
    member: &Recent,
    status: StatusCode,
    enrolment: &Enrolment,
    error: Option<String>,
) -> Result<Response, Away> {
    let page = EnrolPage {
        error,
        picture: picture(&enrolment.url())?,
        typed: enrolment.typed(),
        action: server.path(PATH),
        account: server.path(super::PATH),
        csrf: member.form_token(PATH),
        offer: enrolment.offer(server.store.key(), &member.session.user_id)?,
    };
    Ok(answer(status, &page, &FormTarget::Own))
}

/// Dark on light in both colour schemes, as cameras need it.
fn picture(url: &str) -> Result<String, StoreError> {
    let code = QrCode::new(url).map_err(|_| StoreError::Unreadable { what: "second factor" })?;
    Ok(code
        .render::<svg::Color<'_>>()
        .min_dimensions(200, 200)
        .dark_color(svg::Color("#000"))
        .light_color(svg::Color("#fff"))
        .build()
        .trim_start_matches("<?xml version=\"1.0\" standalone=\"yes\"?>")
        .to_owned())
}
