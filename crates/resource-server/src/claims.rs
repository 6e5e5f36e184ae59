//! What issuers call things: which claim is the client, which ones are scopes.

use hallpass_protocol::jose::JoseError;
use hallpass_protocol::scope::{MAX_SCOPES, Scope, ScopeSet};
use hallpass_protocol::time::Timestamp;
use serde_json::{Map, Value};

use crate::caller::{Granted, find_claim};
use crate::refusal::Refusal;

/// Where an issuer's tokens say what. Each name may be a path with dots, such as `realm_access.roles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// The user, or the client where there is no user: `sub`.
    pub subject: String,
    /// The client; the first that is there counts: `client_id` (RFC 9068 §2.2), then `azp`, `appid`, `cid`.
    pub client: Vec<String>,
    /// Claims whose words count as scopes, all of them: `scope` (RFC 8693 §4.2), then `scp`. Roles and groups can
    /// be named as well. What can be no scope (RFC 6749 §3.3) is left out.
    pub scopes: Vec<String>,
    /// Claims whose words count as scopes in a token that has none of [`scopes`](Self::scopes): none, unless the issuer tells
    /// applications from persons so.
    pub scopes_otherwise: Vec<String>,
    /// What stands before each of those words where a scope is asked for, and not in the token, such as
    /// `api://notes/` of Entra: a word counts with it.
    pub scope_prefix: String,
    /// The tenant, such as `tid` or `org_id`.
    pub tenant: Option<String>,
    /// The tenant of a token that says none: nobody's.
    pub tenant_otherwise: Option<String>,
    /// Whose tokens are taken, where one issuer signs for several: tenants by name. Empty: all, and those without one.
    pub tenants: Vec<String>,
    /// What each token may do, whatever it says: for issuers whose tokens have no scopes.
    pub grants: ScopeSet,
}

impl Default for ClaimNames {
    /// RFC 9068, and what larger providers write in its place.
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            subject: "sub".to_owned(),
            client: list(&["client_id", "azp", "appid", "cid"]),
            scopes: list(&["scope", "scp"]),
            scopes_otherwise: Vec::new(),
            scope_prefix: String::new(),
            tenant: None,
            tenant_otherwise: None,
            tenants: Vec::new(),
            grants: ScopeSet::new(),
        }
    }
}

impl ClaimNames {
    /// The user.
    ///
    /// # Errors
    /// [`JoseError::MissingSubject`].
    pub fn subject<'c>(&self, claims: &'c Map<String, Value>) -> Result<&'c str, JoseError> {
        text(claims, &self.subject).ok_or(JoseError::MissingSubject)
    }

    /// The client.
    ///
    /// # Errors
    /// [`JoseError::Decode`]: RFC 9068 §2.2 requires one.
    pub fn client<'c>(&self, claims: &'c Map<String, Value>) -> Result<&'c str, JoseError> {
        let client = self.client.iter().find_map(|name| text(claims, name));
        client.ok_or_else(|| JoseError::Decode(format!("none of {} is there", self.client.join(", "))))
    }

    /// Whether a token is of a tenant whose tokens are taken.
    ///
    /// # Errors
    /// [`Refusal::UntrustedTenant`].
    pub(crate) fn check_tenant(&self, granted: &Granted) -> Result<(), Refusal> {
        let taken = |tenant: &String| self.tenants.contains(tenant);
        match self.tenants.is_empty() || granted.tenant.as_ref().is_some_and(taken) {
            true => Ok(()),
            false => Err(Refusal::UntrustedTenant),
        }
    }

    /// The same with who it is, at the claims' own word: to explain what would become of them. `own` is the issuer whose
    /// users are told by their subject alone.
    #[must_use]
    pub fn at_their_word(&self, claims: Map<String, Value>, own: Option<&str>) -> Granted {
        let issuer = text(&claims, "iss").unwrap_or_default().to_owned();
        let subject = self.subject(&claims).unwrap_or_default().to_owned();
        let client = self.client(&claims).unwrap_or_default().to_owned();
        let principal = if own == Some(&issuer) { subject.clone() } else { format!("{issuer}#{subject}") };
        Granted { principal, issuer, subject, client, ..self.granted(claims) }
    }

    /// All that policy looks at, but who it is: that is for the verifier to say. Nothing is checked here: give it claims that were verified, or claims
    /// whose effect you want explained.
    #[must_use]
    pub fn granted(&self, claims: Map<String, Value>) -> Granted {
        let mut scopes = self.grants.clone();
        let usual = self.scopes.iter().any(|name| find_claim(&claims, name).is_some());
        for name in if usual { &self.scopes } else { &self.scopes_otherwise } {
            words(find_claim(&claims, name), |word| {
                if scopes.len() < MAX_SCOPES {
                    scopes.extend(self.scope(word));
                }
            });
        }
        let tenant = self.tenant.as_ref().and_then(|name| text(&claims, name)).map(str::to_owned);
        let tenant = tenant.or_else(|| self.tenant_otherwise.clone());
        let login = claims.get("auth_time").and_then(Value::as_i64).map(Timestamp::from_unix);
        Granted { scopes, tenant, login, claims, ..Granted::default() }
    }
}

impl ClaimNames {
    fn scope(&self, word: &str) -> Option<Scope> {
        match self.scope_prefix.as_str() {
            "" => Scope::parse(word).ok(),
            // Not even an empty word is a scope, whatever stands before it.
            prefix => Scope::parse(word).and_then(|_| Scope::parse(&format!("{prefix}{word}"))).ok(),
        }
    }
}

fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c str> {
    find_claim(claims, name)?.as_str().filter(|text| !text.is_empty())
}

/// The words of a text, or the texts of a list.
fn words(value: Option<&Value>, mut each: impl FnMut(&str)) {
    match value {
        Some(Value::String(text)) => text.split(' ').for_each(each),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).for_each(&mut each),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn scopes_come_from_every_claim_that_is_named() {
        let names = ClaimNames {
            scopes: ["scope", "scp", "realm_access.roles", "https://x.example/groups"]
                .map(str::to_owned)
                .into(),
            ..ClaimNames::default()
        };
        let claims = claims(&json!({
            "scope": "a b", "scp": ["c", "not a scope", 7], "realm_access": {"roles": ["d"]},
            "https://x.example/groups": "e", "roles": ["f"],
        }));
        assert_eq!(names.granted(claims).scopes, ScopeSet::parse("a b c d e").unwrap());
    }

    /// Even one that says nothing is there.
    #[test]
    fn other_claims_count_where_the_usual_ones_are_missing() {
        let names = ClaimNames { scopes_otherwise: vec!["roles".into()], ..ClaimNames::default() };
        for (value, expected) in [
            (json!({"roles": ["a"]}), "a"),
            (json!({"roles": ["a"], "scp": "b"}), "b"),
            (json!({"roles": ["a"], "scp": ""}), ""),
            (json!({"roles": ["a"], "scope": null}), ""),
        ] {
            let granted = names.granted(claims(&value));
            assert_eq!(granted.scopes.to_string(), expected, "{value}");
        }
    }

    /// Entra: `api://notes/read` is asked for, `read` is what the token says.
    #[test]
    fn a_word_counts_with_what_stands_before_it_in_a_request() {
        let names = ClaimNames { scope_prefix: "api://notes/".into(), ..ClaimNames::default() };
        let granted = names.granted(claims(&json!({"scp": "read  write"})));
        assert_eq!(granted.scopes, ScopeSet::parse("api://notes/read api://notes/write").unwrap());
        let spelt = names.granted(claims(&json!({"scp": "api://notes/read"})));
        assert_eq!(spelt.scopes, ScopeSet::parse("api://notes/api://notes/read").unwrap());
    }

    #[test]
    fn the_client_is_the_first_that_is_there() {
        let names = ClaimNames::default();
        for (value, expected) in [
            (json!({"client_id": "a", "azp": "b"}), Some("a")),
            (json!({"azp": "b"}), Some("b")),
            (json!({"cid": "c"}), Some("c")),
            (json!({"client_id": ""}), None),
            (json!({"client_id": 7}), None),
        ] {
            assert_eq!(names.client(&claims(&value)).ok(), expected, "{value}");
        }
    }

    #[test]
    fn tenant_and_login() {
        let names = ClaimNames { tenant: Some("tid".into()), ..ClaimNames::default() };
        let granted = names.granted(claims(&json!({"tid": "acme", "auth_time": 5})));
        assert_eq!((granted.tenant.as_deref(), granted.login), (Some("acme"), Some(Timestamp::from_unix(5))));
        let granted = names.granted(claims(&json!({"tid": ["acme"], "auth_time": "5"})));
        assert_eq!((granted.tenant, granted.login), (None, None));
        let names = ClaimNames { tenant_otherwise: Some("house".into()), ..names };
        let of = |said| names.granted(claims(&said)).tenant;
        assert_eq!(of(json!({"tid": "acme"})).as_deref(), Some("acme"), "what is said comes first");
        assert_eq!(of(json!({})).as_deref(), Some("house"));
    }

    /// Names with a dot in them, as Kubernetes has one.
    #[test]
    fn a_path_leads_through_a_name_with_a_dot() {
        let names = ClaimNames { tenant: Some("kubernetes.io.namespace".into()), ..ClaimNames::default() };
        let granted = names.granted(claims(&json!({"kubernetes.io": {"namespace": "mcp"}})));
        assert_eq!(granted.tenant.as_deref(), Some("mcp"));
        let granted =
            names.granted(claims(&json!({"kubernetes.io": "x", "kubernetes": {"io": {"namespace": "y"}}})));
        assert_eq!(granted.tenant.as_deref(), Some("y"));
    }

    #[test]
    fn what_an_issuer_grants_to_all_is_there_beside_what_a_token_says() {
        let names = ClaimNames { grants: ScopeSet::parse("notes:read").unwrap(), ..ClaimNames::default() };
        let granted = names.granted(claims(&json!({"scope": "notes:write"})));
        assert_eq!(granted.scopes, ScopeSet::parse("notes:read notes:write").unwrap());
    }

    #[test]
    fn tokens_of_other_tenants_are_not_taken() {
        let names =
            ClaimNames { tenant: Some("tid".into()), tenants: vec!["acme".into()], ..ClaimNames::default() };
        for (tenant, taken) in [
            (json!("acme"), true),
            (json!("umbrella"), false),
            (json!(null), false),
            (json!(["acme"]), false),
        ] {
            let granted = names.granted(claims(&json!({"tid": tenant})));
            assert_eq!(names.check_tenant(&granted).is_ok(), taken, "{tenant}");
        }
    }
}
