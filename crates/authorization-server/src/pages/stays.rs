//! How long an app stays connected, as the page of consent says it.

use std::fmt;
use std::time::Duration;

use crate::settings::Lifetimes;

/// How long what is allowed lasts.
#[derive(Clone, Debug)]
pub(crate) struct Stays {
    /// Whether the client gets a refresh token.
    refreshable: bool,
    at_most: Duration,
    unused: Duration,
    once: Duration,
    /// Who may end it earlier, where the tokens are a provider's.
    provider: Option<String>,
}

impl Stays {
    pub(crate) fn new(refreshable: bool, lifetimes: &Lifetimes) -> Self {
        let Lifetimes { grant, refresh_idle, access_token, .. } = *lifetimes;
        Self { refreshable, at_most: grant, unused: refresh_idle, once: access_token, provider: None }
    }

    /// The same where a provider's tokens are given.
    pub(crate) fn with_provider(refreshable: bool, lifetimes: &Lifetimes, provider: &str) -> Self {
        Self { provider: Some(provider.to_owned()), ..Self::new(refreshable, lifetimes) }
    }
}

impl fmt::Display for Stays {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(provider), false) = (&self.provider, self.refreshable) {
            return write!(formatter, "{provider} says how long it has access; it asks again after that.");
        }
        if !self.refreshable {
            return write!(formatter, "It has access for {}, and asks again after that.", span(self.once));
        }
        write!(formatter, "It stays connected for {}", span(self.at_most))?;
        if self.unused < self.at_most {
            write!(formatter, ", or until it has not been used for {}", span(self.unused))?;
        }
        if let Some(provider) = &self.provider {
            return write!(formatter, ". You can end it earlier in the app, or at {provider}.");
        }
        write!(formatter, ". You can disconnect it earlier, on your account page.")
    }
}

/// "180 days", "12 hours": the largest unit that says it exactly, or nearly.
fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let fits = |&&(size, _): &&(u64, &str)| seconds >= 2 * size || seconds == size;
    let (size, unit) = units.iter().find(fits).copied().unwrap_or((1, "second"));
    let number = seconds / size;
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_said_in_words() {
        const DAY: u64 = 86_400;
        for (seconds, said) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (90, "90 seconds"),
            (600, "10 minutes"),
            (3_600, "1 hour"),
            (DAY + 3_600, "25 hours"),
            (DAY, "1 day"),
            (180 * DAY, "180 days"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), said);
        }
    }

    #[test]
    fn what_lasts_is_told_apart_from_what_does_not() {
        let lifetimes = Lifetimes::default();
        let stays = Stays::new(true, &lifetimes).to_string();
        assert!(stays.contains("for 180 days, or until it has not been used for 30 days."), "{stays}");
        assert_eq!(
            Stays::new(false, &lifetimes).to_string(),
            "It has access for 10 minutes, and asks again after that."
        );
        let short = Lifetimes { grant: lifetimes.refresh_idle, ..lifetimes };
        assert!(!Stays::new(true, &short).to_string().contains("used"), "one of them says it all");
    }
}
