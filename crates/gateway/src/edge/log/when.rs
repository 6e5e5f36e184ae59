//! Times, as they stand in a line.

use std::time::{SystemTime, UNIX_EPOCH};

use hallpass_protocol::time::Timestamp;

/// RFC 3339 in UTC with milliseconds, as RFC 5424 §6.2.3 wants it, too: `2026-11-22T05:29:50.120Z`.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = Timestamp::from(UNIX_EPOCH + since).to_utc();
    let mut words = text.split(' ');
    let (date, clock) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    format!("{date}T{clock}.{:03}Z", since.subsec_millis())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_is_written_with_milliseconds() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_325_390_120, "2026-11-22T05:29:50.120Z"),
            (1_795_325_390_999, "2026-11-22T05:29:50.999Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_millis(millis)), text);
        }
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
    }
}
