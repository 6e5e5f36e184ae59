//! A request, in the words of the schema.

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};
use serde_json::{Map, Value};

use crate::caller::find_claim;
use crate::policy::case::{Ask, Case};

/// None where something cannot be said in Cedar; then nothing is permitted.
pub(super) fn of(
    ask: Ask<'_>,
    case: &Case<'_>,
    groups: &str,
    actions: &Entities,
) -> Option<(Request, Entities)> {
    let (action, kind, attribute, name) = match ask {
        Ask::Tool(name) => ("tools/call", "Tool", "name", name),
        Ask::Prompt(name) => ("prompts/get", "Prompt", "name", name),
        Ask::Resource { method, uri } => (method, "Resource", "uri", uri),
        Ask::Method(method) => ("request", "Method", "name", method),
    };
    let resource =
        Entity::new_with_tags(uid(kind, name)?, [(attribute.to_owned(), text(name))], [], []).ok()?;
    let caller = caller(case, groups)?;
    let request =
        Request::new(caller.uid(), uid("Action", action)?, resource.uid(), context(case)?, None).ok()?;
    let entities = actions.clone().add_entities([caller, resource], None).ok()?;
    Some((request, entities))
}

fn caller(case: &Case<'_>, groups: &str) -> Option<Entity> {
    let granted = case.granted;
    let mut attributes = vec![
        ("subject".to_owned(), text(&granted.subject)),
        ("issuer".to_owned(), text(&granted.issuer)),
        ("client".to_owned(), text(&granted.client)),
    ];
    attributes.extend(granted.tenant.iter().map(|tenant| ("tenant".to_owned(), text(tenant))));
    let parents = match find_claim(&granted.claims, groups) {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(words)) => words.split(' ').filter(|word| !word.is_empty()).collect(),
        _ => Vec::new(),
    };
    let parents: Vec<_> = parents.into_iter().map(|group| uid("Group", group)).collect::<Option<_>>()?;
    Entity::new_with_tags(uid("Caller", &granted.principal)?, attributes, parents, tags(&granted.claims)).ok()
}

fn context(case: &Case<'_>) -> Option<Context> {
    let scopes = case.scopes.iter().map(|scope| text(scope.as_str()));
    let mut pairs = vec![
        ("scopes".to_owned(), RestrictedExpression::new_set(scopes)),
        ("now".to_owned(), RestrictedExpression::new_long(case.now.unix())),
    ];
    let login = case.login.map(|login| RestrictedExpression::new_long(login.unix()));
    pairs.extend(login.map(|login| ("auth_time".to_owned(), login)));
    Context::from_pairs(pairs).ok()
}

/// Each claim as a set of texts, under its name or its path with dots: the same that `when` of a rule finds there.
fn tags(claims: &Map<String, Value>) -> Vec<(String, RestrictedExpression)> {
    let mut paths = Vec::new();
    add_paths(claims, "", &mut paths);
    paths.sort_unstable();
    paths.dedup();
    let tag = |path: String| {
        let texts = match find_claim(claims, &path)? {
            Value::Array(items) => items.iter().filter_map(scalar).collect(),
            value => vec![scalar(value)?],
        };
        Some((path, RestrictedExpression::new_set(texts.iter().map(|one| text(one)))))
    };
    paths.into_iter().filter_map(tag).collect()
}

fn add_paths(members: &Map<String, Value>, within: &str, paths: &mut Vec<String>) {
    for (name, value) in members {
        let path = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
        match value {
            Value::Object(members) => add_paths(members, &path, paths),
            _ => paths.push(path),
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is) => Some(is.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn uid(kind: &'static str, id: &str) -> Option<EntityUid> {
    let kind: EntityTypeName = kind.parse().ok()?;
    Some(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}
