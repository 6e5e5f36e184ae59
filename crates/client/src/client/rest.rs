//! A server that asks for time gets it (RFC 9110 §10.2.3): however many requests want a new token, it is not asked
//! again before.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hallpass_protocol::time::Timestamp;

use crate::error::{Error, Step, printable};

/// The longest that a refresh is put off. A server that says a year has made a mistake.
const LONGEST: Duration = Duration::from_secs(3600);

/// Until when no refresh is tried, and where.
#[derive(Default)]
pub(super) struct Rest(Mutex<Option<(String, Timestamp)>>);

impl Rest {
    /// Notes how long the server asked to wait, if it did.
    pub(super) fn noted(&self, endpoint: &str, error: Error, now: Timestamp) -> Error {
        if let Error::Transient { retry_after: Some(wait), .. } = &error {
            let until = now.after((*wait).min(LONGEST));
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((endpoint.to_owned(), until));
        }
        error
    }

    /// The error that the server would most likely give again.
    pub(super) fn ensure_over(&self, endpoint: &str, now: Timestamp) -> Result<(), Error> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A login may be at another server by now, which has asked for nothing.
        let until = noted.filter(|(resting, _)| resting == endpoint).map(|(_, until)| until);
        // A clock that was set back must not make it longer.
        let left = until.filter(|until| now < *until && *until <= now.after(LONGEST));
        let Some(until) = left else { return Ok(()) };
        Err(Error::Transient {
            step: Step::Refresh,
            url: printable(endpoint),
            detail: "the server has asked to wait, so it was not asked again".into(),
            retry_after: Some(now.until(until)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(wait: u64) -> Error {
        let retry_after = Some(Duration::from_secs(wait));
        Error::Transient { step: Step::Refresh, url: String::new(), detail: String::new(), retry_after }
    }

    #[test]
    fn a_rest_ends_and_is_never_longer_than_an_hour() {
        let (rest, at) = (Rest::default(), Timestamp::from_unix);
        assert!(rest.ensure_over("e", at(0)).is_ok());
        rest.noted("e", error(120), at(1000));
        assert!(rest.ensure_over("other", at(1100)).is_ok(), "it has asked for nothing");
        let early = rest.ensure_over("e", at(1100)).unwrap_err();
        assert!(matches!(early, Error::Transient { retry_after: Some(left), .. } if left.as_secs() == 20));
        assert!(rest.ensure_over("e", at(1120)).is_ok());
        rest.noted("e", error(u64::MAX), at(1000));
        assert!(rest.ensure_over("e", at(1000)).is_err());
        assert!(rest.ensure_over("e", at(4600)).is_ok());
        assert!(rest.ensure_over("e", at(900)).is_ok(), "the clock was set back");
    }
}
