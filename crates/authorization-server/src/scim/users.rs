//! `/Users` and `/Users/{id}` (RFC 7644 §3.3 to §3.6).

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use hallpass_protocol::form::Parameters;
use hallpass_protocol::json::from_slice_unique;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::attributes::Attributes;
use super::bearer::Provisioner;
use super::discovery::{MOST_RESULTS, list as listed};
use super::error::ScimError;
use super::filter::Filter;
use super::patch::Change;
use super::resource::{Written, answer};
use crate::audit::{AuditKind, NewEvent};
use crate::endpoints::Server;
use crate::store::{NotChanged, PeopleFilter, ProvisionedUser};

/// How many a list holds where nothing is said.
const RESULTS: usize = 100;

/// A body of JSON, of bounded length.
pub(super) struct Body(Bytes);

impl FromRequest<Server> for Body {
    type Rejection = ScimError;

    async fn from_request(request: Request, server: &Server) -> Result<Self, ScimError> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !["application/scim+json", "application/json"].iter().any(|one| kind.eq_ignore_ascii_case(one)) {
            return Err(ScimError::MediaType);
        }
        match Bytes::from_request(request, server).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(BytesRejection::FailedToBufferBody(failed))
                if failed.status() == StatusCode::PAYLOAD_TOO_LARGE =>
            {
                Err(ScimError::TooLong)
            }
            Err(_) => Err(ScimError::Syntax("it broke off".to_owned())),
        }
    }
}

/// Whose resource it is. Nobody's id has U+0000, of which a database cannot even be asked.
pub(super) struct Id(String);

impl FromRequestParts<Server> for Id {
    type Rejection = ScimError;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, ScimError> {
        let id = Path::<String>::from_request_parts(parts, server).await.ok();
        id.filter(|Path(id)| !id.contains('\0')).map(|Path(id)| Self(id)).ok_or(ScimError::NotFound)
    }
}

impl Body {
    /// A member that is there twice is read in two ways.
    fn object(&self) -> Result<Map<String, Value>, ScimError> {
        match from_slice_unique(&self.0) {
            Ok(Value::Object(members)) => Ok(members),
            Ok(_) => Err(ScimError::Syntax("it is no object".to_owned())),
            Err(error) => Err(ScimError::Syntax(error.to_string())),
        }
    }
}

/// RFC 7644 §3.4.2.
pub(super) async fn list(
    State(server): State<Server>,
    _: Provisioner,
    RawQuery(query): RawQuery,
) -> Result<Response, ScimError> {
    let query = Parameters::parse(&query.unwrap_or_default())
        .map_err(|error| ScimError::Value(format!("the query cannot be read: {error}")))?;
    let said = |name: &str| query.get(name).ok().flatten();
    let filter = said("filter").map(people_filter).transpose()?.unwrap_or(PeopleFilter::All);
    // RFC 7644 §3.4.2.4: less than one is one; a negative count is zero.
    let number = |name: &'static str| match said(name).map(str::parse::<i64>) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(usize::try_from(number.max(0)).unwrap_or(usize::MAX))),
        Some(Err(_)) => Err(ScimError::Value(format!("{name} has to be a number"))),
    };
    let first = number("startIndex")?.unwrap_or(1).max(1);
    let count = number("count")?.unwrap_or(RESULTS).min(MOST_RESULTS);
    let (users, total) = server.store.list_provisioned(&filter, first - 1, count).await?;
    let users: Vec<_> = users.iter().map(|user| Written::of(&server, user).into_body()).collect();
    Ok(answer(StatusCode::OK, &listed(&users, first, total)))
}

fn people_filter(text: &str) -> Result<PeopleFilter, ScimError> {
    let filter = Filter::parse(text).ok_or(ScimError::Filter)?;
    let value = filter.text().ok_or(ScimError::Filter)?.to_owned();
    match filter.attribute.as_str() {
        // RFC 7643 §4.1.1: in any case.
        "username" => Ok(PeopleFilter::Name(value.trim().to_lowercase())),
        "externalid" => Ok(PeopleFilter::ExternalId(value)),
        "id" => Ok(PeopleFilter::Id(value)),
        _ => Err(ScimError::Filter),
    }
}

/// RFC 7644 §3.4.1.
pub(super) async fn read(
    State(server): State<Server>,
    _: Provisioner,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, ScimError> {
    let user = server.store.find_provisioned(&id).await?.ok_or(ScimError::NotFound)?;
    let written = Written::of(&server, &user);
    match written.is_known(&headers) {
        true => Ok(written.not_modified()),
        false => Ok(written.into_response(StatusCode::OK)),
    }
}

/// RFC 7644 §3.3.
pub(super) async fn create(
    State(server): State<Server>,
    by: Provisioner,
    body: Body,
) -> Result<Response, ScimError> {
    let attributes = Attributes::read(&body.object()?)?;
    let name = attributes.checked_name()?;
    let id = crate::random::id();
    if !server.store.insert_provisioned(&id, &name, &attributes).await? {
        return Err(ScimError::Taken);
    }
    note(&server, &by, AuditKind::UserAdded, &id, &name.shown);
    if !attributes.active {
        note(&server, &by, AuditKind::UserDisabled, &id, &name.shown);
    }
    let user = server.store.find_provisioned(&id).await?.ok_or(ScimError::NotFound)?;
    Ok(Written::of(&server, &user).into_response(StatusCode::CREATED))
}

/// RFC 7644 §3.5.1: what is not said is not there any more.
pub(super) async fn replace(
    State(server): State<Server>,
    by: Provisioner,
    Id(id): Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ScimError> {
    let attributes = Attributes::read(&body.object()?)?;
    change_by(&server, &by, &id, &headers, |_| Ok(attributes)).await
}

/// RFC 7644 §3.5.2.
pub(super) async fn change(
    State(server): State<Server>,
    by: Provisioner,
    Id(id): Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ScimError> {
    let changes = Change::read(&body.0)?;
    let apply = |user: &ProvisionedUser| {
        let mut attributes = user.attributes.clone();
        changes.iter().try_for_each(|change| change.apply(&mut attributes)).map(|()| attributes)
    };
    change_by(&server, &by, &id, &headers, apply).await
}

/// What is read is what is changed: nobody writes in between.
async fn change_by(
    server: &Server,
    by: &Provisioner,
    id: &str,
    headers: &HeaderMap,
    change: impl FnOnce(&ProvisionedUser) -> Result<Attributes, ScimError> + Send,
) -> Result<Response, ScimError> {
    let change = |user: &ProvisionedUser| {
        if !Written::of(server, user).may_change(headers) {
            return Err(ScimError::Changed);
        }
        let attributes = change(user)?;
        let name = attributes.checked_name()?;
        Ok((name, attributes))
    };
    let changed = server.store.change_provisioned(id, change).await?;
    let (before, after) = changed.map_err(|why| match why {
        NotChanged::Gone => ScimError::NotFound,
        NotChanged::Taken => ScimError::Taken,
        NotChanged::Refused(refused) => refused,
    })?;
    let kind = match (before.attributes.active, after.attributes.active) {
        (true, false) => AuditKind::UserDisabled,
        (false, true) => AuditKind::UserEnabled,
        _ => AuditKind::UserChanged,
    };
    note(server, by, kind, id, &after.attributes.user_name);
    Ok(Written::of(server, &after).into_response(StatusCode::OK))
}

/// RFC 7644 §3.6.
pub(super) async fn remove(
    State(server): State<Server>,
    by: Provisioner,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, ScimError> {
    let user = server.store.find_provisioned(&id).await?.ok_or(ScimError::NotFound)?;
    if !Written::of(&server, &user).may_change(&headers) {
        return Err(ScimError::Changed);
    }
    if !server.store.remove_provisioned(&id).await? {
        return Err(ScimError::NotFound);
    }
    note(&server, &by, AuditKind::UserRemoved, &id, &user.attributes.user_name);
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn note(server: &Server, by: &Provisioner, kind: AuditKind, id: &str, name: &str) {
    server.store.record(NewEvent::new(kind).user(id).by(&by.by()).detail(name));
}
