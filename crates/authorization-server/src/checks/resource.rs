//! Which resource the tokens are for (RFC 8707 §2).

use hallpass_protocol::form::Parameters;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::resource::ResourceIdentifier;

use crate::settings::{Resource, Settings};

/// The one that is named; the first where none is. One a request: a token for two audiences could be
/// taken from the one and used at the other.
pub(super) fn requested<'a>(
    parameters: &Parameters,
    settings: &'a Settings,
) -> Result<&'a Resource, OAuthError> {
    let refused = |why: String| OAuthError::new(ErrorCode::InvalidTarget, why);
    let mut asked = None;
    for text in parameters.all("resource") {
        let found = settings
            .resources
            .iter()
            .find(|known| same_resource(text, &known.identifier))
            .ok_or_else(|| refused(format!("the resource '{text}' is not known here")))?;
        if asked.is_some_and(|other: &Resource| other.identifier != found.identifier) {
            return Err(refused("only one resource a request".to_owned()));
        }
        asked = Some(found);
    }
    asked.or(settings.resources.first()).ok_or_else(|| refused("this server protects no resource".to_owned()))
}

/// Whether a client means this resource. A slash at the end is forgiven here, and here only: clients add
/// and drop it, and the audience of the token is what is configured in any case.
pub(crate) fn same_resource(text: &str, known: &ResourceIdentifier) -> bool {
    ResourceIdentifier::parse(text)
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
