//! Tokens of a provider that are handed on: what they are, before anybody has them, and what bounds them, once somebody has.

use hallpass_authorization_server::{HandedOn, Introspect, NotTaken};
use hallpass_protocol::{ResourceIdentifier, Scope};
use hallpass_resource_server::stored::Unavailable;
use hallpass_resource_server::{
    self as resource_server, Accounts, Agreed, AgreedTokens, Refusal, ResourceServer,
};

use super::server_plan::ServerPlan;
use crate::data::system_clock;

/// Asks about an opaque token just as the server will, by what the file says of that.
pub(super) fn introspect(server: &ServerPlan, identifier: &ResourceIdentifier) -> Option<Introspect> {
    server.credentials.trusted().first()?.introspection()?;
    let mut settings = resource_server::Settings::new(identifier.clone(), system_clock());
    // Each is asked about once.
    settings.remembered_tokens = 1;
    server.credentials.apply(&mut settings, Accounts::fixed(Vec::new()));
    let judge = ResourceServer::new(settings);
    Some(Introspect::new(move |token| {
        let judge = judge.clone();
        async move {
            match judge.authenticate(token.expose()).await {
                Ok(_) => Ok(()),
                Err(Refusal::IntrospectionUnavailable | Refusal::KeysUnavailable) => Err(NotTaken::Unknown),
                Err(refusal) => Err(NotTaken::Refused(refusal.to_string())),
            }
        }
    }))
}

/// What bounds the provider's tokens at a server: what was agreed to for the client that has them.
pub(super) fn agreed(
    server: &ServerPlan,
    resource: &ResourceIdentifier,
    client_id: &str,
    handed_on: HandedOn,
) -> Option<AgreedTokens> {
    let plan = server.proxied.as_ref()?;
    let issuers = server.credentials.of_first().cloned().collect();
    let resource = resource.clone();
    let find = move |token| {
        let (handed_on, resource) = (handed_on.clone(), resource.clone());
        async move {
            let found = handed_on.find(&token, resource.as_str()).await.map_err(|error| {
                tracing::error!(%error, "it cannot be told what was agreed to for a token");
                Unavailable
            })?;
            Ok(found.map(|found| Agreed {
                token_id: found.token_id,
                client_id: found.client_id,
                resource: found.resource,
                scopes: found.scopes,
            }))
        }
    };
    let named = |(here, there): &(Scope, String)| Some((here.clone(), Scope::parse(there).ok()?));
    let mut tokens = AgreedTokens::new(issuers, client_id.to_owned(), find);
    tokens.others = plan.other_tokens;
    tokens.names = plan.scopes.iter().filter_map(named).collect();
    Some(tokens)
}
