//! Tokens that are good only in the hands of whoever holds a key: `cnf` (RFC 7800 §3.1).

use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// The key that a token is bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The thumbprint of a DPoP key (RFC 9449 §6.1).
    pub(crate) jkt: Option<String>,
    /// The thumbprint of a client certificate (RFC 8705 §3.1).
    pub(crate) x5t: Option<String>,
}

impl Binding {
    /// Reads it from verified claims. A token that is bound in another way is not taken for one that is not.
    pub(crate) fn of(claims: &Map<String, Value>) -> Result<Self, Refusal> {
        let Some(cnf) = claims.get("cnf") else { return Ok(Self::default()) };
        let members = cnf.as_object().ok_or(Refusal::UnknownBinding)?;
        let mut binding = Self::default();
        for (name, value) in members {
            let value = value.as_str().filter(|text| !text.is_empty()).ok_or(Refusal::UnknownBinding)?;
            match name.as_str() {
                "jkt" => binding.jkt = Some(value.to_owned()),
                "x5t#S256" => binding.x5t = Some(value.to_owned()),
                _ => return Err(Refusal::UnknownBinding),
            }
        }
        if binding == Self::default() { Err(Refusal::UnknownBinding) } else { Ok(binding) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_understood_binds_all_the_same() {
        let of = |cnf: Value| Binding::of(json!({ "cnf": cnf }).as_object().unwrap());
        assert_eq!(Binding::of(&Map::new()).unwrap(), Binding::default());
        assert_eq!(of(json!({"jkt": "a"})).unwrap().jkt.as_deref(), Some("a"));
        assert_eq!(of(json!({"x5t#S256": "b"})).unwrap().x5t.as_deref(), Some("b"));
        for cnf in [
            json!({}),
            json!(null),
            json!("x"),
            json!({"jwk": {}}),
            json!({"jkt": "a", "kid": "b"}),
            json!({"jkt": 7}),
            json!({"jkt": ""}),
        ] {
            assert!(matches!(of(cnf.clone()), Err(Refusal::UnknownBinding)), "{cnf}");
        }
    }
}
