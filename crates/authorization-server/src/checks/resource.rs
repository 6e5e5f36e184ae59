//! Which resources the tokens are for (RFC 8707 §2).

use std::fmt;

use hallpass_protocol::form::Parameters;
use hallpass_protocol::jose::Audience;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::scope::ScopeSet;
use serde::{Deserialize, Serialize};

use crate::clients::Client;
use crate::settings::{Resource, Settings};

/// One or several resources that this server knows, each once, in the order in which they were asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Resources {
    all: Vec<ResourceIdentifier>,
    /// Parted by spaces, which no identifier holds.
    text: String,
}

impl Resources {
    fn new(all: Vec<ResourceIdentifier>) -> Self {
        let texts: Vec<&str> = all.iter().map(ResourceIdentifier::as_str).collect();
        Self { text: texts.join(" "), all }
    }

    /// The text that is stored.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn audience(&self) -> Audience {
        Audience(self.all.iter().map(|resource| resource.as_str().to_owned()).collect())
    }

    /// As they are configured now. One that is configured no more is left out.
    pub(crate) fn configured<'a>(&self, settings: &'a Settings) -> Vec<&'a Resource> {
        settings.resources.iter().filter(|known| self.all.contains(&known.identifier)).collect()
    }

    /// Whether each of them is configured now.
    pub(crate) fn are_known(&self, settings: &Settings) -> bool {
        self.configured(settings).len() == self.all.len()
    }

    /// Whether each of them is one of these.
    pub(crate) fn are_within(&self, bound: &[String]) -> bool {
        self.all.iter().all(|one| bound.iter().any(|text| same_resource(text, one)))
    }

    /// What a request without scopes gets.
    pub(crate) fn default_scopes(&self, settings: &Settings) -> ScopeSet {
        self.configured(settings).iter().flat_map(|resource| resource.default.iter().cloned()).collect()
    }

    /// Those among these that a token request names (RFC 8707 §2.2); all, where it names none. `Err` is one that is not
    /// among them.
    pub(crate) fn narrowed(&self, form: &Parameters) -> Result<Self, String> {
        let mut asked = Vec::new();
        for text in form.all("resource") {
            let found = self.all.iter().find(|known| same_resource(text, known));
            let found = found.ok_or_else(|| text.to_owned())?;
            if !asked.contains(found) {
                asked.push(found.clone());
            }
        }
        Ok(if asked.is_empty() { self.clone() } else { Self::new(asked) })
    }
}

impl From<&Resource> for Resources {
    fn from(one: &Resource) -> Self {
        Self::new(vec![one.identifier.clone()])
    }
}

impl TryFrom<String> for Resources {
    type Error = hallpass_protocol::ResourceError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let all: Vec<_> = text.split(' ').map(ResourceIdentifier::parse).collect::<Result<_, _>>()?;
        Ok(Self::new(all))
    }
}

impl From<Resources> for String {
    fn from(resources: Resources) -> Self {
        resources.text
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Those that are named; the first that the client may use, where none is. RFC 8707 §2: what is not known, or not the
/// client's, is `invalid_target`.
pub(crate) fn requested(
    parameters: &Parameters,
    settings: &Settings,
    client: &Client,
) -> Result<Resources, OAuthError> {
    named(parameters.all("resource"), settings, client)
}

/// Whether there is such a resource.
pub(crate) fn is_known(text: &str, settings: &Settings) -> bool {
    settings.resources.iter().any(|known| same_resource(text, &known.identifier))
}

/// The same of resources that something else than the request names.
pub(crate) fn named<'a>(
    texts: impl Iterator<Item = &'a str>,
    settings: &Settings,
    client: &Client,
) -> Result<Resources, OAuthError> {
    let refused = |why: String| OAuthError::new(ErrorCode::InvalidTarget, why);
    let mut asked = Vec::new();
    for text in texts {
        let known = settings.resources.iter().find(|known| same_resource(text, &known.identifier));
        let known = known.ok_or_else(|| refused(format!("the resource '{text}' is not known here")))?;
        if !is_allowed(known, client) {
            return Err(refused(format!("this client may not ask for the resource '{text}'")));
        }
        if !asked.contains(&known.identifier) {
            asked.push(known.identifier.clone());
        }
    }
    if asked.is_empty() {
        let first = settings.resources.iter().find(|known| is_allowed(known, client));
        asked.extend(first.map(|first| first.identifier.clone()));
    }
    match asked.is_empty() {
        true => Err(refused("this client may ask for no resource here".to_owned())),
        false => Ok(Resources::new(asked)),
    }
}

fn is_allowed(resource: &Resource, client: &Client) -> bool {
    let allowed = client.details.resources.as_ref();
    allowed.is_none_or(|allowed| allowed.iter().any(|text| same_resource(text, &resource.identifier)))
}

/// Every scope that one of these resources has.
pub(crate) fn known_scopes(resources: &[&Resource]) -> ScopeSet {
    resources.iter().flat_map(|resource| resource.scopes.iter().map(|(scope, _)| scope.clone())).collect()
}

/// Whether a client means this resource. A slash at the end is forgiven here, and here only: clients add
/// and drop it, and the audience of the token is what is configured in any case.
pub(crate) fn same_resource(text: &str, known: &ResourceIdentifier) -> bool {
    // Most clients write it as it is configured.
    text == known.as_str()
        || ResourceIdentifier::parse(text)
            .is_ok_and(|asked| asked.as_str().trim_end_matches('/') == known.as_str().trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_slash_at_the_end_is_forgiven() {
        let known = ResourceIdentifier::parse("https://mcp.example/mcp").unwrap();
        for same in ["https://mcp.example/mcp", "https://mcp.example/mcp/", "HTTPS://MCP.example/mcp"] {
            assert!(same_resource(same, &known), "{same}");
        }
        for other in [
            "https://mcp.example/MCP",
            "https://mcp.example",
            "https://mcp.example/mcp/x",
            "https://mcp.example/mcp?x",
            "https://mcp.example:444/mcp",
            "https://evil.example/mcp",
            "mcp",
        ] {
            assert!(!same_resource(other, &known), "{other}");
        }
    }
}
