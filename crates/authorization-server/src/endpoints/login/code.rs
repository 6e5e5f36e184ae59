//! `/login/code`: the second factor.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use hallpass_protocol::form::Parameters;
use http::{HeaderMap, StatusCode};

use super::super::Server;
use super::super::destination::Destination;
use super::super::redirect::see_other;
use super::{enter, try_again_in};
use crate::login::second_factor::{HalfLogin, SecondFactorRefused};
use crate::pages::{CodePage, FormTarget, Problem, answer, retry_after};

const PURPOSE: &str = "code";

pub(in crate::endpoints) async fn get(
    State(server): State<Server>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    show(&server, &headers, query.as_deref().unwrap_or_default()).await.unwrap_or_else(Problem::into_response)
}

pub(in crate::endpoints) async fn post(
    State(server): State<Server>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    attempt(&server, &headers, &body).await.unwrap_or_else(Problem::into_response)
}

async fn show(server: &Server, headers: &HeaderMap, query: &str) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query).map_err(|_| Problem::lost_interaction())?;
    let destination = Destination::of(server, headers, &parameters).await?;
    match HalfLogin::current(server, headers).await? {
        Some(half) => Ok(page(server, &destination, &half, StatusCode::OK, None)),
        None => Ok(see_other(&destination.page(server, "/login"))),
    }
}

async fn attempt(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Problem> {
    let form = Parameters::parse_bytes(body).map_err(|_| Problem::foreign_form())?;
    let mut destination = Destination::of_form(server, headers, &form, PURPOSE).await?;
    let Some(half) = HalfLogin::current(server, headers).await? else {
        return Ok(see_other(&destination.page(server, "/login")));
    };
    let code = form.get("code").ok().flatten().unwrap_or_default();
    match half.complete(server, destination.browser(), code).await {
        Ok(person) => enter(server, headers, &mut destination, &person).await,
        Err((half, SecondFactorRefused::Wrong)) => {
            let error = "This code is not right, or was used before.".to_owned();
            Ok(page(server, &destination, &half, StatusCode::FORBIDDEN, Some(error)))
        }
        Err((half, SecondFactorRefused::Wait(wait))) => {
            let error = format!("There were too many wrong codes. {}", try_again_in(wait));
            let page = page(server, &destination, &half, StatusCode::TOO_MANY_REQUESTS, Some(error));
            Ok(retry_after(page, wait))
        }
        Err((half, SecondFactorRefused::Stopped)) => {
            let error = "Too many wrong codes were tried, so codes are not taken in this browser any more. Use a recovery \
                code or a passkey, or a browser in which you have logged in before; or set another password: somebody \
                may know this one.";
            Ok(page(server, &destination, &half, StatusCode::FORBIDDEN, Some(error.to_owned())))
        }
        Err((_, SecondFactorRefused::Over)) => Ok(see_other(&destination.page(server, "/login"))),
        Err((_, SecondFactorRefused::Store(error))) => Err(error.into()),
    }
}

fn page(
    server: &Server,
    destination: &Destination,
    half: &HalfLogin,
    status: StatusCode,
    error: Option<String>,
) -> Response {
    let page = CodePage {
        error,
        action: server.path("/login/code"),
        leads: destination.field(),
        csrf: destination.issue_form_token(PURPOSE),
        username: half.user_name().to_owned(),
        again: destination.page(server, "/login"),
    };
    answer(status, &page, &FormTarget::Own)
}
