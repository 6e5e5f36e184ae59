//! `/login`: name and password. Beside it, the second factor and passkeys.

pub(super) mod code;
pub(super) mod passkey;
pub(super) mod through;

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use hallpass_protocol::form::Parameters;
use hallpass_protocol::secret::Secret;
use http::{HeaderMap, StatusCode};

use super::destination::Destination;
use super::redirect::see_other;
use super::{Server, account};
use crate::endpoints::address::CameFrom;
use crate::login::passkeys::{Ceremony, RelyingParty, issue_challenge};
use crate::login::second_factor::begin_half_login;
use crate::login::{Authenticated, LoginRefused, PasswordLogin, begin_session, log_in};
use crate::pages::{
    FormTarget, LoginPage, PasskeyLogin, Problem, Through, answer_with_script, retry_after, shown,
};
use crate::settings::names;
use crate::store::StoreError;

const PURPOSE: &str = "login";

pub(super) async fn get(
    State(server): State<Server>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    show(&server, &headers, query.as_deref().unwrap_or_default()).await.unwrap_or_else(Problem::into_response)
}

pub(super) async fn post(
    State(server): State<Server>,
    CameFrom(address): CameFrom,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    attempt(&server, address, &headers, &body).await.unwrap_or_else(Problem::into_response)
}

async fn show(server: &Server, headers: &HeaderMap, query: &str) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query).map_err(|_| Problem::lost_interaction())?;
    if parameters.iter().next().is_none() {
        // Typed by hand: whoever wants to sign in and names no app means their account.
        return Ok(see_other(&server.path(account::PATH)));
    }
    let destination = Destination::of(server, headers, &parameters).await?;
    let mut response = page(server, &destination, StatusCode::OK, String::new(), None).await?;
    server.cookies.keep_browser(response.headers_mut(), destination.browser());
    Ok(response)
}

async fn attempt(
    server: &Server,
    address: Option<IpAddr>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Problem> {
    if !server.settings.passwords {
        return Err(Problem::no_passwords());
    }
    let form = Parameters::parse_bytes(body).map_err(|_| Problem::foreign_form())?;
    let mut destination = Destination::of_form(server, headers, &form, PURPOSE).await?;
    let field = |name| form.get(name).ok().flatten().unwrap_or_default();
    let username = field("username").to_owned();
    match log_in(server, destination.browser(), &username, Secret::new(field("password")), address).await {
        Ok(PasswordLogin::Through(person)) => enter(server, headers, &mut destination, &person).await,
        Ok(PasswordLogin::HalfWay(person)) => {
            let Some((half, waits)) = begin_half_login(server, headers, &person).await? else {
                return Ok(see_other(&destination.page(server, "/login")));
            };
            let mut response = see_other(&destination.page(server, "/login/code"));
            server.cookies.keep_session(response.headers_mut(), &half, waits);
            Ok(response)
        }
        Err(LoginRefused::Wrong) => {
            let error = "Name or password is not right.".to_owned();
            page(server, &destination, StatusCode::FORBIDDEN, username, Some(error)).await
        }
        Err(LoginRefused::Wait(wait)) => {
            let error = format!("There were too many wrong passwords. {}", try_again_in(wait));
            let status = StatusCode::TOO_MANY_REQUESTS;
            let page = page(server, &destination, status, username, Some(error)).await?;
            Ok(retry_after(page, wait))
        }
        Err(LoginRefused::Busy) => Err(Problem::busy()),
        Err(LoginRefused::Store(error)) => Err(error.into()),
    }
}

/// "Try again in 2 seconds."
fn try_again_in(wait: Duration) -> String {
    let seconds = wait.as_secs().max(1);
    format!("Try again in {seconds} second{}.", if seconds == 1 { "" } else { "s" })
}

/// Gives the session to whoever has passed every factor, and goes on. Where the password or the passkey was taken away
/// meanwhile, the login begins again.
async fn enter(
    server: &Server,
    headers: &HeaderMap,
    destination: &mut Destination,
    person: &Authenticated,
) -> Result<Response, Problem> {
    let Some(session) = begin_session(server, headers, person).await? else {
        return Ok(see_other(&destination.page(server, "/login")));
    };
    let mut response = see_other(&destination.enter(server, &session).await?);
    server.cookies.keep_session(response.headers_mut(), &session, server.settings.lifetimes.session);
    Ok(response)
}

async fn page(
    server: &Server,
    destination: &Destination,
    status: StatusCode,
    username: String,
    error: Option<String>,
) -> Result<Response, Problem> {
    let asks = match destination {
        Destination::Interaction(interaction) => {
            let client = interaction.proven(server).await?.client().shown_name();
            Some((client, names(&interaction.resources(server)?)))
        }
        Destination::Page(_) => None,
    };
    let passkey = match RelyingParty::of(&server.settings.issuer) {
        Some(party) => {
            let (key, now) = (server.store.key(), server.store.now());
            Some(PasskeyLogin {
                action: server.path("/login/passkey"),
                csrf: destination.issue_form_token(passkey::PURPOSE),
                challenge: issue_challenge(key, destination.browser(), Ceremony::Login, now)?,
                party: party.id,
                script: server.path("/passkeys.js"),
            })
        }
        None => None,
    };
    let through = server
        .settings
        .sign_in
        .iter()
        .map(|way| Through { shown: way.shown.clone(), place: through::link(server, destination, way) });
    let page = LoginPage {
        passwords: server.settings.passwords,
        through: through.collect(),
        passkey,
        asks,
        error,
        nobody: nobody(server).await?,
        action: server.path("/login"),
        leads: destination.field(),
        csrf: destination.issue_form_token(PURPOSE),
        username: shown(&username),
    };
    // What follows is here; the page that takes passwords need not let its form go elsewhere.
    Ok(answer_with_script(status, &page, &FormTarget::Own))
}

/// That nobody can sign in before the set-up link was used: nobody is here, and nobody new may come through a provider.
async fn nobody(server: &Server) -> Result<bool, StoreError> {
    let strangers = server.settings.sign_in.iter().any(|way| way.who.lets_in_strangers());
    Ok(server.settings.passwords && !strangers && server.store.count_users().await? == 0)
}
