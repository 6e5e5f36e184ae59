//! When a certificate is to be got.

use std::time::Duration;

use hallpass_protocol::Timestamp;

/// After a first failure. Let's Encrypt bears five an hour.
const PAUSE: Duration = Duration::from_secs(60);
/// After many.
const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);
/// Where the authority says that it was asked too often.
const LIMITED: Duration = Duration::from_secs(60 * 60);

/// From when until when a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lifetime {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

/// What came of trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// The last time.
    pub(super) at: Timestamp,
    /// In a row.
    pub(super) times: u32,
    /// Whether the authority was asked too often.
    pub(super) limited: bool,
}

/// When to try next: once two thirds of the certificate's life are over, or a little before; at once without one. After a failure
/// later, four times as long each time. `jitter` is between 0 and 1, so that many programs do not come at the same moment.
pub(super) fn due(certificate: Option<Lifetime>, failed: Option<Failed>, jitter: f64) -> Timestamp {
    let renewed = certificate.map_or(Timestamp::from_unix(0), |Lifetime { from, until }| {
        let life = from.until(until);
        until.before(life / 3).before((life / 20).mul_f64(jitter))
    });
    let again = failed.map_or(Timestamp::from_unix(0), |Failed { at, times, limited }| {
        let pause = PAUSE.saturating_mul(4_u32.saturating_pow(times.saturating_sub(1))).min(LONGEST);
        let pause = if limited { pause.max(LIMITED) } else { pause };
        at.after(pause + (pause / 4).mul_f64(jitter))
    });
    renewed.max(again)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    fn failed(times: u32, limited: bool) -> Option<Failed> {
        Some(Failed { at: at(0), times, limited })
    }

    #[test]
    fn a_certificate_is_renewed_when_a_third_of_its_life_is_left() {
        let ninety = Some(Lifetime { from: at(0), until: at(90 * DAY) });
        assert_eq!(due(ninety, None, 0.0), at(60 * DAY));
        assert_eq!(due(ninety, None, 1.0), at(60 * DAY - 90 * DAY / 20), "never later");
        let short = Some(Lifetime { from: at(0), until: at(6 * DAY) });
        assert_eq!(due(short, None, 0.0), at(4 * DAY));
        assert_eq!(due(None, None, 1.0), at(0), "at once");
    }

    #[test]
    fn who_fails_waits_ever_longer_and_never_for_ever() {
        let pauses = [1, 2, 3, 4, 5, 6, 100].map(|times| due(None, failed(times, false), 0.0).unix());
        assert_eq!(pauses, [60, 240, 960, 3840, 15_360, 21_600, 21_600]);
        assert_eq!(due(None, failed(1, false), 1.0), at(75));
        assert_eq!(due(None, failed(1, true), 0.0), at(3600), "asked too often");
        assert_eq!(due(None, failed(6, true), 0.0), at(21_600));
        let good = Some(Lifetime { from: at(0), until: at(90 * DAY) });
        assert_eq!(
            due(good, failed(1, false), 0.0),
            at(60 * DAY),
            "a certificate that is young is left alone"
        );
        let old = Some(Lifetime { from: at(-80 * DAY), until: at(10 * DAY) });
        assert_eq!(due(old, failed(2, false), 0.0), at(240));
    }
}
