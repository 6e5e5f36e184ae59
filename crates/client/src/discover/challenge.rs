//! Which refusals concern this client, and which of several challenges to follow.

use hallpass_protocol::{
    challenge::{Challenge, parse_challenges},
    dpop,
};
use http::{HeaderMap, StatusCode};

/// A refusal that a token may cure.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// 401: no token, or one that is not valid.
    Unauthorized(Option<Challenge>),
    /// 403 with `insufficient_scope` (RFC 6750 §3.1).
    InsufficientScope(Challenge),
}

impl Refusal {
    /// Reads an answer. `None`: not a refusal, or one that OAuth cannot cure.
    pub(crate) fn of(status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        match status {
            StatusCode::UNAUTHORIZED => {
                let challenges = parse_challenges(headers);
                // RFC 9110 §15.5.2 demands a challenge, yet servers forget it: then discovery decides.
                let chosen = choose(&challenges);
                (chosen.is_some() || challenges.is_empty()).then_some(Self::Unauthorized(chosen))
            }
            StatusCode::FORBIDDEN => parse_challenges(headers)
                .into_iter()
                .find(|c| is_for_tokens(c) && c.error() == Some("insufficient_scope"))
                .map(Self::InsufficientScope),
            _ => None,
        }
    }
}

/// RFC 6750 §3, RFC 9449 §7.1.
fn is_for_tokens(challenge: &Challenge) -> bool {
    challenge.is("Bearer") || challenge.is(dpop::SCHEME)
}

/// Of several challenges: a Bearer one that names its metadata, any Bearer one, a DPoP one, then any scheme
/// that names metadata (RFC 9728 §5.1 allows the parameter with every scheme).
fn choose(challenges: &[Challenge]) -> Option<Challenge> {
    let rules: [fn(&Challenge) -> bool; 4] = [
        |c| c.is("Bearer") && c.resource_metadata().is_some(),
        |c| c.is("Bearer"),
        |c| c.is(dpop::SCHEME),
        |c| c.resource_metadata().is_some(),
    ];
    rules.iter().find_map(|rule| challenges.iter().find(|c| rule(c))).cloned()
}

#[cfg(test)]
mod tests {
    use http::header::{HeaderValue, WWW_AUTHENTICATE};

    use super::*;

    fn refusal(status: u16, values: &[&'static str]) -> Option<Refusal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(value));
        }
        Refusal::of(StatusCode::from_u16(status).unwrap(), &headers)
    }

    fn scope(refusal: Option<Refusal>) -> Option<String> {
        match refusal {
            Some(Refusal::Unauthorized(Some(c)) | Refusal::InsufficientScope(c)) => {
                c.scope().map(|s| s.to_string())
            }
            _ => None,
        }
    }

    #[test]
    fn the_bearer_challenge_is_found_among_others() {
        assert_eq!(
            scope(refusal(401, &[r#"Digest realm="scope=evil", Bearer scope="good""#])),
            Some("good".into())
        );
        assert_eq!(
            scope(refusal(401, &[r#"Basic realm="x""#, r#"bearer scope="good""#])),
            Some("good".into())
        );
        let two = [r#"Bearer scope="plain""#, r#"Bearer scope="with", resource_metadata="https://a/m""#];
        assert_eq!(scope(refusal(401, &two)), Some("with".into()));
    }

    #[test]
    fn a_401_without_a_challenge_is_still_a_refusal() {
        assert!(matches!(refusal(401, &[]), Some(Refusal::Unauthorized(None))));
    }

    #[test]
    fn what_oauth_cannot_cure_is_left_to_the_caller() {
        assert!(refusal(401, &[r#"Basic realm="x""#]).is_none());
        assert!(refusal(403, &[]).is_none());
        assert!(refusal(403, &[r#"Bearer error="invalid_token""#]).is_none());
        assert!(refusal(500, &[r#"Bearer scope="a""#]).is_none());
        assert!(refusal(200, &[]).is_none());
    }

    #[test]
    fn insufficient_scope_is_told_apart() {
        assert_eq!(
            scope(refusal(403, &[r#"Bearer error="insufficient_scope", scope="write""#])),
            Some("write".into())
        );
    }
}
