//! `/login`: name and password.

use std::net::{IpAddr, SocketAddr};

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::response::{IntoResponse, Response};
use hallpass_protocol::form::Parameters;
use hallpass_protocol::secret::Secret;
use http::{HeaderMap, StatusCode};

use super::Server;
use super::interaction::Interaction;
use super::redirect::see_other;
use crate::login::{LoginRefused, log_in};
use crate::pages::{FormTarget, LoginPage, Problem, answer, retry_after, shown};
use crate::random::{digest, token};

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
    connection: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let address = connection.map(|Extension(ConnectInfo(address))| address.ip());
    attempt(&server, address, &headers, &body).await.unwrap_or_else(Problem::into_response)
}

async fn show(server: &Server, headers: &HeaderMap, query: &str) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query).map_err(|_| Problem::lost_interaction())?;
    let interaction = Interaction::resume(server, headers, &parameters).await?;
    page(server, headers, &interaction, StatusCode::OK, String::new(), None).await
}

async fn attempt(
    server: &Server,
    address: Option<IpAddr>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Problem> {
    let form = Parameters::parse_bytes(body).map_err(|_| Problem::foreign_form())?;
    let mut interaction = Interaction::resume_form(server, headers, &form, PURPOSE).await?;
    let field = |name| form.get(name).ok().flatten().unwrap_or_default();
    let username = field("username").to_owned();
    match log_in(server, &interaction.browser, &username, Secret::new(field("password")), address).await {
        Ok(user_id) => enter(server, headers, &mut interaction, &user_id).await,
        Err(LoginRefused::Wrong) => {
            let error = "Name or password is not right.".to_owned();
            page(server, headers, &interaction, StatusCode::FORBIDDEN, username, Some(error)).await
        }
        Err(LoginRefused::Wait(wait)) => {
            let seconds = wait.as_secs();
            let error = format!(
                "There were too many wrong passwords. Try again in {seconds} second{}.",
                if seconds == 1 { "" } else { "s" }
            );
            let status = StatusCode::TOO_MANY_REQUESTS;
            let page = page(server, headers, &interaction, status, username, Some(error)).await?;
            Ok(retry_after(page, wait))
        }
        Err(LoginRefused::Busy) => Err(Problem::busy()),
        Err(LoginRefused::Store(error)) => Err(error.into()),
    }
}

/// A new session token at each login; the old session, if there is one, ends.
async fn enter(
    server: &Server,
    headers: &HeaderMap,
    interaction: &mut Interaction,
    user_id: &str,
) -> Result<Response, Problem> {
    let lifetime = server.settings.lifetimes.session;
    let session = token();
    let ends = server.store.now().after(lifetime);
    server.store.insert_session(&digest(&session), user_id, ends).await?;
    if let Some(old) = server.cookies.session(headers) {
        server.store.delete_session(&digest(&old)).await?;
    }
    interaction.logged_in(server).await?;
    let mut response = see_other(&interaction.page(server, "/consent"));
    server.cookies.keep_session(response.headers_mut(), &session, lifetime);
    Ok(response)
}

async fn page(
    server: &Server,
    headers: &HeaderMap,
    interaction: &Interaction,
    status: StatusCode,
    username: String,
    error: Option<String>,
) -> Result<Response, Problem> {
    let proven = interaction.proven(server).await?;
    let page = LoginPage {
        client: proven.client().shown_name(),
        resource: interaction.resource(server)?.name.clone(),
        error,
        nobody: server.store.count_users().await? == 0,
        action: server.path("/login"),
        interaction: interaction.id.clone(),
        csrf: interaction.issue_form_token(server, headers, PURPOSE),
        username: shown(&username),
    };
    // Nothing but consent follows, which is here; the page that takes passwords need not let its form go elsewhere.
    Ok(answer(status, &page, &FormTarget::Own))
}
