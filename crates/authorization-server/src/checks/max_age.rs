//! `max_age`: how long ago the person may have logged in (OpenID Connect Core §3.1.2.1, RFC 9470 §5).

use std::time::Duration;

use hallpass_protocol::form::Parameters;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::time::Timestamp;

/// The earliest login that counts; none, where any does. `max_age=0` asks for a new one.
pub(super) fn earliest_login(
    parameters: &Parameters,
    now: Timestamp,
) -> Result<Option<Timestamp>, OAuthError> {
    let Some(text) = parameters.get("max_age").ok().flatten() else { return Ok(None) };
    let digits = !text.is_empty() && text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| digits);
    let seconds: u64 = seconds.ok_or_else(|| {
        OAuthError::new(ErrorCode::InvalidRequest, "max_age is a number of seconds, in digits alone")
    })?;
    Ok(Some(now.before(Duration::from_secs(seconds))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_before_now() {
        let of = |text: &str| {
            let parameters = Parameters::parse(&format!("max_age={text}")).unwrap();
            earliest_login(&parameters, Timestamp::from_unix(1_000)).map_err(|error| error.error)
        };
        assert_eq!(of("0"), Ok(Some(Timestamp::from_unix(1_000))));
        assert_eq!(of("300"), Ok(Some(Timestamp::from_unix(700))));
        assert_eq!(of("9999999999"), Ok(Some(Timestamp::from_unix(1_000 - 9_999_999_999))));
        for text in ["-1", "%2B5", "5m", "1.5", "99999999999", "0x10", "%D9%A1"] {
            assert_eq!(of(text), Err(ErrorCode::InvalidRequest), "{text}");
        }
        let none = Parameters::parse("max_ages=5").unwrap();
        assert_eq!(earliest_login(&none, Timestamp::from_unix(1)), Ok(None));
    }
}
