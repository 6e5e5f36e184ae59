//! A code that a person types on another device (RFC 8628), beside the browser's redirect.

use std::{future::Future, time::Duration};

use hallpass_protocol::{
    oauth_error::{ErrorCode, OAuthError},
    scope::ScopeSet,
    secret::Secret,
    token::TokenResponse,
};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use crate::{
    discover::AuthorizationServer,
    error::{Error, Rule, Step},
    interaction::{DevicePrompt, Interaction, LaunchUrl},
    redeem::RedeemError,
    token_endpoint::{Requester, TokenError},
};

/// The grant type of RFC 8628 §3.4.
pub(crate) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// RFC 8628 §3.2, where the server names no interval.
const INTERVAL: Duration = Duration::from_secs(5);

/// RFC 8628 §3.5: by how much `slow_down` makes the interval longer, for good.
const SLOWER: Duration = Duration::from_secs(5);

/// A server that names no pause at all is not asked in a loop without one.
const SHORTEST: Duration = Duration::from_millis(100);

/// The longest that a code or a pause is believed to be. A server that says a year has made a mistake.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// RFC 8628 §3.2.
#[derive(Deserialize)]
struct DeviceAuthorization {
    device_code: Secret,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

impl DeviceAuthorization {
    fn life(&self) -> Duration {
        Duration::from_secs(self.expires_in).min(LONGEST_LIFE)
    }

    fn pause(&self) -> Duration {
        self.interval.map_or(INTERVAL, Duration::from_secs).clamp(SHORTEST, LONGEST_PAUSE)
    }
}

/// What is asked for.
pub(crate) struct DeviceRequest<'a> {
    pub(crate) server: &'a AuthorizationServer,
    pub(crate) requester: &'a Requester<'a>,
    pub(crate) token_endpoint: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) scope: Option<&'a ScopeSet>,
}

/// What comes first of both ways. A device flow that leads nowhere, `None`, leaves the person the browser.
pub(crate) async fn first_of<T>(
    browser: impl Future<Output = T>,
    device: impl Future<Output = Option<T>>,
) -> T {
    tokio::select! {
        answer = browser => answer,
        Some(answer) = device => answer,
    }
}

impl DeviceRequest<'_> {
    /// Asks for a code, shows it, and waits until the person has said yes or no. `None` where the server has no
    /// such thing for this client, or where the code was of no use: then nothing is decided.
    pub(crate) async fn tokens(&self, interaction: &dyn Interaction) -> Option<Result<TokenResponse, Error>> {
        let endpoint = self.server.metadata().device_authorization_endpoint.as_deref()?;
        if !interaction.offers_device() {
            return None;
        }
        match self.run(endpoint, interaction).await {
            Ok(tokens) => Some(Ok(tokens)),
            Err(denied @ Error::Denied { .. }) => Some(Err(denied)),
            Err(error) => {
                tracing::debug!(%error, "the device flow has ended without an answer");
                None
            }
        }
    }

    /// The same, where it is the only way.
    pub(crate) async fn only(&self, interaction: &dyn Interaction) -> Result<TokenResponse, RedeemError> {
        let endpoint = &self.server.metadata().device_authorization_endpoint;
        let endpoint = self.server.endpoint("device_authorization_endpoint", endpoint)?;
        self.run(endpoint, interaction).await.map_err(|error| match &error {
            Error::Misconfigured { rule: Rule::CodeRefused { error: code, .. }, .. }
                if code == ErrorCode::InvalidClient.as_str() =>
            {
                RedeemError::UnknownClient(error)
            }
            _ => RedeemError::Failed(error),
        })
    }

    async fn run(&self, endpoint: &str, interaction: &dyn Interaction) -> Result<TokenResponse, Error> {
        let scope = self.scope.map(ScopeSet::to_string);
        let mut asked = vec![("resource", self.resource)];
        asked.extend(scope.as_deref().map(|scope| ("scope", scope)));
        self.requester.drop_unwanted(&mut asked);
        let started: DeviceAuthorization =
            self.requester.answered(Step::Authorize, endpoint, &asked).await.map_err(
                |error| match error {
                    TokenError::Failed(error) => error,
                    // Of the flow itself, by the server: the person has not said anything yet.
                    TokenError::Refused(refusal) => misconfigured(endpoint, rule_of(&refusal)),
                },
            )?;
        interaction.show_device(&prompt(endpoint, &started)?);
        self.poll(&started).await
    }

    /// RFC 8628 §3.4 and §3.5.
    async fn poll(&self, started: &DeviceAuthorization) -> Result<TokenResponse, Error> {
        let end = Instant::now() + started.life();
        let mut interval = started.pause();
        let grant = [
            ("grant_type", GRANT_TYPE),
            ("device_code", started.device_code.expose()),
            ("resource", self.resource),
        ];
        loop {
            sleep(interval).await;
            let refusal = match self.requester.tokens(Step::Redeem, self.token_endpoint, &grant).await {
                Ok(tokens) => return Ok(tokens),
                Err(TokenError::Refused(refusal)) => Some(refusal),
                Err(TokenError::Failed(Error::Transient { .. })) => None,
                Err(TokenError::Failed(error)) => return Err(error),
            };
            interval = match (longer(interval, refusal.as_ref().map(|r| &r.error)), refusal) {
                (Some(interval), _) if Instant::now() < end => interval,
                (_, refusal) => {
                    return Err(self.denied(&refusal.unwrap_or(ErrorCode::TemporarilyUnavailable.into())));
                }
            };
        }
    }

    fn denied(&self, refusal: &OAuthError) -> Error {
        if refusal.error != ErrorCode::AccessDenied {
            return misconfigured(self.token_endpoint, rule_of(refusal));
        }
        Error::Denied {
            issuer: self.server.issuer().to_string(),
            error: refusal.error.to_string(),
            description: refusal.error_description.clone(),
        }
    }
}

/// The pause before the next question, or `None` where the answer is final. Without an answer, RFC 8628 §3.5
/// asks for an exponential back-off.
fn longer(interval: Duration, answer: Option<&ErrorCode>) -> Option<Duration> {
    match answer.map(ToString::to_string).as_deref() {
        None => Some(interval * 2),
        Some("authorization_pending") => Some(interval),
        Some("slow_down") => Some(interval + SLOWER),
        Some(_) => None,
    }
}

/// The pages are a stranger's words: a person is sent only to plain web addresses.
fn prompt(endpoint: &str, started: &DeviceAuthorization) -> Result<DevicePrompt, Error> {
    let check = |uri: &str| LaunchUrl::check(uri).map_err(|rule| misconfigured(endpoint, rule));
    Ok(DevicePrompt {
        verification_uri: check(&started.verification_uri)?,
        verification_uri_complete: started
            .verification_uri_complete
            .as_deref()
            .and_then(|uri| check(uri).ok()),
        user_code: started.user_code.clone(),
        expires_in: started.life(),
    })
}

fn rule_of(refusal: &OAuthError) -> Rule {
    Rule::CodeRefused { error: refusal.error.to_string(), description: refusal.error_description.clone() }
}

fn misconfigured(url: &str, rule: Rule) -> Error {
    Error::Misconfigured { step: Step::Authorize, url: url.to_owned(), rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_sets_the_pace() {
        let seconds = Duration::from_secs;
        let code = |name: &str| ErrorCode::from(name.to_owned());
        for (answer, expected) in [
            (Some(code("authorization_pending")), Some(seconds(5))),
            (Some(code("slow_down")), Some(seconds(10))),
            (None, Some(seconds(10))),
            (Some(code("expired_token")), None),
            (Some(code("access_denied")), None),
            (Some(code("invalid_grant")), None),
        ] {
            assert_eq!(longer(seconds(5), answer.as_ref()), expected, "{answer:?}");
        }
    }

    #[test]
    fn a_person_is_sent_to_plain_web_addresses_only() {
        let started = |uri: &str, complete: &str| DeviceAuthorization {
            device_code: Secret::new("d"),
            user_code: "ABCD".into(),
            verification_uri: uri.into(),
            verification_uri_complete: Some(complete.into()),
            expires_in: 60,
            interval: None,
        };
        assert!(prompt("e", &started("javascript:alert(1)", "https://a.example/")).is_err());
        let shown = prompt("e", &started("https://a.example/device", "file:///etc/passwd")).unwrap();
        assert!(shown.verification_uri_complete.is_none());
    }

    #[test]
    fn no_time_is_too_long_to_reckon_with() {
        let started = |expires_in, interval| DeviceAuthorization {
            device_code: Secret::new("d"),
            user_code: "ABCD".into(),
            verification_uri: "https://a.example/".into(),
            verification_uri_complete: None,
            expires_in,
            interval,
        };
        let endless = started(u64::MAX, Some(u64::MAX));
        assert!(Instant::now().checked_add(endless.life()).is_some());
        assert_eq!((endless.life(), endless.pause()), (LONGEST_LIFE, LONGEST_PAUSE));
        assert_eq!(prompt("e", &endless).unwrap().expires_in, LONGEST_LIFE);
        let usual = started(600, None);
        assert_eq!((usual.life(), usual.pause()), (Duration::from_secs(600), INTERVAL));
        assert_eq!(started(600, Some(0)).pause(), SHORTEST);
    }

    #[tokio::test]
    async fn a_device_flow_that_leads_nowhere_leaves_the_browser() {
        let later = async {
            tokio::task::yield_now().await;
            1
        };
        assert_eq!(first_of(later, async { None }).await, 1);
        assert_eq!(first_of(std::future::pending(), async { Some(2) }).await, 2);
    }
}
